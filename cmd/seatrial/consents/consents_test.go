package consents_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/consent"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/cmd/seatrial/consents"
	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store/bolt"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/reports"
	"github.com/seatrial/seatrial/web/vault/vaulttest"
)

// house is a server with its API, one experiment and people who know their passwords.
type house struct {
	t         *testing.T
	url       string
	server    *web.Server
	cookies   map[string]*http.Cookie
	token     string
	now       time.Time
	platform  chaos.Platform
	scheduler *schedule.Scheduler
	votes     consents.Votes
	started   []string
}

// shelf keeps no history: it only counts what was started.
type shelf struct{ *house }

func (s shelf) Save(_ context.Context, r schedule.Run) (release.Revision, error) {
	s.started = append(s.started, r.By)
	return 1, nil
}

func (shelf) List(context.Context, string, string, int) ([]schedule.Run, error) { return nil, nil }

func (shelf) Active(context.Context) ([]schedule.Run, error) { return nil, nil }

// The same words without a method of their own name.
type (
	rest       = web.Experiments
	releases   = web.Releases
	objectives = web.Objectives
)

// starter starts runs and nothing else.
type starter struct {
	rest
	scheduler *schedule.Scheduler
}

func (e starter) Start(ctx context.Context, s web.Start) (web.Run, error) {
	r, err := e.scheduler.Start(ctx, s.Experiment, s.Env, s.Service, s.By)
	if err != nil {
		err = errors.Join(web.ErrRefused, err)
	}
	return web.Run{ID: r.ID, By: r.By}, err
}

func open(t *testing.T) *house {
	t.Helper()
	db, err := bolt.Open(t.TempDir() + "/db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	h := &house{t: t, cookies: map[string]*http.Cookie{}, now: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)}
	env := release.Environment{Meta: release.Meta{Name: "prod"}}
	env.Spec.Chaos.Approvals = release.Consent{Required: 2, Groups: []string{"operator"}}
	h.platform = chaos.Platform{Environments: []release.Environment{env}, Clusters: map[string]release.Cluster{"main": {Spec: release.ClusterSpec{Chaos: true}}},
		Projects:    map[string]release.Project{"shop": {Spec: release.ProjectSpec{Namespaces: []string{"shop"}}}},
		Experiments: map[string]release.Experiment{}}
	h.lasting(30 * time.Second)
	groups := func(ctx context.Context, person string) ([]string, error) {
		users, err := h.server.Guard().Users(ctx)
		for _, u := range users {
			if u.Name == person && u.Role.Covers(auth.Operator) {
				return []string{"viewer", "operator"}, err
			} else if u.Name == person {
				return []string{"viewer"}, err
			}
		}
		return nil, err
	}
	tokens := func(ctx context.Context) ([]auth.Token, error) { return h.server.Guard().Tokens(ctx) }
	h.votes = consents.Votes{KV: db, Groups: groups, Tokens: tokens, Now: func() time.Time { return h.now }}
	h.scheduler = &schedule.Scheduler{Votes: h.votes, Runs: shelf{h}, Log: slog.New(slog.DiscardHandler), Engine: &chaos.Engine{Now: func() time.Time { return h.now }},
		Platform: func(context.Context) (chaos.Platform, error) { return h.platform, nil },
		Places: func(context.Context) ([]schedule.Place, error) {
			return []schedule.Place{{Service: "shop/web", Env: "prod", Cluster: "main", Project: "shop"}}, nil
		}}
	h.serve()
	return h
}

func (h *house) serve() {
	do := func(context.Context, web.Act) (release.Release, error) { return release.Release{}, nil }
	listener := httptest.NewUnstartedServer(nil)
	h.url = "http://" + listener.Listener.Addr().String()
	var err error
	h.server, err = web.New(web.Config{External: h.url, Version: "v1", Secrets: map[forge.Kind][]secret.Text{forge.Gitea: {"a-secret-of-the-forge"}}}, web.Parts{
		Experiments: starter{scheduler: h.scheduler}, Consents: consents.Desk{Votes: h.votes, Terms: h.scheduler.Terms}, Vault: vaulttest.New(),
		Releases: struct{ releases }{}, Logs: struct{ web.Logs }{}, Builds: struct{ web.Builds }{}, Reports: struct{ reports.Maker }{}, Switch: struct{ web.Switch }{},
		Objectives: struct{ objectives }{}, Diary: struct{ web.Diary }{}, Silences: struct{ web.Silences }{}, Fleet: struct{ web.Fleet }{}, Changes: struct{ web.Changes }{},
		Acts:  web.Acts{Rollback: do, Hold: do, Free: do, Retry: do, Approve: do},
		Known: func(forge.Kind, string) bool { return true }, Intake: func(context.Context, forge.Push) (bool, error) { return true, nil },
		Ready: func(context.Context) error { return nil },
	}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		h.t.Fatal(err)
	}
	listener.Config.Handler = h.server
	listener.Start()
	h.t.Cleanup(listener.Close)
	for name, role := range map[string]auth.Role{"ann": auth.Operator, "bob": auth.Operator, "cem": auth.Admin, "vic": auth.Viewer} {
		password, err := h.server.Guard().AddUser(h.t.Context(), name, role)
		if err != nil {
			h.t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(h.t.Context(), "POST", "/", nil)
		if _, h.cookies[name], err = h.server.Guard().SignIn(r, name, password.Reveal()); err != nil {
			h.t.Fatal(err)
		}
	}
	_, token, err := h.server.Guard().AddToken(h.t.Context(), auth.Who{Name: "ann", Role: auth.Admin}, "ci", auth.Operator)
	if err != nil {
		h.t.Fatal(err)
	}
	h.token = token.Reveal()
}

// lasting is the experiment with another duration.
func (h *house) lasting(d time.Duration) {
	x := release.Experiment{Meta: release.Meta{Name: "kill"}, Spec: release.ExperimentSpec{Service: "shop/web",
		Fault:    release.Fault{Kind: "PodChaos", Action: "pod-kill", Duration: release.Duration(d), Selector: release.Selector{MatchLabels: map[string]string{"app": "web"}}},
		Schedule: &release.ScheduleSpec{Cron: "0 2 * * *", Environments: []release.Env{"prod"}}}}
	h.platform.Experiments["kill"] = x
}

type reply struct {
	code int
	etag string
	text string
}

// ask sends a request as a person, or with the token.
func (h *house) ask(who, method, path, body string, headers ...string) reply {
	h.t.Helper()
	h.now = h.now.Add(time.Second)
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+"/api/v1/experiments/"+path, bytes.NewBufferString(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if who == "token" {
		req.Header.Set("Authorization", "Bearer "+h.token)
	} else {
		req.AddCookie(h.cookies[who])
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header.Get("ETag"), string(text)}
}

// want asks and checks the answer.
func (h *house) want(who, method, path, body string, code int, says string, headers ...string) reply {
	h.t.Helper()
	got := h.ask(who, method, path, body, headers...)
	if got.code != code || !strings.Contains(got.text, says) {
		h.t.Errorf("%s %s %s %s: %d %s, want %d and %q", who, method, path, body, got.code, got.text, code, says)
	}
	return got
}

const (
	run     = `{"env":"prod","reason":"a test"}`
	approve = `{"env":"prod","reason":"looked at it"}`
)

func TestPeopleHaveToAgreeBeforeARunByHand(t *testing.T) {
	h := open(t)
	h.want("ann", "POST", "kill/run", run, 409, `"code":"approvals-missing"`)
	h.want("ann", "POST", "kill/run", run, 409, `seatrial experiment approve kill --env prod`)
	h.want("token", "POST", "kill/approve", approve, 409, "token:ci is no person")
	h.want("vic", "POST", "kill/approve", approve, 403, "operator")
	h.want("cem", "POST", "none/approve", approve, 404, "no such experiment")
	h.want("cem", "POST", "kill/approve", `{"env":"moon"}`, 404, "shop/web is not in moon")
	h.want("ann", "POST", "kill/approve", approve, 200, `"by":"ann"`)
	h.want("bob", "POST", "kill/approve", approve, 200, `"outcome":"Pass"`)
	h.want("bob", "POST", "kill/approve", approve, 200, `"outcome":"Pass"`) // twice is once
	h.want("ann", "POST", "kill/run", run, 409, "1 of 2 approvals of people of operator, by bob; who starts a run does not count: ann")
	h.want("token", "POST", "kill/run", run, 409, "who starts a run does not count: ann") // she has made the token
	h.want("cem", "POST", "kill/run", run, 202, `"by":"cem"`)
	h.want("cem", "POST", "kill/run", run, 409, "") // the run before is active
	if len(h.started) != 1 {
		t.Errorf("started %v", h.started)
	}
	h.want("vic", "GET", "kill/approvals?env=prod", "", 200, `"state":"used"`)
}

func TestAnApprovalIsOfWhatWasShown(t *testing.T) {
	h := open(t)
	shown := h.want("ann", "GET", "kill/approvals?env=prod", "", 200, `"namespace":"shop"`)
	h.lasting(time.Hour)
	h.want("ann", "POST", "kill/approve", approve, 412, "not what was shown", "If-Match", shown.etag)
	shown = h.want("ann", "GET", "kill/approvals?env=prod", "", 200, `"said":[]`)
	h.want("ann", "POST", "kill/approve", approve, 200, `"state":"counts"`, "If-Match", shown.etag)
	h.lasting(30 * time.Second)
	h.want("vic", "GET", "kill/approvals?env=prod", "", 200, `"state":"void"`)
	h.want("ann", "POST", "kill/withdraw", approve, 200, `"state":"withdrawn"`)
}

func TestAnApprovalOfAScheduleIsNoneOfARun(t *testing.T) {
	h := open(t)
	scheduled := `{"env":"prod","schedule":true}`
	h.want("ann", "POST", "kill/approve", scheduled, 200, `1 of 2 approvals`)
	h.want("bob", "POST", "kill/approve", scheduled, 200, `"outcome":"Pass"`)
	h.want("cem", "POST", "kill/run", run, 409, "0 of 2 approvals")
	h.now = h.now.Add(7 * 24 * time.Hour)
	h.want("ann", "GET", "kill/approvals?env=prod&schedule=true", "", 200, "expired: ann, bob")
	h.now = h.now.Add(30 * 24 * time.Hour)
	h.want("ann", "GET", "kill/approvals?env=prod&schedule=true", "", 200, `"said":[]`)
	x := h.platform.Experiments["kill"]
	x.Spec.Schedule = nil
	h.platform.Experiments["kill"] = x
	h.want("ann", "POST", "kill/approve", scheduled, 409, "has no schedule in prod")
	h.platform.Environments[0].Spec.Chaos.Approvals = release.Consent{}
	h.want("ann", "POST", "kill/approve", approve, 409, "asks for no approvals")
}

func TestWhoIsGoneDoesNotCount(t *testing.T) {
	h := open(t)
	h.want("ann", "POST", "kill/approve", approve, 200, "1 of 2")
	h.want("bob", "POST", "kill/approve", approve, 200, `"outcome":"Pass"`)
	if err := h.server.Guard().RemoveUser(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	h.want("cem", "POST", "kill/run", run, 409, "no person: bob")
}

func TestOfTwoUsesOfOneVoteOneCounts(t *testing.T) {
	h := open(t)
	h.want("ann", "POST", "kill/approve", approve, 200, "1 of 2")
	votes, err := h.votes.Given(t.Context(), "kill", "prod")
	if err != nil || len(votes) != 1 || votes[0].Version == 0 {
		t.Fatalf("%+v %v", votes, err)
	}
	for i, want := range []error{nil, release.ErrStale} {
		if err := h.votes.Use(t.Context(), votes, "run"); !errors.Is(err, want) {
			t.Errorf("use %d: %v, want %v", i, err, want)
		}
	}
	if votes, err = h.votes.Given(t.Context(), "kill", "prod"); err != nil || votes[0].Run != "run" || votes[0].Decision != consent.Approve {
		t.Errorf("%+v %v", votes, err)
	}
	if text, err := json.Marshal(votes[0]); err != nil || strings.Contains(string(text), "ersion") {
		t.Errorf("kept %s %v", text, err)
	}
}

func TestATokenThatATokenHasMadeIsWhoMadeTheFirst(t *testing.T) {
	made := []auth.Token{{Name: "root", By: "bob"}, {Name: "mid", By: "token:root"}, {Name: "ci", By: "token:mid"}, {Name: "self", By: "token:self"}, {Name: "lost", By: "token:revoked"}}
	votes := consents.Votes{Tokens: func(context.Context) ([]auth.Token, error) { return made, nil }}
	for by, want := range map[string]string{
		"ann": "ann", "token:root": "token:root bob", "token:ci": "token:ci token:mid token:root bob", "token:self": "token:self", "token:gone": "token:gone",
	} {
		if names, err := votes.Names(t.Context(), by); err != nil || strings.Join(names, " ") != want {
			t.Errorf("%s: %v, %v, want %s", by, names, err, want)
		}
	}
	if names, err := votes.Names(t.Context(), "token:lost"); !errors.Is(err, web.ErrRefused) {
		t.Errorf("a token whose maker nobody knows: %v, %v", names, err)
	}
}
