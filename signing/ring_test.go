package signing_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

const pass = secret.Text("a long passphrase")

func day(s string) time.Time {
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return at
}

func window(t *testing.T, s string) signing.Window {
	t.Helper()
	w, err := signing.ParseWindow(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWindow(t *testing.T) {
	for _, c := range []struct {
		name, text string
		bad        bool
		in, out    []string
	}{
		{name: "both ends: the first moment counts, the last does not", text: "2026-01-01..2026-07-01", in: []string{"2026-01-01", "2026-06-30"}, out: []string{"2025-12-31", "2026-07-01"}},
		{name: "an open beginning", text: "..2026-07-01", in: []string{"1990-01-01"}, out: []string{"2026-07-01"}},
		{name: "an open end", text: "2026-01-01T00:00:00Z..", in: []string{"2099-01-01"}, out: []string{"2025-12-31"}},
		{name: "always", text: "..", in: []string{"1990-01-01", "2099-01-01"}},
		{name: "no window", text: "2026-01-01", bad: true},
		{name: "no time", text: "soon..", bad: true},
		{name: "an end before the beginning", text: "2026-07-01..2026-01-01", bad: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, err := signing.ParseWindow(c.text)
			if (err != nil) != c.bad {
				t.Fatalf("err %v", err)
			}
			for _, s := range c.in {
				if !w.Holds(day(s)) {
					t.Errorf("%s is outside of %s", s, w)
				}
			}
			for _, s := range c.out {
				if w.Holds(day(s)) {
					t.Errorf("%s is inside of %s", s, w)
				}
			}
		})
	}
}

func FuzzParseWindow(f *testing.F) {
	for _, s := range []string{"..", "2026-01-01..2026-07-01", "2026-01-01T00:00:00Z..", "..x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := signing.ParseWindow(s)
		if err != nil {
			return
		}
		if again, err := signing.ParseWindow(w.String()); err != nil || !again.From.Equal(w.From) || !again.Until.Equal(w.Until) {
			t.Errorf("%q: %s becomes %s, %v", s, w, again, err)
		}
	})
}

// signedOn signs the yard's image with a ring whose clock is at a time.
func (y *yard) signedOn(t *testing.T, at time.Time, keys ...*signing.Key) release.Artifact {
	t.Helper()
	y.signer = y.signs(t, signing.Config{Now: func() time.Time { return at }}, keys...)
	return y.sign(t)
}

func TestKeysAreReplaced(t *testing.T) {
	y := newYard(t, true)
	first, second := newKey(t).Within(window(t, "..2026-02-01")), newKey(t).Within(window(t, "2026-01-01.."))
	verify := func() signing.Report {
		t.Helper()
		v, err := signing.NewVerifier(y.reg, first.Public(), second.Public())
		if err != nil {
			t.Fatal(err)
		}
		r, err := v.Verify(t.Context(), y.release.Artifact.Reference(), signing.ExpectOf(y.release, builderID))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	signedWith := func(k *signing.Key, at string) {
		t.Helper()
		r := verify()
		if !r.OK() {
			t.Fatal(r.Refusals())
		}
		for _, c := range r.Checks {
			if c.Name != "platforms" && (c.Key != k.Public().ID || c.Window != k.Public().Window.String() || !c.Signed.Equal(day(at))) {
				t.Errorf("%s of %s: key %s, window %s, signed %s", c.Name, c.Platform, c.Key, c.Window, c.Signed)
			}
		}
	}
	y.signedOn(t, day("2025-06-01"), first, second)
	signedWith(first, "2025-06-01") // though its window is long over
	before := y.boms
	y.signedOn(t, day("2026-06-01"), first, second)
	if y.boms != before {
		t.Error("what was signed with the key before is made again")
	}
	y.server.Detach(t, y.release.Artifact.Repository, all(*y.release.Artifact)...)
	y.signedOn(t, day("2026-01-15"), first, second)
	signedWith(second, "2026-01-15") // of two that count, the one whose window began last
}

func TestAKeyOutsideItsWindow(t *testing.T) {
	for _, c := range []struct {
		name, window string
		signed       time.Time
		want         string // empty: it counts
	}{
		{name: "signed inside, looked at long after", window: "2024-01-01..2025-01-01", signed: day("2024-06-01")},
		{name: "signed after the end", window: "2024-01-01..2025-01-01", signed: day("2025-06-01"), want: "counts 2024-01-01T00:00:00Z..2025-01-01T00:00:00Z only"},
		{name: "signed before the beginning", window: "2026-01-01..", signed: day("2025-06-01"), want: "counts 2026-01-01T00:00:00Z.. only"},
		{name: "signed at a time that is yet to come", window: "..", signed: time.Now().AddDate(1, 0, 0), want: "yet to come"},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := newYard(t, true)
			k := newKey(t)
			y.signedOn(t, c.signed, k)
			v, err := signing.NewVerifier(y.reg, k.Within(window(t, c.window)).Public())
			if err != nil {
				t.Fatal(err)
			}
			r, err := v.Verify(t.Context(), y.release.Artifact.Reference(), signing.Expect{})
			if err != nil || r.OK() != (c.want == "") {
				t.Fatalf("OK %v, %q, %v", r.OK(), r.Refusals(), err)
			}
			for _, why := range r.Refusals() {
				if !strings.Contains(why, c.want) {
					t.Errorf("%s, want %q", why, c.want)
				}
			}
		})
	}
}

func TestWithoutAKeyThatCountsNothingIsSigned(t *testing.T) {
	y := newYard(t, true)
	s := y.signs(t, signing.Config{Now: func() time.Time { return day("2027-01-01") }}, newKey(t).Within(window(t, "..2026-01-01")))
	if _, v, err := s.Sign(t.Context(), "key", y.release); err == nil || !strings.Contains(hint.Of(err), "signing.keys") {
		t.Errorf("%v %v, hint %q", v.Outcome(), err, hint.Of(err))
	}
}

func TestOpenRing(t *testing.T) {
	dir := t.TempDir()
	now := day("2026-06-01")
	old, next, foreign := filepath.Join(dir, "old.key"), filepath.Join(dir, "next.key"), filepath.Join(dir, "foreign.pub")
	open := func(sources ...signing.Source) (*signing.Ring, error) {
		return signing.OpenRing(t.Context(), pass, now, sources...)
	}
	made, err := open(signing.Source{File: old}, signing.Source{File: next, Window: window(t, "2027-01-01..")})
	if err != nil || len(made.Public()) != 2 {
		t.Fatalf("files that are missing are made, also for later: %v, %v", made, err)
	}
	if err := os.WriteFile(foreign, []byte(newKey(t).Public().PEM), 0o600); err != nil {
		t.Fatal(err)
	}
	if k, err := signing.ReadPublicKey(foreign + "@2026-01-01..2026-02-01"); err != nil || k.Window.String() != "2026-01-01T00:00:00Z..2026-02-01T00:00:00Z" {
		t.Errorf("a public key with its window: %v, %v", k, err)
	}
	if _, err := signing.ReadPublicKey(foreign + "@..soon"); err == nil {
		t.Error("a window that is none is passed over")
	}
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	now = day("2027-02-01")
	r, err := open(signing.Source{File: old, Window: window(t, "..2027-01-31")}, signing.Source{File: next}, signing.Source{File: foreign})
	if err != nil || len(r.Public()) != 3 || r.Public()[0].ID != made.Public()[0].ID || r.Public()[0].Window.Until != day("2027-01-31") {
		t.Fatalf("of a key whose window is over the public half is enough: %+v, %v", r, err)
	}
	for _, c := range []struct {
		name    string
		sources []signing.Source
		want    string
	}{
		{name: "no key", want: "no signing key"},
		{name: "a key twice", sources: []signing.Source{{File: foreign}, {File: foreign}}, want: "there twice"},
		{name: "a file and a program", sources: []signing.Source{{File: next, Program: "a://b"}}, want: "either a file or a program"},
		{name: "only keys to verify with", sources: []signing.Source{{File: foreign}}, want: "no signing key counts"},
		{name: "a public half that is missing", sources: []signing.Source{{File: filepath.Join(dir, "gone.pub")}}, want: "read public key"},
		{name: "a program that is not there", sources: []signing.Source{{Program: "nowhere://key"}}, want: "sigstore-kms-nowhere"},
		{name: "a window that ends before it begins", sources: []signing.Source{{File: next, Window: signing.Window{From: now, Until: now}}}, want: "ends before it begins"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := open(c.sources...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestAProgramSigns puts this test's own program on the PATH as sigstore-kms-yard, which
// keeps a key that the signer never sees.
func TestAProgramSigns(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "sigstore-kms-yard")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv(heldKey, filepath.Join(dir, "held.pem"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	ring, err := signing.OpenRing(ctx, pass, time.Now(), signing.Source{Program: "yard://key"})
	cancel() // the deadline of opening is not that of signing
	if err != nil {
		t.Fatal(err)
	}
	y := newYard(t, true)
	y.signer, err = signing.NewSigner(signing.Config{Keys: ring, Registry: y.reg, Builder: builderID, SBOM: y.sbom, Provenance: provenance})
	if err != nil {
		t.Fatal(err)
	}
	y.sign(t)
	if y.verify, err = signing.NewVerifier(y.reg, ring.Public()...); err != nil {
		t.Fatal(err)
	}
	if r := y.report(t); !r.OK() {
		t.Error(r.Refusals())
	}
	t.Setenv(heldKey, filepath.Join(dir, "nowhere", "held.pem"))
	y.server.Detach(t, y.release.Artifact.Repository, y.release.Artifact.Digest)
	if _, v, err := y.signer.Sign(t.Context(), "key", y.release); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a program that cannot sign is an error with its words: %v %v", v.Outcome(), err)
	}
}
