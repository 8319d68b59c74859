//go:build lab

package deployer_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/release"
)

func app(image, color, command string, extra ...string) string {
	return `apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {color: "` + color + `"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {color: "` + color + `"}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: ` + image + command + "\n" + strings.Join(extra, "")
}

func TestLabJourney(t *testing.T) {
	h := newHouse(t)
	lab := labtest.Open(t)
	image := lab.Image(t, "lab/pause", "1")
	first, v := h.deploy(h.release(1, app(image, "blue", "")))
	if v.Outcome() != release.Passed {
		t.Fatalf("first release: %v %s (%s)", v.Outcome(), v.Reason(), v.Hint())
	}
	h.verify(first)

	t.Run("a repeated sync is a no-op", func(t *testing.T) {
		again := first
		again.Wave = 1
		var took []time.Duration
		for range 7 {
			began := time.Now()
			facts, v, err := h.rollout.Sync(t.Context(), "k", again)
			took = append(took, time.Since(began).Round(time.Microsecond))
			if err != nil || v.Outcome() != release.Passed || v.Evidence()[0].Detail != "nothing to change" {
				t.Fatalf("%v %v %v", v, facts, err)
			}
		}
		t.Logf("no-op syncs: %v", took)
	})

	t.Run("a change reaches every wave and the branch", func(t *testing.T) {
		second, v := h.deploy(h.release(2, app(image, "green", "")))
		if v.Outcome() != release.Passed {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
		h.verify(second)
		first = second
	})

	t.Run("an immutable field is refused with a next step", func(t *testing.T) {
		r, v := h.deploy(h.release(3, strings.Replace(app(image, "green", ""), "app: web}}\n  template:\n    metadata: {labels: {app: web}", "app: other}}\n  template:\n    metadata: {labels: {app: other}", 1)))
		if v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "immutable") || !strings.Contains(v.Hint(), "another name") {
			t.Fatalf("%v %s (%s)", v.Outcome(), v.Reason(), v.Hint())
		}
		if _, v, _ := h.act(r, h.rollout.Return); v.Outcome() != release.Passed {
			t.Fatalf("return: %v %s", v.Outcome(), v.Reason())
		}
	})

	t.Run("an unknown field and an unknown kind are refused", func(t *testing.T) {
		_, v := h.deploy(h.release(4, strings.Replace(app(image, "green", ""), "replicas: 2", "replcias: 2", 1)))
		if v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "replcias") {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
		_, v = h.deploy(h.release(5, "apiVersion: nope.dev/v1\nkind: Nope\nmetadata: {name: x}\n"))
		if v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "no kind Nope") {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
	})

	t.Run("deleting more than the guard allows is refused, less is pruned", func(t *testing.T) {
		var many strings.Builder
		for i := range 12 {
			fmt.Fprintf(&many, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra-%d}\n", i)
		}
		if _, v := h.deploy(h.release(6, app(image, "green", "", many.String()))); v.Outcome() != release.Passed {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
		_, v := h.deploy(h.release(7, app(image, "green", "")))
		if v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "would delete 12 objects") {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
		half := strings.Join(strings.SplitAfterN(many.String(), "---", 7)[:6], "")
		half = strings.TrimSuffix(half, "---")
		if _, v := h.deploy(h.release(8, app(image, "green", "", half))); v.Outcome() != release.Passed {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
		r, v := h.deploy(h.release(9, app(image, "green", "")))
		if v.Outcome() != release.Passed {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
		h.verify(r)
		k, _ := h.kube.Get("prod-main")
		left := 13
		for began := time.Now(); left != 1 && time.Since(began) < patience; <-time.After(200 * time.Millisecond) {
			list, err := k.Typed().CoreV1().ConfigMaps(h.ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=seatrial"})
			if err != nil {
				t.Fatal(err)
			}
			left = len(list.Items)
		}
		if left != 1 {
			t.Fatalf("%d config maps left", left)
		}
	})

	t.Run("a crash loop is refused early and the return is quick", func(t *testing.T) {
		bad, v := h.deploy(h.release(10, app(lab.Image(t, "library/debian", "12-slim"), "red", "\n        command: [\"/bin/sh\", \"-c\", \"exit 3\"]")))
		if v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "pod web-") || v.Hint() == "" {
			t.Fatalf("%v %s (%s)", v.Outcome(), v.Reason(), v.Hint())
		}
		t.Logf("refused: %s (%s)", v.Reason(), v.Hint())
		if got := bad.Stages[0].Waves[1].Targets[0].State; got != "Pending" {
			t.Errorf("the second wave saw it: %s", got)
		}
		back, v, took := h.act(bad, h.rollout.Return)
		if v.Outcome() != release.Passed {
			t.Fatalf("return: %v %s", v.Outcome(), v.Reason())
		}
		t.Logf("back and ready in %v: %s", took.Round(time.Millisecond), v.Reason())
		if took > time.Minute { // how quick it is, the bench measures
			t.Errorf("the return took %v", took)
		}
		again, v, _ := h.act(back, h.rollout.Return)
		if v.Outcome() != release.Passed || again.Stages[0].Return != back.Stages[0].Return {
			t.Errorf("a repeated return: %v", v)
		}
		h.mu.Lock()
		for _, tg := range back.Stages[0].Waves[0].Targets {
			h.slot.Targets[tg.Cluster] = tg.Revision
		}
		h.mu.Unlock()
	})

	t.Run("an image that cannot be pulled is told as such", func(t *testing.T) {
		r, v := h.deploy(h.release(11, app(lab.Registry+"/lab/none@sha256:"+strings.Repeat("0", 64), "red", "")))
		if v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "ImagePull") {
			t.Fatalf("%v %s (%s)", v.Outcome(), v.Reason(), v.Hint())
		}
		t.Logf("refused: %s", v.Reason())
		if _, v, _ := h.act(r, h.rollout.Return); v.Outcome() != release.Passed {
			t.Fatalf("return: %v %s", v.Outcome(), v.Reason())
		}
	})

	if _, v := h.deploy(h.release(12, app(image, "purple", ""))); v.Outcome() != release.Passed {
		t.Fatalf("%v %s", v.Outcome(), v.Reason())
	}
	h.drift(t) // the slot still says what was before: that is where the targets belong

	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	status, _ := os.ReadFile("/proc/self/status")
	t.Logf("heap in use %d MiB, %s", m.HeapInuse>>20, regexp.MustCompile(`VmRSS:.*`).Find(status))
}

func (h *house) drift(t *testing.T) {
	t.Run("drift is healed to the revision the target is on", func(t *testing.T) {
		healed := make(chan deployer.Healed, 16)
		f := h.fleet(func(_ context.Context, d deployer.Healed) { healed <- d })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		defer func() { cancel(); <-done }()
		for range 2 {
			if d := <-healed; d.Err != nil || len(d.Objects) != 2 {
				t.Errorf("back to the slot's revision: %+v", d)
			}
		}
		k, err := h.kube.Get("prod-main")
		if err != nil {
			t.Fatal(err)
		}
		if d, err := k.Typed().AppsV1().Deployments(h.ns).Get(t.Context(), "web", metav1.GetOptions{}); err != nil || d.Spec.Template.Annotations["color"] != "green" {
			t.Fatalf("deployment: %v, %v", d.Spec.Template.Annotations, err)
		}
		for i, patch := range []string{`{"spec":{"replicas":0}}`, ""} {
			began := time.Now()
			if patch != "" {
				_, err = k.Typed().AppsV1().Deployments(h.ns).Patch(t.Context(), "web", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			} else {
				err = k.Typed().CoreV1().Services(h.ns).Delete(t.Context(), "web", metav1.DeleteOptions{})
			}
			if err != nil {
				t.Fatal(err)
			}
			select {
			case d := <-healed:
				t.Logf("drift %d: %v healed %v after the change", i, d.Objects, time.Since(began).Round(time.Millisecond))
				if d.Err != nil || d.Cluster != "prod-main" {
					t.Errorf("%+v", d)
				}
			case <-time.After(patience):
				t.Fatalf("not healed within %v", patience)
			}
		}
	})
}

func TestLabHooksAndWaves(t *testing.T) {
	h := newHouse(t)
	lab := labtest.Open(t)
	image := lab.Image(t, "lab/pause", "1")
	shell := lab.Image(t, "library/debian", "12-slim")
	hook := `---
apiVersion: batch/v1
kind: Job
metadata: {generateName: migrate-, annotations: {argocd.argoproj.io/hook: PreSync}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "` + shell + `", command: ["/bin/sh", "-c", "exit %d"]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: last, annotations: {argocd.argoproj.io/sync-wave: "5"}}
`
	r, v := h.deploy(h.release(1, app(image, "blue", "", fmt.Sprintf(hook, 0))))
	if v.Outcome() != release.Passed {
		t.Fatalf("%v %s (%s)", v.Outcome(), v.Reason(), v.Hint())
	}
	k, _ := h.kube.Get("prod-main")
	jobs := func() int {
		list, err := k.Typed().BatchV1().Jobs(h.ns).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	if n := jobs(); n != 1 {
		t.Fatalf("%d jobs", n)
	}
	t.Run("a repeated sync starts no second hook, also when nothing was saved", func(t *testing.T) {
		again := r
		again.Wave = 1
		again = again.Clone()
		again.Stages[0].Waves[1].Targets[0] = release.Target{Cluster: "prod-main", State: "Pending"}
		again, v, took := h.act(again, h.rollout.Sync)
		if v.Outcome() != release.Passed {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
		t.Logf("took %v", took)
		if n := jobs(); n != 1 {
			t.Errorf("%d jobs after a repeated sync", n)
		}
	})
	t.Run("a hook that fails is a refusal before anything else changed", func(t *testing.T) {
		_, v := h.deploy(h.release(2, app(image, "red", "", fmt.Sprintf(hook, 4))))
		if v.Outcome() != release.Refused {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
		t.Logf("refused: %s (%s)", v.Reason(), v.Hint())
		c, _ := h.kube.Get("prod-canary")
		d, err := c.Typed().AppsV1().Deployments(h.ns).Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil || d.Spec.Template.Annotations["color"] != "blue" {
			t.Errorf("deployment: %v, %v", d.Spec.Template.Annotations, err)
		}
	})
}

func TestLabSecretStaysSecret(t *testing.T) {
	h := newHouse(t)
	for i, bad := range []string{"data: {key: aHVudGVyMg, other: '!!hunter2!!'}", "data: {key: {deep: hunter2}}", "stringData: {key: 1234567}"} {
		_, v := h.deploy(h.release(i+1, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"+bad+"\n"))
		if v.Outcome() != release.Refused || strings.Contains(fmt.Sprint(v.Reason(), v.Evidence()), "hunter2") || strings.Contains(v.Reason(), "1234567") {
			t.Errorf("%v %s", v.Outcome(), v.Reason())
		}
		t.Log(v.Reason())
	}
}

// wire is the way to an API server, which can be cut and mended. While flow is locked it
// takes calls and passes nothing on.
type wire struct {
	t    *testing.T
	to   string
	addr string
	flow sync.RWMutex

	mu    sync.Mutex // guards ln and conns
	ln    net.Listener
	conns []net.Conn
}

func (w *wire) mend() {
	w.t.Helper()
	ln, err := net.Listen("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.ln, w.addr = ln, ln.Addr().String()
	w.mu.Unlock()
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", w.to)
			if err != nil {
				in.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, in, out)
			w.mu.Unlock()
			go func() { io.Copy(flowing{w, out}, in); out.Close() }()
			go func() { io.Copy(flowing{w, in}, out); in.Close() }()
		}
	}()
}

// flowing is one direction.
type flowing struct {
	w *wire
	io.Writer
}

// Write waits until something may flow.
func (f flowing) Write(data []byte) (int, error) {
	f.w.flow.RLock()
	defer f.w.flow.RUnlock()
	return f.Writer.Write(data)
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ln.Close()
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// wire puts a wire between the server and one of the lab's clusters.
func (h *house) wire(lab labtest.Lab, cluster int) *wire {
	h.t.Helper()
	c := lab.Clusters[cluster]
	data, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		h.t.Fatal(err)
	}
	server := regexp.MustCompile(`"?server"?: *"?https://([0-9.]+):([0-9]+)"?`).FindStringSubmatch(string(data))
	w := &wire{t: h.t, to: server[1] + ":" + server[2], addr: "127.0.0.1:0"}
	w.mend()
	h.t.Cleanup(w.cut)
	via := strings.Replace(string(data), server[0], `"tls-server-name": "`+server[1]+`", "server": "https://`+w.addr+`"`, 1)
	if err := os.WriteFile(filepath.Join(h.creds, c.Name+".kubeconfig"), []byte(via), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return w
}

// TestLabOutage: a release whose cluster goes away in the middle waits with a reason that
// names the cluster, and goes on when it is back.
func TestLabOutage(t *testing.T) {
	h := newHouse(t)
	lab := labtest.Open(t)
	image := lab.Image(t, "lab/pause", "1")
	w := h.wire(lab, 1)
	r, v := h.deploy(h.release(1, app(image, "blue", "")))
	if v.Outcome() != release.Passed {
		t.Fatalf("%v %s", v.Outcome(), v.Reason())
	}
	h.verify(r)
	r = h.release(2, app(image, "green", ""))
	w.cut()
	for _, do := range []action{h.rollout.Sync, h.rollout.Sync} {
		facts, v, err := do(t.Context(), "k", r)
		if err != nil || v.Outcome() != release.Waiting || !strings.Contains(v.Reason(), "cluster prod-canary does not answer") {
			t.Fatalf("%v %s %v", v.Outcome(), v.Reason(), err)
		}
		t.Log(v.Reason())
		r = r.With(facts)
	}
	w.mend()
	if r, v, _ = h.act(r, h.rollout.Sync); v.Outcome() != release.Passed {
		t.Fatalf("%v %s", v.Outcome(), v.Reason())
	}
	w.cut() // the pods come up meanwhile, and nobody sees it
	for began := time.Now(); !strings.Contains(v.Reason(), "does not answer"); {
		facts, next, err := h.rollout.Health(t.Context(), "k", r)
		if err != nil || next.Outcome() != release.Waiting || time.Since(began) > patience {
			t.Fatalf("%v %s %v", next.Outcome(), next.Reason(), err)
		}
		r, v = r.With(facts), next
	}
	w.mend()
	began := time.Now()
	if _, v, _ = h.act(r, h.rollout.Health); v.Outcome() != release.Passed {
		t.Fatalf("%v %s", v.Outcome(), v.Reason())
	}
	t.Logf("healthy %v after the cluster was back", time.Since(began).Round(time.Millisecond))
}

func TestLabUnreachable(t *testing.T) {
	h := newHouse(t)
	lab := labtest.Open(t)
	image := lab.Image(t, "lab/pause", "1")
	dir := t.TempDir()
	data, err := os.ReadFile(lab.Clusters[1].Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range lab.Clusters {
		if err := os.WriteFile(filepath.Join(dir, c.Name+".kubeconfig"), []byte(strings.ReplaceAll(string(data), ":6443", ":6444")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gone := live.New(kube.Open(dir), live.Config{})
	defer gone.Close()
	h.rollout.Live = gone
	_, v, err := h.rollout.Sync(t.Context(), "k", h.release(1, app(image, "blue", "")))
	if err != nil || v.Outcome() != release.Waiting || !strings.HasPrefix(v.Reason(), "cluster prod-canary does not answer: connection refused (since ") {
		t.Fatalf("%v %s, %v", v.Outcome(), v.Reason(), err)
	}
	t.Log(v.Reason())
}
