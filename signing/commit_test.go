package signing_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/signing"
)

func TestGitVerifiesASignedCommit(t *testing.T) {
	key, err := signing.LoadOrCreateKey(filepath.Join(t.TempDir(), "signing.key"), "a long passphrase")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := signing.NewRing(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	git := func(in string, args ...string) (string, error) {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "gpg.ssh.allowedSignersFile=" + filepath.Join(dir, "signers")}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "HOME="+dir)
		cmd.Stdin = strings.NewReader(in)
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	line, err := ring.Public()[0].AllowedSigner("seatrial@example")
	if err != nil || os.WriteFile(filepath.Join(dir, "signers"), []byte(line+"\n"), 0o600) != nil {
		t.Fatal(err)
	}
	if out, err := git("", "init", "-q"); err != nil {
		t.Fatal(out, err)
	}
	tree, err := git("", "mktree")
	if err != nil {
		t.Fatal(tree, err)
	}
	head := "tree " + tree + "\nauthor s <seatrial@example> 1700000000 +0000\ncommitter s <seatrial@example> 1700000000 +0000\n"
	plain := head + "\ndeploy shop/web\n"
	sig, err := ring.SignCommit(t.Context(), []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		message string
		good    bool
	}{"as it was signed": {"\ndeploy shop/web\n", true}, "with another message": {"\ndeploy shop/evil\n", false}} {
		commit := head + "gpgsig " + strings.ReplaceAll(strings.TrimSpace(sig), "\n", "\n ") + "\n" + c.message
		id, err := git(commit, "hash-object", "-t", "commit", "-w", "--stdin")
		if err != nil {
			t.Fatal(id, err)
		}
		if out, err := git("", "verify-commit", id); (err == nil) != c.good || c.good && !strings.Contains(out, `Good "git" signature for seatrial@example`) {
			t.Errorf("%s: git says %q, %v", name, out, err)
		}
		if got := ring.SignedCommit([]byte(head+c.message), sig); got != c.good {
			t.Errorf("%s: %t", name, got)
		}
	}
	other, err := signing.LoadOrCreateKey(filepath.Join(t.TempDir(), "signing.key"), "a long passphrase")
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]*signing.Key{
		"another key": other, "a key whose time is over": key.Within(signing.Window{Until: time.Now().Add(-time.Hour)}),
	} {
		strange, err := signing.NewRing(k)
		if err != nil {
			t.Fatal(err)
		}
		if strange.SignedCommit([]byte(plain), sig) || strange.SignedCommit([]byte(plain), "") || strange.SignedCommit([]byte(plain), "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----") {
			t.Errorf("%s counts", name)
		}
	}
}
