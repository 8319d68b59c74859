package dockerfile_test

import (
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/seatrial/seatrial/builder/dockerfile"
)

// FuzzSyntax: however a Dockerfile words it, no program but the built-in frontend and those
// that are allowed reads it.
func FuzzSyntax(f *testing.F) {
	for _, s := range []string{
		"FROM scratch\n", "# syntax=docker/dockerfile:1\nFROM scratch\n", "# syntax=docker/dockerfile:1.7-labs\n", "#syntax = evil.example/front\nFROM a\n",
		"// syntax=evil.example/front\n", "{\"syntax\":\"evil.example/front\"}", "#!/usr/bin/env x\n# syntax=evil.example/front\n", "\xef\xbb\xbf# syntax=evil.example/front",
		"# escape=`\n# SYNTAX=docker.io/docker/dockerfile:1@sha256:0 x\n", "# syntax=docker/dockerfile:10\n", "# syntax=allowed.example/front:1 arg\n",
	} {
		f.Add([]byte(s))
	}
	const allowed = "allowed.example/front:1"
	f.Fuzz(func(t *testing.T, text []byte) {
		builtIn, err := dockerfile.Syntax(text, "Dockerfile", []string{allowed})
		ref, _, _, named := parser.DetectSyntax(text)
		switch {
		case err != nil && (!named || ref == allowed):
			t.Errorf("%q is refused: %v", ref, err)
		case err == nil && named && builtIn == "" && ref != allowed, builtIn != "" && strings.Contains(ref, "labs"):
			t.Errorf("%q reads it", ref)
		}
	})
}

func TestAStepThatKeepsACacheIsSeen(t *testing.T) {
	for text, want := range map[string]bool{
		"RUN --mount=type=cache,target=/src/target cargo build":           true,
		"run --network=none --mount=target=/c,TYPE=cache \\\n make":       true,
		"RUN --mount=type=secret,id=a --mount=type=\"cache\",dst=/c make": true,
		"ARG KIND=cache\nRUN --mount=type=${KIND},target=/c make":         true,
		"RUN --mount=type=secret,id=npmrc npm ci":                         false,
		"RUN --mount=type=bind,source=src,target=src make":                false,
		"FROM scratch\nCOPY . .\n# type=cache\n":                          false,
	} {
		if got := dockerfile.Keeps([]byte(text)); got != want {
			t.Errorf("%q keeps something: %v, want %v", text, got, want)
		}
	}
}
