// Package build makes the programs that the lab runs and keeps them in a cache
// outside the repository.
//
// Start at Builder.Build. A cache entry is named by a digest of everything that
// goes into it and appears by a rename, so an entry that exists is complete.
// The package never touches the product's module.
package build

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Builder builds families from Source into Cache.
type Builder struct {
	Source string // the folder lab/components of a checkout
	Cache  string
	Say    func(format string, args ...any) // progress, one line each
}

// Work is one build under way.
type Work struct {
	Context context.Context
	Source  string // the family's folder
	Out     string // becomes the cache entry
}

// Dir returns where a family's cache entry lies or will lie.
func (b *Builder) Dir(f Family) (string, error) {
	key, err := Key(f, filepath.Join(b.Source, f.Name), runtime.Version())
	if err != nil {
		return "", fmt.Errorf("find cache entry of %s: %w", f.Name, err)
	}
	return filepath.Join(b.Cache, f.Name+"-"+key), nil
}

// Bin returns the folder of a family's programs.
func (b *Builder) Bin(family string) (string, error) {
	all := known()
	i := slices.IndexFunc(all, func(f Family) bool { return f.Name == family })
	if i < 0 {
		return "", fmt.Errorf("no family %q", family)
	}
	dir, err := b.Dir(all[i])
	return filepath.Join(dir, "bin"), err
}

// Key digests what a family is made of: its sources, how it is built, and by which Go.
func Key(f Family, source, goVersion string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "lab 1\n%s %s\n%q %q %q\n", goVersion, runtime.GOARCH, f.Tags, f.LDFlags, f.Programs)
	err := filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(source, path)
		fmt.Fprintf(h, "%s %x\n", rel, sha256.Sum256(b))
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:16], err
}

// Missing returns the families that have no complete cache entry.
func (b *Builder) Missing(families []Family) ([]Family, error) {
	var missing []Family
	for _, f := range families {
		dir, err := b.Dir(f)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, f)
		} else if err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// Build makes the families that the cache lacks, one after the other: each
// build already uses every core.
func (b *Builder) Build(ctx context.Context, families []Family) error {
	missing, err := b.Missing(families)
	if err != nil {
		return err
	}
	for i, f := range missing {
		start := time.Now()
		b.Say("build %s (%d of %d)", f.Name, i+1, len(missing))
		if err := b.one(ctx, f); err != nil {
			return fmt.Errorf("build %s: %w", f.Name, err)
		}
		b.Say("build %s: done in %s", f.Name, time.Since(start).Round(time.Second))
	}
	return nil
}

func (b *Builder) one(ctx context.Context, f Family) (err error) {
	dir, err := b.Dir(f)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.Cache, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(b.Cache, ".building-"+f.Name+"-")
	if err != nil {
		return err
	}
	defer func() {
		if rm := os.RemoveAll(tmp); err == nil {
			err = rm
		}
	}()
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	w := Work{Context: ctx, Source: filepath.Join(b.Source, f.Name), Out: tmp}
	if err := os.Mkdir(filepath.Join(tmp, "bin"), 0o755); err != nil {
		return err
	}
	for _, p := range f.Programs {
		if err := b.program(w, f, p); err != nil {
			return err
		}
	}
	if f.Extras != nil {
		if err := f.Extras(w); err != nil {
			return err
		}
	}
	if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (b *Builder) program(w Work, f Family, p Program) error {
	args := []string{
		"build", "-v", "-tags", f.Tags, "-ldflags", strings.TrimSpace("-s -w " + f.LDFlags),
		"-o", filepath.Join(w.Out, "bin", p.Name), p.Package,
	}
	cmd := exec.CommandContext(w.Context, "go", args...)
	cmd.Dir = w.Source
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=1")
	watch := &progress{name: p.Name, say: b.Say, last: time.Now()}
	cmd.Stdout, cmd.Stderr = watch, watch
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.Name, err, watch.tail())
	}
	return nil
}

// progress turns the list of packages that a build prints into a line now and
// then, and keeps the end for an error.
type progress struct {
	name  string
	say   func(string, ...any)
	count int
	last  time.Time
	buf   bytes.Buffer
	lines []string
}

func (p *progress) Write(b []byte) (int, error) {
	p.buf.Write(b)
	for {
		line, err := p.buf.ReadString('\n')
		if err != nil {
			p.buf.Reset()
			p.buf.WriteString(line)
			break
		}
		p.count++
		p.lines = append(p.lines, strings.TrimRight(line, "\n"))
		p.lines = p.lines[max(0, len(p.lines)-12):]
	}
	if time.Since(p.last) > 20*time.Second {
		p.last = time.Now()
		p.say("build %s: %d packages", p.name, p.count)
	}
	return len(b), nil
}

func (p *progress) tail() string {
	return "  | " + strings.Join(append(p.lines, p.buf.String()), "\n  | ")
}

// command runs a command of an extra step and shows its end when it fails.
func command(w Work, out io.Writer, argv ...string) error {
	cmd := exec.CommandContext(w.Context, argv[0], argv[1:]...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.Source, out, &stderr
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv[:2], " "), err, lastLines(stderr.String(), 12))
	}
	return nil
}

func lastLines(s string, n int) string {
	var lines []string
	for sc := bufio.NewScanner(strings.NewReader(s)); sc.Scan(); {
		lines = append(lines, sc.Text())
	}
	return "  | " + strings.Join(lines[max(0, len(lines)-n):], "\n  | ")
}

// buildHelpers compiles the small C programs, static, so that they also run
// where there is no library: in an image, or in a pod's namespaces.
func buildHelpers(w Work) error {
	for _, name := range []string{"sandbox", "pause", "nsexec", "memStress"} {
		out := filepath.Join(w.Out, "bin", name)
		if err := command(w, io.Discard, "gcc", "-O2", "-Wall", "-Werror", "-static", "-s", "-o", out, name+".c"); err != nil {
			return err
		}
	}
	return nil
}

func moduleDir(w Work, module string) (string, error) {
	var out bytes.Buffer
	err := command(w, &out, "go", "list", "-m", "-f", "{{.Dir}}", module)
	return strings.TrimSpace(out.String()), err
}

// renderCRDs writes the custom resource definitions as JSON, with the field
// that the newer api module sets by default and the older file lacks.
func renderCRDs(w Work) error {
	dir, err := moduleDir(w, "github.com/chaos-mesh/chaos-mesh")
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := command(w, &out, "go", "run", "./crds", filepath.Join(dir, "manifests", "crd.yaml")); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.Out, CRDFile), out.Bytes(), 0o644)
}

// renderGatewayCRDs writes the standard definitions of the Gateway API that the gateway was
// compiled with, as one list in JSON.
func renderGatewayCRDs(w Work) error {
	dir, err := moduleDir(w, "sigs.k8s.io/gateway-api")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "config", "crd", "standard", "gateway.networking.k8s.io_*.yaml"))
	if err != nil || len(files) == 0 {
		return errors.Join(err, fmt.Errorf("no definitions of the Gateway API below %s", dir))
	}
	var all []any
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		var crd any
		if err := yaml.Unmarshal(b, &crd); err != nil {
			return fmt.Errorf("read %s: %w", filepath.Base(f), err)
		}
		all = append(all, crd)
	}
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.Out, GatewayCRDFile), b, 0o644)
}

// copyGiteaFiles brings the templates and texts that a build from the module
// does not embed.
func copyGiteaFiles(w Work) error {
	dir, err := moduleDir(w, "code.gitea.io/gitea")
	if err != nil {
		return err
	}
	for _, sub := range []string{"options", "templates", "public"} {
		if err := os.CopyFS(filepath.Join(w.Out, GiteaShare, sub), os.DirFS(filepath.Join(dir, sub))); err != nil {
			return err
		}
	}
	return nil
}

// Prune removes what no family of this checkout uses any more, and what a
// crash left half-built. Base images, which are named otherwise, stay.
func (b *Builder) Prune() error {
	entries, err := os.ReadDir(b.Cache)
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	for _, f := range known() {
		dir, err := b.Dir(f)
		if err != nil {
			return err
		}
		for _, e := range entries {
			old := strings.HasPrefix(e.Name(), f.Name+"-") && e.Name() != filepath.Base(dir)
			if !old && !strings.HasPrefix(e.Name(), ".building-"+f.Name+"-") {
				continue
			}
			if err := os.RemoveAll(filepath.Join(b.Cache, e.Name())); err != nil {
				return fmt.Errorf("prune: %w", err)
			}
		}
	}
	return nil
}
