package signing_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

func TestSignAttachesEverythingOnce(t *testing.T) {
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("referrers API %v", api), func(t *testing.T) {
			y := newYard(t, api)
			first := y.sign(t)
			if len(first.Signed) != 9 {
				t.Fatalf("3 documents for 3 digests, got %d: %+v", len(first.Signed), first.Signed)
			}
			boms := y.boms
			again := y.sign(t)
			if !reflect.DeepEqual(first, again) || y.boms != boms {
				t.Errorf("a repeated key makes nothing new: %d SBOMs, then %d", boms, y.boms)
			}
			if r := y.report(t); !r.OK() || len(r.Evidence()) != 10 {
				t.Errorf("refusals %q", r.Refusals())
			}
		})
	}
}

// Two servers, as after a wrong fail-over, sign the same artifact at the same time: what
// either was told is attached stays attached.
func TestTwoSignersLoseNothing(t *testing.T) {
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("referrers API %v", api), func(t *testing.T) {
			y := newYard(t, api)
			var wg sync.WaitGroup
			said := make([]release.Artifact, 2)
			for i := range said {
				s := y.signs(t, signing.Config{Registry: y.server.Patient(t), Compat: signing.Both, SBOM: listing}, newKeyOr(t, y, i))
				wg.Go(func() {
					facts, v, err := s.Sign(t.Context(), "key", y.release)
					if err != nil || v.Outcome() != release.Passed {
						t.Errorf("signer %d: %v %q %v", i, v.Outcome(), v.Reason(), err)
						return
					}
					said[i] = *facts.Artifact
				})
			}
			wg.Wait()
			for i, a := range said {
				if len(a.Signed) != 9 {
					t.Errorf("signer %d: %d documents", i, len(a.Signed))
				}
				for _, at := range a.Signed {
					list, err := y.reg.Referrers(t.Context(), a.Repository, at.Subject)
					if err != nil || !slices.ContainsFunc(list, func(r oci.Referrer) bool { return r.Digest == at.Digest }) {
						t.Errorf("signer %d: %s of %s is lost: %v", i, at.PredicateType, at.Subject, err)
					}
				}
				for _, d := range all(a) {
					if _, docs, err := y.reg.Documents(t.Context(), legacyTag(a, d)); err != nil || len(docs) != 2 {
						t.Errorf("%d signatures under the legacy tag of %s, want one of each: %v", len(docs), d, err)
					}
				}
			}
		})
	}
}

// newKeyOr gives the first signer the yard's key and the others one of their own.
func newKeyOr(t *testing.T, y *yard, i int) *signing.Key {
	t.Helper()
	if i == 0 {
		return y.key
	}
	return newKey(t)
}

func TestOnlyWhatIsMissingIsMade(t *testing.T) {
	y := newYard(t, true)
	// The registry breaks at the sixth upload of a manifest: half is attached.
	var puts atomic.Int64
	y.server.Fail(func(r *http.Request) int {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			if puts.Add(1) > 5 {
				return http.StatusForbidden
			}
		}
		return 0
	})
	if _, v, err := y.signer.Sign(t.Context(), "key", y.release); err == nil {
		t.Fatalf("a registry that refuses the upload is an error to retry, got %v", v.Outcome())
	}
	y.server.Fail(nil)
	for _, c := range y.report(t).Checks {
		if c.Name == "signature" && c.OK {
			t.Error("half-attached must not be signed")
		}
	}
	a := y.sign(t)
	if y.boms != 4 || len(a.Signed) != 9 { // the third was made and lost, so made again
		t.Errorf("%d SBOMs made, %d attached; want 4 and 9", y.boms, len(a.Signed))
	}
}

func TestSignRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(*yard)
		want string
	}{
		{name: "a release without an artifact", with: func(y *yard) { y.release.Artifact = nil }, want: "no artifact"},
		{name: "what was built for a pull request", with: func(y *yard) { y.release.Pull = &release.Pull{Number: 7} }, want: "never signed"},
		{name: "an image that the registry has lost", with: func(y *yard) {
			y.release.Artifact.Digest = release.Digest("sha256:" + strings.Repeat("0", 64))
		}, want: "lost"},
		{name: "a platform that was not built", with: func(y *yard) {
			y.release.Artifact.Platforms[1].Digest = release.Digest("sha256:" + strings.Repeat("0", 64))
		}, want: "was not built"},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := newYard(t, true)
			c.with(y)
			_, v, err := y.signer.Sign(t.Context(), "key", y.release)
			if err != nil || v.Outcome() != release.Refused || !strings.Contains(v.Reason(), c.want) {
				t.Errorf("%v %q %v", v.Outcome(), v.Reason(), err)
			}
		})
	}
}

func TestAnUnknownBuildIsNotSigned(t *testing.T) {
	y := newYard(t, true)
	forgotten := func(context.Context, release.Release) ([]byte, error) { return nil, fs.ErrNotExist }
	s := y.signs(t, signing.Config{Provenance: forgotten}, y.key)
	_, v, err := s.Sign(t.Context(), "key", y.release)
	if err != nil || v.Outcome() != release.Refused || !strings.Contains(v.Hint(), "retry") {
		t.Errorf("%v %q %v", v.Outcome(), v.Reason(), err)
	}
}

func TestKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys", "cosign.key")
	pass := secret.Text("a long passphrase")
	k, err := signing.LoadOrCreateKey(file, pass)
	if err != nil {
		t.Fatal(err)
	}
	again, err := signing.LoadOrCreateKey(file, pass)
	if err != nil || again.Public().ID != k.Public().ID {
		t.Errorf("the second start reads the same key: %v", err)
	}
	raw, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(raw), "ENCRYPTED SIGSTORE PRIVATE KEY") {
		t.Errorf("key file %q, %v", raw, err)
	}
	if st, _ := os.Stat(file); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	pub, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := signing.ParsePublicKey(pub); err != nil || p.ID != k.Public().ID {
		t.Errorf("public key %+v, %v", p, err)
	}
	if _, err := signing.LoadOrCreateKey(file, secret.Text("another passphrase")); err == nil {
		t.Error("a wrong passphrase must not open the key, and must not replace it")
	}
	if _, err := signing.LoadOrCreateKey(file+"2", secret.Text("short")); err == nil {
		t.Error("a short passphrase is refused")
	}
	for _, s := range []string{fmt.Sprintf("%v", k), fmt.Sprintf("%+v", *k), fmt.Sprintf("%#v", k)} {
		if !strings.HasPrefix(s, "signing key sha256:") {
			t.Errorf("a key prints only its ID, got %.40s", s)
		}
	}
}
