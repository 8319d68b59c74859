// Package folder takes a working folder, committed or not, as a commit of everything in it
// would be: its id, single files, and all the files that the id stands for.
//
// Start at Take. It runs the git program and never writes to the folder or its repository.
package folder

import (
	"bytes"
	"context"
	"crypto/sha1" // git's ids are made of it
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Time is when the commit of every working folder was made, so that the same files
// are the same commit. Archives in zip form know no earlier time.
var Time = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Snapshot is a working folder at one moment, as a commit of everything in it would be: what
// .gitignore leaves out is not in it, what was added in spite of that is. It runs the git
// program, with an index and objects of its own: the repository keeps as it is.
type Snapshot struct {
	dir   string // the folder
	own   string // of our index and objects; removed by Close
	env   []string
	tree  string
	batch *catFile
}

// Take takes a folder as it is now. It need not be the top of its repository, nor
// lie in one. ctx has to last until Close.
func Take(ctx context.Context, dir string) (_ *Snapshot, err error) {
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil, hint.Add(fmt.Errorf("take folder %s: it is none", dir), "name the folder of the application")
	}
	f := &Snapshot{}
	if f.dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("take folder %s: %w", dir, err)
	}
	if f.own, err = os.MkdirTemp("", "seatrial-folder-"); err != nil {
		return nil, fmt.Errorf("take folder %s: %w", dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	prefix, err := f.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("take folder %s: %w", dir, err)
	}
	if _, err := f.run(ctx, "add", "-A", "--", "."); err != nil {
		return nil, hint.Add(fmt.Errorf("take folder %s: %w", dir, err), "git add -A has to work in this folder")
	}
	write := []string{"write-tree"}
	if prefix != "" {
		write = append(write, "--prefix="+prefix)
	}
	id, err := f.run(ctx, write...)
	if err != nil {
		return nil, hint.Add(fmt.Errorf("take folder %s: %w", dir, err), "git ignores the folder, or it is empty, or a merge outside of it is under way")
	}
	if f.tree = strings.TrimSpace(id); !release.Commit(f.tree).Valid() {
		return nil, fmt.Errorf("take folder %s: its repository has ids of another kind, %q", dir, f.tree)
	}
	f.batch = &catFile{start: func() *exec.Cmd { return f.command(ctx, "cat-file", "--batch") }}
	return f, nil
}

// begin makes our index and objects beside those of the repository, and says which folder
// of the repository this is; a folder in none gets a repository for the moment.
func (f *Snapshot) begin(ctx context.Context) (prefix string, err error) {
	objects := filepath.Join(f.own, "objects")
	if err := os.MkdirAll(filepath.Join(objects, "info"), 0o700); err != nil {
		return "", err
	}
	out, err := f.run(ctx, "rev-parse", "--path-format=absolute", "--is-inside-work-tree", "--git-path", "index", "--git-path", "objects", "--show-prefix")
	if err != nil && strings.Contains(err.Error(), "not a git repository") {
		repo := filepath.Join(f.own, "repo")
		if _, err := f.run(ctx, "init", "-q", "--template=", "--object-format=sha1", repo); err != nil {
			return "", err
		}
		f.env = []string{"GIT_DIR=" + filepath.Join(repo, ".git"), "GIT_WORK_TREE=" + f.dir, "GIT_OBJECT_DIRECTORY=" + objects}
		return "", nil
	}
	lines := strings.Split(out, "\n")
	switch {
	case err != nil:
		return "", err
	case len(lines) < 4 || lines[0] != "true":
		return "", errors.New("it is no working folder of git")
	}
	index := filepath.Join(f.own, "index")
	if err := copyIndex(lines[1], index); err != nil {
		return "", err
	}
	f.env = []string{"GIT_INDEX_FILE=" + index, "GIT_OBJECT_DIRECTORY=" + objects}
	return lines[3], os.WriteFile(filepath.Join(objects, "info", "alternates"), []byte(lines[2]+"\n"), 0o600)
}

// copyIndex copies with the time of the original: git compares it with the times of files
// to know which of them may have changed unseen since the index was written.
func copyIndex(from, to string) error {
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil // nothing was ever added
	}
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), os.Chtimes(to, st.ModTime(), st.ModTime()))
}

// command is git in the folder. What a person's settings could make it write into the
// repository, or run, is switched off; filters run, as for a commit.
func (f *Snapshot) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{
		"-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.splitIndex=false",
		"-c", "core.fsync=none", "-c", "core.looseCompression=0", "-c", "add.ignoreErrors=false",
	}, args...)...)
	cmd.Dir = f.dir
	cmd.Env = append(append(cmd.Environ(), "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0"), f.env...)
	return cmd
}

func (f *Snapshot) run(ctx context.Context, args ...string) (string, error) {
	var said bytes.Buffer
	cmd := f.command(ctx, args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", hint.Add(errors.New("there is no git program"), "install git")
	}
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, lastOf(said.String()))
	}
	return string(out), nil
}

// lastOf is what a program said when it gave up.
func lastOf(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "fatal: ") || strings.HasPrefix(line, "error: ") {
			return line
		}
	}
	return lines[len(lines)-1]
}

// Close forgets the folder's index and objects.
func (f *Snapshot) Close() error {
	var err error
	if f.batch != nil {
		err = f.batch.close()
	}
	return errors.Join(err, os.RemoveAll(f.own))
}

// Commit is the id of a commit of the folder without history, by nobody, at Time. It
// is written nowhere.
func (f *Snapshot) Commit() release.Commit {
	const who = "seatrial <seatrial@localhost>"
	text := fmt.Sprintf("tree %s\nauthor %s %d +0000\ncommitter %s %[3]d +0000\n\nworking folder\n", f.tree, who, Time.Unix(), who)
	sum := sha1.Sum(fmt.Appendf(nil, "commit %d\x00%s", len(text), text))
	return release.Commit(hex.EncodeToString(sum[:]))
}

// ObjectID is git's id of a folder or file in it; sub "" or "." is all of it.
func (f *Snapshot) ObjectID(sub string) (string, error) {
	name, err := f.name(sub)
	if err != nil || name == f.tree {
		return name, err
	}
	o, err := f.batch.get(name, 0)
	return o.id, err
}

// ReadFile reads one file of at most max bytes.
func (f *Snapshot) ReadFile(file string, max int64) ([]byte, error) {
	name, err := f.name(file)
	if err != nil {
		return nil, err
	}
	o, err := f.batch.get(name, max)
	switch {
	case err != nil:
		return nil, err
	case o.kind != "blob":
		return nil, fmt.Errorf("%w: %s is a %s", git.ErrNoFile, file, o.kind)
	case o.size > max:
		return nil, hint.Add(fmt.Errorf("%s has %d bytes, %w of %d", file, o.size, git.ErrTooBig, max), "make it smaller")
	}
	return o.content, nil
}

// name is how git is asked for a path.
func (f *Snapshot) name(sub string) (string, error) {
	if strings.ContainsAny(sub, "\n\x00") {
		return "", fmt.Errorf("%w: %q", git.ErrNoFile, sub)
	}
	if sub = strings.TrimPrefix(path.Clean("/"+sub), "/"); sub != "" {
		return f.tree + ":" + sub, nil
	}
	return f.tree, nil
}
