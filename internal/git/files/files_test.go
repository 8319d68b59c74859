package files_test

import (
	"errors"
	"io/fs"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/seatrial/seatrial/internal/git/files"
)

var when = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// tree has a file that holds its own path for each path, and links.
func tree(links map[string]string, paths ...string) *files.FS {
	var entries []files.Entry
	for _, p := range paths {
		entries = append(entries, files.Entry{Path: p, Mode: 0o644, Size: int64(len(p)), ID: p})
	}
	for p, to := range links {
		entries = append(entries, files.Entry{Path: p, Mode: fs.ModeSymlink | 0o777, Size: int64(len(to)), Link: to})
	}
	return files.New(entries, when, func(e files.Entry) ([]byte, error) { return []byte(e.ID), nil })
}

func TestItIsAFileSystem(t *testing.T) {
	f := tree(map[string]string{"web/link": "main.go", "folder": "web/deep"}, "go.mod", "web/main.go", "web/deep/er/file", "web.txt")
	if err := fstest.TestFS(f, "go.mod", "web/main.go", "web/deep/er/file", "web.txt", "web/link", "folder"); err != nil {
		t.Error(err)
	}
	sub, err := fs.Sub(f, "web")
	if err == nil {
		err = fstest.TestFS(sub, "main.go", "deep/er/file", "link")
	}
	if err != nil {
		t.Error(err)
	}
	info, err := fs.Stat(f, "web/main.go")
	if err != nil || !info.ModTime().Equal(when) || info.Mode() != 0o644 || info.Size() != 11 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestLinksLeadToWhatIsInTheFolderOnly(t *testing.T) {
	f := tree(map[string]string{
		"near": "web/main.go", "web/up": "../go.mod", "web/in": "deep", "web/deep/back": "../main.go", "chain": "near", "top": "web/..",
		"out": "../secret", "web/out": "../../secret", "absolute": "/go.mod", "empty": "", "loop": "pool", "pool": "loop", "gone": "none", "through": "web/in/er/../back",
	}, "go.mod", "web/main.go", "web/deep/er/file")
	for name, want := range map[string]string{
		"near": "web/main.go", "chain": "web/main.go", "web/up": "go.mod", "web/in/er/file": "web/deep/er/file", "web/in/back": "web/main.go", "top/go.mod": "go.mod", "through": "web/main.go",
	} {
		if raw, err := fs.ReadFile(f, name); err != nil || string(raw) != want {
			t.Errorf("%s leads to %q, %v; want %s", name, raw, err, want)
		}
	}
	for _, name := range []string{"out", "web/out", "absolute", "empty", "loop", "gone", "web/main.go/x", "../go.mod", "/go.mod"} {
		if raw, err := fs.ReadFile(f, name); err == nil {
			t.Errorf("%s leads to %q", name, raw)
		}
	}
	web, err := fs.Sub(f, "web")
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := fs.ReadFile(web, "up"); err == nil {
		t.Errorf("a link leads out of its folder, to %q", raw)
	}
	if raw, err := fs.ReadFile(web, "in/back"); err != nil || string(raw) != "web/main.go" {
		t.Errorf("a link within the folder: %q, %v", raw, err)
	}
	if to, err := fs.ReadLink(f, "out"); err != nil || to != "../secret" {
		t.Errorf("what a link says: %q, %v", to, err)
	}
	if _, err := fs.ReadLink(f, "go.mod"); err == nil {
		t.Error("a file says nothing")
	}
	for _, name := range []string{"go.mod", "none", "out"} {
		if _, err := fs.Sub(f, name); err == nil {
			t.Errorf("%s is no folder", name)
		}
	}
}

func TestAFileIsReadWhenItIsOpenedByAsManyAsLike(t *testing.T) {
	f := files.New([]files.Entry{{Path: "good", Mode: 0o644, Size: 4, ID: "good"}, {Path: "bad", Mode: 0o644, Size: 3, ID: "broken"}}, when, func(e files.Entry) ([]byte, error) {
		if e.ID == "broken" {
			return nil, errors.New("git cannot read it")
		}
		return []byte(e.ID), nil
	})
	if _, err := fs.Stat(f, "bad"); err != nil {
		t.Errorf("to look at a file does not read it: %v", err)
	}
	var pe *fs.PathError
	if _, err := f.Open("bad"); !errors.As(err, &pe) || pe.Err.Error() != "git cannot read it" {
		t.Errorf("%v", err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if raw, err := fs.ReadFile(f, "good"); err != nil || string(raw) != "good" {
					t.Errorf("%q, %v", raw, err)
				}
			}
		})
	}
	all.Wait()
}
