package web_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/web/auth"
)

func TestObjectivesAreFilteredAndPaged(t *testing.T) {
	h := open(t, page)
	got := h.ask(t, auth.Viewer, "GET", "/api/v1/slos?service=shop/web&env=prod&state=unasked&after=a&limit=7", "")
	for _, want := range []string{`"service":"shop/web"`, `"env":"prod"`, `"state":"unasked"`, `"code":"could-not-ask"`, `"next":"a7"`} {
		if got.code != 200 || !strings.Contains(got.text, want) {
			t.Errorf("%d %s, want %s in it", got.code, got.text, want)
		}
	}
	if got := h.ask(t, auth.Viewer, "GET", "/api/v1/slos?state=fine", ""); got.code != 422 {
		t.Errorf("a state that there is not: %d %s", got.code, got.text)
	}
}

func TestACourseTellsZeroFromNotKnown(t *testing.T) {
	h := open(t, page)
	got := h.ask(t, auth.Viewer, "GET", "/api/v1/slos/web?cluster=a", "")
	if got.code != 200 || !strings.Contains(got.text, `"cluster":"a"`) || strings.Count(got.text, `"burn":0`) != 1 {
		t.Errorf("%d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Viewer, "GET", "/api/v1/slos/api", ""); got.code != 404 {
		t.Errorf("an objective that there is not: %d %s", got.code, got.text)
	}
}

func TestTheCalendarIsAskedForAMonthAtMost(t *testing.T) {
	h := open(t, page)
	const ask = "/api/v1/experiments/calendar"
	for query, code := range map[string]int{
		"?from=2026-11-01T00:00:00%2B08:00&to=2026-12-06T00:00:00%2B08:00": 200,
		"?from=2026-11-01T00:00:00Z&to=2027-11-01T00:00:00Z":               422,
		"?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z":               422,
		"?from=yesterday&to=2026-11-01T00:00:00Z":                          422,
		"?from=2026-11-02T00:00:00Z":                                       422,
	} {
		if got := h.ask(t, auth.Viewer, "GET", ask+query, ""); got.code != code {
			t.Errorf("%s: %d %s", query, got.code, got.text)
		}
	}
}

func TestARunIsReadByItsName(t *testing.T) {
	h := open(t, page)
	if got := h.ask(t, auth.Viewer, "GET", "/api/v1/experiments/runs/r1/record", ""); got.code != 200 || !strings.Contains(got.text, `"experiment":"kill"`) {
		t.Errorf("%d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Viewer, "GET", "/api/v1/experiments/runs/r9/record", ""); got.code != 404 {
		t.Errorf("a run that there is not: %d %s", got.code, got.text)
	}
}
