package hub_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/deployer/agent/wire"
)

// dial is an agent that says what the test wants; without a certificate it is a stranger.
func (r *rig) dial(enrolled bool) *grpc.ClientConn {
	r.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(r.auth.Certificate())
	c := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: wire.ServerName}
	if enrolled {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			r.Fatal(err)
		}
		csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			r.Fatal(err)
		}
		_, cert, err := r.auth.Enrol(r.token(), csr)
		if err != nil {
			r.Fatal(err)
		}
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}
	}
	conn, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(credentials.NewTLS(c)), grpc.WithDefaultCallOptions(grpc.ForceCodec(wire.Codec{})))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { conn.Close() })
	return conn
}

func TestAStrangersStreamEnds(t *testing.T) {
	hello := &wire.Report{Hello: &wire.Hello{Version: "v", Epoch: "e"}}
	many := &wire.Hello{Held: make([]wire.Held, wire.MaxHeld+1)}
	for _, c := range []struct {
		name     string
		enrolled bool
		say      []*wire.Report
		want     codes.Code
		about    string
	}{
		{"without a certificate", false, []*wire.Report{hello}, codes.PermissionDenied, "a certificate of an agent is needed"},
		{"that begins with something else", true, []*wire.Report{{State: &wire.State{Revision: 1}}}, codes.InvalidArgument, "want one hello, first"},
		{"that says hello twice", true, []*wire.Report{hello, hello}, codes.InvalidArgument, "want one hello, first"},
		{"that holds too much", true, []*wire.Report{{Hello: many}}, codes.InvalidArgument, "too many services"},
		{"with a message over the limit", true, []*wire.Report{hello, {State: &wire.State{Objects: []wire.Object{{Name: strings.Repeat("x", wire.MaxReport)}}}}}, codes.ResourceExhausted, "larger than max"},
		{"with answers that nobody asked for", true, []*wire.Report{hello, {Answer: &wire.Answer{ID: 77}}, hello}, codes.InvalidArgument, "want one hello, first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			stream, err := wire.OpenStream(ctx, r.dial(c.enrolled))
			for _, m := range c.say {
				if err == nil {
					err = stream.SendMsg(m)
				}
			}
			for err == nil || status.Code(err) == codes.Unknown { // a send after the end says io.EOF only
				err = stream.RecvMsg(new(wire.Message))
			}
			if status.Code(err) != c.want || !strings.Contains(err.Error(), c.about) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnAgentMayHaveOnlySoManyObjects(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream, err := wire.OpenStream(ctx, r.dial(true))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(&wire.Report{Hello: &wire.Hello{Epoch: "e"}}); err != nil {
		t.Fatal(err)
	}
	for i := 0; err == nil && i < 50; i++ {
		s := &wire.State{Revision: uint64(i)}
		for n := range 10_000 {
			s.Objects = append(s.Objects, wire.Object{Kind: "Pod", Name: fmt.Sprint(i*10_000 + n)})
		}
		err = stream.SendMsg(&wire.Report{State: s})
	}
	for err == nil || status.Code(err) == codes.Unknown {
		err = stream.RecvMsg(new(wire.Message))
	}
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "too many objects") {
		t.Errorf("got %v", err)
	}
}

func TestANewStreamTakesThePlaceOfTheOld(t *testing.T) {
	r := newRig(t)
	conn := r.dial(true)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var streams []grpc.ClientStream
	for range 2 {
		s, err := wire.OpenStream(ctx, conn)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SendMsg(&wire.Report{Hello: &wire.Hello{Epoch: "e"}}); err != nil {
			t.Fatal(err)
		}
		m := new(wire.Message)
		if err := s.RecvMsg(m); err != nil || m.Welcome == nil {
			t.Fatalf("%+v, %v", m, err)
		}
		streams = append(streams, s)
	}
	if err := streams[0].RecvMsg(new(wire.Message)); status.Code(err) != codes.Aborted {
		t.Errorf("the old one: %v", err)
	}
	if !r.hub.Connection("far").Connected {
		t.Error("the new one does not count")
	}
	began := time.Now()
	if _, err := r.hub.Drifted(withDeadline(t, 300*time.Millisecond), "far", r.want("r1", app)); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("an agent that says nothing is waited for: %v after %s", err, time.Since(began))
	}
}

func withDeadline(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
