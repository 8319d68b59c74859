package execs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/execs"
	"github.com/seatrial/seatrial/chaos/trial"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
	"github.com/seatrial/seatrial/release"
)

const run = "seatrial-wrong-0123456789abcdef"

// world is a cluster whose containers are sets of files.
type world struct {
	*execs.Execs
	t      *testing.T
	server *kubetest.Server
	now    time.Time

	mu    sync.Mutex // guards what follows
	files map[string]bool
	ran   []string
	trick map[string]func(pod string) (kube.Ended, error) // by program, instead of what it does
}

func newWorld(t *testing.T, names ...string) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, server: kubetest.New(t), now: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC), files: map[string]bool{}, trick: map[string]func(string) (kube.Ended, error){}}
	w.server.Credentials(t, dir, "staging")
	w.Execs = &execs.Execs{Clusters: kube.Open(dir).Get, Run: w.run, Now: func() time.Time { return w.now }}
	for _, n := range names {
		w.pod(n, "containerd://1", true)
	}
	return w
}

// pod puts a pod there, or its new state.
func (w *world) pod(name, container string, running bool) {
	w.t.Helper()
	state := map[string]any{"terminated": map[string]any{"exitCode": int64(1)}}
	if running {
		state = map[string]any{"running": map[string]any{}}
	}
	o := w.server.Get("Pod", "shop", name)
	if o == nil {
		o = &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": name, "namespace": "shop"},
			"spec": map[string]any{"containers": []any{map[string]any{"name": "web"}, map[string]any{"name": "proxy"}}}}}
	}
	o.Object["status"] = map[string]any{"phase": "Running", "containerStatuses": []any{map[string]any{"name": "web", "containerID": container, "state": state}}}
	w.server.Put(o)
}

func (w *world) delete(name string) {
	w.t.Helper()
	c, err := w.Clusters("staging")
	if err == nil {
		err = c.Dynamic().Resource(corev1.SchemeGroupVersion.WithResource("pods")).Namespace("shop").Delete(w.t.Context(), name, metav1.DeleteOptions{})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// run knows three programs: touch, rm and test.
func (w *world) run(_ context.Context, _ *kube.Cluster, p kube.Program) (kube.Ended, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ran = append(w.ran, p.Args[0]+" "+p.Pod)
	if p.Namespace != "shop" || p.Container != "web" || p.Limit != 10*time.Second {
		w.t.Errorf("run in %+v", p)
	}
	if do := w.trick[p.Args[0]]; do != nil {
		return do(p.Pod)
	}
	switch there := w.files[p.Pod]; {
	case p.Args[0] == "touch":
		w.files[p.Pod] = true
	case p.Args[0] == "rm":
		w.files[p.Pod] = false
	case !there:
		return kube.Ended{Code: 1}, nil
	}
	return kube.Ended{}, nil
}

// times is how often a program was run in a pod.
func (w *world) times(what string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.ran {
		if r == what {
			n++
		}
	}
	return n
}

func ends(code int, said string) func(string) (kube.Ended, error) {
	return func(string) (kube.Ended, error) { return kube.Ended{Code: code, Said: said}, nil }
}

func fails(err error) func(string) (kube.Ended, error) {
	return func(string) (kube.Ended, error) { return kube.Ended{}, err }
}

func args(words ...string) []any {
	var all []any
	for _, w := range words {
		all = append(all, w)
	}
	return all
}

func (w *world) order(check bool, pods ...string) chaos.Order {
	f := release.FaultRecord{Experiment: "wrong", Kind: "Exec", Action: "run", Name: run, Namespace: "shop", Cluster: "staging",
		With: map[string]any{"command": args("touch", "/tmp/wrong"), "revert": args("rm", "/tmp/wrong")}}
	if check {
		f.With["check"] = args("test", "-e", "/tmp/wrong")
	}
	for _, p := range pods {
		f.Targets = append(f.Targets, "shop/"+p)
	}
	return chaos.Order{Fault: f, Container: "web", Duration: time.Minute, Release: "shop.web.3f2a91c07d0b"}
}

func (w *world) prepared(check bool, pods ...string) chaos.Order {
	w.t.Helper()
	o := w.order(check, pods...)
	f, err := w.Prepare(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	o.Fault = f
	return o
}

func (w *world) injected(check bool, pods ...string) chaos.Order {
	w.t.Helper()
	o := w.prepared(check, pods...)
	if err := w.Inject(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
	w.sees(o, chaos.Injected, "")
	return o
}

func (w *world) sees(o chaos.Order, want chaos.SightState, message string) {
	w.t.Helper()
	sight, err := w.Look(w.t.Context(), o.Fault)
	if err != nil || sight.State != want || !strings.Contains(sight.Message, message) {
		w.t.Errorf("%v: %v %q, want %v %q", err, sight.State, sight.Message, want, message)
	}
}

func (w *world) reverts(o chaos.Order) {
	w.t.Helper()
	if err := w.Revert(w.t.Context(), o.Fault, chaos.Delete); err != nil {
		w.t.Error(err)
	}
}

// marked lists the pods on which a mark or its label is.
func (w *world) marked() (all []string) {
	for _, name := range []string{"a", "b", "c"} {
		if o := w.server.Get("Pod", "shop", name); o != nil && len(o.GetAnnotations())+len(o.GetLabels()) > 0 {
			all = append(all, name)
		}
	}
	return all
}

func (w *world) cannot(err error, final bool, want string) {
	w.t.Helper()
	if x, ok := errors.AsType[*chaos.CannotInject](err); !ok || x.Final != final || !strings.Contains(x.Cause, want) {
		w.t.Errorf("%v, want %q, final %v", err, want, final)
	}
}

func TestAProgramIsRunOnceAndTakenBackOnce(t *testing.T) {
	for _, check := range []bool{false, true} {
		w := newWorld(t, "a", "b", "c")
		o := w.prepared(check, "a", "b")
		if len(w.ran) != 0 || len(w.marked()) != 0 {
			t.Errorf("prepare has run %v and marked %v", w.ran, w.marked())
		}
		for range 3 {
			if err := w.Inject(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		w.sees(o, chaos.Injected, "")
		if w.times("touch a") != 1 || w.times("touch b") != 1 || w.times("touch c") != 0 || !slices.Equal(w.marked(), []string{"a", "b"}) {
			t.Errorf("ran %v, marked %v", w.ran, w.marked())
		}
		for range 3 {
			w.reverts(o)
		}
		w.sees(o, chaos.Gone, "")
		if w.times("rm a") != 1 || w.times("rm b") != 1 || w.files["a"] || w.files["b"] || len(w.marked()) != 0 {
			t.Errorf("ran %v, marked %v", w.ran, w.marked())
		}
	}
}

func TestTheMarkIsThereBeforeTheProgramRuns(t *testing.T) {
	w := newWorld(t, "a")
	w.trick["touch"] = func(string) (kube.Ended, error) {
		if !slices.Equal(w.marked(), []string{"a"}) {
			t.Error("it runs before anything would find it")
		}
		return kube.Ended{}, nil
	}
	w.injected(false, "a")
}

func TestWhatPrepareRefuses(t *testing.T) {
	w := newWorld(t, "a")
	for _, c := range []struct {
		name   string
		change func(*chaos.Order)
		want   string
	}{
		{"a container that is not there", func(o *chaos.Order) { o.Container = "wbe" }, `pod shop/a has no container "wbe" (there is: web, proxy)`},
		{"a fault without a revert", func(o *chaos.Order) { delete(o.Fault.With, "revert") }, "run needs revert"},
		{"a shell's line", func(o *chaos.Order) { o.Fault.With["command"] = "touch x" }, "want a list"},
	} {
		o := w.order(false, "a")
		c.change(&o)
		_, err := w.Prepare(t.Context(), o)
		t.Log(c.name)
		w.cannot(err, true, c.want)
	}
	_, err := w.Prepare(t.Context(), w.order(false, "a", "gone"))
	if x, ok := errors.AsType[*chaos.Exceeds](err); !ok || x.Final || !strings.Contains(x.Reason, "pod shop/gone is gone") {
		t.Errorf("a pod that went meanwhile: %v", err)
	}
	o := w.order(false, "a")
	o.Fault.Targets = []string{"kube-system/a"}
	if _, err := w.Prepare(t.Context(), o); err == nil || !strings.Contains(err.Error(), "is not in namespace shop") {
		t.Errorf("another namespace: %v", err)
	}
	w.injected(false, "a")
	o = w.order(false, "a")
	o.Fault.Name = "seatrial-other-0123456789abcdef"
	_, err = w.Prepare(t.Context(), o)
	w.cannot(err, true, "run "+run+" has run a program in container web of pod shop/a already")
	if len(w.ran) != 1 {
		t.Errorf("ran %v", w.ran)
	}
}

func TestWhatCannotBeInjectedAndWhatItLeaves(t *testing.T) {
	no := &kube.NotStarted{Why: `OCI runtime exec failed: exec: "touch": executable file not found in $PATH`, Final: true}
	for _, c := range []struct {
		name   string
		check  bool
		change func(*world)
		final  bool
		want   string
		marked bool // it may have run: it is taken back
	}{
		{"no such program", false, func(w *world) { w.trick["touch"] = fails(no) }, true, `"touch /tmp/wrong" did not start: OCI runtime exec failed`, false},
		{"no such check", true, func(w *world) { w.trick["test"] = fails(no) }, true, `the check "test -e /tmp/wrong" did not start`, false},
		{"a node that does not answer", false, func(w *world) { w.trick["touch"] = fails(&kube.NotStarted{Why: "error dialing backend"}) }, false, "error dialing backend", false},
		{"exit code 127", false, func(w *world) { w.trick["touch"] = ends(127, "touch: not found") }, true, "ended with exit code 127: touch: not found", true},
		{"exit code 126, though a check would tell", true, func(w *world) { w.trick["touch"] = ends(126, "") }, true, "ended with exit code 126", true},
		{"any other exit code", false, func(w *world) { w.trick["touch"] = ends(3, "read-only file system") }, true, "ended with exit code 3: read-only file system", true},
		{"a program that hangs", false, func(w *world) { w.trick["touch"] = fails(context.DeadlineExceeded) }, true, "did not end within 10s and was cut off: it may still run", true},
		{"a check that hangs", true, func(w *world) { w.trick["test"] = fails(context.DeadlineExceeded) }, true, "the check \"test -e /tmp/wrong\" did not end within 10s", false},
		{"a check that is no program", true, func(w *world) { w.trick["test"] = ends(127, "") }, true, "the check \"test -e /tmp/wrong\" ended with exit code 127", false},
		{"what is broken already", true, func(w *world) { w.files["a"] = true }, true, "pod shop/a is broken already", false},
		{"a container that does not run now", false, func(w *world) { w.pod("a", "containerd://1", false) }, false, "container web of pod shop/a is not running", false},
		{"a pod that was replaced", false, func(w *world) { w.delete("a"); w.pod("a", "containerd://9", true) }, true, "pod shop/a was replaced before its program ran", false},
		{"a pod that may not be marked", false, func(w *world) {
			w.server.Refuse = func(string, *unstructured.Unstructured) *kubetest.Refusal {
				return &kubetest.Refusal{Code: 403, Reason: "Forbidden", Message: "pods is forbidden"}
			}
		}, true, "grant the server get and patch of pods and create of pods/exec in namespace shop", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "a")
			o := w.prepared(c.check, "a")
			c.change(w)
			w.cannot(w.Inject(t.Context(), o), c.final, c.want)
			if (len(w.marked()) > 0) != c.marked {
				t.Errorf("marked %v", w.marked())
			}
			if clear(w.trick); !c.marked {
				return
			}
			w.reverts(o)
			w.sees(o, chaos.Gone, "")
			if w.times("rm a") != 1 || len(w.marked()) != 0 {
				t.Errorf("ran %v, marked %v", w.ran, w.marked())
			}
		})
	}
	w := newWorld(t, "a")
	o := w.order(false, "a")
	w.cannot(w.Inject(t.Context(), o), true, "nothing could be put back")
	if len(w.ran) != 0 {
		t.Errorf("what nobody prepared has run: %v", w.ran)
	}
}

func TestWithACheckTheCheckCountsAndNotTheExitCode(t *testing.T) {
	w := newWorld(t, "a")
	w.trick["touch"] = func(string) (kube.Ended, error) { w.files["a"] = true; return kube.Ended{Code: 1}, nil }
	w.trick["rm"] = func(string) (kube.Ended, error) { w.files["a"] = false; return kube.Ended{Code: 1}, nil }
	o := w.injected(true, "a")
	w.files["a"] = false
	w.sees(o, chaos.Starting, "not in effect: the check \"test -e /tmp/wrong\" ended with exit code 1")
	w.trick["test"] = ends(127, "")
	w.sees(o, chaos.NotInjected, "ended with exit code 127")
	delete(w.trick, "test")
	w.reverts(o)
	w.sees(o, chaos.Gone, "")
}

func TestWhenOneOfSeveralFailsTheOthersAreTakenBack(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.trick["touch"] = func(pod string) (kube.Ended, error) {
		if pod == "b" {
			return kube.Ended{}, &kube.NotStarted{Why: "no such program", Final: true}
		}
		w.files[pod] = true
		return kube.Ended{}, nil
	}
	o := w.prepared(false, "a", "b", "c")
	w.cannot(w.Inject(t.Context(), o), true, "pod shop/b")
	w.reverts(o)
	w.sees(o, chaos.Gone, "")
	if w.times("rm a") != 1 || w.times("rm b") != 0 || w.times("rm c") != 1 || w.files["a"] || w.files["c"] {
		t.Errorf("ran %v", w.ran)
	}
}

func TestWhetherItRanIsNeverGuessed(t *testing.T) {
	for _, c := range []struct {
		name      string
		check, is bool // in effect, in fact
		want      string
	}{
		{"without a check", false, true, "whether its program ran is not known"},
		{"with one that says no", true, false, "whether its program ran is not known"},
		{"with one that says yes", true, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "a")
			w.trick["touch"] = func(string) (kube.Ended, error) {
				w.files["a"] = c.is
				return kube.Ended{}, errors.New("the connection was cut")
			}
			o := w.prepared(c.check, "a")
			err := w.Inject(t.Context(), o)
			if _, cannot := errors.AsType[*chaos.CannotInject](err); err == nil || cannot || !strings.Contains(err.Error(), "the connection was cut") {
				t.Errorf("%v", err)
			}
			w.sees(o, chaos.Starting, "is not known")
			if err = w.Inject(t.Context(), o); c.want != "" {
				w.cannot(err, true, c.want)
			} else if err != nil {
				t.Error(err)
			}
			if w.times("touch a") != 1 {
				t.Errorf("ran %v", w.ran)
			}
			w.reverts(o)
			w.sees(o, chaos.Gone, "")
			if w.times("rm a") != 1 {
				t.Errorf("not taken back: %v", w.ran)
			}
		})
	}
}

func TestARevertThatFailsIsNeverCalledRecovered(t *testing.T) {
	for _, c := range []struct {
		name  string
		check bool
		rm    func(string) (kube.Ended, error)
		want  string
	}{
		{"its exit code", false, ends(1, "Operation not permitted"), `pod shop/a: the revert "rm /tmp/wrong" ended with exit code 1: Operation not permitted`},
		{"it claims to have worked", true, ends(0, ""), `and the check "test -e /tmp/wrong" says that the fault is still in effect`},
		{"it hangs", false, fails(context.DeadlineExceeded), `the revert "rm /tmp/wrong" did not end within 10s`},
		{"it may not be run any more", false, fails(&kube.NotStarted{Why: "pods is forbidden", Final: true}), "pods is forbidden"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			o := w.injected(c.check, "a", "b")
			w.trick["rm"] = func(pod string) (kube.Ended, error) {
				if pod == "a" {
					return c.rm(pod)
				}
				w.files[pod] = false
				return kube.Ended{}, nil
			}
			for range 3 {
				w.reverts(o)
				w.sees(o, chaos.Recovering, c.want)
			}
			if n := w.times("rm a"); n != 1 || w.times("rm b") != 1 {
				t.Errorf("tried %d times at once", n)
			}
			if found, err := w.Faults(t.Context(), "staging"); err != nil || len(found) != 1 || !slices.Equal(found[0].Fault.Targets, []string{"shop/a"}) {
				t.Errorf("%v %+v", err, found)
			}
			w.now = w.now.Add(6 * time.Second)
			clear(w.trick)
			w.reverts(o)
			w.sees(o, chaos.Gone, "")
			if w.times("rm a") != 2 || w.times("rm b") != 1 {
				t.Errorf("ran %v", w.ran)
			}
		})
	}
}

func TestAPersonIsCalledWhenNothingHelps(t *testing.T) {
	w := newWorld(t, "a")
	o := w.injected(false, "a")
	w.trick["rm"] = ends(1, "busy")
	e := &chaos.Engine{Provider: w, Now: func() time.Time { return w.now }}
	saved := release.Trial{Attempt: 1, Step: "reverting", Since: w.now, Fault: &o.Fault}
	s := chaos.Subject{Cluster: "staging", Experiment: release.Experiment{Meta: release.Meta{Name: "wrong"}}}
	var v release.Verdict
	for range 100 {
		next, got, err := e.Step(t.Context(), s, saved)
		if err != nil {
			t.Fatal(err)
		}
		if saved, v = next, got; v.Outcome() != release.Waiting {
			break
		}
		w.now = w.now.Add(time.Second)
	}
	if v.Outcome() == release.Passed || !strings.Contains(saved.Fault.Message, `pod shop/a: the revert "rm /tmp/wrong" ended with exit code 1: busy`) || !saved.Fault.Recovered.IsZero() {
		t.Errorf("%v %s: %q", v.Outcome(), v.Reason(), saved.Fault.Message)
	}
	if n := w.times("rm a"); n < 10 || n > 14 {
		t.Errorf("tried %d times within a minute", n)
	}
}

func TestWhatIsNotThereAnyMoreNeedsNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		check   bool
		change  func(*world)
		during  chaos.SightState
		message string
		reverts int
	}{
		{"a pod that was deleted", false, func(w *world) { w.delete("a") }, chaos.Gone, "pod shop/a: it was replaced", 0},
		{"a pod that another has replaced", true, func(w *world) { w.delete("a"); w.pod("a", "containerd://1", true) }, chaos.Gone, "it was replaced", 0},
		{"a container that was restarted", false, func(w *world) { w.pod("a", "containerd://2", true) }, chaos.Recovered, "container web was restarted", 0},
		{"a container that ended", false, func(w *world) { w.pod("a", "containerd://1", false) }, chaos.Recovered, "container web was restarted", 0},
		{"a restarted container of which the check says no", true, func(w *world) { w.pod("a", "containerd://2", true); w.files["a"] = false }, chaos.Starting, "not in effect", 0},
		{"a restarted container with what lies in a volume", true, func(w *world) { w.pod("a", "containerd://2", true) }, chaos.Injected, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "a")
			o := w.injected(c.check, "a")
			c.change(w)
			w.sees(o, c.during, c.message)
			w.reverts(o)
			w.sees(o, chaos.Gone, "")
			if n := w.times("rm a"); n != c.reverts || len(w.marked()) != 0 {
				t.Errorf("taken back %d times, want %d; marked %v", n, c.reverts, w.marked())
			}
		})
	}
}

func TestAContainerThatMayComeBackIsWaitedFor(t *testing.T) {
	w := newWorld(t, "a")
	o := w.injected(true, "a")
	w.pod("a", "containerd://1", false)
	w.reverts(o)
	w.sees(o, chaos.Starting, "container web is not running")
	w.pod("a", "containerd://2", true)
	w.reverts(o)
	w.sees(o, chaos.Gone, "")
	if w.files["a"] || w.times("rm a") != 1 {
		t.Errorf("ran %v", w.ran)
	}
}

func TestAServerThatWasKilledFindsWhatItLeft(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.Installation = "one"
	o := w.injected(true, "a", "c")
	found, err := w.Faults(t.Context(), "staging")
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %+v", err, found)
	}
	w.Installation = "another"
	if theirs, err := w.Faults(t.Context(), "staging"); err != nil || len(theirs) != 0 {
		t.Errorf("another installation finds %+v, %v", theirs, err)
	}
	w.Installation = "one"
	f := found[0]
	if f.Run != run || f.Release != o.Release || !f.Until.Equal(w.now.Add(time.Minute)) || fmt.Sprint(f.Fault) != fmt.Sprint(o.Fault) {
		t.Errorf("%+v\nwant %+v", f, o.Fault)
	}
	kinds := chaos.Kinds{Finder: nobody{}, Own: map[string]chaos.Provider{"Exec": w}}
	sweeper := &trial.Trial{Engine: &chaos.Engine{Provider: kinds, Finder: kinds, Now: func() time.Time { return w.now }}, Log: slog.New(slog.DiscardHandler),
		Platform: func(context.Context) (chaos.Platform, error) {
			return chaos.Platform{Clusters: map[string]release.Cluster{"staging": {Spec: release.ClusterSpec{Chaos: true}}}}, nil
		}}
	active := true
	if gone, err := sweeper.Sweep(t.Context(), func(string) bool { return active }); err != nil || len(gone) != 0 {
		t.Errorf("an active run was swept: %v %v", err, gone)
	}
	active = false
	if gone, err := sweeper.Sweep(t.Context(), func(string) bool { return active }); err != nil || len(gone) != 1 || w.files["a"] || w.files["c"] || len(w.marked()) != 0 {
		t.Errorf("%v: %v, files %v, marked %v", err, gone, w.files, w.marked())
	}
}

type nobody struct{ chaos.Finder }

func (nobody) Faults(context.Context, string) ([]chaos.Found, error) { return nil, nil }

func TestAMarkCountsOnItsOwnPodOnly(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.injected(false, "a")
	a, b := w.server.Get("Pod", "shop", "a"), w.server.Get("Pod", "shop", "b")
	b.SetAnnotations(a.GetAnnotations())
	w.server.Put(b)
	if found, err := w.Faults(t.Context(), "staging"); err != nil || len(found) != 1 || !slices.Equal(found[0].Fault.Targets, []string{"shop/a"}) {
		t.Errorf("copied to another pod: %v %+v", err, found)
	}
	b.SetAnnotations(map[string]string{"seatrial.dev/exec-x": "{"})
	w.server.Put(b)
	if found, err := w.Faults(t.Context(), "staging"); err == nil || !strings.Contains(err.Error(), "pod shop/b on staging: annotation seatrial.dev/exec-x") || len(found) != 1 {
		t.Errorf("one that cannot be read: %v %+v", err, found)
	}
	a.SetNamespace("kube-system")
	w.server.Put(a)
	if found, _ := w.Faults(t.Context(), "staging"); len(found) != 1 {
		t.Errorf("in a protected namespace: %+v", found)
	}
}
