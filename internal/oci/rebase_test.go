package oci_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/release"
)

const onePlatform = "linux/arm64"

var then = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// pushOn pushes a service's image: one layer over a base, with the labels given.
func pushOn(t *testing.T, s *ocitest.Server, base release.Artifact, labels map[string]string) oci.Ref {
	t.Helper()
	below := pulled(t, base.Repository, base.Platforms[0].Digest)
	layer, err := crane.Layer(map[string][]byte{"/app/web": []byte("web")})
	fatal(t, err)
	img, err := mutate.AppendLayers(below, layer)
	fatal(t, err)
	config, err := img.ConfigFile()
	fatal(t, err)
	config = config.DeepCopy()
	config.Config.Labels, config.Config.Entrypoint = labels, []string{"/app/web"}
	img, err = mutate.ConfigFile(img, config)
	fatal(t, err)
	p, err := v1.ParsePlatform(onePlatform)
	fatal(t, err)
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: p}})
	ref, err := name.NewTag(s.Host+"/shop/web:v1", name.Insecure)
	fatal(t, err)
	fatal(t, remote.WriteIndex(ref, index))
	return oci.Ref{Repository: s.Host + "/shop/web", Tag: "v1"}
}

func pulled(t *testing.T, repository string, d release.Digest) v1.Image {
	t.Helper()
	ref, err := name.NewDigest(repository+"@"+string(d), name.Insecure)
	fatal(t, err)
	img, err := remote.Image(ref)
	fatal(t, err)
	return img
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func layers(t *testing.T, img v1.Image) []string {
	t.Helper()
	m, err := img.Manifest()
	fatal(t, err)
	var out []string
	for _, l := range m.Layers {
		out = append(out, l.Digest.String())
	}
	return out
}

func TestRebasePutsTheServicesLayersOnTheNewerBase(t *testing.T) {
	s := ocitest.New(t, true)
	r := s.Registry(t)
	older := s.PushFiles(t, "base/static", "1", onePlatform, then, map[string][]byte{"/etc/os": []byte("old")})
	image := pushOn(t, s, older, map[string]string{"org.opencontainers.image.base.name": s.Host + "/base/static:1", "org.opencontainers.image.base.digest": string(older.Digest), "team": "shop"})
	before, err := r.Open(t.Context(), image)
	fatal(t, err)

	same, err := r.Rebase(t.Context(), image, "v1-rebased")
	if err != nil || same.From != same.To || same.Digest != "" {
		t.Fatalf("nothing newer: %+v, %v", same, err)
	}
	if _, err := r.Resolve(t.Context(), oci.Ref{Repository: image.Repository, Tag: "v1-rebased"}); !errors.Is(err, oci.ErrNotFound) {
		t.Errorf("nothing newer and still pushed: %v", err)
	}

	newer := s.PushFiles(t, "base/static", "1", onePlatform, then, map[string][]byte{"/etc/os": []byte("new")})
	done, err := r.Rebase(t.Context(), image, "v1-rebased")
	if err != nil || done.From != older.Digest || done.To != newer.Digest {
		t.Fatalf("%+v, %v", done, err)
	}
	after, err := r.Open(t.Context(), oci.Ref{Repository: image.Repository, Tag: "v1-rebased"})
	fatal(t, err)
	if after.Digest != done.Digest || len(after.Platforms) != 1 || after.Platforms[0].Name != onePlatform {
		t.Errorf("%+v of %+v", after, done)
	}
	was, is := pulled(t, image.Repository, before.Platforms[0].Digest), pulled(t, image.Repository, after.Platforms[0].Digest)
	if want := append(layers(t, pulled(t, newer.Repository, newer.Platforms[0].Digest)), layers(t, was)[1]); !reflect.DeepEqual(layers(t, is), want) {
		t.Errorf("layers %v, want %v", layers(t, is), want)
	}
	config, err := is.ConfigFile()
	fatal(t, err)
	if c := config.Config; c.Labels["org.opencontainers.image.base.digest"] != string(newer.Digest) || c.Labels["team"] != "shop" || len(c.Entrypoint) != 1 || len(config.RootFS.DiffIDs) != 2 {
		raw, _ := json.Marshal(config)
		t.Errorf("config %s", raw)
	}
	again, err := r.Rebase(t.Context(), oci.Ref{Repository: image.Repository, Digest: done.Digest}, "v1-again")
	if err != nil || again.From != again.To {
		t.Errorf("rebased twice: %+v, %v", again, err)
	}
}

func TestRebaseRefusesWhatItDoesNotKnow(t *testing.T) {
	s := ocitest.New(t, true)
	base := s.PushFiles(t, "base/static", "1", onePlatform, then, map[string][]byte{"/etc/os": []byte("old")})
	other := s.PushFiles(t, "base/other", "1", onePlatform, then, map[string][]byte{"/etc/os": []byte("other")})
	for _, c := range []struct {
		name   string
		labels map[string]string
		want   string
	}{
		{"an image that does not say what it is on", nil, "no label org.opencontainers.image.base.name"},
		{"an image that says something wrong", map[string]string{"org.opencontainers.image.base.name": s.Host + "/base/other:1", "org.opencontainers.image.base.digest": string(other.Digest)}, "does not begin with the layers of its base"},
		{"a base that is gone", map[string]string{"org.opencontainers.image.base.name": s.Host + "/base/gone:1", "org.opencontainers.image.base.digest": string(base.Digest)}, "not found in the registry"},
		{"a base that is no name", map[string]string{"org.opencontainers.image.base.name": "static", "org.opencontainers.image.base.digest": string(base.Digest)}, `image "static"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Registry(t).Rebase(t.Context(), pushOn(t, s, base, c.labels), "v2")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
			if c.labels == nil && hint.Of(err) == "" {
				t.Error("no next step")
			}
		})
	}
}
