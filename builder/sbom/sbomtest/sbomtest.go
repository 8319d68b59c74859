// Package sbomtest checks documents against the schemas that CycloneDX publishes, as the
// module of its Go library carries them. Start at Valid. It is never imported by anything
// but tests.
package sbomtest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const published = "http://cyclonedx.org/schema/"

// Valid fails the test unless the document is valid under the schema of the version that
// it says it has.
func Valid(t *testing.T, document []byte) {
	t.Helper()
	var says struct{ SpecVersion string }
	if err := json.Unmarshal(document, &says); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema(t, "bom-"+says.SpecVersion+".schema.json").Validate(doc); err != nil {
		t.Errorf("CycloneDX %s: %v", says.SpecVersion, err)
	}
}

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatalf("find the schemas: %v", err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for file, as := range map[string]string{name: name, "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schemax.json": "jsf-0.82.schema.json"} {
		raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "schema", file))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(published+as, doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile(published + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
