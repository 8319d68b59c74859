package agent_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/agent"
	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/hub/authority"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

const patience = 30 * time.Second

// server speaks to one agent exactly what the test wants.
type server struct {
	*testing.T
	auth    *authority.Authority
	cluster *kubetest.Server
	send    chan *wire.Message
	answers chan *wire.Answer
	hello   chan *wire.Hello
	last    uint64
}

func (s *server) Enrol(_ context.Context, in *wire.Enrol) (*wire.Enrolled, error) {
	cluster, cert, err := s.auth.Enrol(secret.Text(in.Token), in.CSR)
	return &wire.Enrolled{Cluster: cluster, Certificate: cert, Authority: s.auth.Certificate().Raw, Orders: s.auth.Pin()}, err
}

func (s *server) Renew(context.Context, *wire.Renew) (*wire.Renewed, error) {
	return nil, errors.New("not now")
}

func (s *server) Stream(stream grpc.ServerStream) error {
	ended := make(chan error, 1)
	go func() {
		for {
			r := new(wire.Report)
			if err := stream.RecvMsg(r); err != nil {
				ended <- err
				return
			}
			switch {
			case r.Hello != nil:
				s.hello <- r.Hello
				s.send <- &wire.Message{Welcome: &wire.Welcome{}}
			case r.Answer != nil:
				s.answers <- r.Answer
			}
		}
	}()
	for {
		select {
		case m := <-s.send:
			if err := stream.SendMsg(m); err != nil {
				return err
			}
		case err := <-ended:
			return err
		}
	}
}

func start(t *testing.T) *server {
	t.Helper()
	kube.Quiet()
	dir := t.TempDir()
	s := &server{T: t, cluster: kubetest.New(t), send: make(chan *wire.Message, 8), answers: make(chan *wire.Answer, 8), hello: make(chan *wire.Hello, 8)}
	s.cluster.Credentials(t, dir, "far")
	var err error
	if s.auth, err = authority.Open(authority.Config{Dir: filepath.Join(dir, "agents"), Passphrase: "p", Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.auth.Certificate())
	g := grpc.NewServer(grpc.ForceServerCodec(wire.Codec{}), grpc.MaxSendMsgSize(1<<30),
		grpc.Creds(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: s.auth.ServerCertificate, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: roots})))
	wire.Register(g, s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	token, _, err := s.auth.Invite("far", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	a := agent.New(agent.Config{Server: l.Addr().String(), Folder: filepath.Join(dir, "agent"), Token: token, Version: "v1", Kube: kube.Open(dir), Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		g.Stop()
		<-served
	})
	s.greeted()
	return s
}

func (s *server) greeted() *wire.Hello {
	s.Helper()
	select {
	case h := <-s.hello:
		return h
	case <-time.After(patience):
		s.Fatal("no hello")
	}
	return nil
}

// ask sends one and gives the answer.
func (s *server) ask(a wire.Ask) *wire.Answer {
	s.Helper()
	s.last++
	a.ID, a.Within = s.last, 10*time.Second
	s.send <- &wire.Message{Ask: &a}
	select {
	case got := <-s.answers:
		if got.ID != a.ID {
			s.Fatalf("answer %d to %d", got.ID, a.ID)
		}
		return got
	case <-time.After(patience):
		s.Fatal("no answer")
	}
	return nil
}

func order(seq uint64, revision release.Commit, color string) wire.Order {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "web"}, "data": map[string]any{"color": color}}}
	return wire.Order{Cluster: "far", Seq: seq, Act: wire.Sync, Want: wire.Want{Service: "shop/web", Revision: revision, Namespace: "shop", Objects: []*unstructured.Unstructured{o}}}
}

func (s *server) sign(o wire.Order) *wire.Signed {
	s.Helper()
	signed, err := s.auth.Sign(o)
	if err != nil {
		s.Fatal(err)
	}
	return &signed
}

func (s *server) color() string {
	o := s.cluster.Get("ConfigMap", "shop", "web")
	if o == nil {
		return ""
	}
	c, _, _ := unstructured.NestedString(o.Object, "data", "color")
	return c
}

func TestAnAgentObeysNobodyElse(t *testing.T) {
	s := start(t)
	first := s.sign(order(5, "r1", "blue"))
	if got := s.ask(wire.Ask{Order: first}); got.Error != "" || got.Result == nil || got.Result.State != live.Synced || s.color() != "blue" {
		t.Fatalf("got %+v, %q", got, s.color())
	}
	second := s.sign(order(6, "r2", "green"))
	if got := s.ask(wire.Ask{Order: second}); got.Error != "" || s.color() != "green" {
		t.Fatalf("got %+v, %q", got, s.color())
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := wire.Sign(other, order(9, "r9", "red"))
	if err != nil {
		t.Fatal(err)
	}
	foreign := order(9, "r9", "red")
	foreign.Cluster = "near"
	changed := s.sign(order(9, "r9", "blue"))
	changed.Order = []byte(strings.Replace(string(changed.Order), "blue", "pink", 1))
	for _, c := range []struct {
		name string
		send *wire.Signed
		want string
	}{
		{"a replay of what it holds", second, "is not above 6"},
		{"a replay of what it left", first, "is not above 6"},
		{"another server's order", &forged, "not signed by our server"},
		{"an order that was changed on its way", changed, "not signed by our server"},
		{"an order for another cluster", s.sign(foreign), "for cluster near"},
		{"an older revision", s.sign(order(9, "r1", "blue")), "left for a newer one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.ask(wire.Ask{Order: c.send})
			if !strings.Contains(got.Error, c.want) || got.Hint == "" || s.color() != "green" {
				t.Errorf("got %+v, %q", got, s.color())
			}
		})
	}
	back := order(9, "r1", "blue")
	back.Return = true
	if got := s.ask(wire.Ask{Order: s.sign(back)}); got.Error != "" || s.color() != "blue" {
		t.Errorf("a return: %+v, %q", got, s.color())
	}
}

func TestOnceMoreIsOfWhatIsHeldOnly(t *testing.T) {
	s := start(t)
	if got := s.ask(wire.Ask{Order: s.sign(order(5, "r1", "blue"))}); got.Error != "" {
		t.Fatal(got.Error)
	}
	for _, again := range []wire.Again{{Service: "shop/web", Seq: 4}, {Service: "shop/web", Seq: 6}, {Service: "shop/other", Seq: 5}} {
		if got := s.ask(wire.Ask{Again: &again}); !got.Unknown || got.Result != nil {
			t.Errorf("%+v: %+v", again, got)
		}
	}
	if got := s.ask(wire.Ask{Again: &wire.Again{Service: "shop/web", Seq: 5}}); got.Result == nil || got.Result.State != live.Synced {
		t.Errorf("got %+v", got)
	}
	if got := s.ask(wire.Ask{}); !strings.Contains(got.Error, "older than the server") {
		t.Errorf("what it does not know: %+v", got)
	}
	if got := s.ask(wire.Ask{Question: &wire.Question{About: "weather", Service: "shop/web", Seq: 5}}); !strings.Contains(got.Error, "does not know the question") {
		t.Errorf("a question it does not know: %+v", got)
	}
}

func TestAMessageOverTheLimitEndsTheStreamAndNotTheAgent(t *testing.T) {
	s := start(t)
	s.send <- &wire.Message{Scripts: &wire.Scripts{Commit: release.Commit(strings.Repeat("x", wire.MaxAsk+1))}}
	if h := s.greeted(); h.Version != "v1" {
		t.Errorf("it came back as %+v", h)
	}
	if got := s.ask(wire.Ask{Order: s.sign(order(5, "r1", "blue"))}); got.Error != "" || s.color() != "blue" {
		t.Errorf("got %+v", got)
	}
}
