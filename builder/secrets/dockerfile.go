package secrets

import (
	"bytes"
	"encoding/csv"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Mount is a secret that a step of a Dockerfile asks for.
type Mount struct {
	ID   string
	Line int // where the step begins
}

// Mounts finds the secrets that the steps of a Dockerfile ask for. One that cannot be
// parsed asks for none: BuildKit says better what is wrong with it. Neither does a step
// whose id is put together by variables: BuildKit mounts nothing that it is not given.
func Mounts(dockerfile []byte) []Mount {
	parsed, err := parser.Parse(bytes.NewReader(dockerfile))
	if err != nil {
		return nil
	}
	var out []Mount
	for _, node := range parsed.AST.Children {
		if !strings.EqualFold(node.Value, "run") {
			continue
		}
		for _, flag := range node.Flags {
			if id := mounted(flag); id != "" && !strings.Contains(id, "$") {
				out = append(out, Mount{ID: id, Line: node.StartLine})
			}
		}
	}
	return out
}

// mounted is the id in a flag "--mount=type=secret,id=npmrc"; empty for any other flag.
func mounted(flag string) string {
	text, ok := strings.CutPrefix(flag, "--mount=")
	if !ok {
		return ""
	}
	fields, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return ""
	}
	said := map[string]string{}
	for _, f := range fields {
		key, value, _ := strings.Cut(f, "=")
		said[strings.ToLower(key)] = value
	}
	if !strings.EqualFold(said["type"], "secret") {
		return ""
	}
	for _, key := range []string{"id", "source", "src"} {
		if said[key] != "" {
			return said[key]
		}
	}
	for _, key := range []string{"target", "dst", "destination"} {
		if said[key] != "" {
			return path.Base(said[key])
		}
	}
	return ""
}
