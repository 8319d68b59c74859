package pack

import (
	"bufio"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
)

// writer makes a pack and its index.
type writer struct {
	ctx   context.Context
	out   *bufio.Writer // to the file
	sum   hash.Hash     // of all bytes
	crc   hash.Hash32   // of the object that is being written
	at    int64
	n     int
	left  map[plumbing.Hash]struct{} // what is still to be written
	index idxfile.Writer
	z     *zlib.Writer
}

// Write passes on bytes of an object.
func (w *writer) Write(p []byte) (int, error) {
	w.sum.Write(p)
	w.crc.Write(p)
	n, err := w.out.Write(p)
	w.at += int64(n)
	return n, err
}

// object writes one object, unless it is there already.
func (w *writer) object(h plumbing.Hash, body func() error) error {
	if _, wanted := w.left[h]; !wanted {
		return nil
	}
	delete(w.left, h)
	if err := w.ctx.Err(); err != nil {
		return err
	}
	w.n++
	w.crc.Reset()
	at := w.at
	if err := body(); err != nil {
		return fmt.Errorf("object %s: %w", h, err)
	}
	w.index.Add(h, uint64(at), w.crc.Sum32())
	return nil
}

// write makes the pack below dir, and says where it is.
func write(ctx context.Context, dir string, packs []*source, loose []file) (string, error) {
	left := map[plumbing.Hash]struct{}{}
	for _, s := range packs {
		for _, o := range s.objects {
			left[o.hash] = struct{}{}
		}
	}
	for _, f := range loose {
		left[looseID(f)] = struct{}{}
	}
	tmp, err := os.CreateTemp(dir, "tmp_merge_")
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	w := &writer{ctx: ctx, out: bufio.NewWriterSize(tmp, 1<<16), sum: sha1.New(), crc: crc32.NewIEEE(), left: left, z: zlib.NewWriter(nil)}
	sum, err := w.all(packs, loose)
	if err = errors.Join(err, w.out.Flush(), tmp.Chmod(0o444), tmp.Sync()); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "pack-"+sum.String()+".pack")
	if err := w.save(indexOf(path)); err != nil {
		return "", err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return "", err
	}
	return path, syncFolder(dir)
}

// all writes the whole pack, and gives the checksum that names it.
func (w *writer) all(packs []*source, loose []file) (sum plumbing.Hash, err error) {
	count := uint32(len(w.left))
	if err := w.index.OnHeader(count); err != nil {
		return sum, err
	}
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("PACK"), 2), count)
	if _, err := w.Write(header); err != nil {
		return sum, err
	}
	for _, s := range packs {
		if err := w.copyPack(s); err != nil {
			return sum, fmt.Errorf("%s: %w", filepath.Base(s.path), err)
		}
	}
	for _, f := range loose {
		if err := w.object(looseID(f), func() error { return w.pack(f) }); err != nil {
			return sum, err
		}
	}
	copy(sum[:], w.sum.Sum(nil))
	if err := w.index.OnFooter(sum); err != nil {
		return sum, err
	}
	_, err = w.out.Write(sum[:])
	return sum, err
}

// save writes the index.
func (w *writer) save(path string) error {
	index, err := w.index.Index()
	if err != nil {
		return err
	}
	if n, err := index.Count(); err != nil || n != int64(w.n) || len(w.left) > 0 {
		return errors.Join(err, fmt.Errorf("%d objects are in the index, %d in the pack and %d in none", n, w.n, len(w.left)))
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "tmp_idx_")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	out := bufio.NewWriter(tmp)
	_, err = idxfile.NewEncoder(out).Encode(index)
	if err := errors.Join(err, out.Flush(), tmp.Chmod(0o444), tmp.Sync()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func looseID(f file) plumbing.Hash {
	dir, name := filepath.Split(f.path)
	return plumbing.NewHash(filepath.Base(dir) + name)
}

// pack packs a loose object whole.
func (w *writer) pack(f file) error {
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := objfile.NewReader(in)
	if err != nil {
		return err
	}
	defer r.Close()
	kind, size, err := r.Header()
	if err != nil {
		return err
	}
	if _, err := w.Write(entryHeader(kind, size)); err != nil {
		return err
	}
	w.z.Reset(w)
	n, err := io.Copy(w.z, r)
	if err := errors.Join(err, w.z.Close()); err != nil {
		return err
	}
	if n != size || r.Hash() != looseID(f) {
		return fmt.Errorf("%s is not what its name says", f.path)
	}
	return nil
}

// entryHeader is the kind and size that an object in a pack begins with.
func entryHeader(kind plumbing.ObjectType, size int64) []byte {
	b := []byte{byte(kind)<<4 | byte(size&0xf)}
	for size >>= 4; size > 0; size >>= 7 {
		b[len(b)-1] |= 0x80
		b = append(b, byte(size&0x7f))
	}
	return b
}

// copyPack copies what is still to be written as it is. What is stored as a difference from
// an object in the same pack is a difference from that object's id then: it is here already,
// or comes from the same pack, so there never are two that differ from each other.
func (w *writer) copyPack(s *source) error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	end := s.size - sha1.Size
	for i, o := range s.objects {
		next := end
		if i+1 < len(s.objects) {
			next = s.objects[i+1].at
		}
		raw := io.NewSectionReader(f, o.at, next-o.at)
		if err := w.object(o.hash, func() error { return w.copyObject(s, o, raw) }); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) copyObject(s *source, o object, raw *io.SectionReader) error {
	was := crc32.NewIEEE()
	in := bufio.NewReader(io.TeeReader(raw, was))
	header, base, err := readHeader(in)
	if err != nil {
		return err
	}
	if base > 0 {
		i, ok := s.find(o.at - base)
		if !ok {
			return errors.New("it differs from what is not in the pack")
		}
		header[0] = header[0]&^0x70 | byte(plumbing.REFDeltaObject)<<4
		header = append(header, s.objects[i].hash[:]...)
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	if _, err := io.Copy(w, in); err != nil {
		return err
	}
	if was.Sum32() != o.crc {
		return errors.New("it is not what was once written")
	}
	return nil
}

// readHeader reads kind and size of an object as they are, and how far before it its base is,
// if it is stored as a difference from an object at a place.
func readHeader(in *bufio.Reader) (header []byte, base int64, err error) {
	for more := true; more; {
		b, err := in.ReadByte()
		if err != nil {
			return nil, 0, err
		}
		header, more = append(header, b), b&0x80 != 0
	}
	if plumbing.ObjectType(header[0]>>4&7) != plumbing.OFSDeltaObject {
		return header, 0, nil
	}
	for {
		b, err := in.ReadByte()
		if err != nil {
			return nil, 0, err
		}
		base = base<<7 | int64(b&0x7f)
		if b&0x80 == 0 {
			return header, base, nil
		}
		base++
	}
}
