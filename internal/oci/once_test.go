package oci_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/release"
)

// counted counts the requests whose method and path hold what is given.
func counted(s *ocitest.Server, method, part string) *atomic.Int64 {
	var n atomic.Int64
	s.Fail(func(r *http.Request) int {
		if r.Method == method && strings.Contains(r.URL.Path, part) {
			n.Add(1)
		}
		return 0
	})
	return &n
}

func TestOnceAsksForAManifestOnce(t *testing.T) {
	s := ocitest.New(t, true)
	reg, a := s.Registry(t), s.Push(t, "shop/web", "v1", "linux/amd64", "linux/arm64")
	ref := oci.Ref{Repository: a.Repository, Digest: a.Digest}
	asked := counted(s, http.MethodGet, "/manifests/")
	ctx := oci.Once(t.Context())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := reg.Whole(ctx, ref); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n != 3 {
		t.Errorf("%d manifests were read, want an index and two images", n)
	}
	if _, err := reg.Get(ctx, oci.Ref{Repository: a.Repository, Tag: "v1"}); err != nil || asked.Load() != 4 {
		t.Errorf("a tag is always asked for: %v, %d", err, asked.Load())
	}
	if _, err := reg.Get(t.Context(), ref); err != nil || asked.Load() != 5 {
		t.Errorf("another look asks again: %v, %d", err, asked.Load())
	}
}

func TestOnceKeepsWhatTheRegistrySaidAndNothingElse(t *testing.T) {
	s := ocitest.New(t, true)
	reg, a := s.Registry(t), s.Push(t, "shop/web", "v1", "linux/amd64")
	ref := oci.Ref{Repository: a.Repository, Digest: a.Digest}
	ctx := oci.Once(t.Context())
	s.Fail(func(*http.Request) int { return http.StatusUnauthorized })
	if _, err := reg.Get(ctx, ref); err == nil {
		t.Fatal("a registry that refuses has said nothing of the image")
	}
	s.Fail(nil)
	if m, err := reg.Get(ctx, ref); err != nil || m.Digest != a.Digest {
		t.Errorf("what could not be asked is not asked again: %v", err)
	}
	gone := oci.Ref{Repository: a.Repository, Digest: release.Digest("sha256:" + strings.Repeat("ab", 32))}
	for range 2 {
		if _, err := reg.Get(ctx, gone); !errors.Is(err, oci.ErrNotFound) {
			t.Errorf("%v", err)
		}
	}
}
