// Package contents reads what one image holds from an OCI layout: its Go programs with
// their build information, and its plain files. Start at Read. It never unpacks an image,
// never follows a link in it and never starts what is in it, and every size that an image
// could choose has a limit.
package contents

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Limits on what an image may make us do.
const (
	maxJSON    = 4 << 20   // of a manifest or a config
	maxLayers  = 512       // of one image
	maxPath    = 4096      // bytes
	maxProgram = 512 << 20 // bytes; a larger one is left to the scanner
	maxText    = 256 << 10 // bytes of one licence text
	maxTexts   = 8 << 20   // bytes of all licence texts of a layer
)

// ErrTooLarge says that an image holds more than we are willing to read.
var ErrTooLarge = errors.New("the image holds too much")

// Options says how much is read.
type Options struct {
	// Whole reads on when something was found that only a scanner can describe.
	Whole    bool
	MaxBytes int64  // of all layers, uncompressed; default 16 GiB
	MaxFiles int    // of all layers; default 500,000
	Temp     string // folder for one program at a time; default the system's
}

// Image is what one image holds, with every list sorted.
type Image struct {
	Created  time.Time         // zero when the image does not say
	Author   string            // as the image says
	Labels   map[string]string // as the image says
	Programs []Program
	Files    []File // everything that is neither a Go program nor a link or a device
	// Rest is a file that needs a scanner to be described, "" when there is none. Reading
	// ended there, without Programs and Files, unless Options.Whole was asked for.
	Rest string

	texts map[string][]byte // licence texts by path
}

// File is one regular file.
type File struct {
	Path   string // "/etc/passwd"
	Size   int64  // bytes
	SHA256 string // hex
}

// Program is a Go program, described by its linker.
type Program struct {
	File
	Info *buildinfo.BuildInfo
}

// Read reads the image d of the OCI layout in dir.
func Read(ctx context.Context, dir string, d release.Digest, opt Options) (*Image, error) {
	if opt.MaxBytes <= 0 {
		opt.MaxBytes = 16 << 30
	}
	if opt.MaxFiles <= 0 {
		opt.MaxFiles = 500_000
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("read image %s: %w", d, err)
	}
	defer root.Close()
	r := &reader{ctx: ctx, root: root, opt: opt, left: opt.MaxBytes}
	img, err := r.image(d)
	if err := errors.Join(err, r.close()); err != nil {
		return nil, fmt.Errorf("read image %s: %w", d, err)
	}
	return img, nil
}

// reader reads one image.
type reader struct {
	ctx   context.Context
	root  *os.Root
	opt   Options
	left  int64 // bytes that may still be unpacked
	files int   // seen so far
	spool *os.File
	buf   []byte

	described int64 // bytes of files so far
}

func (r *reader) close() error {
	if r.spool == nil {
		return nil
	}
	return errors.Join(r.spool.Close(), os.Remove(r.spool.Name()))
}

func (r *reader) image(d release.Digest) (*Image, error) {
	var manifest struct {
		Config struct{ Digest release.Digest }
		Layers []struct{ Digest release.Digest }
	}
	if err := r.json(d, &manifest); err != nil {
		return nil, err
	}
	var config struct {
		Created time.Time
		Author  string
		Config  struct{ Labels map[string]string }
	}
	if err := r.json(manifest.Config.Digest, &config); err != nil {
		return nil, err
	}
	if len(manifest.Layers) > maxLayers {
		return nil, fmt.Errorf("%d layers: %w", len(manifest.Layers), ErrTooLarge)
	}
	img := &Image{Created: config.Created, Author: config.Author, Labels: config.Config.Labels}
	all := tree{}
	for _, l := range manifest.Layers {
		upper, err := r.layer(l.Digest)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.Digest, err)
		}
		if all = upper.over(all); upper.rest != "" && !r.opt.Whole {
			img.Rest = upper.rest
			return img, nil
		}
	}
	img.fill(all)
	return img, nil
}

func (i *Image) fill(all tree) {
	i.texts = map[string][]byte{}
	for path, e := range all {
		f := File{Path: path, Size: e.size, SHA256: hex.EncodeToString(e.sum[:])}
		switch {
		case e.info != nil:
			i.Programs = append(i.Programs, Program{File: f, Info: e.info})
		default:
			i.Files = append(i.Files, f)
		}
		if e.text != nil {
			i.texts[path] = e.text
		}
		if e.rest && (i.Rest == "" || path < i.Rest) {
			i.Rest = path
		}
	}
	slices.SortFunc(i.Programs, func(a, b Program) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(i.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
}

// json reads a small blob.
func (r *reader) json(d release.Digest, out any) error {
	b, err := r.open(d)
	if err != nil {
		return err
	}
	defer b.file.Close()
	raw, err := io.ReadAll(io.LimitReader(b, maxJSON+1))
	switch {
	case err != nil:
		return fmt.Errorf("read blob %s: %w", d, err)
	case len(raw) > maxJSON:
		return fmt.Errorf("blob %s is over %d bytes: %w", d, maxJSON, ErrTooLarge)
	}
	if err := b.check(); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("blob %s: %w", d, err)
	}
	return nil
}

// blob is hashed while it is read.
type blob struct {
	file   *os.File
	sum    hash.Hash
	digest release.Digest
}

func (r *reader) open(d release.Digest) (*blob, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("blob %q: not a sha256 digest", d)
	}
	f, err := r.root.Open("blobs/sha256/" + d.Hex())
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	return &blob{file: f, sum: sha256.New(), digest: d}, nil
}

// Read reads and hashes.
func (b *blob) Read(p []byte) (int, error) {
	n, err := b.file.Read(p)
	b.sum.Write(p[:n])
	return n, err
}

// check reads what is left of the blob and says whether it is the one it should be.
func (b *blob) check() error {
	if _, err := io.Copy(io.Discard, b); err != nil {
		return fmt.Errorf("read blob %s: %w", b.digest, err)
	}
	if got := hex.EncodeToString(b.sum.Sum(nil)); got != b.digest.Hex() {
		return fmt.Errorf("blob %s is damaged: it is sha256:%s", b.digest, got)
	}
	return nil
}
