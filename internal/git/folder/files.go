package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/git/files"
	"github.com/seatrial/seatrial/internal/hint"
)

// Files shows the folder as it was taken, until Close. The modes of files are those that
// git knows.
func (f *Snapshot) Files(ctx context.Context, l git.Limits) (*files.FS, error) {
	listed, err := f.run(ctx, "ls-tree", "-r", "-l", "-z", "--full-tree", f.tree)
	if err != nil {
		return nil, fmt.Errorf("list folder %s: %w", f.dir, err)
	}
	l = l.OrDefault()
	var entries []files.Entry
	var bytes int64
	for line := range strings.SplitSeq(strings.TrimSuffix(listed, "\x00"), "\x00") {
		if line == "" {
			continue
		}
		e, err := f.entry(line, l)
		if err != nil {
			return nil, err
		}
		entries, bytes = append(entries, e), bytes+e.Size
		switch {
		case bytes > l.Bytes:
			return nil, hint.Add(fmt.Errorf("the folder: %w of %d bytes", git.ErrTooBig, l.Bytes), "name big files in .gitignore")
		case len(entries) > l.Files:
			return nil, hint.Add(fmt.Errorf("the folder: %w of %d files", git.ErrTooBig, l.Files), "name files that are not needed in .gitignore")
		}
	}
	return files.New(entries, Time, func(e files.Entry) ([]byte, error) {
		o, err := f.batch.get(e.ID, e.Size)
		return o.content, err
	}), nil
}

// entry reads "<mode> <kind> <id> <size>", a tab, and the path.
func (f *Snapshot) entry(line string, l git.Limits) (files.Entry, error) {
	head, name, _ := strings.Cut(line, "\t")
	fields := strings.Fields(head)
	if len(fields) != 4 {
		return files.Entry{}, fmt.Errorf("list folder %s: git answered %q", f.dir, line)
	}
	if strings.Count(name, "/") > git.MaxDepth {
		return files.Entry{}, hint.Add(fmt.Errorf("%s: %w of %d levels", name, git.ErrTooBig, git.MaxDepth), "flatten it")
	}
	for part := range strings.SplitSeq(name, "/") {
		if !git.SafeName(part) {
			return files.Entry{}, fmt.Errorf("%q is not a name for a file", name)
		}
	}
	e := files.Entry{Path: name, Mode: 0o644, ID: fields[2]}
	switch fields[0] {
	case "160000":
		return e, hint.Add(fmt.Errorf("%s is a submodule, or a repository of its own", name), "add its files to this repository, or name it in .gitignore: submodules are not read")
	case "100755":
		e.Mode = 0o755
	case "120000":
		e.Mode = fs.ModeSymlink | 0o777
	}
	var err error
	if e.Size, err = strconv.ParseInt(fields[3], 10, 64); err != nil {
		return e, fmt.Errorf("list folder %s: git answered %q", f.dir, line)
	}
	if e.Size > l.File {
		return e, hint.Add(fmt.Errorf("%s has %d bytes, %w of %d", name, e.Size, git.ErrTooBig, l.File), "make it smaller, or name it in .gitignore")
	}
	if e.Mode.Type() == fs.ModeSymlink {
		o, err := f.batch.get(e.ID, e.Size)
		e.Link = string(o.content)
		return e, errors.Join(err, git.CheckLink(name, e.Link))
	}
	return e, nil
}
