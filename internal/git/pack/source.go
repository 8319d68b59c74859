package pack

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// source is a pack that is copied from.
type source struct {
	file
	objects []object // in the order of the file
}

type object struct {
	hash plumbing.Hash
	crc  uint32 // of its bytes in the file
	at   int64
}

func openAll(packs []file) ([]*source, error) {
	var all []*source
	for _, f := range packs {
		s := &source{file: f}
		if err := s.readIndex(); err != nil {
			return nil, fmt.Errorf("read the index of %s: %w", filepath.Base(f.path), err)
		}
		all = append(all, s)
	}
	return all, nil
}

func (s *source) readIndex() error {
	f, err := os.Open(indexOf(s.path))
	if err != nil {
		return err
	}
	defer f.Close()
	index := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(bufio.NewReader(f)).Decode(index); err != nil {
		return err
	}
	n, err := index.Count()
	if err != nil {
		return err
	}
	s.objects = make([]object, 0, n)
	entries, err := index.Entries()
	if err != nil {
		return err
	}
	defer entries.Close()
	for {
		e, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		s.objects = append(s.objects, object{e.Hash, e.CRC32, int64(e.Offset)})
	}
	slices.SortFunc(s.objects, func(a, b object) int { return cmp.Compare(a.at, b.at) })
	return nil
}

// find is the object at a place of the file.
func (s *source) find(at int64) (int, bool) {
	return slices.BinarySearchFunc(s.objects, at, func(o object, at int64) int { return cmp.Compare(o.at, at) })
}
