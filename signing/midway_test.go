package signing_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

// TestARegistryThatFailsWhileAnImageIsSigned: whenever it begins to fail, what is attached
// so far is never enough, the error says what to do, and the next attempt completes it.
func TestARegistryThatFailsWhileAnImageIsSigned(t *testing.T) {
	for status, says := range map[int]string{
		http.StatusUnauthorized: "check the user and password", http.StatusTooManyRequests: "limits requests", http.StatusInternalServerError: "registry's own log",
	} {
		for _, c := range []struct {
			name      string
			api, once bool
			compat    signing.Compat
			step      int
		}{
			{"from then on", true, false, signing.Bundle, 5},
			{"once", true, true, signing.Bundle, 7},
			{"from then on, and the list of what is attached is under a tag, in both forms", false, false, signing.Both, 41},
		} {
			t.Run(fmt.Sprintf("%d %s", status, c.name), func(t *testing.T) {
				failed := 0
				for n := 0; ; n += c.step {
					y := newYard(t, c.api)
					var err error
					if y.reg, err = oci.New(oci.Config{Hosts: []oci.Host{{Name: y.server.Host, PlainHTTP: true}}, Pause: time.Millisecond, Settle: time.Millisecond}); err != nil {
						t.Fatal(err)
					}
					y.signer = y.signs(t, signing.Config{Compat: c.compat}, y.key)
					y.server.Busy("0")
					if !c.once {
						y.server.Busy("3600")
					}
					var seen atomic.Int64
					count := ocitest.After(n, status, c.once)
					y.server.Fail(func(r *http.Request) int { seen.Add(1); return count(r) })
					_, v, err := y.signer.Sign(t.Context(), "key", y.release)
					y.server.Fail(nil)
					passed := err == nil && v.Outcome() == release.Passed
					if whole, enough, ok := y.verified(t, c.compat); ok != enough || passed && !whole {
						t.Errorf("after %d requests: whole %t, enough %t, signed %t, verified %t", n, whole, enough, passed, ok)
					}
					if err != nil {
						failed++
						if !strings.Contains(hint.Of(err), says) {
							t.Errorf("after %d requests: %v, hint %q", n, err, hint.Of(err))
						}
						y.sign(t)
						if whole, _ := y.complete(t, c.compat); !whole || !y.report(t).OK() {
							t.Errorf("after %d requests and again: whole %t, %v", n, whole, y.report(t).Refusals())
						}
					}
					if seen.Load() <= int64(n) {
						break // it needs no more requests than these
					}
				}
				if failed == 0 && !(c.once && status != http.StatusUnauthorized) {
					t.Error("it never failed")
				}
			})
		}
	}
}

// verified is what is attached together with what is verified. The registry may still be
// busy with a request that was given up, so both have to be of the same moment.
func (y *yard) verified(t *testing.T, compat signing.Compat) (whole, enough, ok bool) {
	t.Helper()
	for {
		whole, enough = y.complete(t, compat)
		ok = y.report(t).OK()
		if againWhole, again := y.complete(t, compat); againWhole == whole && again == enough {
			return whole, enough, ok
		}
	}
}

// complete reports whether every digest has all its documents in every form asked for, and
// whether it has enough to verify: for that, one form of the signature will do.
func (y *yard) complete(t *testing.T, compat signing.Compat) (whole, enough bool) {
	t.Helper()
	whole, enough = true, true
	repository := y.release.Artifact.Repository
	for _, d := range all(*y.release.Artifact) {
		found := y.bundles(t, d)
		_, bundle := found[signing.PredicateSignature]
		_, list, err := y.reg.Documents(t.Context(), oci.Ref{Repository: repository, Tag: "sha256-" + d.Hex() + ".sig"})
		if err != nil && !errors.Is(err, oci.ErrNotFound) {
			t.Fatal(err)
		}
		old := len(list) > 0
		delete(found, signing.PredicateSignature)
		whole = whole && len(found) == 2 && bundle && (old || compat == signing.Bundle)
		enough = enough && len(found) == 2 && (bundle || old)
	}
	return whole, enough
}
