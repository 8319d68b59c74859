package replay

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// recordedOnTheLab is a release as a server wrote it, without what no replay needs.
func recordedOnTheLab(t *testing.T) release.Release {
	t.Helper()
	data, err := os.ReadFile("testdata/release.json")
	if err != nil {
		t.Fatal(err)
	}
	var r release.Release
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func replayed(t *testing.T, r release.Release) (string, error) {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = run(bytes.NewReader(data), &out)
	return out.String(), err
}

func TestAStoredTrialComesToTheVerdictThatWasGiven(t *testing.T) {
	out, err := replayed(t, recordedOnTheLab(t))
	if err != nil || !strings.Contains(out, "in staging: Pass (as recorded)") || !strings.Contains(out, "100 % while PodChaos pod-kill was active") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestOtherSamplesComeToAnotherVerdictAndThatIsSaid(t *testing.T) {
	r := recordedOnTheLab(t)
	for i, ev := range r.Stages[0].Trial.Evidence {
		if ev.Facts["about"] == "fault" {
			for j, q := range ev.Queries {
				if q.Name == "good" {
					r.Stages[0].Trial.Evidence[i].Queries[j].Samples[0].Value = 300
				}
			}
		}
	}
	out, err := replayed(t, r)
	if err == nil || !strings.Contains(err.Error(), "comes to Refuse, recorded was Pass") || !strings.Contains(out, "recorded was Pass") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWhatIsNoRecordIsRefusedWithTheNextStep(t *testing.T) {
	bare := recordedOnTheLab(t)
	bare.Stages[0].Trial.Evidence = nil
	if _, err := replayed(t, bare); err == nil || !strings.Contains(hint.Of(err), "release show ID") {
		t.Errorf("a release as lists have it: %v, hint %q", err, hint.Of(err))
	}
	if err := run(strings.NewReader("not JSON"), &bytes.Buffer{}); err == nil || hint.Of(err) == "" {
		t.Errorf("no JSON: %v", err)
	}
}
