package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/builds"
	"github.com/seatrial/seatrial/web/calendar"
	"github.com/seatrial/seatrial/web/drift"
	"github.com/seatrial/seatrial/web/objectives"
	"github.com/seatrial/seatrial/web/runs"
	"github.com/seatrial/seatrial/web/vault/vaulttest"
)

const (
	commit  = release.Commit("3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817")
	shopWeb = release.ID("shop.web.3f2a91c07d0b")
	hookKey = secret.Text("a-secret-of-the-forge")
)

// yard is a small platform: it keeps releases and tells of every change.
type yard struct {
	stopped  string
	silence  release.Silence // the kill switch
	mu       sync.Mutex      // guards all below
	releases map[release.ID]release.Release
	history  []web.Change
	changed  chan struct{}
	acts     []web.Act
	started  []web.Start
	said     []runs.Said
	refuses  error // of a start
	broken   error
	slow     chan struct{} // when set, acts wait for it
}

func newYard() *yard {
	y := &yard{releases: map[release.ID]release.Release{}, changed: make(chan struct{})}
	slo := release.Judgement{Gate: "slo", Verdict: release.Refuse("availability is 91 %", "look at the logs").With(release.Evidence{Gate: "slo", Claim: "available"})}
	y.save(release.Release{ID: shopWeb, Service: "shop/web", Project: "shop", Commit: commit, Message: "修复 the cart", Phase: release.Deploying,
		Step: release.StepSLO, Verdicts: []release.Judgement{slo},
		Stages: []release.Stage{{Env: "staging", Waves: []release.Wave{{Name: "all"}}, Trial: &release.Trial{Evidence: slo.Verdict.Evidence()}}}})
	for i := range 5 {
		c := release.Commit(strings.Repeat(fmt.Sprint(i), 40))
		y.save(release.Release{ID: release.NewID("shop/api", c), Service: "shop/api", Project: "shop", Commit: c, Phase: release.Done})
	}
	return y
}

func (y *yard) save(r release.Release) release.Release {
	y.mu.Lock()
	defer y.mu.Unlock()
	r.Version = release.Revision(len(y.history) + 1)
	y.releases[r.ID] = r
	y.history = append(y.history, web.Change{Revision: r.Version, Release: &r})
	close(y.changed)
	y.changed = make(chan struct{})
	return r
}

func (y *yard) Release(_ context.Context, id release.ID) (release.Release, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	r, ok := y.releases[id]
	if !ok {
		return r, hint.Add(fmt.Errorf("release %s: %w", id, web.ErrNotFound), "list them: seatrial release list")
	}
	return r, y.broken
}

// Returning is everything else of the set, wherever it is.
func (y *yard) Returning(ctx context.Context, id release.ID, _ release.Env) ([]release.Release, error) {
	r, err := y.Release(ctx, id)
	var list []release.Release
	for _, o := range y.releases {
		if r.Set != "" && o.Set == r.Set && o.ID != r.ID {
			list = append(list, o)
		}
	}
	return list, err
}

func (y *yard) Releases(_ context.Context, f web.Filter) (web.ReleasePage, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	var all []release.Release
	for _, r := range y.releases {
		if (f.Service == "" || r.Service == f.Service) && (f.Phase == release.Unknown || r.Phase == f.Phase) &&
			strings.Contains(r.Message, f.Query) && (f.After == "" || string(r.ID) > f.After) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b release.Release) int { return strings.Compare(string(a.ID), string(b.ID)) })
	if len(all) > f.Limit {
		return web.ReleasePage{Items: all[:f.Limit], Next: string(all[f.Limit-1].ID)}, nil
	}
	return web.ReleasePage{Items: all}, nil
}

// do records an act and moves the release on, if it is where the person saw it.
func (y *yard) do(ctx context.Context, a web.Act) (release.Release, error) {
	if y.slow != nil {
		<-y.slow
	}
	r, err := y.Release(ctx, a.Release)
	if err != nil {
		return r, err
	}
	if a.IfVersion != 0 && a.IfVersion != r.Version {
		return r, fmt.Errorf("release %s is at version %d: %w", r.ID, r.Version, web.ErrStale)
	}
	if a.Env == "moon" {
		return r, hint.Add(fmt.Errorf("nothing was ever verified in moon: %w", web.ErrRefused), "deploy something first")
	}
	y.mu.Lock()
	y.acts = append(y.acts, a)
	y.mu.Unlock()
	r.Attempt++
	return y.save(r), nil
}

func (y *yard) done() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return len(y.acts)
}

func (y *yard) Log(_ context.Context, id release.ID, from, limit int) (builds.LogPage, error) {
	if id != shopWeb {
		return builds.LogPage{}, fmt.Errorf("log of %s: %w", id, web.ErrNotFound)
	}
	page := builds.LogPage{Next: min(from+limit, 10), Done: from+limit >= 10}
	for n := from; n < page.Next; n++ {
		page.Lines = append(page.Lines, builds.LogLine{N: n, Text: "步骤"})
	}
	return page, nil
}

func (y *yard) Follow(ctx context.Context, id release.ID, from int, fn func([]builds.LogLine) error) error {
	page, err := y.Log(ctx, id, from, 10)
	if err != nil {
		return err
	}
	return fn(page.Lines)
}

// Search says what it was asked for.
func (y *yard) Search(_ context.Context, id release.ID, q builds.LogQuery) (builds.LogMatches, error) {
	return builds.LogMatches{Lines: []builds.LogLine{{N: q.Limit, Text: q.Text}}, After: q.After}, nil
}

func (y *yard) SBOM(_ context.Context, id release.ID, platform, version string) ([]byte, error) {
	if version == "1.4" {
		return nil, hint.Add(fmt.Errorf("CycloneDX 1.4: %w", web.ErrInvalid), "ask for version=1.5 or version=1.6")
	}
	return fmt.Appendf(nil, `{"specVersion":%q,"for":%q}`, version, platform), nil
}

func (y *yard) Build(_ context.Context, id release.ID) (builds.Build, error) {
	if id != shopWeb {
		return builds.Build{}, hint.Add(fmt.Errorf("build of %s: %w", id, web.ErrNotFound), "follow the log")
	}
	return builds.Build{Release: id, ID: "9f2c01ab", Why: "rebuilt because the commit changed", Plan: json.RawMessage(`{"context":"."}`),
		Changed: []builds.Change{{Name: "the commit", Before: "a", After: "b"}}, Inputs: []builds.Input{}, Platforms: []release.Platform{}, Bases: []builds.Base{},
		Steps: []builds.Step{{Name: "[build 1/1] RUN make", Cached: true}}, Attached: []builds.Document{}}, nil
}

// Components says what it was asked for.
func (y *yard) Components(_ context.Context, id release.ID, f builds.Filter) (builds.Components, error) {
	if f.Platform == "linux/moon" {
		return builds.Components{}, fmt.Errorf("SBOM of %s for %s: %w", id, f.Platform, web.ErrNotFound)
	}
	return builds.Components{Total: 7, Matches: 3, Next: f.After + f.Limit,
		Items: []builds.Component{{Name: f.Query, Version: f.Platform, Licences: []string{}}}}, nil
}

// Plan would hit one pod of two.
func (y *yard) Plan(_ context.Context, q runs.Question, _ string) (runs.Plan, error) {
	if q.Name != "kill" {
		return runs.Plan{}, fmt.Errorf("experiment %s: %w", q.Name, web.ErrNotFound)
	}
	return runs.Plan{Experiment: q.Name, Cluster: "staging", Matching: []string{"shop/a", "shop/b"}, Targets: []string{"shop/a"}}, nil
}

func (y *yard) State(context.Context) string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.stopped
}

func (y *yard) Stop(_ context.Context, by, reason string) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.stopped = by + ": " + reason
	return nil
}

func (y *yard) Resume(context.Context) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.stopped = ""
	return nil
}

func (y *yard) Experiments(context.Context) ([]web.Experiment, error) { return nil, nil }
func (y *yard) Runs(context.Context, web.RunFilter) (web.RunPage, error) {
	return web.RunPage{Items: []web.Run{{ID: "r1"}}, Next: "r1"}, nil
}
func (y *yard) Start(_ context.Context, s web.Start) (web.Run, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.refuses != nil {
		return web.Run{}, y.refuses
	}
	y.started = append(y.started, s)
	return web.Run{ID: fmt.Sprint("r", len(y.started)), Experiment: s.Experiment, Env: s.Env, Trigger: "person", By: s.By, State: "Planned"}, nil
}
func (y *yard) Abort(_ context.Context, id, by, _ string) (web.Run, error) {
	return web.Run{ID: id, By: by, State: "Aborted"}, nil
}
func (y *yard) Board(context.Context) (web.Board, error) {
	return web.Board{Services: []web.BoardService{{Service: "shop/web", Project: "shop"}, {Service: "pay/api", Project: "pay"}}, Revision: 6}, nil
}
func (y *yard) Clusters(context.Context) ([]web.Cluster, error) { return nil, nil }

// Objectives says what it was asked for.
func (y *yard) Objectives(_ context.Context, f objectives.Filter) (objectives.Page, error) {
	return objectives.Page{Items: []objectives.Objective{{Name: "web", Service: f.Service, Clusters: []objectives.Standing{{Env: f.Env, State: f.State, Code: "could-not-ask"}}}}, Next: fmt.Sprint(f.After, f.Limit)}, nil
}

func (y *yard) Course(_ context.Context, q objectives.Question) (objectives.Course, error) {
	if q.Name != "web" {
		return objectives.Course{}, fmt.Errorf("slo %s: %w", q.Name, web.ErrNotFound)
	}
	burn := 0.0
	return objectives.Course{Objective: objectives.Objective{Name: q.Name}, Cluster: q.Cluster, Points: []objectives.Point{{Burn: &burn}, {}}}, nil
}

func (y *yard) Calendar(_ context.Context, q calendar.Question) (calendar.Calendar, error) {
	return calendar.Calendar{From: q.From, To: q.To}, nil
}

func (y *yard) Run(_ context.Context, id string) (web.Run, error) {
	if id != "r1" {
		return web.Run{}, fmt.Errorf("run %s: %w", id, web.ErrNotFound)
	}
	return web.Run{ID: id, Experiment: "kill"}, nil
}

func (y *yard) Place(_ context.Context, s release.Service, env release.Env) (drift.Place, error) {
	if env != "prod" {
		return drift.Place{}, fmt.Errorf("environment %s: %w", env, web.ErrNotFound)
	}
	return drift.Place{Service: s, Env: env, Waves: []drift.PlaceWave{{Name: "canary", Targets: []drift.PlaceTarget{{Cluster: "prod-canary", State: "Quarantined"}}}}}, nil
}
func (y *yard) Hold(_ context.Context, s release.Service, env release.Env, hold *release.Hold) (drift.Place, error) {
	if env != "prod" {
		return drift.Place{}, fmt.Errorf("environment %s: %w", env, web.ErrNotFound)
	}
	return drift.Place{Service: s, Env: env, Hold: hold}, nil
}
func (y *yard) Resources(_ context.Context, at drift.Spot) (drift.Tree, error) {
	if at.Cluster != "prod-main" {
		return drift.Tree{}, fmt.Errorf("%s on %s: %w", at.Service, at.Cluster, web.ErrNotFound)
	}
	return drift.Tree{Cluster: at.Cluster, Revision: "2", Items: []drift.Resource{{Kind: "Deployment", Name: "web", State: "Drifted"}}, Left: 3}, nil
}
func (y *yard) Object(_ context.Context, q drift.ObjectQuestion) (drift.Object, error) {
	if q.Kind != "Pod" || q.Name != "web-1" || q.Namespace != "shop" {
		return drift.Object{}, fmt.Errorf("%s/%s: %w", q.Kind, q.Name, web.ErrNotFound)
	}
	return drift.Object{Conditions: []drift.ObjectCondition{}, Events: []drift.ObjectEvent{{Type: "Warning", Reason: "BackOff", Count: 41}}}, nil
}
func (y *yard) Drift(_ context.Context, q drift.Question) ([]drift.Comparison, error) {
	if q.Service != "shop/web" || q.Env != "prod" {
		return nil, hint.Add(fmt.Errorf("%s in %s: %w", q.Service, q.Env, web.ErrNotFound), "list the releases")
	}
	return []drift.Comparison{{Cluster: q.Cluster, Revision: release.Commit(q.To), Objects: []drift.Difference{{Kind: "Deployment", Name: "web", Act: "change", Text: "-a\n+b\n"}}}}, nil
}

func (y *yard) Revision(context.Context) (release.Revision, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return release.Revision(len(y.history)), nil
}

func (y *yard) Watch(ctx context.Context, from release.Revision, fn func(web.Change) error) error {
	for {
		y.mu.Lock()
		news, changed := y.history[from:], y.changed
		y.mu.Unlock()
		for _, c := range news {
			if err := fn(c); err != nil {
				return err
			}
			from = c.Revision
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (y *yard) parts(v *vaulttest.Memory) web.Parts {
	return web.Parts{
		Releases: y, Logs: y, Builds: y, Experiments: y, Consents: agreed{y}, Switch: y, Silences: quietly{y}, Objectives: y, Diary: y, Reports: made{}, Fleet: y, Changes: y, Vault: v,
		Acts:   web.Acts{Rollback: y.do, Hold: y.do, Free: y.do, Retry: y.do, Approve: y.do},
		Known:  func(forge.Kind, string) bool { return true },
		Intake: func(context.Context, forge.Push) (bool, error) { return true, nil },
		Ready:  func(context.Context) error { return y.broken },
	}
}

var page = fstest.MapFS{
	"index.html":              {Data: []byte("<!doctype html>")},
	"favicon.svg":             {Data: []byte("<svg/>")},
	"assets/index-3f2a91c.js": {Data: []byte("1")},
	".keep":                   {Data: nil},
}

// harbour is a running server with one person of every role.
type harbour struct {
	*web.Server
	yard     *yard
	vault    *vaulttest.Memory
	metrics  *prometheus.Registry
	url      string
	password string
	tokens   map[auth.Role]string
}

func open(t *testing.T, console fs.FS) *harbour {
	t.Helper()
	h := &harbour{yard: newYard(), vault: vaulttest.New(), metrics: prometheus.NewRegistry(), tokens: map[auth.Role]string{}}
	listener := httptest.NewUnstartedServer(nil)
	h.url = "http://" + listener.Listener.Addr().String()
	s, err := web.New(web.Config{External: h.url + "/", Version: "v1", Console: console, Alerts: http.NotFoundHandler(),
		Secrets: map[forge.Kind][]secret.Text{forge.Gitea: {hookKey}, forge.GitHub: {hookKey}}},
		h.yard.parts(h.vault), slog.New(slog.DiscardHandler), h.metrics)
	if err != nil {
		t.Fatal(err)
	}
	h.Server = s
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, listener.Listener) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	password, _, err := s.Guard().FirstAdmin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.password = password.Reveal()
	for _, role := range []auth.Role{auth.Viewer, auth.Operator, auth.Admin} {
		_, value, err := s.Guard().AddToken(t.Context(), auth.Who{Role: auth.Admin}, string(role), role)
		if err != nil {
			t.Fatal(err)
		}
		h.tokens[role] = value.Reveal()
	}
	return h
}

// reply is an answer, read to its end.
type reply struct {
	code   int
	header http.Header
	text   string
}

func (r reply) into(t *testing.T, out any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.text), out); err != nil {
		t.Fatalf("%v in %s", err, r.text)
	}
}

// ask sends one request as a role; headers are name, value, name, value.
func (h *harbour) ask(t *testing.T, role auth.Role, method, path, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.url+path, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if role != "" {
		req.Header.Set("Authorization", "Bearer "+h.tokens[role])
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{resp.StatusCode, resp.Header, string(text)}
	if r.code >= 400 {
		r.problem(t)
	}
	return r
}

// problem checks that a refusal is one, in full.
func (r reply) problem(t *testing.T) (detail, hint string) {
	t.Helper()
	var p struct {
		Type, Title, Detail, Hint string
		Status                    int
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("a refusal as %s: %.200s", got, r.text)
		return "", ""
	}
	r.into(t, &p)
	if p.Status != r.code || p.Title == "" || p.Detail == "" || p.Type == "" {
		t.Errorf("status %d says %s", r.code, r.text)
	}
	return p.Detail, p.Hint
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func TestWhereAServiceIsAndHowItDiffersIsShown(t *testing.T) {
	h := open(t, page)
	for _, c := range []struct {
		query string
		code  int
		says  string
	}{
		{"drift?service=shop/web&env=prod&cluster=prod-main", http.StatusOK, `"act":"change"`},
		{"drift?service=shop/web&env=prod&to=shop.web.aaaaaaaaaaaa", http.StatusOK, `"revision":"shop.web.aaaaaaaaaaaa"`},
		{"drift?service=shop/none&env=prod", http.StatusNotFound, "list the releases"},
		{"drift?service=shop/web", http.StatusUnprocessableEntity, "env"},
		{"drift?service=shop/web&env=prod&clutser=x", http.StatusUnprocessableEntity, "clutser"},
		{"place?service=shop/web&env=prod", http.StatusOK, `"state":"Quarantined"`},
		{"place?service=shop/web&env=none", http.StatusNotFound, "environment none"},
	} {
		if got := h.ask(t, auth.Viewer, "GET", "/api/v1/"+c.query, ""); got.code != c.code || !strings.Contains(got.text, c.says) {
			t.Errorf("%s: %d %s", c.query, got.code, got.text)
		}
	}
}
