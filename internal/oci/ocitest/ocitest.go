// Package ocitest runs a real registry in memory for tests, with and without the
// referrers API and sign-in, and pushes small images to it. Start at New. It is never imported by
// anything but tests.
package ocitest

import (
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

// Server is a registry that lives as long as its test.
type Server struct {
	Host    string // "127.0.0.1:34567", plain HTTP
	handler http.Handler
	serving sync.RWMutex // read by each request while it is answered
	broken  atomic.Pointer[Break]
	altered atomic.Pointer[Alter]
	busy    atomic.Pointer[string] // Retry-After beside a 429
	door    atomic.Pointer[door]
	kept    atomic.Bool // nothing is deleted
	tagged  atomic.Bool // deletes leave tags alone
}

// Break decides about a request before the registry sees it: a status other than 0 is
// the answer.
type Break func(r *http.Request) (status int)

// Alter changes what the registry answers to a GET; false leaves the answer as it is.
type Alter func(r *http.Request, body []byte) (changed []byte, ok bool)

// New starts a registry.
func New(t testing.TB, referrersAPI bool) *Server {
	t.Helper()
	s := &Server{handler: registry.New(registry.WithReferrersSupport(referrersAPI), registry.Logger(log.New(io.Discard, "", 0)))}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.Host = strings.TrimPrefix(srv.URL, "http://")
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serving.RLock()
	defer s.serving.RUnlock()
	if b := s.broken.Load(); b != nil {
		if status := (*b)(r); status != 0 {
			if after := s.busy.Load(); after != nil && status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", *after)
			}
			w.WriteHeader(status)
			return
		}
	}
	if d := s.door.Load(); d != nil && !d.lets(w, r) {
		return
	}
	if r.Method == http.MethodDelete {
		s.delete(w, r)
		return
	}
	a := s.altered.Load()
	if a == nil || r.Method != http.MethodGet {
		s.handler.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	s.handler.ServeHTTP(answer, r)
	maps.Copy(w.Header(), answer.Header())
	body := answer.Body.Bytes()
	if changed, ok := (*a)(r, body); ok {
		body = changed
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body)
}

// Lie makes the registry answer as a says.
func (s *Server) Lie(a Alter) { s.altered.Store(&a) }

// Fail answers requests as b says; nil mends the registry. Those that are being answered
// are waited for, also when whoever asked has given them up.
func (s *Server) Fail(b Break) {
	s.serving.Lock()
	defer s.serving.Unlock()
	if b == nil {
		s.broken.Store(nil)
		return
	}
	s.broken.Store(&b)
}

// Registry is a client for this server.
func (s *Server) Registry(t testing.TB) *oci.Registry {
	t.Helper()
	return s.client(t, 0)
}

// Patient is a client beside others that write to the same list: on a busy machine one
// that has read a list takes long to write it back.
func (s *Server) Patient(t testing.TB) *oci.Registry {
	t.Helper()
	return s.client(t, time.Second)
}

func (s *Server) client(t testing.TB, settle time.Duration) *oci.Registry {
	t.Helper()
	r, err := oci.New(oci.Config{Hosts: []oci.Host{{Name: s.Host, PlainHTTP: true}}, Pause: time.Millisecond, Settle: settle})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Push makes a random image for each platform ("linux/arm64") and pushes their index.
func (s *Server) Push(t testing.TB, repository, tag string, platforms ...string) release.Artifact {
	t.Helper()
	a := release.Artifact{Repository: s.Host + "/" + repository, Tag: tag}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		platform, err := v1.ParsePlatform(p)
		must(t, err)
		img, err := random.Image(256, 1)
		must(t, err)
		img, err = mutate.ConfigFile(img, &v1.ConfigFile{OS: platform.OS, Architecture: platform.Architecture, RootFS: rootFS(t, img)})
		must(t, err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: platform}})
		d, err := img.Digest()
		must(t, err)
		a.Platforms = append(a.Platforms, release.Platform{Name: p, Digest: release.Digest(d.String())})
	}
	ref, err := name.NewTag(a.Repository+":"+tag, name.Insecure)
	must(t, err)
	must(t, remote.WriteIndex(ref, index))
	d, err := index.Digest()
	must(t, err)
	a.Digest = release.Digest(d.String())
	return a
}

// PushFiles pushes an image for one platform that holds the given files, made at a time.
func (s *Server) PushFiles(t testing.TB, repository, tag, platform string, made time.Time, files map[string][]byte) release.Artifact {
	t.Helper()
	p, err := v1.ParsePlatform(platform)
	must(t, err)
	layer, err := crane.Layer(files)
	must(t, err)
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layer)
	must(t, err)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{OS: p.OS, Architecture: p.Architecture, RootFS: rootFS(t, img), Created: v1.Time{Time: made}})
	must(t, err)
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}})
	ref, err := name.NewTag(s.Host+"/"+repository+":"+tag, name.Insecure)
	must(t, err)
	must(t, remote.WriteIndex(ref, index))
	whole, err := index.Digest()
	must(t, err)
	d, err := img.Digest()
	must(t, err)
	return release.Artifact{
		Repository: s.Host + "/" + repository, Tag: tag, Digest: release.Digest(whole.String()),
		Platforms: []release.Platform{{Name: platform, Digest: release.Digest(d.String())}},
	}
}

func rootFS(t testing.TB, img v1.Image) v1.RootFS {
	t.Helper()
	c, err := img.ConfigFile()
	must(t, err)
	return c.RootFS
}

// Copy copies an image, without what is attached to it, to another repository.
func (s *Server) Copy(t testing.TB, a release.Artifact, repository string) release.Artifact {
	t.Helper()
	from, err := name.NewDigest(a.Reference(), name.Insecure)
	must(t, err)
	index, err := remote.Index(from)
	must(t, err)
	to, err := name.NewTag(s.Host+"/"+repository+":"+a.Tag, name.Insecure)
	must(t, err)
	must(t, remote.WriteIndex(to, index))
	a.Repository = s.Host + "/" + repository
	a.Signed = nil
	return a
}

// Tag lets a tag point to a manifest of the same repository.
func (s *Server) Tag(t testing.TB, repository, tag string, d release.Digest) {
	t.Helper()
	repo, err := name.NewRepository(repository, name.Insecure)
	must(t, err)
	m, err := remote.Get(repo.Digest(string(d)))
	must(t, err)
	must(t, remote.Tag(repo.Tag(tag), m))
}

// Detach removes everything attached to the digests.
func (s *Server) Detach(t testing.TB, repository string, digests ...release.Digest) {
	t.Helper()
	repo, err := name.NewRepository(repository, name.Insecure)
	must(t, err)
	for _, d := range digests {
		list, err := s.Registry(t).Referrers(t.Context(), repository, d)
		must(t, err)
		for _, r := range list {
			must(t, remote.Delete(repo.Digest(string(r.Digest))))
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
