package hub_test

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/deployer/hub"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/details"
	"github.com/seatrial/seatrial/deployer/live/tree"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
)

func TestAnAgentDoesWhatTheServerWouldDo(t *testing.T) {
	r := newRig(t)
	r.joined()
	all := hub.Router{Near: live.New(kube.Open(t.TempDir()), live.Config{}), Hub: r.hub, Far: func(c string) bool { return c == "far" }}
	t.Cleanup(all.Near.Close)
	w := r.want("r1", app)
	diffs, err := all.Diff(t.Context(), "far", w)
	if err != nil || len(diffs) != 3 || diffs[0].Act != live.Creates {
		t.Fatalf("diff of what is not there: %+v, %v", diffs, err)
	}
	for _, d := range diffs {
		if strings.Contains(d.Text, "s3cret") {
			t.Error("a difference shows a Secret")
		}
	}
	r.synced(w)
	if r.color() != "blue" {
		t.Fatal("the cluster does not hold what is wanted")
	}
	if res, err := all.Health(t.Context(), "far", w, time.Now()); err != nil || res.State != live.Healthy {
		t.Fatalf("health: %+v, %v", res, err)
	}
	r.until("nothing drifts", func() bool {
		names, err := all.Drifted(t.Context(), "far", w)
		return err == nil && len(names) == 0
	})
	if grown, err := all.Resources(t.Context(), "far", w); err != nil || len(grown.Nodes) != 3 || grown.Nodes[0].State != tree.Synced {
		t.Errorf("the tree: %+v, %v", grown, err)
	}
	r.cluster.Put(parse(t, "apiVersion: v1\nkind: Event\nmetadata: {name: e, namespace: shop}\nreason: Told\ninvolvedObject: {uid: "+string(r.cluster.Get("Secret", "shop", "web").GetUID())+"}\n")[0])
	if about, err := all.Details(t.Context(), "far", w, details.Ref{Kind: "Secret", Namespace: "shop", Name: "web"}); err != nil || about.Missing || len(about.Events) != 1 || about.Events[0].Reason != "Told" {
		t.Errorf("the details: %+v, %v", about, err)
	}
	if about, err := all.Details(t.Context(), "far", w, details.Ref{Kind: "Secret", Namespace: "kube-system", Name: "web"}); err != nil || !about.Missing {
		t.Errorf("the details of what is not the service's: %+v, %v", about, err)
	}
	r.cluster.Serve(kubetest.Kind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler", Resource: "horizontalpodautoscalers"}, true)
	r.cluster.Put(parse(t, "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web, namespace: shop, labels: {app.kubernetes.io/managed-by: seatrial}}\nspec: {maxReplicas: 4}\nstatus: {currentReplicas: 3}\n")[0])
	if scalers, err := r.hub.Autoscalers(t.Context(), "far"); err != nil || len(scalers) != 1 || scalers[0].Spec.MaxReplicas != 4 || scalers[0].Status.CurrentReplicas != 3 {
		t.Errorf("the autoscalers: %+v, %v", scalers, err)
	}
	namespaced, known := all.Scope("far")(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"})
	if !namespaced || !known {
		t.Error("a Deployment is not known")
	}
	if _, known := all.Scope("far")(schema.GroupVersionKind{Group: "x.example", Version: "v1", Kind: "Foo"}); known {
		t.Error("a kind is known that the cluster does not have")
	}
	state, message := all.Reach(t.Context(), "far")
	if state != "Ready" || !strings.Contains(message, "agent v1.2.3, connected since ") {
		t.Errorf("reach: %s, %s", state, message)
	}
	if s, err := hub.ReadStatus(r.config.Status, "far", time.Now()); err != nil || s.Version != "v1.2.3" {
		t.Errorf("what doctor reads: %+v, %v", s, err)
	}
	r.until("the server sees the objects", func() bool {
		objects, whole := r.hub.Objects("far")
		return whole && len(objects) == 3
	})
	r.until("the service is withdrawn", func() bool {
		res, err := all.Withdraw(t.Context(), "far", w)
		return err == nil && res.State == live.Synced && r.cluster.Get("ConfigMap", "shop", "web") == nil
	})
	r.synced(w) // to a revision that was there: the server marks it as a return
}

func TestOnlyWhatIsNewIsSent(t *testing.T) {
	r := newRig(t)
	r.joined()
	w := r.want("r1", app)
	w.Hooks = true
	r.synced(w)
	r.cluster.Calls()
	w.Hooks = false // as when drift is healed
	r.synced(w)
	if calls := r.cluster.Calls(); len(calls) > 0 {
		t.Errorf("the same again changes something: %v", calls)
	}
	files, err := filepath.Glob(filepath.Join(r.dir, "agent", "desired", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	before, _ := os.ReadFile(files[0])
	r.synced(w)
	if after, _ := os.ReadFile(files[0]); string(before) != string(after) {
		t.Error("the same again is another order")
	}
}

func TestAnotherVariantOfARevisionReachesTheAgentAndIsWhatItHeals(t *testing.T) {
	r := newRig(t)
	r.joined()
	blue, pale := r.want("r1", app), r.want("r1", strings.Replace(app, "blue", "pale", 1))
	r.synced(blue)
	if names, err := r.hub.Drifted(t.Context(), "far", pale); err != nil || !slices.Equal(names, []string{"ConfigMap/web"}) {
		t.Fatalf("with other labels %v drifts, %v", names, err)
	}
	r.synced(pale)
	if r.color() != "pale" {
		t.Fatalf("the cluster has %s", r.color())
	}
	r.paint("red")
	r.until("the agent heals to the variant", func() bool { return r.color() == "pale" })
	r.synced(blue) // and back: it is no return, as the revision is the same
	if r.color() != "blue" {
		t.Errorf("the cluster has %s", r.color())
	}
}

func TestWithoutItsAgentAClusterIsUnreachable(t *testing.T) {
	r := newRig(t)
	_, err := r.hub.Sync(t.Context(), "far", r.want("r1", app))
	var gone *kube.Unreachable
	if !errors.As(err, &gone) || gone.Cluster != "far" || hint.Of(err) == "" {
		t.Fatalf("got %v (hint %q)", err, hint.Of(err))
	}
	if state, message := r.hub.Reach(t.Context(), "far"); state != "Unreachable" || !strings.Contains(message, "its agent is not connected") {
		t.Errorf("%s, %s", state, message)
	}
	if _, err := hub.ReadStatus(r.config.Status, "far", time.Now()); err == nil || !strings.Contains(err.Error(), "never connected") {
		t.Errorf("doctor reads %v", err)
	}
}

func TestEnrolRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(r *rig) (token string)
		want string
	}{
		{"a wrong token", func(r *rig) string {
			t := r.token().Reveal()
			i := len("seatrial-agent.far.")
			return t[:i] + strings.Repeat("A", 43) + t[i+43:]
		}, "the token is wrong or was used"},
		{"a token that was used", func(r *rig) string {
			t := r.token()
			stop, _ := r.start(t)
			r.current()
			stop()
			if err := os.RemoveAll(filepath.Join(r.dir, "agent")); err != nil {
				r.Fatal(err)
			}
			return t.Reveal()
		}, "the token is wrong or was used"},
		{"a token that has ended", func(r *rig) string {
			t, _, err := r.auth.Invite("far", -time.Second)
			if err != nil {
				r.Fatal(err)
			}
			return t.Reveal()
		}, "the token ended at"},
		{"a token that another took the place of", func(r *rig) string {
			t := r.token()
			r.token()
			return t.Reveal()
		}, "the token is wrong or was used"},
		{"a token that was revoked", func(r *rig) string {
			t := r.token()
			if err := r.auth.Revoke("far"); err != nil {
				r.Fatal(err)
			}
			return t.Reveal()
		}, "the token is wrong or was used"},
		{"a cluster that the platform does not have", func(r *rig) string {
			t := r.token()
			r.member.Store(false)
			return t.Reveal()
		}, "the platform has no cluster of that name"},
		{"a server of another authority", func(r *rig) string {
			t := r.token().Reveal()
			return t[:len(t)-43] + strings.Repeat("A", 43)
		}, "the server is not the one that made the token"},
		{"no token at all", func(*rig) string { return "x" }, "that is no token for an agent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			token := c.do(r)
			_, ended := r.start(secretOf(token))
			select {
			case err := <-ended:
				if err == nil || !strings.Contains(err.Error(), c.want) || hint.Of(err) == "" {
					t.Fatalf("got %v (hint %q), want %q", err, hint.Of(err), c.want)
				}
				if strings.Contains(err.Error()+r.logs.String(), token) && len(token) > 10 {
					t.Error("the token is shown")
				}
			case <-time.After(patience):
				t.Fatalf("it goes on\n%s", r.logs)
			}
		})
	}
}

func TestARevokedAgentIsCutOffAndStaysOut(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(r *rig) error
	}{
		{"revoked", func(r *rig) error { return r.auth.Revoke("far") }},
		{"taken out of the platform", func(r *rig) error { r.member.Store(false); return nil }},
		{"enrolled anew elsewhere", func(r *rig) error {
			_, _, err := r.auth.Enrol(r.token(), requestOf(r.T))
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.joined()
			began := time.Now()
			if err := c.do(r); err != nil {
				t.Fatal(err)
			}
			r.until("the open stream ends", func() bool { return !r.hub.Connection("far").Connected })
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			if _, err := r.hub.Sync(t.Context(), "far", r.want("r1", app)); err == nil {
				t.Error("it still obeys")
			}
			r.until("the agent tried again", func() bool { return strings.Count(r.logs.String(), "agent refused") >= 2 })
			if r.hub.Connection("far").Connected {
				t.Error("it is let in again")
			}
		})
	}
}

func TestAStreamGoesOnWhereItWasCut(t *testing.T) {
	r := newRig(t)
	r.joined()
	r.synced(r.want("r1", app))
	r.until("all is seen", func() bool { o, _ := r.hub.Objects("far"); return len(o) == 3 })
	r.line.cut()
	r.until("the server notices", func() bool { return !r.hub.Connection("far").Connected })
	for len(r.heard) > 0 {
		<-r.heard
	}
	o := r.cluster.Get("Service", "shop", "web")
	o.SetLabels(map[string]string{"seen": "later"}) // not ours: it stays
	r.cluster.Put(o)
	r.line.up()
	r.until("the agent is back and the change is seen", func() bool {
		objects, whole := r.hub.Objects("far")
		return whole && r.hub.Connection("far").Connected && slices.ContainsFunc(objects, func(s wireObject) bool {
			return s.Kind == "Service" && s.Version == r.cluster.Get("Service", "shop", "web").GetResourceVersion()
		})
	})
	for len(r.heard) > 0 {
		if o := <-r.heard; o.Kind != "Service" {
			t.Errorf("%s was sent again", o.Key())
		}
	}
	if !strings.Contains(r.logs.String(), "resumed=true") {
		t.Errorf("it began anew\n%s", r.logs)
	}
}

func TestAnAgentHealsWhileNobodyIsThereAndTellsLater(t *testing.T) {
	r := newRig(t)
	stop := r.joined()
	r.synced(r.want("r1", app))
	r.stop() // the server
	r.paint("red")
	r.until("it is healed without a server", func() bool { return r.color() == "blue" })
	stop()
	r.paint("green")
	r.start("") // what it was last told is on its disk
	r.until("it is healed after the agent's restart", func() bool { return r.color() == "blue" })
	r.serve(r.address)
	r.current()
	select {
	case h := <-r.healed:
		if h.Service != "shop/web" || h.Revision != "r1" || h.Error != "" || len(h.Objects) == 0 {
			t.Errorf("told %+v", h)
		}
	case <-time.After(patience):
		t.Error("the server is not told")
	}
	r.synced(r.want("r2", strings.Replace(app, "blue", "black", 1)))
	r.until("it catches up", func() bool { return r.color() == "black" })
}

func TestAServerThatRestartsListsAgain(t *testing.T) {
	r := newRig(t)
	r.joined()
	r.synced(r.want("r1", app))
	r.stop()
	r.serve(r.address)
	r.current()
	r.until("all is listed again", func() bool { o, _ := r.hub.Objects("far"); return len(o) == 3 })
	r.cluster.Calls()
	r.synced(r.want("r1", app))
	if calls := r.cluster.Calls(); len(calls) > 0 {
		t.Errorf("the order is carried out again: %v", calls)
	}
	near := live.New(kube.Open(t.TempDir()), live.Config{})
	t.Cleanup(near.Close)
	changes, err := hub.Router{Near: near, Hub: r.hub}.Changed(t.Context())
	if err != nil || len(changes) != 1 || changes[0] != (live.Change{Cluster: "far", Service: "shop/web"}) {
		t.Errorf("whoever watches is told %v, %v", changes, err)
	}
}

func TestADeadLineIsNoticedOnBothEnds(t *testing.T) {
	t.Parallel() // the agent's end takes 15 s: gRPC lets nobody ask more often
	r := newRig(t)
	r.stop()
	r.config.Beat = time.Second
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	r.serve(l.Addr().String())
	r.line = newLine(t, r.address)
	r.joined()
	r.line.silence()
	r.until("the server notices", func() bool { return !r.hub.Connection("far").Connected })
	r.line.up() // for new connections; the dead one stays dead
	r.until("the agent notices and comes back", func() bool { return r.hub.Connection("far").Connected })
}

func TestCertificatesAreRenewed(t *testing.T) {
	r := newRig(t)
	r.joined()
	read := func() string { d, _ := os.ReadFile(filepath.Join(r.dir, "agent", "identity.json")); return string(d) }
	first := read()
	r.ahead.Store(int64(50 * time.Minute)) // of the hour that it counts
	r.line.cut()
	r.line.up()
	r.until("there is a new one", func() bool { return read() != first })
	r.ahead.Store(0)
	r.current()
	r.synced(r.want("r1", app))
	if !strings.Contains(r.logs.String(), "certificate renewed") {
		t.Error("nobody was told")
	}
}

func TestWhatIsTooLargeIsNotSent(t *testing.T) {
	r := newRig(t)
	r.joined()
	w := r.want("r1", app)
	w.Objects[0].Object["data"] = map[string]any{"big": strings.Repeat("x", 33<<20)}
	res, err := r.hub.Sync(t.Context(), "far", w)
	if err != nil || res.State != live.Refused || !strings.Contains(res.Message, "too large") || res.Hint == "" {
		t.Fatalf("%+v, %v", res, err)
	}
	if !r.hub.Connection("far").Connected {
		t.Error("the stream ended")
	}
}

func TestTheAgentsFilesAreItsOwn(t *testing.T) {
	r := newRig(t)
	stop := r.joined()
	r.synced(r.want("r1", app))
	stop()
	err := filepath.WalkDir(r.dir, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) { // a status that has just got its name
			return nil
		}
		if err != nil || !strings.Contains(path, "/agent") {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %s", path, info.Mode())
		}
		if err == nil && !d.IsDir() {
			data, _ := os.ReadFile(path)
			if strings.Contains(path, "/agents/") && strings.Contains(string(data), "PRIVATE") {
				t.Errorf("%s has a key in the clear", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(r.dir, "agent", "desired", "shop.web.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(data), `"order":"`) + 40
	data[i] ^= 1
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r.paint("red")
	r.start("")
	r.until("the changed file is refused", func() bool { return strings.Contains(r.logs.String(), "desired state on disk is not used") })
	r.current()
	if r.color() != "red" {
		t.Error("it obeys what the server has not signed")
	}
}

func TestAReturnIsTakenAfterAnOrderThatTheAgentCouldNotCarryOut(t *testing.T) {
	r := newRig(t)
	var busy atomic.Bool
	r.cluster.Refuse = func(string, *unstructured.Unstructured) *kubetest.Refusal {
		if busy.Load() {
			return &kubetest.Refusal{Code: http.StatusServiceUnavailable, Reason: "ServiceUnavailable", Message: "etcd has no leader"}
		}
		return nil
	}
	r.joined()
	good, bad := r.want("r1", app), r.want("r2", strings.Replace(app, "blue", "green", 1))
	r.synced(good)
	for range 2 {
		busy.Store(true)
		if _, err := r.hub.Sync(t.Context(), "far", bad); err == nil {
			t.Fatal("it was carried out")
		}
		busy.Store(false)
		if res, err := r.hub.Sync(t.Context(), "far", good); err != nil || res.State == live.Refused {
			t.Fatalf("the return: %+v, %v", res, err)
		}
	}
	r.synced(bad)
	r.synced(good)
	if r.color() != "blue" {
		t.Errorf("the cluster has %s", r.color())
	}
}
