// Package hub is the server's side of agents: it knows which of them are connected, asks
// them to do on their clusters what live does on those that the server reaches, and keeps
// what they say of their objects.
//
// Start at Hub.Run for the listener and at Router for how the deployer meets it. It never
// sends an order that it has not signed, never speaks to an agent that is revoked or
// whose cluster the platform does not have, and takes silence for an unreachable cluster.
package hub

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/hub/authority"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// Config of a Hub.
type Config struct {
	Authority *authority.Authority
	Agent     func(cluster string) bool // the platform has the cluster, with an agent
	Scripts   func() (release.Commit, map[string]string)
	Healed    func(ctx context.Context, cluster string, h wire.Healed)
	Object    func(cluster string, o wire.Object) // what an agent has just said; default: nobody hears it
	Status    string                              // folder where doctor reads who is connected; empty: none
	Log       *slog.Logger
	Now       func() time.Time
	Check     time.Duration // how often an open stream is asked whether it is still allowed; default 1s
	Beat      time.Duration // a silent connection is asked for a sign of life; default wire.Beat
}

// Hub is safe for concurrent use.
type Hub struct {
	cfg  Config
	news chan struct{} // of one: changes are pending

	mu      sync.Mutex // guards what follows
	members map[string]*member
	pending map[live.Change]struct{}
}

// member is what is known of one cluster that has, or had, an agent.
type member struct {
	name     string
	conn     *conn // nil: not connected
	version  string
	since    time.Time // connected, or not connected
	epoch    string
	revision uint64
	current  bool // the list is complete
	objects  map[string]wire.Object
	seqs     map[release.Service]uint64 // of the last order that was sent
}

// New makes a hub without agents.
func New(cfg Config) *Hub {
	if cfg.Check == 0 {
		cfg.Check = time.Second
	}
	if cfg.Beat == 0 {
		cfg.Beat = wire.Beat
	}
	if cfg.Object == nil {
		cfg.Object = func(string, wire.Object) {}
	}
	return &Hub{cfg: cfg, news: make(chan struct{}, 1), members: map[string]*member{}, pending: map[live.Change]struct{}{}}
}

// Run answers agents until ctx ends.
func (h *Hub) Run(ctx context.Context, l net.Listener) error {
	pool := x509.NewCertPool()
	pool.AddCert(h.cfg.Authority.Certificate())
	creds := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: h.cfg.Authority.ServerCertificate,
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}) // who enrols has none yet
	server := grpc.NewServer(grpc.Creds(creds), grpc.ForceServerCodec(wire.Codec{}),
		grpc.MaxRecvMsgSize(wire.MaxReport), grpc.MaxSendMsgSize(wire.MaxAsk), grpc.MaxConcurrentStreams(4), grpc.MaxHeaderListSize(16<<10),
		grpc.ConnectionTimeout(wire.Dialling),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: h.cfg.Beat, Timeout: min(wire.Silence, h.cfg.Beat)}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: wire.Beat / 2, PermitWithoutStream: true}))
	wire.Register(server, h)
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	if err := server.Serve(l); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve agents: %w", err)
	}
	return ctx.Err()
}

// Enrol gives an agent with a token its identity.
func (h *Hub) Enrol(_ context.Context, in *wire.Enrol) (*wire.Enrolled, error) {
	t, err := wire.ParseToken(secret.Text(in.Token))
	if err != nil || !h.cfg.Agent(t.Cluster) {
		return nil, h.refuse(t.Cluster, "enrol", "the platform has no cluster of that name with agent: true, or the token is none")
	}
	cluster, cert, err := h.cfg.Authority.Enrol(secret.Text(in.Token), in.CSR)
	if err != nil {
		return nil, h.refuse(t.Cluster, "enrol", err.Error())
	}
	h.cfg.Log.Info("agent enrolled", "cluster", cluster)
	return &wire.Enrolled{Cluster: cluster, Certificate: cert, Authority: h.cfg.Authority.Certificate().Raw, Orders: h.cfg.Authority.Pin()}, nil
}

// Renew gives an agent its next certificate.
func (h *Hub) Renew(ctx context.Context, in *wire.Renew) (*wire.Renewed, error) {
	who, err := h.who(ctx)
	if err != nil {
		return nil, err
	}
	cert, err := h.cfg.Authority.Renew(who.cluster, who.serial, in.CSR)
	if err != nil {
		return nil, h.refuse(who.cluster, "renew", err.Error())
	}
	return &wire.Renewed{Certificate: cert}, nil
}

func (h *Hub) refuse(cluster, what, why string) error {
	h.cfg.Log.Warn("agent refused", "cluster", cluster, "act", what, "reason", why)
	return status.Error(codes.PermissionDenied, why)
}

// caller is an agent by its certificate.
type caller struct {
	cluster, serial string
	until           time.Time
}

// who reads the certificate that the connection was made with, and asks whether it counts.
func (h *Hub) who(ctx context.Context) (caller, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return caller{}, status.Error(codes.Unauthenticated, "no connection")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return caller{}, h.refuse("", "connect", "a certificate of an agent is needed: enrol first")
	}
	cert := info.State.VerifiedChains[0][0]
	c := caller{cert.Subject.CommonName, cert.SerialNumber.Text(16), cert.NotAfter}
	return c, h.allowed(c)
}

// allowed asks again, at any time.
func (h *Hub) allowed(c caller) error {
	switch {
	case !h.cfg.Agent(c.cluster):
		return h.refuse(c.cluster, "connect", "the platform has no cluster of that name with agent: true")
	case !h.cfg.Authority.Allowed(c.cluster, c.serial):
		return h.refuse(c.cluster, "connect", "the certificate is revoked or was replaced")
	case !h.cfg.Now().Before(c.until):
		return h.refuse(c.cluster, "connect", "the certificate has ended")
	}
	return nil
}

// member finds or makes what is known of a cluster; h.mu is held.
func (h *Hub) memberLocked(name string) *member {
	m := h.members[name]
	if m == nil {
		m = &member{name: name, since: h.cfg.Now(), objects: map[string]wire.Object{}, seqs: map[release.Service]uint64{}}
		h.members[name] = m
	}
	return m
}

// connected is the cluster's connection, or the error of an unreachable one.
func (h *Hub) connected(cluster string) (*conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.memberLocked(cluster)
	if m.conn == nil {
		return nil, away(cluster, "its agent is not connected", m.since)
	}
	return m.conn, nil
}

func away(cluster, why string, since time.Time) error {
	return hint.Add(&kube.Unreachable{Cluster: cluster, Why: why, Since: since},
		"start it near the cluster: seatrial agent; who is connected: seatrial doctor")
}

// Objects is what the agent of a cluster last said of its objects; whole says that its
// list was complete.
func (h *Hub) Objects(cluster string) (all []wire.Object, whole bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.members[cluster]
	if m == nil {
		return nil, false
	}
	for _, o := range m.objects {
		all = append(all, o)
	}
	return all, m.current
}

// Connection is how an agent is connected.
type Connection struct {
	Connected bool
	Version   string
	Since     time.Time // of that
	Objects   int
	Unhealthy int // of them
}

// Connection says how a cluster's agent is connected.
func (h *Hub) Connection(cluster string) Connection {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.memberLocked(cluster)
	c := Connection{Connected: m.conn != nil, Version: m.version, Since: m.since, Objects: len(m.objects)}
	for _, o := range m.objects {
		if o.Health != "" && o.Health != string(live.Healthy) {
			c.Unhealthy++
		}
	}
	return c
}

// String is for people.
func (c Connection) String() string {
	if !c.Connected {
		return "its agent is not connected"
	}
	return fmt.Sprintf("agent %s, connected since %s, %d objects, %d not healthy", c.Version, c.Since.UTC().Format("2006-01-02 15:04:05 MST"), c.Objects, c.Unhealthy)
}
