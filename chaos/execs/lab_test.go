//go:build lab

package execs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/execs"
	"github.com/seatrial/seatrial/chaos/mesh"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/release"
)

// namespace is this test's own: the lab is shared.
const (
	namespace = "trial-exec"
	cluster   = "staging"
)

type lab struct {
	*execs.Execs
	t    *testing.T
	pods *mesh.Mesh
}

// staging opens the lab's cluster by its real kubeconfig.
func staging(t *testing.T) *lab {
	t.Helper()
	return opened(t, labtest.Open(t).Kube(t, cluster))
}

func opened(t *testing.T, clusters *kube.Clusters) *lab {
	return &lab{t: t, pods: &mesh.Mesh{Clusters: clusters.Get}, Execs: &execs.Execs{Clusters: clusters.Get, Run: kube.Exec, Now: time.Now}}
}

func (l *lab) kubectl(args ...string) string {
	l.t.Helper()
	return labtest.Command(l.t, "", append([]string{"kubectl", cluster}, args...)...)
}

// perl answers 500 while the file is there.
const perl = `use IO::Socket::INET; $SIG{TERM}=sub{exit 0}; my $s=IO::Socket::INET->new(LocalPort=>8080,Listen=>128,ReuseAddr=>1) or die $!; while(my $c=$s->accept){ while(defined(my $l=<$c>)){last if $l=~/^\r?\n$/} my $code=-e "/tmp/wrong"?500:200; print $c "HTTP/1.1 $code X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"; close $c }`

// ask is a client inside of the pod: what the service answers.
const ask = `use IO::Socket::INET; my $s=IO::Socket::INET->new("127.0.0.1:8080") or die $!; print $s "GET / HTTP/1.1\r\n\r\n"; print scalar <$s>`

func (l *lab) deploy(app string, replicas int) {
	l.t.Helper()
	manifest := fmt.Sprintf(`{"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%[1]q}},
{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":%[2]q,"namespace":%[1]q},"spec":{"replicas":%[3]d,"selector":{"matchLabels":{"app":%[2]q}},
 "template":{"metadata":{"labels":{"app":%[2]q}},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"web","image":"198.18.0.1:5000/library/debian:bookworm-slim","command":["perl","-e",%[4]q],
 "readinessProbe":{"tcpSocket":{"port":8080},"periodSeconds":1,"failureThreshold":3}}]}}}}]}`, namespace, app, replicas, perl)
	labtest.Command(l.t, manifest, "kubectl", cluster, "apply", "-f", "-")
	l.t.Cleanup(func() { l.kubectl("-n", namespace, "delete", "deployment", app, "--wait=false", "--ignore-not-found") })
	l.kubectl("-n", namespace, "rollout", "status", "deployment/"+app, "--timeout=300s")
}

func (l *lab) targets(app string, want int) (ids []string) {
	l.t.Helper()
	pods, err := l.pods.Pods(l.t.Context(), cluster, namespace, map[string]string{"app": app})
	if err != nil || len(pods) != want {
		l.t.Fatalf("%v %v", err, pods)
	}
	for _, p := range pods {
		ids = append(ids, p.ID())
	}
	return ids
}

func (l *lab) answers(id string) string {
	l.t.Helper()
	return l.kubectl("-n", namespace, "exec", strings.TrimPrefix(id, namespace+"/"), "-c", "web", "--", "perl", "-e", ask)
}

func (l *lab) prepare(with map[string]any, ids ...string) chaos.Order {
	l.t.Helper()
	o := chaos.Order{Container: "web", Duration: 2 * time.Minute, Fault: release.FaultRecord{Experiment: "wrong", Kind: "Exec", Action: "run", Cluster: cluster,
		Name: chaos.RandomName("wrong"), Namespace: namespace, Targets: ids, With: with}}
	f, err := l.Prepare(l.t.Context(), o)
	if err != nil {
		l.t.Fatal(err)
	}
	o.Fault = f
	return o
}

// see waits until a look shows what is wanted.
func (l *lab) see(o chaos.Order, want chaos.SightState) {
	l.t.Helper()
	var sight chaos.Sight
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); pause(l.t) {
		var err error
		if sight, err = l.Look(l.t.Context(), o.Fault); err != nil {
			l.t.Fatal(err)
		}
		if sight.State == want {
			l.t.Logf("%s %s", sight.State, sight.Message)
			return
		}
	}
	l.t.Errorf("%s %q, want %s", sight.State, sight.Message, want)
}

// pause waits for the real cluster.
func pause(t *testing.T) {
	select {
	case <-t.Context().Done():
	case <-time.After(200 * time.Millisecond):
	}
}

func (l *lab) nothingLeft() {
	l.t.Helper()
	if found, err := l.Faults(l.t.Context(), cluster); err != nil || len(found) != 0 {
		l.t.Errorf("%v, left behind: %+v", err, found)
	}
}

func wrong() map[string]any {
	return map[string]any{"command": args("touch", "/tmp/wrong"), "revert": args("rm", "/tmp/wrong"), "check": args("test", "-e", "/tmp/wrong")}
}

func TestLabAProgramBreaksRealPodsAndIsTakenBack(t *testing.T) {
	l := staging(t)
	l.deploy("wrong", 2)
	ids := l.targets("wrong", 2)
	o := l.prepare(wrong(), ids...)
	for range 2 {
		if err := l.Inject(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	l.see(o, chaos.Injected)
	for _, id := range ids {
		if got := l.answers(id); !strings.Contains(got, "500") {
			t.Errorf("under the fault %s answers %q", id, got)
		}
	}
	restarted := staging(t) // knows nothing of it
	found, err := restarted.Faults(t.Context(), cluster)
	if err != nil || len(found) != 1 || found[0].Run != o.Fault.Name || len(found[0].Fault.Targets) != 2 {
		t.Fatalf("%v %+v", err, found)
	}
	began := time.Now()
	if err := (&chaos.Engine{Provider: restarted, Now: time.Now}).Remove(t.Context(), found[0].Fault); err != nil {
		t.Error(err)
	}
	t.Logf("taken back in %.2f s", time.Since(began).Seconds())
	l.see(o, chaos.Gone)
	for _, id := range ids {
		if got := l.answers(id); !strings.Contains(got, "200") {
			t.Errorf("afterwards %s answers %q", id, got)
		}
	}
	l.nothingLeft()
}

func TestLabWhatCannotBeRunIsToldAndLeavesNothing(t *testing.T) {
	l := staging(t)
	l.deploy("without", 1)
	ids := l.targets("without", 1)
	with := wrong()
	with["command"] = args("no-such-program")
	o := l.prepare(with, ids...)
	err := l.Inject(t.Context(), o)
	t.Log(err)
	if x, ok := errors.AsType[*chaos.CannotInject](err); !ok || !x.Final || !strings.Contains(x.Cause, "no-such-program") {
		t.Errorf("no such program: %v", err)
	}
	l.nothingLeft()
	o = l.prepare(map[string]any{"command": args("sleep", "60"), "revert": args("pkill", "-x", "sleep"), "timeout": "1s"}, ids...)
	err = l.Inject(t.Context(), o)
	t.Log(err)
	if x, ok := errors.AsType[*chaos.CannotInject](err); !ok || !x.Final || !strings.Contains(x.Cause, "did not end within 1s") {
		t.Errorf("a program that hangs: %v", err)
	}
	l.see(o, chaos.Starting)
	if err := l.Revert(t.Context(), o.Fault, chaos.Delete); err != nil {
		t.Error(err)
	}
	sight, err := l.Look(t.Context(), o.Fault)
	t.Logf("%v %+v", err, sight) // the image may have no pkill
	l.kubectl("-n", namespace, "delete", "pod", strings.TrimPrefix(ids[0], namespace+"/"))
	l.see(o, chaos.Gone)
	l.nothingLeft()
	robot := l.robot()
	o = l.prepare(wrong(), l.ready("without")...)
	err = robot.Inject(t.Context(), o)
	t.Log(err)
	if x, ok := errors.AsType[*chaos.CannotInject](err); !ok || !x.Final || !strings.Contains(x.Cause, "pods/exec") {
		t.Errorf("without the right: %v", err)
	}
	l.nothingLeft()
}

// ready waits for the replacement of a pod.
func (l *lab) ready(app string) []string {
	l.t.Helper()
	l.kubectl("-n", namespace, "rollout", "status", "deployment/"+app, "--timeout=300s")
	return l.targets(app, 1)
}

// robot is the lab seen by an account that may mark pods and run nothing.
func (l *lab) robot() *lab {
	l.t.Helper()
	l.kubectl("-n", namespace, "create", "serviceaccount", "marker")
	l.kubectl("-n", namespace, "create", "role", "marker", "--verb=get,patch", "--resource=pods")
	l.kubectl("-n", namespace, "create", "rolebinding", "marker", "--role=marker", "--serviceaccount="+namespace+":marker")
	l.t.Cleanup(func() {
		l.kubectl("-n", namespace, "delete", "serviceaccount/marker", "role/marker", "rolebinding/marker", "--ignore-not-found")
	})
	c, err := l.Clusters(cluster)
	if err != nil {
		l.t.Fatal(err)
	}
	token := strings.TrimSpace(l.kubectl("-n", namespace, "create", "token", "marker"))
	ca, _ := json.Marshal(c.Config().CAData) // base64
	dir := l.t.TempDir()
	text := fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],
"clusters":[{"name":"c","cluster":{"server":%q,"certificate-authority-data":%s}}],"users":[{"name":"u","user":{"token":%q}}]}`, c.Host(), ca, token)
	if err := os.WriteFile(filepath.Join(dir, cluster+".kubeconfig"), text, 0o600); err != nil {
		l.t.Fatal(err)
	}
	return opened(l.t, kube.Open(dir))
}

func TestLabAPodThatIsDeletedInTheMiddleIsRecovered(t *testing.T) {
	l := staging(t)
	l.deploy("deleted", 1)
	ids := l.targets("deleted", 1)
	o := l.prepare(wrong(), ids...)
	if err := l.Inject(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	l.see(o, chaos.Injected)
	l.kubectl("-n", namespace, "delete", "pod", strings.TrimPrefix(ids[0], namespace+"/"))
	l.see(o, chaos.Gone)
	if err := l.Revert(t.Context(), o.Fault, chaos.Delete); err != nil {
		t.Error(err)
	}
	if now := l.ready("deleted"); !strings.Contains(l.answers(now[0]), "200") {
		t.Error("its replacement answers wrongly")
	}
	l.nothingLeft()
}
