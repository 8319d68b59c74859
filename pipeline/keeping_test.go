package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/release"
)

func TestAnEnvironmentMayKeepWhatWasRefused(t *testing.T) {
	refused := release.Refuse("availability 71 %", "fix it").With(release.Evidence{Gate: "slo"})
	for _, c := range []struct {
		name  string
		live  bool
		keeps bool
		said  release.Verdict
		err   error
		want  release.Outcome
	}{
		{"what is live is kept for a person", true, true, refused, nil, release.Undetermined},
		{"where nobody asked for it, it returns", true, false, refused, nil, release.Refused},
		{"what never went live is refused", false, true, refused, nil, release.Refused},
		{"a pass is a pass", true, true, release.Pass(), nil, release.Passed},
		{"what could not be asked is asked again", true, true, release.Verdict{}, errors.New("connection refused"), release.NoOutcome},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := release.Release{ID: "shop.web.aaaaaaaaaaaa", Stages: []release.Stage{{Env: "prod", Live: c.live}}}
			act := pipeline.Keeping(func(context.Context, string, release.Release) (release.Facts, release.Verdict, error) {
				return release.Facts{}, c.said, c.err
			}, func(env release.Env) bool { return env == "prod" && c.keeps })
			_, v, err := act(t.Context(), "k", r)
			if v.Outcome() != c.want || !errors.Is(err, c.err) {
				t.Fatalf("%v, %v", v.Outcome(), err)
			}
			if c.want == release.Undetermined && (v.Reason() != "availability 71 %" || len(v.Evidence()) != 1 || !strings.Contains(v.Hint(), "rollback shop.web.aaaaaaaaaaaa --env prod")) {
				t.Errorf("%q %q %v", v.Reason(), v.Hint(), v.Evidence())
			}
		})
	}
}
