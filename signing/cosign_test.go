//go:build lab

package signing_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/signing"
)

// cosign is the stock command, which the lab compiles the first time it is asked for.
func cosign(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../bin/lab", "tool", "cosign")
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("lab tool cosign: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// Signature, SBOM and provenance, in each form of signature, are verified at the tag, the index and the platforms, on a
// registry with the referrers API and on one without.
func TestTheStockCosignVerifiesAllThree(t *testing.T) {
	bin := cosign(t)
	for _, api := range []bool{true, false} {
		for _, compat := range []signing.Compat{signing.Bundle, signing.Legacy, signing.Both} {
			t.Run(fmt.Sprintf("referrers API %v, %s", api, compat), func(t *testing.T) {
				y := newYard(t, api)
				y.signer = y.signs(t, signing.Config{Compat: compat}, y.key)
				begin := time.Now()
				a := y.sign(t)
				signed := time.Since(begin)
				y.summarize(t, gate())
				begin = time.Now()
				if r := y.report(t); !r.OK() {
					t.Fatal(r.Refusals())
				}
				t.Logf("9 documents: signed in %v, verified in %v", signed, time.Since(begin))
				verbs := [][]string{{"verify"}, {"verify-attestation", "--type", "cyclonedx"}, {"verify-attestation", "--type", "slsaprovenance1"}}
				if compat != signing.Bundle {
					verbs = append(verbs, []string{"verify", "--new-bundle-format=false"})
				}
				flags := []string{"--key", publicFile(t, y.key), "--insecure-ignore-tlog=true", "--allow-http-registry"}
				images := []string{a.Repository + ":" + a.Tag}
				for _, d := range all(a) {
					images = append(images, a.Repository+"@"+string(d))
				}
				for _, image := range images {
					for _, verb := range verbs {
						cosignSays(t, bin, slices.Concat(verb, flags, []string{image}), true)
					}
				}
				cosignSays(t, bin, slices.Concat([]string{"verify-attestation", "--type", signing.PredicateSummary}, flags, []string{images[0]}), true)
				flags[1] = publicFile(t, newKey(t))
				for _, verb := range verbs {
					cosignSays(t, bin, slices.Concat(verb, flags, []string{images[0]}), false)
				}
			})
		}
	}
}

func publicFile(t *testing.T, k *signing.Key) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(file, []byte(k.Public().PEM), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func cosignSays(t *testing.T, bin string, args []string, good bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), bin, args...)
	// Offline: a proxy that is not there makes any call to the outside fail.
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=/usr/bin:/bin", "HTTPS_PROXY=http://127.0.0.1:9", "NO_PROXY=127.0.0.1"}
	out, err := cmd.CombinedOutput()
	if (err == nil) != good {
		t.Errorf("cosign %s: %v\n%.1500s", strings.Join(args, " "), err, out)
	}
}
