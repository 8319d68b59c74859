// Package sbom makes the list of what is in an image: one CycloneDX 1.6 document per
// platform, and one for the index that links them.
//
// Start reading at Generator.Generate. Go programs and plain files are described from
// what is in them, in milliseconds. Everything else needs a scanner, which needs hundreds
// of megabytes for a moment, so it runs in a child process (package scan) and never in the
// server itself. The same image always gives the same document, and what nobody knows is
// left out and declared to be incomplete.
package sbom

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"

	"github.com/seatrial/seatrial/builder/sbom/contents"
	"github.com/seatrial/seatrial/release"
)

// format changes when the same image has to be described anew after an upgrade.
const format = "2"

// Fetch writes one image into dir as an OCI layout.
type Fetch func(ctx context.Context, repository string, d release.Digest, dir string) error

// Config says how the child is run and what it may use.
type Config struct {
	Exec     string        // the program, usually our own
	Args     []string      // before ours; default "sbom"
	State    string        // folder of documents by image digest
	MaxBytes int64         // of one document; default 12 MiB
	Timeout  time.Duration // of one scan; default 5m
	Keep     int           // documents kept; default 300

	MaxImage int64 // bytes of one image, unpacked; default 16 GiB
	Maker
}

// Generator makes SBOMs. It is safe for concurrent use.
type Generator struct {
	cfg   Config
	fetch Fetch

	mu sync.Mutex // one child at a time
}

// New makes a Generator and its folder.
func New(cfg Config, fetch Fetch) (*Generator, error) {
	if cfg.Exec == "" || cfg.State == "" {
		return nil, errors.New("sbom: no program or no folder")
	}
	if cfg.Args == nil {
		cfg.Args = []string{"sbom"}
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = 12 << 20
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Minute
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 300
	}
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of SBOMs: %w", err)
	}
	return &Generator{cfg: cfg, fetch: fetch}, nil
}

// Generate makes the document of one platform of an artifact, or of its index when the
// platform has no name. The first question about an artifact describes all its platforms,
// since most of a scan's cost is starting it.
func (g *Generator) Generate(ctx context.Context, a release.Artifact, p release.Platform) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.Name == "" {
		return g.indexLocked(ctx, a)
	}
	if !slices.Contains(a.Platforms, p) {
		return nil, fmt.Errorf("SBOM of %s %s: not a platform of %s", p.Name, p.Digest, a.Reference())
	}
	return g.documentLocked(ctx, a, p)
}

func (g *Generator) documentLocked(ctx context.Context, a release.Artifact, p release.Platform) ([]byte, error) {
	if doc, err := g.readLocked(a.Repository, p); err == nil {
		return doc, nil
	}
	var missing []release.Platform
	for _, x := range a.Platforms {
		if _, err := os.Stat(g.file(a.Repository, x)); err != nil || x == p {
			missing = append(missing, x)
		}
	}
	g.pruneLocked()
	if err := g.describeLocked(ctx, a.Repository, missing); err != nil {
		return nil, fmt.Errorf("describe %s: %w", a.Repository, err)
	}
	return g.readLocked(a.Repository, p)
}

// indexLocked makes the document of an artifact's index: its platforms, each linked to
// its own document, as old as the youngest of them.
func (g *Generator) indexLocked(ctx context.Context, a release.Artifact) ([]byte, error) {
	var made time.Time
	d := &draft{components: map[string]cyclonedx.Component{}, needs: map[string][]string{}}
	for _, p := range a.Platforms {
		doc, err := g.documentLocked(ctx, a, p)
		if err != nil {
			return nil, err
		}
		var part struct {
			Metadata struct {
				Timestamp time.Time
				Component cyclonedx.Component
			}
		}
		if err := json.Unmarshal(doc, &part); err != nil {
			return nil, fmt.Errorf("read SBOM of %s: %w", p.Digest, err)
		}
		if part.Metadata.Timestamp.After(made) {
			made = part.Metadata.Timestamp
		}
		c := part.Metadata.Component
		c.ExternalReferences = &[]cyclonedx.ExternalReference{{Type: cyclonedx.ERTypeBOM, URL: "urn:cdx:" + strings.TrimPrefix(Serial(p.Digest), "urn:uuid:") + "/1"}}
		d.components[c.BOMRef], d.top = c, append(d.top, c.BOMRef)
		d.untold = append(d.untold, c.BOMRef) // its own document says what is in it
	}
	bom := g.cfg.begin(a.Repository, a.Digest, made)
	d.finish(bom, true)
	return encode(bom, cyclonedx.SpecVersion1_6)
}

// file is where a document is kept: under the image's digest and all that it says besides.
func (g *Generator) file(repository string, p release.Platform) string {
	said := sha256.Sum256([]byte(strings.Join([]string{format, g.cfg.Author, repository, p.Name}, "\n")))
	return filepath.Join(g.cfg.State, p.Digest.Hex()+"-"+hex.EncodeToString(said[:6])+".json")
}

func (g *Generator) readLocked(repository string, p release.Platform) ([]byte, error) {
	doc, err := os.ReadFile(g.file(repository, p))
	if err == nil && !json.Valid(doc) {
		err = errors.New("damaged")
	}
	if err != nil {
		return nil, fmt.Errorf("read SBOM of %s: %w", p.Digest, err)
	}
	return doc, nil
}

// write puts what fill writes where a document is kept, all or nothing.
func (g *Generator) write(repository string, p release.Platform, fill func(io.Writer) error) error {
	tmp := g.file(repository, p) + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(fill(f), f.Close()); err != nil {
		_ = os.Remove(tmp) // overwritten by the next
		return fmt.Errorf("SBOM of %s: %w", p.Name, err)
	}
	return os.Rename(tmp, g.file(repository, p))
}

// pruneLocked forgets the oldest documents, and what a crash left behind.
func (g *Generator) pruneLocked() {
	entries, err := os.ReadDir(g.cfg.State)
	if err != nil {
		return // the scan will say so
	}
	age := map[string]time.Time{}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			_ = os.RemoveAll(filepath.Join(g.cfg.State, e.Name())) // tried again before the next scan
		} else if info, err := e.Info(); err == nil {
			age[e.Name()], names = info.ModTime(), append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int { return age[a].Compare(age[b]) })
	for _, n := range names[:max(0, len(names)-g.cfg.Keep)] {
		_ = os.Remove(filepath.Join(g.cfg.State, n)) // tried again before the next scan
	}
}

// describeLocked fetches images and writes a document of each: by ourselves, where there
// is nothing in it that needs a scanner, and through the child for the others.
func (g *Generator) describeLocked(ctx context.Context, repository string, images []release.Platform) error {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Timeout)
	defer cancel()
	dir, err := os.MkdirTemp(g.cfg.State, "scan-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var rest []release.Platform
	for _, p := range images {
		layout := filepath.Join(dir, p.Digest.Hex())
		if err := g.fetch(ctx, repository, p.Digest, layout); err != nil {
			return err
		}
		img, err := contents.Read(ctx, layout, p.Digest, contents.Options{MaxBytes: g.cfg.MaxImage, Temp: dir})
		if err != nil {
			return err
		}
		if img.Rest != "" {
			rest = append(rest, p)
			continue
		}
		doc, err := g.cfg.Document(repository, p, img, nil)
		if err != nil {
			return err
		}
		if int64(len(doc)) > g.cfg.MaxBytes {
			return errLarge
		}
		if err := g.write(repository, p, func(w io.Writer) error { _, err := w.Write(doc); return err }); err != nil {
			return err
		}
	}
	if rest == nil {
		return nil
	}
	return g.scan(ctx, dir, repository, rest)
}
