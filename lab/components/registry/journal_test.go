package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

const manifestType = "application/vnd.oci.image.manifest.v1+json"

func open(t *testing.T, path string) *journal {
	t.Helper()
	inner := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
	j, err := openJournal(path, inner)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func send(j *journal, method, path, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "/v2/"+path, strings.NewReader(body))
	req.Header.Set("Content-Type", manifestType)
	rec := httptest.NewRecorder()
	j.ServeHTTP(rec, req)
	return rec
}

func digest(body string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(body))) }

func size(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

func TestManifestsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path)
	for _, c := range []struct{ target, body string }{{"v1", `{"n":1}`}, {"v1", `{"n":2}`}, {"gone", `{"n":3}`}} {
		if rec := send(j, http.MethodPut, "a/b/manifests/"+c.target, c.body); rec.Code != http.StatusCreated {
			t.Fatalf("put %s: %d %s", c.target, rec.Code, rec.Body)
		}
	}
	if rec := send(j, http.MethodDelete, "a/b/manifests/gone", ""); rec.Code != http.StatusAccepted {
		t.Fatalf("delete: %d", rec.Code)
	}
	k := open(t, path)
	for target, want := range map[string]string{"v1": `{"n":2}`, digest(`{"n":1}`): `{"n":1}`, digest(`{"n":3}`): `{"n":3}`} {
		if rec := send(k, http.MethodGet, "a/b/manifests/"+target, ""); rec.Body.String() != want {
			t.Errorf("%s after a restart: %d %s, want %s", target, rec.Code, rec.Body, want)
		}
	}
	if rec := send(k, http.MethodGet, "a/b/manifests/gone", ""); rec.Code != http.StatusNotFound {
		t.Errorf("a deleted tag is back: %d", rec.Code)
	}
}

func TestATornLineIsDropped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	send(open(t, path), http.MethodPut, "a/manifests/v1", `{"n":1}`)
	whole := size(t, path)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"method":"PUT","path":"/v2/a/man`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	j := open(t, path)
	if got := size(t, path); got != whole {
		t.Errorf("journal of %d bytes, want the %d whole ones", got, whole)
	}
	send(j, http.MethodPut, "a/manifests/v2", `{"n":2}`)
	if rec := send(open(t, path), http.MethodGet, "a/manifests/v2", ""); rec.Code != http.StatusOK {
		t.Errorf("what was pushed after the torn line is lost: %d", rec.Code)
	}
}

func TestTheSamePushAgainWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path)
	send(j, http.MethodPut, "a/manifests/v1", `{"n":1}`)
	once := size(t, path)
	send(j, http.MethodPut, "a/manifests/v1", `{"n":1}`)
	if size(t, path) != once {
		t.Error("an unchanged manifest was written twice")
	}
	send(j, http.MethodDelete, "a/manifests/v1", "")
	send(j, http.MethodPut, "a/manifests/v1", `{"n":1}`)
	if rec := send(open(t, path), http.MethodGet, "a/manifests/v1", ""); rec.Code != http.StatusOK {
		t.Errorf("pushed, deleted, pushed: lost after a restart: %d", rec.Code)
	}
}

func TestARefusedPushIsNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path)
	req := httptest.NewRequest(http.MethodPut, "/v2/a/manifests/v1", strings.NewReader("no index"))
	req.Header.Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	rec := httptest.NewRecorder()
	j.ServeHTTP(rec, req)
	if rec.Code < 400 || size(t, path) != 0 {
		t.Errorf("status %d, journal of %d bytes", rec.Code, size(t, path))
	}
}

func TestReferrersTellTheArtifactType(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "j"))
	image := `{"schemaVersion":2}`
	send(j, http.MethodPut, "a/manifests/v1", image)
	for _, kind := range []string{"x/sbom", "x/signature"} {
		send(j, http.MethodPut, "a/manifests/"+kind[2:], fmt.Sprintf(
			`{"artifactType":%q,"config":{"mediaType":"application/vnd.oci.empty.v1+json"},"subject":{"mediaType":%q,"digest":%q,"size":%d}}`,
			kind, manifestType, digest(image), len(image)))
	}
	all := send(j, http.MethodGet, "a/referrers/"+digest(image), "").Body.String()
	if !strings.Contains(all, `"artifactType":"x/sbom"`) || !strings.Contains(all, `"artifactType":"x/signature"`) {
		t.Errorf("referrers: %s", all)
	}
	one := send(j, http.MethodGet, "a/referrers/"+digest(image)+"?artifactType=x/sbom", "")
	if strings.Contains(one.Body.String(), "x/signature") || one.Header().Get("OCI-Filters-Applied") != "artifactType" {
		t.Errorf("filtered referrers: %v %s", one.Header(), one.Body)
	}
}
