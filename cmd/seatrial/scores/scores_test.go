package scores

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
)

func tried(id string, env release.Env, score float64, at time.Time, verified bool) release.Release {
	s := release.Stage{Env: env, Trial: &release.Trial{Score: &score}}
	if verified {
		s.Verified = at
	} else {
		s.Refused = at
	}
	return release.Release{ID: release.ID(id), Stages: []release.Stage{s}}
}

func TestPointsAreTheTrialsThatMeasured(t *testing.T) {
	day := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	all := []release.Release{
		tried("newer", "staging", 0, day.AddDate(0, 0, 1), false), tried("older", "staging", 99.95, day, true), tried("elsewhere", "prod", 50, day, true),
		{ID: "without", Stages: []release.Stage{{Env: "staging", Trial: &release.Trial{}}}},
	}
	got := Points(all, "staging")
	if len(got) != 2 || got[0].Release != "older" || !got[0].Verified || got[1].Release != "newer" || got[1].Verified {
		t.Errorf("%+v", got)
	}
	if n := len(Points(all, "")); n != 3 {
		t.Errorf("%d of all environments", n)
	}
	var out bytes.Buffer
	table(&out, got)
	if lines := strings.Split(out.String(), "\n"); !strings.Contains(lines[1], "###################  yes") || !strings.Contains(lines[2], "0.0") || strings.Contains(lines[2], "#") {
		t.Errorf("%s", out.String())
	}
}
