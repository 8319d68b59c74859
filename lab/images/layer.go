package images

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tarWriter writes files into a layer with owners but without times, so that
// the same content gives the same digest.
type tarWriter struct{ *tar.Writer }

// writeLayer makes a layer's tar, compressed, and its description in dir.
func writeLayer(ctx context.Context, dir string, l Layer) (err error) {
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "layer.tar.gz"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	packed := &counter{hash: sha256.New()}
	buf := bufio.NewWriterSize(io.MultiWriter(f, packed), 1<<20)
	// The fastest level: a layer is written once and read over loopback.
	gz, err := gzip.NewWriterLevel(buf, gzip.BestSpeed)
	if err != nil {
		return err
	}
	plain := sha256.New()
	tw := &tarWriter{tar.NewWriter(io.MultiWriter(gz, plain))}
	if err := l.Make(ctx, work, tw); err != nil {
		return err
	}
	if err := errors.Join(tw.Close(), gz.Close(), buf.Flush()); err != nil {
		return err
	}
	text, err := json.Marshal(blob{Digest: digest(packed.hash), DiffID: digest(plain), Size: packed.n})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "blob.json"), text, 0o644)
}

type counter struct {
	hash hash.Hash
	n    int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.hash.Write(p)
}

func digest(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// file adds one file with the given content.
func (w *tarWriter) file(name string, mode int64, content []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(content)), Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0)}); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// dir adds a folder.
func (w *tarWriter) dir(name string, mode int64, uid int) error {
	return w.WriteHeader(&tar.Header{Name: name + "/", Mode: mode, Uid: uid, Gid: uid, Typeflag: tar.TypeDir, ModTime: time.Unix(0, 0)})
}

// tree adds everything below from under the name prefix; skip may leave out
// paths relative to from.
func (w *tarWriter) tree(ctx context.Context, from, prefix string, skip func(rel string) bool) error {
	links := map[uint64]string{}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		if skip != nil && skip(rel) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		return w.entry(path, filepath.Join(prefix, rel), d, links)
	})
}

func (w *tarWriter) entry(path, name string, d fs.DirEntry, links map[uint64]string) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	if info.Mode()&(fs.ModeSocket|fs.ModeNamedPipe|fs.ModeDevice) != 0 {
		return nil // a container brings its own
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = os.Readlink(path); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Name, h.ModTime, h.AccessTime, h.ChangeTime = name, time.Unix(0, 0), time.Time{}, time.Time{}
	h.Uname, h.Gname = "", ""
	if info.IsDir() {
		h.Name += "/"
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode().IsRegular() && st.Nlink > 1 {
		if first, seen := links[st.Ino]; seen {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		} else {
			links[st.Ino] = name
		}
	}
	if err := w.WriteHeader(h); err != nil {
		return fmt.Errorf("add %s: %w", name, err)
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close())
}

// below reports whether rel is one of dirs or inside one.
func below(rel string, dirs ...string) bool {
	for _, d := range dirs {
		if rel == d || strings.HasPrefix(rel, d+"/") {
			return true
		}
	}
	return false
}
