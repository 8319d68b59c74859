package web_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/runs"
)

// agreed counts what is said of the experiment kill, whose content is sha256:1.
type agreed struct{ *yard }

func (a agreed) Approvals(_ context.Context, q runs.Question, schedule bool) (runs.Approvals, error) {
	if q.Name != "kill" {
		return runs.Approvals{}, fmt.Errorf("experiment %s: %w", q.Name, web.ErrNotFound)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return runs.Approvals{Experiment: q.Name, Env: q.Env, Service: q.Service, Schedule: schedule, Digest: "sha256:1", Groups: []string{}, Said: a.said}, nil
}

func (a agreed) Approve(ctx context.Context, w runs.Word) (runs.Approvals, error) {
	if w.Digest != "" && w.Digest != "sha256:1" {
		return runs.Approvals{}, fmt.Errorf("experiment %s: %w", w.Name, web.ErrStale)
	}
	if strings.HasPrefix(w.By, "token:admin") {
		return runs.Approvals{}, hint.Add(fmt.Errorf("a token is no person: %w", web.ErrRefused), "sign in")
	}
	a.mu.Lock()
	a.said = append(a.said, runs.Said{By: w.By, State: "counts", Reason: w.Reason})
	a.mu.Unlock()
	return a.Approvals(ctx, w.Question, w.Schedule)
}

func (a agreed) Withdraw(ctx context.Context, w runs.Word) (runs.Approvals, error) {
	a.mu.Lock()
	a.said = nil
	a.mu.Unlock()
	return a.Approvals(ctx, w.Question, w.Schedule)
}

// lacking is a refusal with its reason in one word.
type lacking struct{ error }

func (lacking) Code() string { return "approvals-missing" }

func (l lacking) Unwrap() error { return l.error }

func TestPeopleAgreeToWhatTheyHaveRead(t *testing.T) {
	h := open(t, page)
	const path = "/api/v1/experiments/kill/"
	got := h.ask(t, auth.Viewer, "GET", path+"approvals?env=prod&schedule=true", "")
	if got.code != 200 || got.header.Get("ETag") != `"sha256:1"` || !strings.Contains(got.text, `"schedule":true`) {
		t.Fatalf("read: %d %v %s", got.code, got.header, got.text)
	}
	for _, c := range []struct {
		role    auth.Role
		act     string
		body    string
		headers []string
		want    int
	}{
		{auth.Viewer, "approve", `{"env":"prod"}`, nil, http.StatusForbidden},
		{auth.Operator, "approve", `{}`, nil, http.StatusUnprocessableEntity},
		{auth.Operator, "approve", `{"env":"prod","shcedule":true}`, nil, http.StatusUnprocessableEntity},
		{auth.Operator, "approve", `{"env":"prod"}`, []string{"If-Match", `"sha256:0"`}, http.StatusPreconditionFailed},
		{auth.Admin, "approve", `{"env":"prod"}`, nil, http.StatusConflict},
		{auth.Operator, "approve", `{"env":"prod","reason":"looked at it"}`, []string{"If-Match", got.header.Get("ETag"), "Idempotency-Key", "k1"}, http.StatusOK},
		{auth.Operator, "approve", `{"env":"prod","reason":"looked at it"}`, []string{"If-Match", got.header.Get("ETag"), "Idempotency-Key", "k1"}, http.StatusOK},
		{auth.Operator, "approve", `{"env":"prod"}`, []string{"If-Match", "*"}, http.StatusOK},
	} {
		if got := h.ask(t, c.role, "POST", path+c.act, c.body, c.headers...); got.code != c.want {
			t.Errorf("%s %s %s %v: %d %s", c.role, c.act, c.body, c.headers, got.code, got.text)
		}
	}
	if got := h.ask(t, auth.Viewer, "GET", path+"approvals?env=prod", ""); strings.Count(got.text, "token:operator") != 2 || !strings.Contains(got.text, "looked at it") {
		t.Errorf("the repeated request acted again, or nothing was kept: %s", got.text)
	}
	if got := h.ask(t, auth.Operator, "POST", path+"withdraw", `{"env":"prod"}`); got.code != 200 || strings.Contains(got.text, "token:operator") {
		t.Errorf("withdrawn: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Viewer, "GET", "/api/v1/experiments/none/approvals?env=prod", ""); got.code != 404 {
		t.Errorf("one that is not there: %d %s", got.code, got.text)
	}
}

func TestARefusalSaysItsReasonInOneWord(t *testing.T) {
	h := open(t, page)
	h.yard.refuses = lacking{hint.Add(fmt.Errorf("0 of 2 approvals: %w", web.ErrRefused), "seatrial experiment approve kill --env prod")}
	got := h.ask(t, auth.Operator, "POST", "/api/v1/experiments/kill/run", `{"env":"prod","reason":"a test"}`)
	if got.code != 409 || !strings.Contains(got.text, `"code":"approvals-missing"`) || !strings.Contains(got.text, `"hint":"seatrial experiment approve kill --env prod"`) {
		t.Errorf("%d %s", got.code, got.text)
	}
}
