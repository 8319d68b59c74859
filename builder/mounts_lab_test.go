//go:build lab

package builder_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// content is how built tells of a file with this text.
func content(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// lacks fails when a text, or any file below the folder of records, holds a secret.
func (s *shop) lacks(t *testing.T, value secret.Text, texts map[string]string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(s.cfg.State), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(s.cfg.State, name))
		texts[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range texts {
		for _, form := range []string{value.Reveal(), base64.StdEncoding.EncodeToString([]byte(value.Reveal()))[:16]} {
			if strings.Contains(text, form) {
				t.Errorf("%s holds the secret:\n%s", what, text)
			}
		}
	}
}

func TestASecretIsMountedAndShowsUpNowhereOnTheLab(t *testing.T) {
	s := newShop(t)
	s.unproved = nil
	s.files["Dockerfile"] = `FROM --platform=$BUILDPLATFORM golang:1.26 AS fetch
RUN --mount=type=secret,id=npmrc,required=true cat /run/secrets/npmrc; base64 /run/secrets/npmrc; sha256sum < /run/secrets/npmrc > /sum
FROM scratch
COPY --from=fetch /sum /sum
`
	s.pipeline.Spec.Build = release.BuildSpec{Platforms: []string{"linux/amd64", "linux/arm64"}, Secrets: []release.BuildSecret{{ID: "npmrc", Name: "npm-token"}}}
	seen := map[release.Digest]bool{}
	for attempt, value := range []secret.Text{"correct-horse-battery", "staple-of-another-kind"} {
		s.mounts = map[string]secret.Text{"npm-token": value}
		f, v := s.build(t, 2*attempt+1)
		if v.Outcome() != release.Passed {
			t.Fatalf("%v %s\n%s\n%s", v.Outcome(), v.Reason(), v.Hint(), s.log(t))
		}
		a := *f.Artifact
		if seen[a.Digest] {
			t.Error("what another secret fetched came from the cache")
		}
		seen[a.Digest] = true
		for _, p := range a.Platforms {
			if got := s.open(t, a, p).files["/sum"]; !strings.Contains(got, content(content(value.Reveal())+"  -\n")) {
				t.Errorf("%s did not see the secret: %s", p.Name, got)
			}
			tag := oci.Ref{Repository: a.Repository, Tag: oci.PlatformTag(a.Tag, p.Name)}
			if got, err := s.registry.Resolve(t.Context(), tag); err != nil || got != p.Digest {
				t.Errorf("%s names %s, %v; want %s", tag, got, err, p.Digest)
			}
		}
		log := s.log(t)
		if !strings.Contains(log, "***") {
			t.Errorf("the step printed the secret, so the log has to hide it:\n%s", log)
		}
		r := s.release
		r.Artifact = &a
		raw, err := s.builder(t).Provenance(t.Context(), r)
		if err != nil || !strings.Contains(string(raw), `"secrets":["npmrc"]`) {
			t.Errorf("%s, %v", raw, err)
		}
		s.lacks(t, value, map[string]string{"the log": log, "the provenance": string(raw), "the verdict": v.Reason()})

		again, v := s.build(t, 2*attempt+2)
		if !strings.HasPrefix(v.Reason(), "unchanged: proved against build ") || again.Artifact.Digest != a.Digest {
			t.Errorf("%s: %+v", v.Reason(), again.Artifact)
		}
		tag := oci.Ref{Repository: a.Repository, Tag: oci.PlatformTag(again.Artifact.Tag, "linux/arm64")}
		if got, err := s.registry.Resolve(t.Context(), tag); err != nil || got != a.Platforms[1].Digest {
			t.Errorf("%s names %s, %v", tag, got, err)
		}
	}
}

func TestACheckFailsForOneCombinationOnTheLab(t *testing.T) {
	s := newShop(t)
	s.files["Dockerfile"] = "FROM golang:1.26 AS test\nARG LEVEL\nRUN test \"$LEVEL\" != high\nFROM scratch\nCOPY note.txt /\n"
	check := release.BuildCheck{Name: "level", Target: "test", Matrix: map[string][]string{"LEVEL": {"low", "middle"}}}
	s.pipeline.Spec.Build = release.BuildSpec{Platforms: []string{"linux/amd64"}, Checks: []release.BuildCheck{check}}
	if _, v := s.build(t, 1); v.Outcome() != release.Passed {
		t.Fatalf("%v %s\n%s", v.Outcome(), v.Reason(), s.log(t))
	}
	check.Matrix["LEVEL"] = []string{"low", "high"}
	if _, v := s.build(t, 2); v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "check level (LEVEL=high)") || !strings.Contains(v.Hint(), `LEVEL="high"`) {
		t.Errorf("%v %s\nhint: %s", v.Outcome(), v.Reason(), v.Hint())
	}
}

func TestNamedContextsOnTheLab(t *testing.T) {
	s := newShop(t)
	base, err := oci.ParseRef(s.base(t, "one"))
	if err != nil {
		t.Fatal(err)
	}
	if base.Digest, err = s.registry.Resolve(t.Context(), base); err != nil {
		t.Fatal(err)
	}
	s.files["Dockerfile"] = "FROM start\nCOPY --from=shared . /shared/\n"
	s.files["lib/shared/hello.txt"], s.files["lib/shared/big"], s.files["lib/shared/.dockerignore"] = "hello", "big", "big\n.dockerignore\n"
	s.pipeline.Spec.Build = release.BuildSpec{Platforms: []string{"linux/amd64"}, Contexts: map[string]string{
		"shared": "lib/shared", "start": "docker-image://" + base.Repository + "@" + string(base.Digest),
	}}
	f, v := s.build(t, 1)
	if v.Outcome() != release.Passed {
		t.Fatalf("%v %s\n%s\n%s", v.Outcome(), v.Reason(), v.Hint(), s.log(t))
	}
	files := s.open(t, *f.Artifact, f.Artifact.Platforms[0]).files
	if !strings.Contains(files["/note.txt"], content("one")) || !strings.Contains(files["/shared/hello.txt"], content("hello")) || files["/shared/big"] != "" {
		t.Errorf("%v", files)
	}
	r := s.release
	r.Artifact = f.Artifact
	raw, err := s.builder(t).Provenance(t.Context(), r)
	for _, want := range []string{`"shared":"lib/shared"`, `"uri":"docker-image://` + base.Repository + `"`, base.Digest.Hex()} {
		if err != nil || !strings.Contains(string(raw), want) {
			t.Errorf("provenance without %s: %s, %v", want, raw, err)
		}
	}
}
