package wire_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

func key(t testing.TB, seed byte) ed25519.PrivateKey {
	t.Helper()
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string('a'+rune(seed)), ed25519.SeedSize)))
}

func want(revision release.Commit) wire.Want {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "web"}, "data": map[string]any{"n": int64(1 << 60)}}}
	return wire.Want{Service: "shop/web", Revision: revision, Objects: []*unstructured.Unstructured{o}}
}

func order(seq uint64, revision release.Commit) wire.Order {
	return wire.Order{Cluster: "far", Seq: seq, Act: wire.Sync, Issued: time.Unix(1, 0).UTC(), Want: want(revision)}
}

func sign(t testing.TB, o wire.Order) wire.Signed {
	t.Helper()
	s, err := wire.Sign(key(t, 0), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTake(t *testing.T) {
	holder := wire.Holder{Cluster: "far", Key: key(t, 0).Public().(ed25519.PublicKey)}
	held := wire.Held{Service: "shop/web", Seq: 7, Revision: "r3", Seen: []release.Commit{"r1", "r2", "r3"}}
	foreign := order(8, "r4")
	foreign.Cluster = "near"
	back := order(8, "r2")
	back.Return = true
	stale := order(6, "r2")
	stale.Return = true
	nameless := order(8, "r4")
	nameless.Want.Objects = []*unstructured.Unstructured{{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}}
	for _, c := range []struct {
		name string
		send wire.Signed
		want string // in the refusal; empty: it is taken
	}{
		{"a new revision with a higher number", sign(t, order(8, "r4")), ""},
		{"the same revision with a higher number", sign(t, order(8, "r3")), ""},
		{"a replay", sign(t, order(7, "r3")), "is not above 7"},
		{"a new revision with an older number", sign(t, order(6, "r4")), "is not above 7"},
		{"an older revision", sign(t, order(8, "r2")), "revision r2 was left for a newer one"},
		{"a return", sign(t, back), ""},
		{"a return that is replayed", sign(t, stale), "is not above 7"},
		{"an order for another cluster", sign(t, foreign), "it is for cluster near, and this is far"},
		{"an object without a name", sign(t, nameless), "without a kind or a name"},
		{"no signature", wire.Signed{Order: sign(t, order(8, "r4")).Order}, "not signed by our server"},
		{"another order's signature", wire.Signed{Order: sign(t, order(9, "r4")).Order, Signature: sign(t, order(8, "r4")).Signature}, "not signed by our server"},
		{"another key's signature", func() wire.Signed { s, _ := wire.Sign(key(t, 1), order(8, "r4")); return s }(), "not signed by our server"},
		{"a signature of the bytes alone", func() wire.Signed {
			s := sign(t, order(8, "r4"))
			s.Signature = ed25519.Sign(key(t, 0), s.Order)
			return s
		}(), "not signed by our server"},
		{"a field that we do not know", func() wire.Signed {
			var m map[string]any
			if err := json.Unmarshal(sign(t, order(8, "r4")).Order, &m); err != nil {
				t.Fatal(err)
			}
			m["only"] = "objects"
			data, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			return wire.Signed{Order: data, Signature: ed25519.Sign(key(t, 0), append([]byte("seatrial.dev/order/v1\x00"), data...))}
		}(), `unknown field "only"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, now, err := holder.Take(c.send, func(release.Service) wire.Held { return held })
			if c.want == "" {
				if err != nil || now.Seq != 8 || now.Revision != o.Want.Revision || !now.Returns("r1") || now.Digest == "" {
					t.Fatalf("got %+v, %+v, %v", o, now, err)
				}
				return
			}
			var no *wire.Refusal
			if !errors.As(err, &no) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestNumbersArriveAsTheyWere(t *testing.T) {
	o, err := wire.Verify(key(t, 0).Public().(ed25519.PublicKey), sign(t, order(1, "r1")))
	if err != nil {
		t.Fatal(err)
	}
	if n, _, _ := unstructured.NestedInt64(o.Want.Objects[0].Object, "data", "n"); n != 1<<60 {
		t.Errorf("got %d", n)
	}
}

func TestADigestIsOfEverythingButHooks(t *testing.T) {
	of := func(act wire.Act, change func(*wire.Want)) string {
		w := want("r1")
		change(&w)
		d, err := wire.Digest(act, w)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	same := of(wire.Sync, func(*wire.Want) {})
	if of(wire.Sync, func(w *wire.Want) { w.Hooks = true }) != same {
		t.Error("hooks count")
	}
	for name, other := range map[string]string{
		"the act":       of(wire.Withdraw, func(*wire.Want) {}),
		"the revision":  of(wire.Sync, func(w *wire.Want) { w.Revision = "r2" }),
		"the namespace": of(wire.Sync, func(w *wire.Want) { w.Namespace = "x" }),
		"the guard":     of(wire.Sync, func(w *wire.Want) { w.Prune.MaxDelete = 1 }),
		"an object":     of(wire.Sync, func(w *wire.Want) { w.Objects[0].SetName("x") }),
	} {
		if other == same {
			t.Errorf("%s does not count", name)
		}
	}
}

func TestOnlyTheLastRevisionsAreRemembered(t *testing.T) {
	var server, agent wire.Held
	holder := wire.Holder{Cluster: "far", Key: key(t, 0).Public().(ed25519.PublicKey)}
	for i := range 100 {
		o := order(uint64(i+1), release.Commit(strings.Repeat("r", i+1)))
		server = server.Next(o, "d")
		var err error
		if _, agent, err = holder.Take(sign(t, o), func(release.Service) wire.Held { return agent }); err != nil {
			t.Fatal(err)
		}
	}
	if len(server.Seen) != 16 || server.Seen[15] != server.Revision || len(agent.Seen) != 8 || agent.Seen[7] != server.Revision {
		t.Errorf("%d and %d, newest %s", len(server.Seen), len(agent.Seen), agent.Seen[len(agent.Seen)-1].Short())
	}
}

func FuzzVerify(f *testing.F) {
	s := sign(f, order(1, "r1"))
	f.Add(s.Order)
	f.Add([]byte(`{"act":"sync","want":{"service":"a/b","objects":[null]}}`))
	f.Add([]byte(`{"act":"withdraw","want":{"service":"a/b","objects":[{"kind":"List","items":[{}]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k := key(t, 0)
		signed := wire.Signed{Order: data, Signature: ed25519.Sign(k, append([]byte("seatrial.dev/order/v1\x00"), data...))}
		o, err := wire.Verify(k.Public().(ed25519.PublicKey), signed)
		if err != nil {
			return
		}
		for _, obj := range o.Want.Objects {
			if obj.GetName() == "" || obj.GetKind() == "" {
				t.Fatal("an object without a name is let through")
			}
		}
		if _, err := wire.Digest(o.Act, o.Want); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte(`{"hello":{"version":"v1","epoch":"e","revision":3,"held":[{"service":"a/b","seq":1}]}}`))
	f.Add([]byte(`{"state":{"list":true,"revision":2,"objects":[{"kind":"Pod","name":"x"}]}}`))
	f.Add([]byte(`{"ask":{"id":1,"within":1000,"question":{"about":"health","want":{"service":"a/b","objects":[]}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, into := range []any{new(wire.Report), new(wire.Message), new(wire.Enrol)} {
			if err := (wire.Codec{}).Unmarshal(data, into); err != nil {
				continue
			}
			if _, err := (wire.Codec{}).Marshal(into); err != nil {
				t.Fatalf("%T: what was read cannot be written: %v", into, err)
			}
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add(wire.Token{Cluster: "far", Secret: "x"}.Text().Reveal())
	f.Add("seatrial-agent.far..")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := wire.ParseToken(secret.Text(text))
		if err == nil && got.Text().Reveal() != strings.TrimSpace(text) {
			t.Fatalf("%q reads as %q", text, got.Text().Reveal())
		}
	})
}
