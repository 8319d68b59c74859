package slo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
)

// prometheus speaks Prometheus's query API: answers maps a part of an expression to its
// value, "" to an empty vector; what nothing matches is an empty vector, too.
type prometheus struct {
	*httptest.Server
	mu      sync.Mutex // guards the fields below
	answers map[string]string
	asked   []string
	read    time.Duration // of all ranges that were asked for
	began   time.Time     // when it says it started
}

func newPrometheus(t *testing.T, answers map[string]string) *prometheus {
	p := &prometheus{answers: answers}
	p.Server = httptest.NewServer(http.HandlerFunc(p.query))
	t.Cleanup(p.Close)
	return p
}

func (p *prometheus) query(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.URL.Path == "/api/v1/status/runtimeinfo" && !p.began.IsZero() {
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"startTime": p.began}})
		return
	}
	if r.URL.Path == "/api/v1/query_range" {
		p.queryRange(w, r)
		return
	}
	if r.URL.Path != "/api/v1/query" {
		http.NotFound(w, r)
		return
	}
	expr, at := r.FormValue("query"), r.FormValue("time")
	p.asked = append(p.asked, expr)
	result := []any{}
	for part, value := range p.answers {
		if value != "" && strings.Contains(expr, part) {
			result = append(result, map[string]any{"metric": map[string]string{}, "value": []any{json.Number(at), value}})
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.Contains(expr, "broken") {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"1:1: parse error: unexpected identifier"}`)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": result}})
}

// queryRange answers every step with 1, or the last one only where there is a "burst".
func (p *prometheus) queryRange(w http.ResponseWriter, r *http.Request) {
	var from, to, every float64
	for name, into := range map[string]*float64{"start": &from, "end": &to, "step": &every} {
		if _, err := fmt.Sscan(r.FormValue(name), into); err != nil {
			http.Error(w, name+": "+err.Error(), http.StatusBadRequest)
			return
		}
	}
	p.read += time.Duration((to - from + every) * float64(time.Second))
	values := []any{}
	for at := from; at <= to && p.answers["nothing"] == ""; at += every {
		value := "1"
		if base, ok := p.answers["latency"]; ok && strings.Contains(r.FormValue("query"), "latency") {
			var middle float64
			_, _ = fmt.Sscan(base, &middle)
			value = fmt.Sprint(middle + float64(len(values)%10)) // it moves by itself, too
		}
		if p.answers["burst"] != "" && at+every <= to {
			value = "0"
		}
		values = append(values, []any{at, value})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix",
		"result": []any{map[string]any{"metric": map[string]string{}, "values": values}}}})
}

func (p *prometheus) set(answers map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = answers
}

func (p *prometheus) questions() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

func availability() openslo.SLO {
	return openslo.SLO{
		Name: "web-availability", Title: "availability", Service: "shop/web", Objective: 0.99, Window: 28 * 24 * time.Hour,
		Good:  `good{cluster="{{.Cluster}}"}[{{.Window}}]`,
		Total: `total{cluster="{{.Cluster}}"}[{{.Window}}]`,
	}
}

const desired = release.Commit("3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817")

// deployed is a release whose first wave became healthy at begin.
func deployed(clusters ...string) release.Release {
	wave := release.Wave{Name: "canary"}
	for _, c := range clusters {
		wave.Targets = append(wave.Targets, release.Target{Cluster: c, State: "Healthy", Revision: desired, Healthy: begin})
	}
	return release.Release{
		ID: "shop.web.3f2a91c07d0b", Service: "shop/web", Phase: release.Deploying, Step: release.StepSLO,
		Stages: []release.Stage{{Env: "prod", Desired: desired, Waves: []release.Wave{wave}}},
	}
}

func gate(t *testing.T, address string, now time.Time, slos ...openslo.SLO) *slo.Gate {
	t.Helper()
	client, err := source.New(address)
	if err != nil {
		t.Fatal(err)
	}
	return &slo.Gate{
		SLOs:        func(context.Context) ([]openslo.SLO, error) { return slos, nil },
		Environment: func(context.Context, release.Env) (release.Environment, error) { return release.Environment{}, nil },
		Prometheus:  client,
		Now:         func() time.Time { return now },
		Log:         slog.New(slog.DiscardHandler),
	}
}

func TestGate(t *testing.T) {
	over := begin.Add(36 * time.Second) // 5 s to settle, 30 s to observe
	tests := []struct {
		name    string
		answers map[string]string
		now     time.Time
		want    release.Outcome
		reason  string
	}{
		{"kept on both clusters passes", map[string]string{"good": "995", "total": "1000"}, over, release.Passed, "availability on b: 99.5 %"},
		{"broken on one cluster refuses", map[string]string{`good{cluster="a"`: "1000", `good{cluster="b"`: "900", "total": "1000"}, over, release.Refused, "availability on b: 90 % of 1000 events were good, the objective is 99 %"},
		{"clearly broken refuses before the window ends", map[string]string{"good": "100", "total": "200"}, begin.Add(9 * time.Second), release.Refused, "50 % of 200"},
		{"while it settles it waits and asks nothing", map[string]string{"good": "0", "total": "1000"}, begin.Add(4 * time.Second), release.Waiting, "settling"},
		{"without data it waits", map[string]string{}, over, release.Waiting, "no data"},
		{"and holds in the end", map[string]string{}, begin.Add(6 * time.Minute), release.Undetermined, "no data"},
		{"data on one cluster only holds in the end", map[string]string{`{cluster="a"`: "1000"}, begin.Add(6 * time.Minute), release.Undetermined, "availability on b: Prometheus has no data"},
		{"NaN is not a pass", map[string]string{"good": "NaN", "total": "NaN"}, begin.Add(6 * time.Minute), release.Undetermined, "NaN"},
		{"data that stopped is not a pass", map[string]string{"good": "500", `[120s]`: "500", `total{cluster="a"}[235s]`: "500", `total{cluster="b"}[235s]`: "500"}, begin.Add(240 * time.Second), release.Waiting, "no data of the last 3m0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPrometheus(t, tt.answers)
			_, v, err := gate(t, p.URL, tt.now, availability()).Check(t.Context(), "", deployed("a", "b"))
			if err != nil {
				t.Fatal(err)
			}
			if v.Outcome() != tt.want || !strings.Contains(v.Reason(), tt.reason) {
				t.Errorf("got %v %q, want %v %q", v.Outcome(), v.Reason(), tt.want, tt.reason)
			}
			if tt.reason == "settling" && len(p.questions()) > 0 {
				t.Errorf("asked %v", p.questions())
			}
			replay(t, v)
		})
	}
}

// replay judges every piece of stored evidence again and wants the same outcome.
func replay(t *testing.T, v release.Verdict) {
	t.Helper()
	stored, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var read release.Verdict
	if err := json.Unmarshal(stored, &read); err != nil {
		t.Fatal(err)
	}
	for _, e := range read.Evidence() {
		again, err := slo.Replay(e)
		if err != nil {
			t.Fatal(err)
		}
		if again.Outcome.String() != e.Facts["outcome"] || again.Reason != e.Detail {
			t.Errorf("replayed to %v %q, was %s %q", again.Outcome, again.Reason, e.Facts["outcome"], e.Detail)
		}
	}
}

func TestGateLooksOnlyAtWhatIsBoundToTheRevision(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "1000", "total": "1000"})
	r := deployed("a", "b")
	r.Stages[0].Waves[0].Targets[1].Revision = "0000000000000000000000000000000000000000"
	_, v, err := gate(t, p.URL, begin.Add(time.Minute), availability()).Check(t.Context(), "", r)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Evidence()) != 1 || v.Evidence()[0].Cluster != "a" || v.Evidence()[0].Revision != desired {
		t.Errorf("evidence %+v", v.Evidence())
	}
	r.Stages[0].Waves[0].Targets[0].State = "Degraded"
	_, v, _ = gate(t, p.URL, begin.Add(time.Minute), availability()).Check(t.Context(), "", r)
	if v.Outcome() != release.Undetermined || !strings.Contains(v.Reason(), "a is Degraded; b is on 000000000000") {
		t.Errorf("with no target to look at: %v %q", v.Outcome(), v.Reason())
	}
}

func TestGateAsksEachExpressionOnce(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "1000", "total": "1000"})
	other := availability()
	other.Name = "web-latency"
	other.Good = `fast{cluster="{{.Cluster}}"}[{{.Window}}]`
	_, _, err := gate(t, p.URL, begin.Add(time.Minute), availability(), other).Check(t.Context(), "", deployed("a"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`good{cluster="a"}[55s]`, `total{cluster="a"}[55s]`, `fast{cluster="a"}[55s]`}
	got := p.questions()
	slices.Sort(got) // good and total are asked for at once
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
}

func TestGateWithoutAnSLOSaysSo(t *testing.T) {
	p := newPrometheus(t, nil)
	_, v, err := gate(t, p.URL, begin.Add(time.Minute)).Check(t.Context(), "", deployed("a"))
	if err != nil {
		t.Fatal(err)
	}
	if v.Outcome() != release.Passed || v.Evidence()[0].Claim != "no SLO is defined for shop/web" || !strings.Contains(v.Reason(), "seatrial.dev/service: shop/web") {
		t.Errorf("got %v %q %+v", v.Outcome(), v.Reason(), v.Evidence())
	}
}

func TestGateCountsAbsentBadEventsAsNone(t *testing.T) {
	p := newPrometheus(t, map[string]string{"total": "1000"})
	o := availability()
	o.Good, o.Bad = "", `errors{cluster="{{.Cluster}}"}[{{.Window}}]`
	_, v, err := gate(t, p.URL, begin.Add(time.Minute), o).Check(t.Context(), "", deployed("a"))
	if err != nil || v.Outcome() != release.Passed {
		t.Errorf("no series of errors: %v %v", v.Outcome(), err)
	}
	p.set(map[string]string{"errors": "200", "total": "1000"})
	_, v, err = gate(t, p.URL, begin.Add(time.Minute), o).Check(t.Context(), "", deployed("a"))
	if err != nil || v.Outcome() != release.Refused {
		t.Errorf("a fifth errors: %v %v", v.Outcome(), err)
	}
	replay(t, v)
}

func TestUnreachablePrometheusIsAnErrorAndNeverAVerdict(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	address := closed.URL
	closed.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(slow.Close)
	for name, url := range map[string]string{"stopped": address, "not ready": slow.URL} {
		t.Run(name, func(t *testing.T) {
			_, v, err := gate(t, url, begin.Add(time.Minute), availability()).Check(t.Context(), "", deployed("a"))
			if !errors.Is(err, source.ErrUnreachable) || !strings.Contains(err.Error(), "Prometheus at "+url+" does not answer") {
				t.Errorf("err = %v", err)
			}
			if hint.Of(err) == "" || v.Outcome() != release.NoOutcome {
				t.Errorf("hint %q, verdict %v", hint.Of(err), v.Outcome())
			}
		})
	}
}

func TestBadQueryNamesTheQuery(t *testing.T) {
	p := newPrometheus(t, nil)
	o := availability()
	o.Total = `broken{{.Cluster}}[{{.Window}}]`
	_, _, err := gate(t, p.URL, begin.Add(time.Minute), o).Check(t.Context(), "", deployed("a"))
	if err == nil || errors.Is(err, source.ErrUnreachable) || !strings.Contains(err.Error(), "brokena[55s]") || !strings.Contains(err.Error(), "parse error") {
		t.Errorf("err = %v", err)
	}
}

func TestHugeAnswersAreNotRead(t *testing.T) {
	huge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[`)
		for range 40_000 {
			fmt.Fprint(w, `{"metric":{"pod":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},"value":[1,"1"]},`)
		}
		fmt.Fprint(w, `{"metric":{},"value":[1,"1"]}]}}`)
	}))
	t.Cleanup(huge.Close)
	_, _, err := gate(t, huge.URL, begin.Add(time.Minute), availability()).Check(t.Context(), "", deployed("a"))
	if err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("err = %v", err)
	}
}

func TestMeasureJudgesAWindowOfThePast(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "900", "total": "1000"})
	from, to := begin, begin.Add(20*time.Second)
	found, err := gate(t, p.URL, begin.Add(time.Hour), availability()).Measure(t.Context(), "shop/web", "prod", "a", nil, from, to)
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	e := found[0]
	if !e.From.Equal(from) || !e.To.Equal(to) || e.Facts["outcome"] != "Refuse" || e.Facts["good"] != "900" || e.Facts["total"] != "1000" || *e.Measured != 0.9 {
		t.Errorf("%+v", e)
	}
	var way []string
	for _, q := range e.Queries {
		if strings.HasPrefix(q.Name, "way ") && len(q.Samples) == 21 && q.Samples[20].Time.Equal(to) && q.Samples[0].Time.Equal(from.Add(5*time.Second)) {
			way = append(way, q.Name)
		}
	}
	if !slices.Equal(way, []string{"way good", "way total"}) {
		t.Errorf("how it came about: %q of %+v", way, e.Queries)
	}
	if again, err := slo.Replay(e); err != nil || again.Outcome != release.Refused {
		t.Errorf("replayed: %+v %v", again, err)
	}
	p.set(nil)
	found, _ = gate(t, p.URL, begin.Add(time.Hour), availability()).Measure(t.Context(), "shop/web", "prod", "a", nil, from, to)
	if found[0].Facts["outcome"] != "Inconclusive" {
		t.Errorf("a window of the past without data: %s", found[0].Facts["outcome"])
	}
}

func TestAWindowThatEndsWithinASecondIsOverWhenItIs(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "1000", "total": "1000"})
	from, to := begin.Add(300*time.Millisecond), begin.Add(20*time.Second+300*time.Millisecond)
	for at, want := range map[time.Duration]string{-10 * time.Millisecond: "Wait", 0: "Pass", 10 * time.Millisecond: "Pass"} {
		found, err := gate(t, p.URL, to.Add(at), availability()).Measure(t.Context(), "shop/web", "prod", "a", nil, from, to)
		if err != nil || len(found) != 1 || found[0].Facts["outcome"] != want {
			t.Errorf("%v after its end: %v %v, want %s", at, found, err, want)
		}
	}
}

func TestGateDoesNotHoldAReleaseBecausePrometheusWasAway(t *testing.T) {
	p := newPrometheus(t, nil)
	p.began = begin.Add(10 * time.Minute)
	check := func(at time.Duration) release.Verdict {
		_, v, err := gate(t, p.URL, begin.Add(at), availability()).Check(t.Context(), "", deployed("a"))
		if err != nil {
			t.Fatal(err)
		}
		replay(t, v)
		return v
	}
	if v := check(11 * time.Minute); v.Outcome() != release.Waiting {
		t.Errorf("a minute after it came back: %v %q", v.Outcome(), v.Reason())
	}
	if v := check(16 * time.Minute); v.Outcome() != release.Undetermined {
		t.Errorf("six minutes after: %v %q", v.Outcome(), v.Reason())
	}
}

func TestAShiftIsMeasuredForAsLongAsItAsks(t *testing.T) {
	fine := newPrometheus(t, map[string]string{"good": "1000", "total": "1000"})
	for _, c := range []struct {
		name  string
		ask   time.Duration // of the shift
		after time.Duration // since the target is healthy
		slos  []openslo.SLO
		want  release.Outcome
	}{
		{"the environment's time is enough", 10 * time.Second, 36 * time.Second, []openslo.SLO{availability()}, release.Passed},
		{"a shift may ask for more", 10 * time.Minute, 36 * time.Second, []openslo.SLO{availability()}, release.Waiting},
		{"and gets it", 10 * time.Minute, 10*time.Minute + 6*time.Second, []openslo.SLO{availability()}, release.Passed},
		{"but never less", time.Second, 20 * time.Second, []openslo.SLO{availability()}, release.Waiting},
		{"without an SLO it lasts as long, too", time.Minute, 50 * time.Second, nil, release.Waiting},
		{"and no longer", time.Minute, 61 * time.Second, nil, release.Passed},
	} {
		r := deployed("main")
		r.Stages[0].Waves[0].Shifts = []release.Shift{{Name: "10%", Weight: 10, Observe: release.Duration(c.ask), SLO: true}}
		_, v, err := gate(t, fine.URL, begin.Add(c.after), c.slos...).Check(t.Context(), "k", r)
		if err != nil || v.Outcome() != c.want {
			t.Errorf("%s: %v %s %v", c.name, v.Outcome(), v.Reason(), err)
		}
	}
}
