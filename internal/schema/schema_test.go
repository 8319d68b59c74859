package schema_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/seatrial/seatrial/internal/schema"
	"github.com/seatrial/seatrial/internal/strict"
)

const published = "../../docs/schema"

func generate(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := schema.Generate("../../release")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestPublishedSchemasAreCurrent(t *testing.T) {
	files := generate(t)
	if update() {
		for name, want := range files {
			if err := os.WriteFile(filepath.Join(published, name), want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(published, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/schema/%s is not what release/ says (%v): run go generate ./internal/schema", name, err)
		}
	}
	entries, err := os.ReadDir(published)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()] == nil {
			t.Errorf("docs/schema/%s belongs to no kind: remove it", e.Name())
		}
	}
}

var updateFlag = flag.Bool("update", false, "rewrite docs/schema")

func update() bool { return *updateFlag }

// TestSchemasAgreeWithTheReader: what an editor accepts and what the server accepts have
// the same shape.
func TestSchemasAgreeWithTheReader(t *testing.T) {
	compiled := compile(t)
	archive, err := txtar.ParseFile("../platform/testdata/good.txtar")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range archive.Files {
		if !strings.HasSuffix(f.Name, ".yaml") || strings.HasPrefix(f.Name, ".") {
			continue
		}
		docs, err := strict.Documents(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			s := compiled[strings.ToLower(d.Kind)+".json"]
			if s == nil {
				continue
			}
			seen[d.Kind] = true
			var v map[string]any
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(v); err != nil {
				t.Errorf("%s: %s %s: %v", f.Name, d.Kind, d.Name, err)
			}
			v["typo"] = true
			if s.Validate(v) == nil {
				t.Errorf("%s: the schema lets an unknown key pass", d.Kind)
			}
		}
	}
	if len(seen) != 6 {
		t.Errorf("only %v were tried", seen)
	}
}

func compile(t *testing.T) map[string]*validator.Schema {
	t.Helper()
	compiled := map[string]*validator.Schema{}
	for name, b := range generate(t) {
		doc, err := validator.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		c := validator.NewCompiler()
		if err := c.AddResource(name, doc); err != nil {
			t.Fatal(err)
		}
		if compiled[name], err = c.Compile(name); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return compiled
}

func TestPipelineNeedsNoBuildSection(t *testing.T) {
	s := compile(t)["pipeline.json"]
	p := map[string]any{"apiVersion": "seatrial.dev/v1", "kind": "Pipeline", "metadata": map[string]any{"name": "web", "team": "shop"},
		"spec": map[string]any{"deploy": map[string]any{"manifests": "deploy", "environments": []any{"staging"}}}}
	if err := s.Validate(p); err != nil {
		t.Error(err)
	}
	delete(p["spec"].(map[string]any), "deploy")
	if s.Validate(p) == nil {
		t.Error("a pipeline without deploy passes")
	}
}
