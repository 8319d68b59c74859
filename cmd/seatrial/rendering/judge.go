package rendering

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/release"
)

// Judge is the verdict on what every cluster may get: the first that does not pass, or
// all that passed, with each proof once.
func Judge(all render.Rendered, passed release.Verdict, judge func([]*unstructured.Unstructured) (release.Verdict, error)) (release.Verdict, error) {
	var stop release.Verdict
	err := all.Each(func(name string, only render.Rendered) error {
		v, err := judge(only.Objects)
		switch {
		case err != nil || stop.Outcome() != release.NoOutcome:
		case v.Outcome() != release.Passed && name != "":
			stop = v.Because(fmt.Sprintf("with the params for %s: %s", name, v.Reason()))
		case v.Outcome() != release.Passed:
			stop = v
		case name == "":
			passed = v.With(passed.Evidence()...)
		default:
			passed = passed.With(release.Evidence{Gate: "policy", Claim: "the same holds with the params for " + name, Holds: true, Detail: string(only.Digest)})
		}
		return err
	})
	if stop.Outcome() != release.NoOutcome {
		return stop, err
	}
	return passed, err
}
