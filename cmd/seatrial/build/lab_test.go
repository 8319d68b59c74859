//go:build lab

package build_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/cmd/seatrial/build"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/internal/oci"
)

// onLab is a working folder in git, and the lab's buildkitd and registry.
func onLab(t *testing.T) (build.Options, *oci.Registry) {
	t.Helper()
	place := labtest.Open(t)
	reg, err := oci.New(oci.Config{Hosts: []oci.Host{{Name: place.Registry, PlainHTTP: true}}})
	if err != nil {
		t.Fatal(err)
	}
	o := build.Options{Dir: t.TempDir(), Push: place.Registry + "/buildtest/folder", BuildKit: []string{place.BuildKit}, PlainHTTP: true, State: t.TempDir(),
		Mirrors: map[string]string{"docker.io": place.Registry}, Version: "v1", Platforms: []string{"linux/amd64"}}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"config", "user.name", "mei"}, {"config", "user.email", "mei@example.com"}} {
		if out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", o.Dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	return o, reg
}

// files are the names in the layers of the only platform of an image.
func files(t *testing.T, reg *oci.Registry, image string) []string {
	t.Helper()
	ref, err := oci.ParseRef(image)
	if err != nil {
		t.Fatal(err)
	}
	img, err := reg.Open(t.Context(), ref)
	if err != nil || len(img.Platforms) != 1 {
		t.Fatalf("%+v, %v", img.Platforms, err)
	}
	dir := t.TempDir()
	if err := reg.Fetch(t.Context(), ref.Repository, img.Platforms[0].Digest, dir); err != nil {
		t.Fatal(err)
	}
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, blob := range blobs {
		raw, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		gz, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			continue // the config, or a manifest
		}
		for tr := tar.NewReader(gz); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.Typeflag != tar.TypeDir {
				names = append(names, h.Name)
			}
		}
	}
	return slices.Sorted(slices.Values(names))
}

// TestNothingThatGitIgnoresIsInTheImageOfAFolder: .gitignore names it and .dockerignore does
// not, so a folder sent as it lies there would hold what its id does not stand for.
func TestNothingThatGitIgnoresIsInTheImageOfAFolder(t *testing.T) {
	o, reg := onLab(t)
	write(t, filepath.Join(o.Dir, "Dockerfile"), "FROM scratch\nCOPY . /all/\n")
	write(t, filepath.Join(o.Dir, ".gitignore"), "*.log\nprivate/\n")
	write(t, filepath.Join(o.Dir, "main.go"), "package main\n")
	write(t, filepath.Join(o.Dir, "debug.log"), "ignored\n")
	write(t, filepath.Join(o.Dir, "private", "key"), "ignored\n")
	var said bytes.Buffer
	image, err := build.Run(t.Context(), o, &said)
	if err != nil {
		t.Fatalf("%v; said %s", err, &said)
	}
	if got, want := files(t, reg, image), []string{"all/.gitignore", "all/Dockerfile", "all/main.go"}; !slices.Equal(got, want) {
		t.Errorf("the image holds %v, want %v", got, want)
	}
	write(t, filepath.Join(o.Dir, "debug.log"), "ignored, and changed\n")
	said.Reset()
	again, err := build.Run(t.Context(), o, &said)
	if err != nil || again != image || !strings.Contains(said.String(), "unchanged: proved") {
		t.Errorf("%s, want %s, %v; said %s", again, image, err, &said)
	}
	write(t, filepath.Join(o.Dir, "main.go"), "package main // changed\n")
	changed, err := build.Run(t.Context(), o, &said)
	if err != nil || changed == image {
		t.Errorf("a change is not built: %s, %v", changed, err)
	}
	write(t, filepath.Join(o.Dir, "main.go"), "package main\n")
	if back, err := build.Run(t.Context(), o, &said); err != nil || back != image {
		t.Errorf("changed back it is %s, want %s, %v", back, image, err)
	}
}

func TestAFolderIsBuiltWithoutAPlaceToPushTo(t *testing.T) {
	o, _ := onLab(t)
	o.Push = ""
	write(t, filepath.Join(o.Dir, "Dockerfile"), "FROM scratch\nCOPY . /all/\n")
	var said bytes.Buffer
	if image, err := build.Run(t.Context(), o, &said); err != nil || image != "" || !strings.Contains(said.String(), "kept nowhere") {
		t.Errorf("%s, %v; said %s", image, err, &said)
	}
	write(t, filepath.Join(o.Dir, "Dockerfile"), "FROM scratch\nCOPY nothing /all/\n")
	if _, err := build.Run(t.Context(), o, &said); err == nil {
		t.Error("what cannot be built is not told")
	}
}
