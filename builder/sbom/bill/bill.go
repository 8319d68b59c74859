// Package bill reads what is in an image out of its CycloneDX document, for people who
// look for one thing in it.
//
// Start at Read, then Find. It never makes a document and never asks anybody.
package bill

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

const (
	maxDocument   = 16 << 20
	maxComponents = 100_000
	maxDepth      = 16 // of components within components
)

// Component is one thing in an image.
type Component struct {
	Name     string
	Version  string
	PURL     string
	Type     string // "library", "file", …
	Licences []string

	text string // in lower case: where a question is looked for
}

// Read lists the components of a document by name and version; plain files come last.
func Read(document []byte) ([]Component, error) {
	if len(document) > maxDocument {
		return nil, fmt.Errorf("read an SBOM: it has %d bytes, at most %d are read", len(document), maxDocument)
	}
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(document), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return nil, fmt.Errorf("read an SBOM: %w", err)
	}
	out, err := collect(nil, bom.Components, 0)
	if err != nil {
		return nil, fmt.Errorf("read an SBOM: %w", err)
	}
	slices.SortStableFunc(out, func(a, b Component) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.Version, b.Version), cmp.Compare(a.PURL, b.PURL))
	})
	return out, nil
}

func rank(c Component) int {
	if c.Type == string(cyclonedx.ComponentTypeFile) {
		return 1
	}
	return 0
}

func collect(out []Component, list *[]cyclonedx.Component, depth int) ([]Component, error) {
	if list == nil {
		return out, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("components within components, more than %d deep", maxDepth)
	}
	var err error
	for _, c := range *list {
		if len(out) == maxComponents {
			return nil, fmt.Errorf("more than %d components", maxComponents)
		}
		one := Component{Name: c.Name, Version: c.Version, PURL: c.PackageURL, Type: string(c.Type), Licences: licences(c)}
		if c.Group != "" {
			one.Name = c.Group + "/" + c.Name
		}
		one.text = strings.ToLower(strings.Join(append([]string{one.Name, one.Version, one.PURL, one.Type}, one.Licences...), "\n"))
		out = append(out, one)
		if out, err = collect(out, c.Components, depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func licences(c cyclonedx.Component) []string {
	var out []string
	if c.Licenses == nil {
		return nil
	}
	for _, l := range *c.Licenses {
		name := l.Expression
		if l.License != nil {
			name = cmp.Or(l.License.ID, l.License.Name)
		}
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Find keeps the components that have every word of the question somewhere, letter case
// ignored. No word: all of them.
func Find(all []Component, question string) []Component {
	words := strings.Fields(strings.ToLower(question))
	if len(words) == 0 {
		return all
	}
	var out []Component
	for _, c := range all {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(c.text, w) }) {
			out = append(out, c)
		}
	}
	return out
}

// Page is up to limit of all from number after on, and what after is for the next page; 0
// on the last.
func Page(all []Component, after, limit int) (page []Component, next int, err error) {
	if after < 0 || limit < 1 {
		return nil, 0, errors.New("a page has a beginning and a size")
	}
	begin := min(after, len(all))
	end := begin + min(limit, len(all)-begin)
	if end < len(all) {
		next = end
	}
	return all[begin:end], next, nil
}
