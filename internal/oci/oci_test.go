package oci_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

const doc = "application/vnd.example.doc+json"

func TestParseRef(t *testing.T) {
	digest := "sha256:" + strings.Repeat("ab", 32)
	for _, c := range []struct {
		name, in, repo, tag, digest string
		bad                         bool
	}{
		{name: "a tag with a port in the host", in: "198.18.0.1:5000/shop/web:v1", repo: "198.18.0.1:5000/shop/web", tag: "v1"},
		{name: "a digest", in: "reg.example/shop/web@" + digest, repo: "reg.example/shop/web", digest: digest},
		{name: "tag and digest", in: "reg.example/shop/web:v1@" + digest, repo: "reg.example/shop/web", tag: "v1", digest: digest},
		{name: "no registry is assumed", in: "shop/web:v1", bad: true},
		{name: "neither tag nor digest", in: "reg.example/shop/web", bad: true},
		{name: "a short digest", in: "reg.example/shop/web@sha256:abc", bad: true},
		{name: "a tag that is none", in: "reg.example/shop/web:a b", bad: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := oci.ParseRef(c.in)
			if (err != nil) != c.bad {
				t.Fatalf("err = %v", err)
			}
			if err == nil && (r.Repository != c.repo || r.Tag != c.tag || string(r.Digest) != c.digest || r.String() != c.in) {
				t.Errorf("got %+v, String %q", r, r)
			}
		})
	}
}

func TestOpenListsPlatforms(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.Push(t, "shop/web", "v1", "linux/amd64", "linux/arm64")
	r := s.Registry(t)
	img, err := r.Open(t.Context(), oci.Ref{Repository: a.Repository, Tag: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	if img.Digest != a.Digest || !img.Index() || len(img.Platforms) != 2 || img.Platforms[1].Name != "linux/arm64" || img.Platforms[1].Digest != a.Platforms[1].Digest {
		t.Errorf("opened %+v, want %+v", img, a)
	}
	single, err := r.Open(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Platforms[1].Digest})
	if err != nil {
		t.Fatal(err)
	}
	if single.Index() || len(single.Platforms) != 1 || single.Platforms[0].Name != "linux/arm64" {
		t.Errorf("a single image has itself as platform, got %+v", single.Platforms)
	}
}

func TestAnswersAndSilenceDiffer(t *testing.T) {
	s := ocitest.New(t, true)
	r := s.Registry(t)
	gone := oci.Ref{Repository: s.Host + "/shop/web", Tag: "none"}
	if _, err := r.Resolve(t.Context(), gone); !errors.Is(err, oci.ErrNotFound) {
		t.Errorf("a missing tag gives ErrNotFound, got %v", err)
	}
	s.Fail(func(*http.Request) int { return http.StatusInternalServerError })
	if _, err := r.Resolve(t.Context(), gone); err == nil || errors.Is(err, oci.ErrNotFound) {
		t.Errorf("a broken registry is no answer, got %v", err)
	}
	dead, err := oci.New(oci.Config{Hosts: []oci.Host{{Name: "127.0.0.1:1", PlainHTTP: true}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dead.Resolve(t.Context(), oci.Ref{Repository: "127.0.0.1:1/shop/web", Tag: "v1"}); err == nil || !strings.Contains(err.Error(), "the registry does not answer") || hint.Of(err) == "" {
		t.Errorf("a dead registry is named as such, got %v", err)
	}
	plain, err := oci.New(oci.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Resolve(t.Context(), gone); err == nil || !strings.Contains(err.Error(), "plain HTTP is not allowed") {
		t.Errorf("plain HTTP needs a setting, even on loopback; got %v", err)
	}
}

func TestPasswordsDoNotTravelInTheClear(t *testing.T) {
	c := oci.Config{Hosts: []oci.Host{{Name: "reg.example:5000", PlainHTTP: true, User: "u", Password: secret.Text("hunter2")}}}
	if err := c.Validate(); err == nil {
		t.Error("a password over plain HTTP has to be refused")
	}
}

func TestBlobsAreBounded(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.Push(t, "shop/web", "v1", "linux/amd64")
	r := s.Registry(t)
	m, err := r.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Attach(t.Context(), a.Repository, oci.Attachment{Subject: m, Type: doc, Content: make([]byte, 1000)})
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.Referrers(t.Context(), a.Repository, a.Digest)
	if err != nil || len(list) != 1 {
		t.Fatalf("list %v, %v", list, err)
	}
	if _, err := r.Blob(t.Context(), a.Repository, list[0].Content, 999); !errors.Is(err, oci.ErrTooLarge) {
		t.Errorf("a blob over the limit gives ErrTooLarge, got %v", err)
	}
	if b, err := r.Blob(t.Context(), a.Repository, list[0].Content, 1000); err != nil || len(b) != 1000 {
		t.Errorf("read %d bytes, %v", len(b), err)
	}
}

// Two clients, as two servers would be: no lock holds between them, and each has many
// goroutines that attach to the same digest.
func TestConcurrentAttachesLoseNone(t *testing.T) {
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("referrers API %v", api), func(t *testing.T) {
			s := ocitest.New(t, api)
			a := s.Push(t, "shop/web", "v1", "linux/amd64")
			clients := []*oci.Registry{s.Patient(t), s.Patient(t)}
			m, err := clients[0].Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
			if err != nil {
				t.Fatal(err)
			}
			const n = 24
			attach := func(client *oci.Registry, i int) {
				at := oci.Attachment{Subject: m, Type: doc, Content: fmt.Appendf(nil, `{"n":%d}`, i)}
				if _, err := client.Attach(t.Context(), a.Repository, at); err != nil {
					t.Error(err)
				}
			}
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() { attach(clients[i%2], i) })
			}
			wg.Wait()
			attach(clients[1], 0)
			list, err := clients[1].Referrers(t.Context(), a.Repository, a.Digest)
			if err != nil || len(list) != n {
				t.Fatalf("%d referrers, want %d (attaching the same again adds none): %v", len(list), n, err)
			}
			for _, l := range list {
				if l.Type != doc || l.Subject != a.Digest {
					t.Errorf("referrer %+v", l)
				}
			}
		})
	}
}

func TestConcurrentDocumentsLoseNone(t *testing.T) {
	s := ocitest.New(t, true)
	clients := []*oci.Registry{s.Patient(t), s.Patient(t)}
	ref := oci.Ref{Repository: s.Host + "/shop/web", Tag: "sha256-abc.sig"}
	var wg sync.WaitGroup
	const n = 12
	for i := range n {
		wg.Go(func() {
			if err := clients[i%2].AddDocument(t.Context(), ref, doc, fmt.Appendf(nil, `{"n":%d}`, i/2), map[string]string{"by": fmt.Sprint(i % 2)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := clients[0].AddDocument(t.Context(), ref, doc, []byte(`{"n":0}`), map[string]string{"by": "0"}); err != nil {
		t.Error(err)
	}
	if _, list, err := clients[0].Documents(t.Context(), ref); err != nil || len(list) != n {
		t.Errorf("%d documents, want %d (adding the same again adds none): %v", len(list), n, err)
	}
}

// Others read the type and the annotations from the list, though we do not.
func TestTheFallbackListDescribesItsEntries(t *testing.T) {
	s := ocitest.New(t, false)
	a := s.Push(t, "shop/web", "v1", "linux/amd64")
	r := s.Registry(t)
	m, err := r.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Attach(t.Context(), a.Repository, oci.Attachment{Subject: m, Type: doc, Content: []byte(`{}`), Annotations: map[string]string{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	tag := oci.Ref{Repository: a.Repository, Tag: "sha256-" + a.Digest.Hex()}
	list, err := r.Get(t.Context(), tag)
	if err != nil || !strings.Contains(string(list.Raw), `"artifactType":"`+doc+`"`) || !strings.Contains(string(list.Raw), `"annotations":{"a":"b"}`) {
		t.Fatalf("the list under %s: %s, %v", tag, list.Raw, err)
	}
	// Whatever the list says of an entry, its own manifest counts.
	s.Lie(func(req *http.Request, body []byte) ([]byte, bool) {
		return bytes.Replace(body, []byte(`"artifactType":"`+doc), []byte(`"artifactType":"`+strings.ToUpper(doc)), 1), strings.HasSuffix(req.URL.Path, tag.Tag)
	})
	if got, err := r.Referrers(t.Context(), a.Repository, a.Digest); err != nil || len(got) != 1 || got[0].Type != doc {
		t.Errorf("referrers %+v, %v", got, err)
	}
}

func TestWhatARegistryMayNotAnswer(t *testing.T) {
	flip := func(part string) ocitest.Alter {
		return func(req *http.Request, body []byte) ([]byte, bool) {
			return append(body, ' '), strings.Contains(req.URL.Path, part)
		}
	}
	for _, c := range []struct {
		name string
		api  bool
		lie  ocitest.Alter
		want string // as the problem of the entry; empty: the call ends in ErrMalformed
	}{
		{name: "an attached manifest that is not what its digest says", api: true, lie: flip("/manifests/"), want: "not what its digest says"},
		{name: "a list that is no index", api: true, lie: func(req *http.Request, _ []byte) ([]byte, bool) {
			return []byte(`{"schemaVersion":2,"config":{},"layers":[]}`), strings.Contains(req.URL.Path, "/referrers/")
		}},
		{name: "a fallback tag that is no index", lie: func(req *http.Request, _ []byte) ([]byte, bool) {
			return []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}`), strings.Contains(req.URL.Path, "/manifests/sha256-")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ocitest.New(t, c.api)
			a := s.Push(t, "shop/web", "v1", "linux/amd64")
			r := s.Registry(t)
			m, err := r.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Attach(t.Context(), a.Repository, oci.Attachment{Subject: m, Type: doc, Content: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
			s.Lie(c.lie)
			list, err := r.Referrers(t.Context(), a.Repository, a.Digest)
			if c.want == "" {
				if !errors.Is(err, oci.ErrMalformed) {
					t.Errorf("got %+v, %v", list, err)
				}
				return
			}
			if err != nil || len(list) != 1 || !strings.Contains(list[0].Problem, c.want) {
				t.Errorf("got %+v, %v", list, err)
			}
		})
	}
}

func TestTheNewestReferrersAreLookedAt(t *testing.T) {
	for _, api := range []bool{true, false} {
		s := ocitest.New(t, api)
		a := s.Push(t, "shop/web", "v1", "linux/amd64")
		r, err := oci.New(oci.Config{Hosts: []oci.Host{{Name: s.Host, PlainHTTP: true}}, MaxReferrers: 6})
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		for i := range 10 {
			at := oci.Attachment{Subject: m, Type: doc, Content: fmt.Appendf(nil, `{"n":%d}`, i), Annotations: map[string]string{oci.Created: begin.Add(time.Duration(i) * time.Second).Format(time.RFC3339)}}
			if _, err := r.Attach(t.Context(), a.Repository, at); err != nil {
				t.Fatal(err)
			}
		}
		list, err := r.Referrers(t.Context(), a.Repository, a.Digest)
		if err != nil || len(list) != 6 || list[0].Annotations[oci.Created] != "2026-11-01T12:00:09Z" || list[5].Annotations[oci.Created] != "2026-11-01T12:00:04Z" {
			t.Errorf("API %v: %d referrers, from %v: %v", api, len(list), list[0].Annotations, err)
		}
	}
}

func TestALostAttachIsWrittenAgain(t *testing.T) {
	s := ocitest.New(t, false)
	a := s.Push(t, "shop/web", "v1", "linux/amd64")
	r, other := s.Registry(t), s.Registry(t)
	m, err := r.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
	if err != nil {
		t.Fatal(err)
	}
	fallback := "/manifests/" + strings.Replace(string(a.Digest), ":", "-", 1)
	raced := false
	s.Fail(func(req *http.Request) int {
		// Just before the list is written back, somebody else writes their own.
		if req.Method == http.MethodPut && strings.HasSuffix(req.URL.Path, fallback) && !raced {
			raced = true
			if _, err := other.Attach(context.WithoutCancel(req.Context()), a.Repository, oci.Attachment{Subject: m, Type: doc, Content: []byte(`{"by":"other"}`)}); err != nil {
				t.Error(err)
			}
			return http.StatusAccepted // ours is lost without an error
		}
		return 0
	})
	if _, err := r.Attach(t.Context(), a.Repository, oci.Attachment{Subject: m, Type: doc, Content: []byte(`{"by":"us"}`)}); err != nil {
		t.Fatal(err)
	}
	s.Fail(nil)
	if list, err := r.Referrers(t.Context(), a.Repository, a.Digest); err != nil || len(list) != 2 {
		t.Errorf("%d referrers, want both: %v", len(list), err)
	}
}

func TestFetchWritesALayout(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.Push(t, "shop/web", "v1", "linux/amd64", "linux/arm64")
	dir := t.TempDir()
	if err := s.Registry(t).Fetch(t.Context(), a.Repository, a.Platforms[1].Digest, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "blobs", "sha256", a.Platforms[1].Digest.Hex())); err != nil {
		t.Error(err)
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil || !strings.Contains(string(index), string(a.Platforms[1].Digest)) {
		t.Errorf("index.json %s, %v", index, err)
	}
	if err := s.Registry(t).Fetch(t.Context(), a.Repository, release.Digest("sha256:"+strings.Repeat("0", 64)), t.TempDir()); !errors.Is(err, oci.ErrNotFound) {
		t.Errorf("a missing image gives ErrNotFound, got %v", err)
	}
}
