package folder_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/git/folder"
	"github.com/seatrial/seatrial/internal/hint"
)

// repo is a repository with a working folder.
type repo struct {
	t    *testing.T
	work string
}

func newRepo(t *testing.T) *repo {
	t.Helper()
	f := &repo{t: t, work: filepath.Join(t.TempDir(), "work")}
	f.git("", "init", "-q", "-b", "main", f.work)
	return f
}

func (f *repo) git(dir string, args ...string) string {
	f.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=mei", "-c", "user.email=mei@example.com"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (f *repo) write(name, content string) {
	f.t.Helper()
	file := filepath.Join(f.work, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
		f.t.Fatal(err)
	}
}

// workingFolder is a repository with a commit, and changes of every kind that are in none.
func workingFolder(t *testing.T) *repo {
	t.Helper()
	f := newRepo(t)
	for name, text := range map[string]string{
		".gitignore": "*.log\n/out/\n", "main.go": "package main\n", "web/index.html": "<p>ahoy</p>\n", "web/old.css": "p{}\n", "keep.log": "added in spite of .gitignore\n",
	} {
		f.write(name, text)
	}
	f.git(f.work, "add", "-f", "keep.log")
	f.git(f.work, "add", "-A")
	f.git(f.work, "commit", "-q", "-m", "begin")
	f.write("main.go", "package main // changed\n")
	f.write("web/staged.css", "p{color:red}\n")
	f.git(f.work, "add", "web/staged.css")
	f.write("web/new.js", "ahoy()\n")
	f.write("noise.log", "ignored\n")
	f.write("out/app", "ignored\n")
	f.write("run.sh", "#!/bin/sh\n")
	if err := errors.Join(os.Remove(filepath.Join(f.work, "web/old.css")), os.Chmod(filepath.Join(f.work, "run.sh"), 0o755), os.Symlink("web/index.html", filepath.Join(f.work, "link"))); err != nil {
		t.Fatal(err)
	}
	return f
}

func take(t *testing.T, dir string) *folder.Snapshot {
	t.Helper()
	f, err := folder.Take(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func treeOf(t *testing.T, dir string) string {
	t.Helper()
	id, err := take(t, dir).ObjectID(".")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// content is every file of a tree with its mode and what is in it.
func content(t *testing.T, tree fs.FS) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(tree, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if e.Type()&fs.ModeSymlink != 0 {
			target, err := fs.ReadLink(tree, name)
			out[name] = "-> " + target
			return err
		}
		info, ierr := e.Info()
		raw, err := fs.ReadFile(tree, name)
		if err := errors.Join(ierr, err); err != nil {
			return err
		}
		out[name] = info.Mode().String() + " " + string(raw)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAFolderIsWhatACommitOfItWouldBe(t *testing.T) {
	f := workingFolder(t)
	before := content(t, os.DirFS(filepath.Join(f.work, ".git")))
	taken := take(t, f.work)
	got, err := taken.ObjectID("")
	if err != nil {
		t.Fatal(err)
	}
	web, err := taken.ObjectID("web")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := taken.ReadFile("main.go", 100)
	if err != nil || string(raw) != "package main // changed\n" {
		t.Errorf("%q, %v", raw, err)
	}
	if _, err := taken.ReadFile("main.go", 5); !errors.Is(err, git.ErrTooBig) {
		t.Errorf("a file over the limit: %v", err)
	}
	for _, name := range []string{"noise.log", "out", "web/old.css", "main.go/x", "a\nb"} {
		if id, err := taken.ObjectID(name); !errors.Is(err, git.ErrNoFile) {
			t.Errorf("%s is there: %s, %v", name, id, err)
		}
	}
	after := content(t, os.DirFS(filepath.Join(f.work, ".git")))
	if len(before) != len(after) {
		t.Errorf("the repository has %d files and had %d", len(after), len(before))
	}
	for name, text := range before {
		if after[name] != text {
			t.Errorf("%s of the repository has changed", name)
		}
	}
	f.git(f.work, "add", "-A")
	if want := f.git(f.work, "write-tree"); got != want {
		t.Errorf("the folder is %s, git says %s", got, want)
	}
	if want := f.git(f.work, "rev-parse", f.git(f.work, "write-tree")+":web"); web != want {
		t.Errorf("its web/ is %s, git says %s", web, want)
	}
	if got := treeOf(t, filepath.Join(f.work, "web")); got != web {
		t.Errorf("taken alone, web/ is %s", got)
	}
	who := exec.Command("git", "commit-tree", "-m", "working folder", got)
	who.Dir = f.work
	who.Env = append(os.Environ(), "GIT_AUTHOR_NAME=seatrial", "GIT_AUTHOR_EMAIL=seatrial@localhost", "GIT_AUTHOR_DATE=315532800 +0000",
		"GIT_COMMITTER_NAME=seatrial", "GIT_COMMITTER_EMAIL=seatrial@localhost", "GIT_COMMITTER_DATE=315532800 +0000")
	if out, err := who.Output(); err != nil || strings.TrimSpace(string(out)) != string(taken.Commit()) {
		t.Errorf("the commit is %s, git says %s, %v", taken.Commit(), out, err)
	}
}

func TestTheFilesAreThoseThatTheIDStandsFor(t *testing.T) {
	f := workingFolder(t)
	taken := take(t, f.work)
	f.write("main.go", "package main // changed after it was taken\n")
	tree, err := taken.Files(t.Context(), git.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		".gitignore": "-rw-r--r-- *.log\n/out/\n", "main.go": "-rw-r--r-- package main // changed\n", "web/index.html": "-rw-r--r-- <p>ahoy</p>\n",
		"web/staged.css": "-rw-r--r-- p{color:red}\n", "web/new.js": "-rw-r--r-- ahoy()\n", "keep.log": "-rw-r--r-- added in spite of .gitignore\n",
		"run.sh": "-rwxr-xr-x #!/bin/sh\n", "link": "-> web/index.html",
	}
	got := content(t, tree)
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s is %q, want %q", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("there are %d files, want %d: %v", len(got), len(want), got)
	}
	for name, limits := range map[string]git.Limits{"files": {Files: 3}, "bytes": {Bytes: 20}, "one file": {File: 10}} {
		if _, err := taken.Files(t.Context(), limits); !errors.Is(err, git.ErrTooBig) || hint.Of(err) == "" {
			t.Errorf("over the limit of %s: %v", name, err)
		}
	}
}

// TestAChangeThatTheIndexCannotSeeIsSeen: a file written right after the index, of the same
// size. git knows it by the time of the index, which a careless copy of it loses.
func TestAChangeThatTheIndexCannotSeeIsSeen(t *testing.T) {
	f := newRepo(t)
	f.git(f.work, "config", "core.trustctime", "false")
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	file, index := filepath.Join(f.work, "a.txt"), filepath.Join(f.work, ".git", "index")
	f.write("a.txt", "one\n")
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
	f.git(f.work, "add", "-A")
	before := treeOf(t, f.work)
	f.write("a.txt", "two\n")
	if err := errors.Join(os.Chtimes(file, at, at), os.Chtimes(index, at, at)); err != nil {
		t.Fatal(err)
	}
	if after := treeOf(t, f.work); after == before {
		t.Error("the change is not seen")
	}
}

func TestAFolderOutsideOfGitIsWalked(t *testing.T) {
	f := workingFolder(t)
	f.git(f.work, "rm", "-q", "--cached", "keep.log") // only a repository can hold what it ignores
	want := treeOf(t, f.work)
	if err := os.RemoveAll(filepath.Join(f.work, ".git")); err != nil {
		t.Fatal(err)
	}
	if got := treeOf(t, f.work); got != want {
		t.Errorf("the folder is %s without its repository, and %s with it", got, want)
	}
	if _, err := os.Stat(filepath.Join(f.work, ".git")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it has a repository now: %v", err)
	}
	if got := treeOf(t, t.TempDir()); got != "4b825dc642cb6eb9a060e54bf8d69288fbee4904" {
		t.Errorf("an empty folder is %s", got)
	}
}

func TestFoldersThatCannotBeTaken(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, f *repo) (dir string)
		want string
	}{
		{name: "a submodule", want: "sub is a submodule", make: func(_ *testing.T, f *repo) string {
			f.git("", "init", "-q", f.work+"/sub")
			f.git(f.work+"/sub", "commit", "-q", "--allow-empty", "-m", "begin")
			return f.work
		}},
		{name: "a link that leads out of the folder", want: "points to ../../etc/passwd, outside", make: func(t *testing.T, f *repo) string {
			if err := os.Symlink("../../etc/passwd", f.work+"/out"); err != nil {
				t.Fatal(err)
			}
			return f.work
		}},
		{name: "a folder that git ignores", want: "take folder", make: func(_ *testing.T, f *repo) string {
			f.write(".gitignore", "out/\n")
			f.write("out/app", "x")
			return f.work + "/out"
		}},
		{name: "a file", want: "it is none", make: func(_ *testing.T, f *repo) string { f.write("a", "x"); return f.work + "/a" }},
		{name: "the inside of a repository", want: "no working folder", make: func(_ *testing.T, f *repo) string { return f.work + "/.git" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newRepo(t)
			taken, err := folder.Take(t.Context(), c.make(t, f))
			if err == nil {
				defer taken.Close()
				_, err = taken.Files(t.Context(), git.Limits{})
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if strings.Contains(c.name, "that") && hint.Of(err) == "" {
				t.Errorf("%v: it says no next step", err)
			}
		})
	}
}
