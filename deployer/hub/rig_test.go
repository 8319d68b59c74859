package hub_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/deployer/agent"
	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/hub"
	"github.com/seatrial/seatrial/deployer/hub/authority"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// patience is for a machine under load.
const patience = 30 * time.Second

var quiet = sync.OnceFunc(kube.Quiet)

// rig is a server, the way to it, and the cluster "far" with an agent.
type rig struct {
	*testing.T
	dir     string
	cluster *kubetest.Server
	member  atomic.Bool // the platform has the cluster with an agent
	ahead   atomic.Int64
	healed  chan wire.Healed
	heard   chan wire.Object
	config  hub.Config
	hub     *hub.Hub
	auth    *authority.Authority
	stop    func() // the server
	address string
	line    *line
	logs    *logs
}

type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	quiet()
	r := &rig{T: t, dir: t.TempDir(), cluster: kubetest.New(t, kubetest.Kind{Version: "v1", Kind: "Event", Resource: "events"}), healed: make(chan wire.Healed, 64), heard: make(chan wire.Object, 4096), logs: &logs{}}
	r.member.Store(true)
	r.cluster.Credentials(t, r.dir, "far")
	r.config = hub.Config{Check: 50 * time.Millisecond, Status: filepath.Join(r.dir, "agents")}
	r.serve("127.0.0.1:0")
	r.line = newLine(t, r.address)
	return r
}

// serve starts a server, as after a restart when there was one before.
func (r *rig) serve(address string) {
	r.Helper()
	var err error
	if r.auth, err = authority.Open(authority.Config{Dir: filepath.Join(r.dir, "agents"), Passphrase: "p", Certificates: time.Hour, Now: time.Now}); err != nil {
		r.Fatal(err)
	}
	c := r.config
	c.Authority, c.Now, c.Log = r.auth, time.Now, slog.New(slog.NewTextHandler(r.logs, nil))
	c.Agent = func(name string) bool { return name == "far" && r.member.Load() }
	c.Scripts = func() (release.Commit, map[string]string) { return "c1", nil }
	c.Healed = func(_ context.Context, _ string, h wire.Healed) { r.healed <- h }
	c.Object = func(_ string, o wire.Object) {
		select {
		case r.heard <- o:
		default:
		}
	}
	r.hub = hub.New(c)
	l, err := net.Listen("tcp", address)
	if err != nil {
		r.Fatal(err)
	}
	r.address = l.Addr().String()
	ctx, cancel := context.WithCancel(r.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = r.hub.Run(ctx, l)
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	r.Cleanup(r.stop)
}

func (r *rig) now() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) }

// token invites the cluster.
func (r *rig) token() secret.Text {
	r.Helper()
	t, _, err := r.auth.Invite("far", time.Minute)
	if err != nil {
		r.Fatal(err)
	}
	return t
}

// start runs an agent; the channel has how it ended.
func (r *rig) start(token secret.Text) (stop func(), ended <-chan error) {
	r.Helper()
	a := agent.New(agent.Config{Server: r.line.address, Folder: filepath.Join(r.dir, "agent"), Token: token, Version: "v1.2.3", Kube: kube.Open(r.dir),
		Log: slog.New(slog.NewTextHandler(r.logs, nil)), Now: r.now, Every: time.Second})
	ctx, cancel := context.WithCancel(r.Context())
	out := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		out <- a.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	r.Cleanup(stop)
	return stop, out
}

// until waits for something to be so.
func (r *rig) until(what string, so func() bool) {
	r.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !so() {
		select {
		case <-tick.C:
		case <-late:
			r.Fatalf("%s: not within %s\n%s", what, patience, r.logs)
		}
	}
}

// joined starts an agent and waits for its list.
func (r *rig) joined() (stop func()) {
	r.Helper()
	stop, _ = r.start(r.token())
	r.current()
	return stop
}

func (r *rig) current() {
	r.Helper()
	r.until("the agent is connected and has sent its list", func() bool {
		_, whole := r.hub.Objects("far")
		return r.hub.Connection("far").Connected && whole
	})
}

const app = `
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {color: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: web}
stringData: {password: s3cret}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
`

func parse(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for part := range strings.SplitSeq(text, "\n---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(part), &o.Object); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

func (r *rig) want(revision release.Commit, text string) live.Want {
	return live.Want{Service: "shop/web", Revision: revision, Namespace: "shop", Objects: parse(r.T, text), Prune: release.Prune{MaxDelete: 10}}
}

// synced syncs until it has ended well.
func (r *rig) synced(w live.Want) {
	r.Helper()
	r.until("the sync ends", func() bool {
		res, err := r.hub.Sync(r.Context(), "far", w)
		if err != nil {
			return false
		}
		if res.State == live.Refused {
			r.Fatalf("%s (%s)", res.Message, res.Hint)
		}
		return res.State == live.Synced
	})
}

func (r *rig) color() string {
	o := r.cluster.Get("ConfigMap", "shop", "web")
	if o == nil {
		return ""
	}
	c, _, _ := unstructured.NestedString(o.Object, "data", "color")
	return c
}

// paint changes the cluster by hand.
func (r *rig) paint(color string) {
	r.Helper()
	o := r.cluster.Get("ConfigMap", "shop", "web")
	if err := unstructured.SetNestedField(o.Object, color, "data", "color"); err != nil {
		r.Fatal(err)
	}
	r.cluster.Put(o)
}

// line is the way from the agent to the server.
type line struct {
	address string

	mu    sync.Mutex // guards what follows
	down  bool       // nobody gets through
	mute  bool       // everybody gets through, and no byte does
	open  []net.Conn
	dials int
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &line{address: l.Addr().String()}
	t.Cleanup(func() {
		l.Close()
		n.cut()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go n.join(c, to)
		}
	}()
	return n
}

func (n *line) join(from net.Conn, to string) {
	n.mu.Lock()
	n.dials++
	down := n.down
	n.mu.Unlock()
	other, err := net.Dial("tcp", to)
	if down || err != nil {
		from.Close()
		if err == nil {
			other.Close()
		}
		return
	}
	n.mu.Lock()
	n.open = append(n.open, from, other)
	n.mu.Unlock()
	go n.copy(from, other)
	n.copy(other, from)
}

func (n *line) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		k, err := from.Read(buf)
		if err != nil {
			return
		}
		n.mu.Lock()
		mute := n.mute
		n.mu.Unlock()
		if mute {
			_, _ = io.Copy(io.Discard, from) // whatever comes is lost, for ever
			return
		}
		if _, err := to.Write(buf[:k]); err != nil {
			return
		}
	}
}

// cut closes every connection; only up lets new ones through.
func (n *line) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	for _, c := range n.open {
		c.Close()
	}
	n.open = nil
}

func (n *line) up() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down, n.mute = false, false
}

// silence lets connections be and swallows what they carry.
func (n *line) silence() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mute = true
}
