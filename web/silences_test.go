package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/auth"
)

// quietly remembers one silence.
type quietly struct{ *yard }

func (q quietly) List(context.Context) ([]release.Silence, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return []release.Silence{q.silence}, nil
}

func (q quietly) Add(_ context.Context, matchers []string, length time.Duration, by, reason string) (release.Silence, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Unix(1_000_000, 0).UTC()
	q.silence = release.Silence{ID: "s1", Matchers: matchers, From: now, Until: now.Add(length), By: by, Reason: reason}
	return q.silence, nil
}

func (q quietly) End(_ context.Context, id, by, reason string) (release.Silence, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if id != q.silence.ID {
		return release.Silence{}, fmt.Errorf("silence %s: %w", id, web.ErrNotFound)
	}
	q.silence.EndedBy, q.silence.EndedFor = by, reason
	return q.silence, nil
}

func TestASilenceIsForOperatorsAndSaysWhy(t *testing.T) {
	h := open(t, page)
	good := `{"matchers":["service=shop/web"],"for":"2h","reason":"the database moves"}`
	for _, c := range []struct {
		role auth.Role
		body string
		want int
	}{{auth.Viewer, good, 403}, {auth.Operator, strings.Replace(good, "the database moves", "", 1), 422}, {auth.Operator, strings.Replace(good, "2h", "long", 1), 422},
		{auth.Operator, strings.Replace(good, `"service=shop/web"`, "", 1), 422}, {auth.Operator, good, 201}} {
		if got := h.ask(t, c.role, "POST", "/api/v1/silences", c.body); got.code != c.want {
			t.Errorf("%s %s: %d %s", c.role, c.body, got.code, got.text)
		}
	}
	if got := h.ask(t, auth.Viewer, "GET", "/api/v1/silences", ""); got.code != 200 || !strings.Contains(got.text, `"by":"token:operator"`) || !strings.Contains(got.text, "the database moves") {
		t.Errorf("everybody reads: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Operator, "POST", "/api/v1/silences/none/end", `{"reason":"done"}`); got.code != 404 {
		t.Errorf("one that is not there: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Operator, "POST", "/api/v1/silences/s1/end", `{"reason":"done"}`); got.code != 200 || !strings.Contains(got.text, `"endedFor":"done"`) {
		t.Errorf("ended: %d %s", got.code, got.text)
	}
}
