// Package docs_test holds the documents to the code: every YAML example is read by the
// reader of its kind, every link leads somewhere, and what ARCHITECTURE.md names exists.
// It lives here because only cmd may know every reader.
package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/cmd/seatrial/world"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/pipeline/spec"
	"github.com/seatrial/seatrial/release"
)

const root = "../../.."

// pages are the documents by their path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "examples/*.md", "examples/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, f)
			if err != nil {
				t.Fatal(err)
			}
			found[filepath.ToSlash(name)] = string(text)
		}
	}
	if len(found) < 10 {
		t.Fatalf("only %d pages were found", len(found))
	}
	return found
}

var (
	fence  = regexp.MustCompile("(?ms)^```([a-z]*)[^\n]*\n(.*?)^```\\s*$")
	named  = regexp.MustCompile(`^# (\S+\.ya?ml)\n`)
	ours   = regexp.MustCompile(`(?m)^(apiVersion: (seatrial\.dev/|openslo/|sloth\.)|version: prometheus/)`)
	api    = regexp.MustCompile(`(?m)^apiVersion: `)
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"`)
	test   = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`)
	quoted = regexp.MustCompile("`([^`\n]+)`")
	place  = regexp.MustCompile(`^\.?[a-zA-Z0-9_-]+(/[\w.-]+)+/?$`)
)

func TestEveryYAMLExampleIsValid(t *testing.T) {
	count := 0
	for name, text := range pages(t) {
		p := page{platform: fstest.MapFS{}, app: fstest.MapFS{}}
		for _, block := range fence.FindAllStringSubmatchIndex(text, -1) {
			if language := text[block[2]:block[3]]; language != "yaml" {
				continue
			}
			count++
			line := 1 + strings.Count(text[:block[0]], "\n")
			if err := p.take(t, line, text[block[4]:block[5]]); err != nil {
				t.Errorf("%s:%d: %v", name, line, err)
			}
		}
		if err := p.together(t); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if count < 10 {
		t.Errorf("only %d examples were found", count)
	}
}

// page collects the examples that only make sense together: those of the platform repo,
// and the manifests of an application, each headed by a comment with its file's name.
type page struct{ platform, app fstest.MapFS }

func (p page) take(t *testing.T, line int, text string) error {
	t.Helper()
	file := fmt.Sprintf("line-%d.yaml", line)
	switch {
	case ours.MatchString(text) && strings.Contains(text, "\nkind: Pipeline\n"):
		_, err := spec.Parse(spec.Name, []byte(text))
		return err
	case ours.MatchString(text):
		p.platform[file] = &fstest.MapFile{Data: []byte(text)}
		return nil
	case api.MatchString(text):
		m := named.FindStringSubmatch(text)
		if m == nil {
			return fmt.Errorf("a manifest has to begin with a comment that names its file, like # deploy/web.yaml")
		}
		p.app[m[1]] = &fstest.MapFile{Data: []byte(text)}
		return nil
	}
	tmp := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return err
	}
	_, err := settings.Read(tmp)
	return err
}

// together reads a page's platform examples as one repo and renders its manifests.
func (p page) together(t *testing.T) error {
	t.Helper()
	if len(p.platform) > 0 {
		if _, err := world.Check(p.platform); err != nil {
			return fmt.Errorf("the examples of the platform repo (by their line): %w", err)
		}
	}
	folders := map[string]bool{}
	for name := range p.app {
		folder, _, _ := strings.Cut(name, "/")
		folders[folder] = true
	}
	for folder := range folders {
		for _, env := range []release.Env{"staging", "prod"} {
			_, err := render.Render(t.Context(), p.app, render.Options{Path: folder, Env: env, Service: "shop/web", Namespace: "shop",
				Image: "registry.example/shop/web@sha256:" + strings.Repeat("a", 64)})
			if err != nil {
				return fmt.Errorf("render %s for %s: %w", folder, env, err)
			}
		}
	}
	return nil
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	for name, text := range pages(t) {
		text = fence.ReplaceAllString(text, "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target := m[1] + m[2]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") || strings.HasPrefix(target, "#") {
				continue
			}
			target, _, _ = strings.Cut(target, "#")
			at := path.Join(path.Dir(name), target)
			if _, err := os.Stat(filepath.Join(root, at)); err != nil {
				t.Errorf("%s: link to %s: there is no %s", name, target, at)
			}
		}
	}
}

// TestArchitectureNamesWhatIsThere: a map that names what is gone leads astray.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	text := pages(t)["ARCHITECTURE.md"]
	tests := declared(t)
	for _, name := range test.FindAllString(text, -1) {
		if !tests[name] {
			t.Errorf("ARCHITECTURE.md names %s, and no test is called so", name)
		}
	}
	for _, m := range quoted.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		first, _, _ := strings.Cut(m[1], "/")
		if info, err := os.Stat(filepath.Join(root, first)); err != nil || !info.IsDir() || !place.MatchString(m[1]) {
			continue // not a path of the repo
		}
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("ARCHITECTURE.md names %s, which is not there", m[1])
		}
	}
}

// declared are the names of all tests of the repo.
func declared(t *testing.T) map[string]bool {
	t.Helper()
	declaration := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && slices.Contains([]string{".git", "node_modules", "testdata", "dist"}, e.Name()) {
			return fs.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(name)
		for _, m := range declaration.FindAllStringSubmatch(string(source), -1) {
			found[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
