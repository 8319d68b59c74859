//go:build lab

package deployer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/progressive"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/release"
)

// server answers every request with one code, one after the other: a process for each is
// too much where the machine is slow. Debian's perl is all it needs.
const server = `$s = IO::Socket::INET->new(LocalPort => 8080, Listen => 128, ReuseAddr => 1) or die; $SIG{PIPE} = "IGNORE"; $SIG{TERM} = sub { exit }; $SIG{ALRM} = sub { die };
while (1) { $c = $s->accept or next; eval { alarm 1; while (<$c>) { last if /^\r?\n$/ } alarm 0 }; print $c "HTTP/1.1 $ENV{CODE} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"; close $c }`

// serving is shop/web behind the lab's gateway; code is what it answers.
func (h *house) serving(image, color string, code int) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {color: %s}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: main
        image: %s
        env: [{name: CODE, value: "%d"}]
        command: [perl, -MIO::Socket::INET, -e, %s]
        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: lab, namespace: gateway}]
  hostnames: [%s.test]
  rules: [{backendRefs: [{name: web, port: 80}]}]
`, color, image, code, strconv.Quote(strings.ReplaceAll(server, "\n", " ")), h.ns)
}

// users are what the lab's load generator counted.
type users struct{ good, bad int }

var counted = regexp.MustCompile(`(?m)^gateway_requests_total\{service="(\S+?)",cluster="prod-main",code="(\d+)"\} (\d+)$`)

func (h *house) users(service string) (u users) {
	h.t.Helper()
	res, err := http.Get("http://127.0.0.1:9096/metrics")
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, m := range counted.FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[3])
		switch {
		case m[1] != service:
		case m[2] == "200":
			u.good += n
		default:
			u.bad += n
		}
	}
	return u
}

func (h *house) pause(d time.Duration) {
	h.t.Helper()
	select {
	case <-h.t.Context().Done():
		h.t.Fatal("cut off")
	case <-time.After(d):
	}
}

// gate stands for the SLO of an environment: for a few seconds no user may see an error.
func (h *house) gate(service string) action {
	return func(_ context.Context, _ string, r release.Release) (release.Facts, release.Verdict, error) {
		from := h.users(service)
		h.pause(3 * time.Second)
		to := h.users(service)
		if bad := to.bad - from.bad; bad > 0 {
			return release.Facts{}, release.Refuse(fmt.Sprintf("%d of %d requests failed", bad, bad+to.good-from.good), ""), nil
		}
		if to.good == from.good {
			return release.Facts{}, release.Inconclusive("no requests came", ""), nil
		}
		return release.Facts{}, release.Pass(), nil
	}
}

// shifted brings a release through every shift, as the journey does.
func (h *house) shifted(r release.Release, gate action) (release.Release, release.Verdict) {
	h.t.Helper()
	for {
		began := time.Now()
		steps := []action{h.rollout.Sync, h.rollout.Health}
		if shift, ok := r.Shifting(); gate != nil && ok && shift.SLO {
			steps = append(steps, gate)
		}
		for _, step := range steps {
			var v release.Verdict
			if r, v, _ = h.act(r, step); v.Outcome() != release.Passed {
				return r, v
			}
		}
		shift, ok := r.Shifting()
		h.t.Logf("%q: %v", shift.Name, time.Since(began).Round(100*time.Millisecond))
		if !ok || r.Shift+1 >= len(r.Now().Waves[0].Shifts) {
			return r, release.Pass()
		}
		r.Shift++
	}
}

// sidesHouse is a house on one cluster with a gateway.
func sidesHouse(t *testing.T, s release.Strategy) (*house, string, func(...string) string) {
	t.Helper()
	lab := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), labtest.Program(t), args...).CombinedOutput()
		if err != nil {
			t.Fatalf("lab %s: %v %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	lab("up", "prod-main", "--gateway")
	h := newHouse(t)
	h.env.Spec.Waves = []release.WaveSpec{{Name: "main", Clusters: match("ring", "main")}}
	p := h.rollout.Platform.(platform)
	p.env = h.env
	h.rollout.Platform = p
	h.rollout.Strategy = func(context.Context, release.Release, release.Environment) (*release.Strategy, error) { return &s, nil }
	return h, labtest.Open(t).Image(t, "library/debian", "12-slim"), lab
}

// noNewSide fails when anything of the new side stays, or something leads to it.
func (h *house) noNewSide() {
	h.t.Helper()
	k, err := h.kube.Get("prod-main")
	if err != nil {
		h.t.Fatal(err)
	}
	is := ""
	for range 100 { // pods that end hold their Deployment for a while
		deployments, err := k.Typed().AppsV1().Deployments(h.ns).List(h.t.Context(), metav1.ListOptions{})
		if err != nil {
			h.t.Fatal(err)
		}
		services, err := k.Typed().CoreV1().Services(h.ns).List(h.t.Context(), metav1.ListOptions{})
		if err != nil {
			h.t.Fatal(err)
		}
		route, err := exec.CommandContext(h.t.Context(), labtest.Program(h.t), "kubectl", "prod-main", "get", "httproute", "-n", h.ns, "web", "-o", "jsonpath={.spec.rules[*].backendRefs[*].name}").Output()
		if err != nil {
			h.t.Fatal(err)
		}
		is = fmt.Sprintf("route to %s", route)
		for _, d := range deployments.Items {
			is += ", Deployment " + d.Name
		}
		for _, s := range services.Items {
			is += ", Service " + s.Name + " of " + s.Spec.Selector["app"]
		}
		if is == "route to web, Deployment web, Service web of web" {
			return
		}
		h.pause(200 * time.Millisecond)
	}
	h.t.Errorf("there is more than the plain manifests: %s", is)
}

func (h *house) answers(rps string, lab func(...string) string, service string, args ...string) {
	h.t.Helper()
	lab(append([]string{"load", "set", service, "--cluster", "prod-main", "--rps", rps}, args...)...)
	h.t.Cleanup(func() { _ = exec.Command(labtest.Program(h.t), "load", "remove", service).Run() })
	for h.users(service).good == 0 {
		h.pause(200 * time.Millisecond)
	}
}

// TestLabCanary: while a canary takes over no user sees an error, and a bad one costs its
// part of the requests until it is refused.
func TestLabCanary(t *testing.T) {
	h, image, lab := sidesHouse(t, release.Strategy{Type: release.Canary, Steps: []release.CanaryStep{{Weight: 10}, {Weight: 50}}})
	const service = "shift/canary"
	first, v := h.shifted(h.release(1, h.serving(image, "blue", 200)), nil)
	if v.Outcome() != release.Passed {
		t.Fatalf("first: %s", v.Reason())
	}
	h.verify(first)
	h.answers("40", lab, service, "--namespace", "gateway", "--name", "gateway", "--host", h.ns+".test")

	from := h.users(service)
	good, v := h.shifted(h.release(2, h.serving(image, "green", 200)), h.gate(service))
	if v.Outcome() != release.Passed {
		t.Fatalf("good: %s", v.Reason())
	}
	to := h.users(service)
	t.Logf("good canary: %d requests, %d failed", to.good-from.good, to.bad-from.bad)
	if to.bad != from.bad || to.good-from.good < 200 {
		t.Errorf("%d requests, %d failed", to.good-from.good, to.bad-from.bad)
	}
	h.noNewSide()
	h.verify(good)

	h.held(h.release(4, h.serving(image, "violet", 200)), service)

	bad, v := h.shifted(h.release(3, h.serving(image, "red", 500)), h.gate(service))
	if shift, _ := bad.Shifting(); v.Outcome() != release.Refused || shift.Name != "10%" {
		t.Fatalf("bad: %s in %q: %s", v.Outcome(), shift.Name, v.Reason())
	}
	bad.Phase = release.RollingBack
	bad, v, took := h.act(bad, h.rollout.Return)
	if v.Outcome() != release.Passed || bad.Now().Waves[0].Targets[0].State != deployer.RolledBack {
		t.Fatalf("return: %s", v.Reason())
	}
	h.noNewSide()
	h.pause(progressive.Settle) // the gateway follows
	after := h.users(service)
	h.pause(2 * time.Second)
	if again := h.users(service); again.bad != after.bad || again.good == after.good {
		t.Errorf("after the return %d requests failed, %d did not", again.bad-after.bad, again.good-after.good)
	}
	t.Logf("bad canary: returned in %v, %d of %d requests failed in all", took.Round(100*time.Millisecond), after.bad-to.bad, after.bad-to.bad+after.good-to.good)
}

// held stops a good canary half-way, as a person's hold does: the fleet puts the cluster
// back, and no user sees an error.
func (h *house) held(r release.Release, service string) {
	h.t.Helper()
	stop := func(_ context.Context, _ string, r release.Release) (release.Facts, release.Verdict, error) {
		return release.Facts{}, release.Inconclusive("the phone rings", ""), nil
	}
	from := h.users(service)
	if _, v := h.shifted(r, stop); v.Outcome() != release.Undetermined {
		h.t.Fatalf("held: %s", v.Reason())
	}
	p := &places{slot: h.slot}
	p.slot.Occupant, p.slot.Undo = r.ID, []string{"prod-main"}
	f := &deployer.Fleet{Platform: h.rollout.Platform, Slots: p.all, Slot: p.read, Desired: h.desired, Live: h.live, Locks: h.rollout.Locks, Now: time.Now,
		Place: p.place, Report: func(context.Context, deployer.Healed) {}}
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	began := time.Now()
	for s, _ := p.read(ctx, "", ""); len(s.Undo) > 0; s, _ = p.read(ctx, "", "") {
		h.pause(100 * time.Millisecond)
	}
	h.t.Logf("held at 10%%: put back after %v", time.Since(began).Round(100*time.Millisecond))
	cancel()
	<-done
	h.noNewSide()
	h.pause(2 * time.Second)
	if to := h.users(service); to.bad != from.bad || to.good == from.good {
		h.t.Errorf("a hold cost %d of %d requests", to.bad-from.bad, to.good+to.bad-from.good-from.bad)
	}
}

// TestLabBlueGreen: the service changes sides under load, and no user sees an error.
func TestLabBlueGreen(t *testing.T) {
	h, image, lab := sidesHouse(t, release.Strategy{Type: release.BlueGreen})
	const service = "shift/bluegreen"
	first, v := h.shifted(h.release(1, h.serving(image, "blue", 200)), nil)
	if v.Outcome() != release.Passed {
		t.Fatalf("first: %s", v.Reason())
	}
	h.verify(first)
	h.answers("40", lab, service, "--namespace", h.ns, "--name", "web")
	from := h.users(service)
	_, v = h.shifted(h.release(2, h.serving(image, "green", 200)), h.gate(service))
	if v.Outcome() != release.Passed {
		t.Fatalf("good: %s", v.Reason())
	}
	to := h.users(service)
	t.Logf("good blue-green: %d requests, %d failed", to.good-from.good, to.bad-from.bad)
	if to.bad != from.bad || to.good-from.good < 200 {
		t.Errorf("%d requests, %d failed", to.good-from.good, to.bad-from.bad)
	}
	h.noNewSide()
}

// stateful is three pods with names of their own.
func (h *house) stateful(image, color, command string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 3
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}, annotations: {color: %s}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: %s
        command: [sh, -c, %s]
        readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1}
`, color, image, strconv.Quote(command))
}

// colors are those of the pods, by their ordinals.
func (h *house) colors() string {
	h.t.Helper()
	k, err := h.kube.Get("prod-main")
	if err != nil {
		h.t.Fatal(err)
	}
	list, err := k.Typed().CoreV1().Pods(h.ns).List(h.t.Context(), metav1.ListOptions{LabelSelector: "app=db"})
	if err != nil {
		h.t.Fatal(err)
	}
	is := map[string]string{}
	for _, p := range list.Items {
		is[p.Name] = p.Annotations["color"]
	}
	return is["db-0"] + " " + is["db-1"] + " " + is["db-2"]
}

// TestLabPartition: a StatefulSet changes from its last pod on; a bad version never goes on
// to the next, and a return takes it away again.
func TestLabPartition(t *testing.T) {
	h, image, _ := sidesHouse(t, release.Strategy{Type: release.Partition, Steps: []release.CanaryStep{{Weight: 34}, {Weight: 67}}})
	const good, bad = "touch /tmp/ready; exec sleep 1000", "exec sleep 1000"
	first, v := h.shifted(h.release(1, h.stateful(image, "blue", good)), nil)
	if v.Outcome() != release.Passed {
		t.Fatalf("first: %s", v.Reason())
	}
	h.verify(first)
	second := h.release(2, h.stateful(image, "green", good))
	for _, step := range []action{h.rollout.Sync, h.rollout.Health} { // the first part: its shifts are planned here
		if second, v, _ = h.act(second, step); v.Outcome() != release.Passed {
			t.Fatalf("first part: %s", v.Reason())
		}
	}
	seen := []string{h.colors()}
	second, v = h.shifted(second, func(_ context.Context, _ string, r release.Release) (release.Facts, release.Verdict, error) {
		if is := h.colors(); is != seen[len(seen)-1] {
			seen = append(seen, is)
		}
		return release.Facts{}, release.Pass(), nil
	})
	if want := "blue blue green, blue green green, green green green"; v.Outcome() != release.Passed || strings.Join(seen, ", ") != want {
		t.Fatalf("good: %s: %v, want %s", v.Reason(), seen, want)
	}
	h.verify(second)
	third := h.release(3, h.stateful(image, "red", bad))
	third, v, _ = h.act(third, h.rollout.Sync)
	if v.Outcome() != release.Passed {
		t.Fatalf("bad: %s", v.Reason())
	}
	h.pause(5 * time.Second)
	_, v, err := h.rollout.Health(t.Context(), "k", third)
	if got := h.colors(); err != nil || v.Outcome() != release.Waiting || got != "green green red" {
		t.Errorf("a version that does not get ready: %s, %v, on %q", v.Reason(), err, got)
	}
	third.Phase = release.RollingBack
	third, v, took := h.act(third, h.rollout.Return)
	if got := h.colors(); v.Outcome() != release.Passed || third.Now().Waves[0].Targets[0].State != deployer.RolledBack || got != "green green green" {
		t.Errorf("return: %s, on %q", v.Reason(), got)
	}
	t.Logf("returned in %v", took.Round(100*time.Millisecond))
}
