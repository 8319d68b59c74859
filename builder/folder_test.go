package builder_test

import (
	"testing"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

func TestAWorkingFolderIsProvedAgainAndAgainUnderTheSameKey(t *testing.T) {
	d := newDock(t)
	a := d.proved(t, nil)
	d.cfg.Folder = &builder.Folder{Repository: a.Repository}
	b := d.builder(t)
	for range 2 {
		f, v, err := b.Build(t.Context(), "k", d.release) // the key of the build that made it
		if err != nil || v.Reason() != "unchanged: proved against build 8254c329" || f.Artifact.Digest != a.Digest || f.Artifact.Tag != a.Tag {
			t.Fatalf("%q %v, %+v", v.Reason(), err, f.Artifact)
		}
	}
	d.verified = []string{"signature index: nothing is attached"}
	if _, _, err := d.builder(t).Build(t.Context(), "k", d.release); err == nil || d.checkouts != 1 {
		t.Errorf("a repeated key is no proof for a folder: %v, %d checkouts", err, d.checkouts)
	}
}

func TestAFolderThatGoesNowhereIsBuiltAndNotPushed(t *testing.T) {
	d := newDock(t)
	d.proved(t, nil)
	d.cfg.Folder = &builder.Folder{}
	registry, err := oci.New(oci.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := builder.New(d.cfg, builder.Parts{Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	if _, pushes, err := b.Handed(t.Context(), d.release, "registry.example"); err != nil || pushes != 0 {
		t.Errorf("it pushes %d, %v", pushes, err)
	}
	if f, _, err := d.builder(t).Build(t.Context(), "k", d.release); err == nil || f.Artifact != nil || d.checkouts != 1 {
		t.Errorf("it is always built: %v, %+v", err, f.Artifact)
	}
}

func TestAFolderSharesNoCacheWithBranchesAndMayMountSecrets(t *testing.T) {
	d := newDock(t)
	branches, err := d.builder(t).Caches(d.release)
	if err != nil {
		t.Fatal(err)
	}
	d.cfg.Folder = &builder.Folder{Repository: d.server.Host + "/shop/web"}
	r := d.release
	r.Ref = "folder"
	if caches, err := d.builder(t).Caches(r); err != nil || caches == branches {
		t.Errorf("it uses %q, %v", caches, err)
	}
	d.mount("correct-horse")
	if _, v, err := d.builder(t).Build(t.Context(), "k", r); err == nil || v.Outcome() == release.Refused || d.checkouts != 1 {
		t.Errorf("%q, %v", v.Reason(), err)
	}
}
