package contents

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/release"
)

// entry is one regular file of a layer.
type entry struct {
	size int64
	sum  [sha256.Size]byte
	info *buildinfo.BuildInfo // of a Go program
	text []byte               // of a licence
	rest bool                 // only a scanner can say what it is
}

// tree is what a stack of layers shows, by path.
type tree map[string]*entry

// layer is one layer, and what it takes away from those below it.
type layer struct {
	files  tree
	gone   map[string]bool // what is here, or below, is not seen any more
	opaque map[string]bool // folders of which only this layer's files are seen
	rest   string          // the first file for a scanner, "" when there is none
}

// over lays l on what is below.
func (l *layer) over(below tree) tree {
	for p, e := range below {
		if _, replaced := l.files[p]; !replaced && !l.hides(p) {
			l.files[p] = e
		}
	}
	return l.files
}

func (l *layer) hides(p string) bool {
	if len(l.gone)+len(l.opaque) == 0 {
		return false
	}
	for hidden := l.gone[p]; ; hidden = l.gone[p] || l.opaque[p] {
		if hidden || p == "/" {
			return hidden
		}
		p = path.Dir(p)
	}
}

// layer reads one layer to its end, unless a file for a scanner stops it.
func (r *reader) layer(d release.Digest) (*layer, error) {
	b, err := r.open(d)
	if err != nil {
		return nil, err
	}
	defer b.file.Close()
	unpacked, err := unpack(b)
	if err != nil {
		return nil, err
	}
	defer unpacked.Close()
	in := &bounded{reader: r, from: unpacked}
	l := &layer{files: tree{}, gone: map[string]bool{}, opaque: map[string]bool{}}
	texts := 0
	for t := tar.NewReader(in); ; {
		h, err := t.Next()
		switch {
		case err == io.EOF:
			// What follows the end of a tar is padding, which belongs to the digest.
			if _, err := io.Copy(io.Discard, in); err != nil {
				return nil, err
			}
			return l, b.check()
		case err != nil:
			return nil, err
		}
		p, err := clean(h.Name)
		if err != nil {
			return nil, err
		}
		if r.files++; r.files > r.opt.MaxFiles {
			return nil, fmt.Errorf("over %d files: %w", r.opt.MaxFiles, ErrTooLarge)
		}
		if err := r.add(l, p, h, t, &texts); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		if l.rest != "" && !r.opt.Whole {
			return l, nil
		}
	}
}

// add puts one entry of the archive into the layer.
func (r *reader) add(l *layer, p string, h *tar.Header, body io.Reader, texts *int) error {
	dir, name := path.Split(p)
	if whiteout, ok := strings.CutPrefix(name, ".wh."); ok {
		switch whiteout {
		case ".wh..opq":
			l.opaque[path.Clean(dir)] = true
		case "", ".", "..": // runtimes differ in what they make of it
			return errors.New("it takes away the folder that it is in")
		default:
			l.gone[path.Join(dir, whiteout)] = true
		}
		return nil
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg, tar.TypeGNUSparse:
		e, err := r.file(p, h.Size, body, *texts < maxTexts)
		if err != nil {
			return err
		}
		*texts += len(e.text)
		l.put(p, e)
	case tar.TypeLink:
		// A second name of a file that came before it; what else it may be we cannot say.
		target, err := clean(h.Linkname)
		if err != nil {
			return err
		}
		e, ok := l.files[target]
		if !ok {
			e = &entry{rest: true}
		}
		l.put(p, e)
	default: // a link, a device, a pipe: nothing to describe, but it replaces what was there
		delete(l.files, p)
		l.gone[p] = true
	}
	return nil
}

func (l *layer) put(p string, e *entry) {
	l.files[p] = e
	l.gone[p] = true // a folder of this name below is not seen any more
	if e.rest && l.rest == "" {
		l.rest = p
	}
}

// clean is a name of an archive as a path from the root; one that is not text is quoted.
func clean(name string) (string, error) {
	if len(name) > maxPath {
		return "", fmt.Errorf("a path of %d bytes: %w", len(name), ErrTooLarge)
	}
	p := path.Clean("/" + name)
	if !utf8.ValidString(p) {
		p = "/" + strconv.QuoteToASCII(p)
	}
	return p, nil
}

// unpack reads a layer as its first bytes say, not as its media type does.
func unpack(b io.Reader) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(b, 256<<10)
	magic, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return gzip.NewReader(in)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(in), nil
}

// bounded stops at the end of what may be unpacked of an image, and when nobody waits.
type bounded struct {
	reader *reader
	from   io.Reader
}

// Read reads, while that is allowed.
func (b *bounded) Read(p []byte) (int, error) {
	if err := b.reader.ctx.Err(); err != nil {
		return 0, err
	}
	if b.reader.left <= 0 {
		return 0, fmt.Errorf("over %d bytes: %w", b.reader.opt.MaxBytes, ErrTooLarge)
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.reader.left)])
	b.reader.left -= int64(n)
	return n, err
}
