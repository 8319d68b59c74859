package secret_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seatrial/seatrial/internal/secret"
)

func TestKeepReplacesAFileForItsOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	if err := os.WriteFile(file, []byte("an older and longer one"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := secret.Keep(file, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	data, _ := os.ReadFile(file)
	if err != nil || info.Mode().Perm() != 0o600 || string(data) != "new" {
		t.Errorf("%v %v %q", err, info.Mode(), data)
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("left behind: %v", all)
	}
	if err := secret.Keep(filepath.Join(dir, "none", "key"), nil); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
