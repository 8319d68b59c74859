package oci_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
)

func TestWhole(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.Push(t, "shop/web", "v1", "linux/amd64", "linux/arm64")
	r := s.Registry(t)
	ref := oci.Ref{Repository: a.Repository, Digest: a.Digest}
	m, err := r.Whole(t.Context(), ref)
	if err != nil || m.Digest != a.Digest {
		t.Fatalf("%s, %v", m.Digest, err)
	}
	if _, err := r.Whole(t.Context(), ref.At(a.Platforms[0].Digest)); err != nil {
		t.Errorf("a single image is whole, too: %v", err)
	}
	for _, c := range []struct {
		name   string
		gone   func(path string) bool
		status int
		is     error
	}{
		{name: "the index", gone: func(p string) bool { return strings.HasSuffix(p, string(a.Digest)) }, status: http.StatusNotFound, is: oci.ErrNotFound},
		{name: "the image of a platform", gone: func(p string) bool { return strings.HasSuffix(p, string(a.Platforms[1].Digest)) }, status: http.StatusNotFound, is: oci.ErrNotFound},
		{name: "a layer", gone: func(p string) bool { return strings.Contains(p, "/blobs/") }, status: http.StatusNotFound, is: oci.ErrNotFound},
		{name: "the answer", gone: func(p string) bool { return strings.Contains(p, "/blobs/") }, status: http.StatusForbidden},
	} {
		t.Run(c.name+" is gone", func(t *testing.T) {
			s.Fail(func(req *http.Request) int {
				if c.gone(req.URL.Path) {
					return c.status
				}
				return 0
			})
			defer s.Fail(nil)
			if _, err := r.Whole(t.Context(), ref); err == nil || errors.Is(err, oci.ErrNotFound) != (c.is != nil) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTag(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.Push(t, "shop/web", "v1", "linux/amd64", "linux/arm64")
	r := s.Registry(t)
	m, err := r.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
	if err != nil {
		t.Fatal(err)
	}
	to := oci.Ref{Repository: a.Repository, Tag: "v2"}
	if err := r.Tag(t.Context(), to, m); err != nil {
		t.Fatal(err)
	}
	if img, err := r.Open(t.Context(), to); err != nil || img.Digest != a.Digest || !img.Index() {
		t.Errorf("%s as %s, %v", img.Digest, img.MediaType, err)
	}
	if err := r.Tag(t.Context(), oci.Ref{Repository: a.Repository, Tag: "a/b"}, m); err == nil {
		t.Error("a tag that is none is not written")
	}
}

func TestEachPlatformHasATagBesideItsIndex(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.Push(t, "shop/web", "v1", "linux/amd64", "linux/arm64", "linux/arm/v7", "windows/amd64")
	r := s.Registry(t)
	ref := oci.Ref{Repository: a.Repository, Tag: "v1"}
	for range 2 {
		if err := r.TagPlatforms(t.Context(), ref, a.Platforms); err != nil {
			t.Fatal(err)
		}
	}
	for i, tag := range []string{"v1-amd64", "v1-arm64", "v1-arm-v7", "v1-windows-amd64"} {
		if got, err := r.Resolve(t.Context(), oci.Ref{Repository: a.Repository, Tag: tag}); err != nil || got != a.Platforms[i].Digest {
			t.Errorf("%s names %s, %v; want that of %s in the index", tag, got, err, a.Platforms[i].Name)
		}
	}
	if got, err := r.Resolve(t.Context(), ref); err != nil || got != a.Digest {
		t.Errorf("v1 still names the index: %s, %v", got, err)
	}
}
