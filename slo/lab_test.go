//go:build lab

package slo_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/openslo"
)

// labPrometheus is the address of the lab's real Prometheus.
func labPrometheus(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("SEATRIAL_LAB")
	if bin == "" {
		bin = "../bin/lab"
	}
	out, err := exec.CommandContext(t.Context(), bin, "env").Output()
	if err != nil {
		t.Fatalf("%s env: %v (make lab builds it, bin/lab up starts it)", bin, err)
	}
	var env struct{ Prometheus string }
	if err := json.Unmarshal(out, &env); err != nil {
		t.Fatal(err)
	}
	return env.Prometheus
}

func TestLabRealPrometheus(t *testing.T) {
	address := labPrometheus(t)
	p, err := slo.NewPrometheus(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	q, err := p.Ask(t.Context(), "total", "sum(up)", time.Now())
	if err != nil || len(q.Samples) != 1 || q.Samples[0].Value < 1 {
		t.Errorf("%+v %v", q, err)
	}
	if _, err := p.Ask(t.Context(), "total", "sum(up", time.Now()); err == nil || errors.Is(err, slo.ErrUnreachable) || !strings.Contains(err.Error(), "parse error") {
		t.Errorf("a query that is not PromQL: %v", err)
	}
	if _, err := p.Ask(t.Context(), "total", "up[1m]", time.Now()); err == nil || !strings.Contains(err.Error(), "is a matrix, not a number") {
		t.Errorf("a query for ranges: %v", err)
	}

	// Real samples of a promise that holds, of one that does not, and of none at all.
	for query, want := range map[string]release.Outcome{
		`vector(1000)`: release.Passed, `vector(500)`: release.Refused, `sum(increase(no_such_metric[{{.Window}}]))`: release.Undetermined,
	} {
		o := availability()
		o.Good, o.Total = openslo.Query(query), openslo.Query(`vector(1000) + 0 * count(up{cluster!="{{.Cluster}}"})`)
		if want == release.Undetermined {
			o.Total = o.Good
		}
		g := gate(t, address, time.Now(), o)
		g.Now = time.Now
		g.Environment = func(context.Context, release.Env) (release.Environment, error) {
			// The lab's Prometheus may be younger than the default wait for events.
			brief := release.Duration(time.Second)
			return release.Environment{Spec: release.EnvironmentSpec{SLO: release.SLOGate{Observe: brief, MaxWait: brief}}}, nil
		}
		r := deployed("a")
		r.Stages[0].Waves[0].Targets[0].Healthy = time.Now().Add(-6 * time.Minute)
		_, v, err := g.Check(t.Context(), "", r)
		if err != nil || v.Outcome() != want {
			t.Errorf("%s: %v %q %v", query, v.Outcome(), v.Reason(), err)
		}
		replay(t, v)
	}
}
