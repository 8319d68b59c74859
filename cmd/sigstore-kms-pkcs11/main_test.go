//go:build cgo

package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
	"github.com/seatrial/seatrial/signing/token"
	"github.com/seatrial/seatrial/signing/token/tokentest"
)

const name = "sigstore-kms-pkcs11"

// TestMain lets the test's own program be the one that holds keys, under its name.
func TestMain(m *testing.M) {
	if strings.HasSuffix(os.Args[0], name) {
		main()
	}
	m.Run()
}

// install puts the program on the PATH and makes a token with the key "release".
func install(t *testing.T) *tokentest.Token {
	t.Helper()
	hsm := tokentest.New(t)
	hsm.Make(t, tokentest.Pair{Private: "release", Public: "release", ID: 1})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv(token.PIN, tokentest.PIN)
	return hsm
}

func TestAnImageIsSignedByAToken(t *testing.T) {
	hsm := install(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	ring, err := signing.OpenRing(ctx, "", time.Now(), signing.Source{Program: hsm.Key("release", "01").Ref()})
	if err != nil {
		t.Fatal(err)
	}
	public, err := exec.CommandContext(ctx, name, "public", hsm.Key("release", "01").Ref()).Output()
	if err != nil || string(public) != ring.Public()[0].PEM {
		t.Errorf("public half %s, %v, want %s", public, err, ring.Public()[0].PEM)
	}
	server := ocitest.New(t, true)
	a := server.Push(t, "shop/web", "v1", "linux/amd64", "linux/arm64")
	r := release.Release{ID: "shop.web.3f2a91c07d0b", Service: "shop/web", Repo: "http://forge.example/shop/web.git", Commit: release.Commit(strings.Repeat("3f", 20)), Artifact: &a}
	signer, err := signing.NewSigner(signing.Config{Keys: ring, Registry: server.Registry(t), Builder: "https://seatrial.example/builder", SBOM: bill, Provenance: provenance})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, v, err := signer.Sign(ctx, "key", r); err != nil || v.Outcome() != release.Passed {
		t.Fatalf("sign: %v %q %v", v.Outcome(), v.Reason(), err)
	}
	t.Logf("9 documents in %v", time.Since(begun))
	key, err := signing.ParsePublicKey(public) // as anybody verifies who has never seen the token
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := signing.NewVerifier(server.Registry(t), key)
	if err != nil {
		t.Fatal(err)
	}
	report, err := verifier.Verify(ctx, a.Reference(), signing.ExpectOf(r, "https://seatrial.example/builder"))
	if err != nil || !report.OK() {
		t.Errorf("%q, %v", report.Refusals(), err)
	}
	t.Setenv(token.PIN, "another-pin")
	server.Detach(t, a.Repository, a.Digest)
	if _, v, err := signer.Sign(ctx, "key", r); err == nil || !strings.Contains(err.Error(), "hint: correct "+token.PIN) || strings.Contains(err.Error(), "another-pin") {
		t.Errorf("a PIN that is wrong by now is an error with the next step: %v %v", v.Outcome(), err)
	}
}

func bill(_ context.Context, a release.Artifact, p release.Platform) ([]byte, error) {
	return json.Marshal(map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []any{map[string]string{"name": "stdlib"}},
		"metadata": map[string]any{"component": map[string]any{"name": a.Repository, "version": p.Digest}}})
}

func provenance(_ context.Context, r release.Release) ([]byte, error) {
	return json.Marshal(map[string]any{
		"buildDefinition": map[string]any{
			"externalParameters":   map[string]any{"service": r.Service, "source": map[string]any{"repository": r.Repo, "commit": r.Commit}},
			"resolvedDependencies": []any{map[string]any{"uri": "git+" + r.Repo, "digest": map[string]string{"gitCommit": string(r.Commit)}}},
		},
		"runDetails": map[string]any{"builder": map[string]string{"id": "https://seatrial.example/builder"}},
	})
}
