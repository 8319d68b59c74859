package secrets_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/builder/secrets"
	"github.com/seatrial/seatrial/internal/hint"
)

func TestASecretIsAnInputOnlyUnderAKey(t *testing.T) {
	key, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	set := secrets.Set{"npmrc": "correct-horse", "netrc": "battery-staple"}
	parts := set.Parts(key)
	if len(parts) != 2 || parts[0].Name != "secret netrc" || !strings.HasPrefix(parts[1].Value, "hmac-sha256:") {
		t.Errorf("%+v", parts)
	}
	changed := secrets.Set{"npmrc": "correct-horse", "netrc": "battery-stable"}
	for name, digest := range map[string]bool{
		"another value": parts.Digest() == changed.Parts(key).Digest(), "another key": parts.Digest() == set.Parts(other).Digest(),
		"another id": parts.Digest() == secrets.Set{"npm": "correct-horse", "netrc": "battery-staple"}.Parts(key).Digest(),
	} {
		if digest {
			t.Errorf("%s gives the same digest", name)
		}
	}
	if set.Scope(key) == changed.Scope(key) || set.Scope(key) != maps.Clone(set).Scope(key) || len(set.Scope(key)) > 63 || (secrets.Set{}).Scope(key) != "" {
		t.Errorf("scopes %q and %q", set.Scope(key), changed.Scope(key))
	}
}

func TestTheKeyIsMadeOnceAndForItsOwnerAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secrets.key")
	key, err := secrets.OpenKey(file)
	if err != nil || len(key) != 32 {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if again, err := secrets.OpenKey(file); err != nil || !bytes.Equal(again, key) {
		t.Errorf("the same key again: %v", err)
	}
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secrets.OpenKey(file); err == nil || hint.Of(err) == "" {
		t.Errorf("a key that is none: %v", err)
	}
}

func TestMounts(t *testing.T) {
	for _, c := range []struct {
		name, dockerfile string
		want             []secrets.Mount
	}{
		{"an id", "FROM a\nRUN --mount=type=secret,id=npmrc npm ci\n", []secrets.Mount{{"npmrc", 2}}},
		{"two in one step, beside a cache", "FROM a\n\nRUN --mount=type=cache,target=/c \\\n  --mount=type=secret,id=a,target=/a --mount=id=b,type=secret,required x\n", []secrets.Mount{{"a", 3}, {"b", 3}}},
		{"the source is an id as well", "FROM a\nrun --mount=type=secret,src=token,env=TOKEN x\n", []secrets.Mount{{"token", 2}}},
		{"only a target", "FROM a\nRUN --mount=type=secret,target=/root/.npmrc x\n", []secrets.Mount{{".npmrc", 2}}},
		{"quoted", "FROM a\nRUN --mount=\"type=secret\",id=q x\n", []secrets.Mount{{"q", 2}}},
		{"other mounts", "FROM a\nRUN --mount=type=bind,target=/src --network=none x\nRUN --mount=type=ssh x\n", nil},
		{"what only looks like one", "FROM a\nRUN echo --mount=type=secret,id=a\n# RUN --mount=type=secret,id=b\n", nil},
		{"an id made of variables", "FROM a\nRUN --mount=type=secret,id=$ID x\n", nil},
		{"what is no Dockerfile", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := secrets.Mounts([]byte(c.dockerfile)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// FuzzMounts: whatever stands in a Dockerfile, each mount found has an id without variables
// and the line of a step, and reading it again finds the same.
func FuzzMounts(f *testing.F) {
	for _, s := range []string{
		"FROM a\nRUN --mount=type=secret,id=npmrc npm ci\n",
		"# escape=`\nFROM a\nRUN --mount=type=secret,id=a `\n --mount=type=secret,source=b,target=/c x\n",
		"FROM a\nRUN --mount=\"type=secret\",\"id=q,r\" x\nRUN <<E\nRUN --mount=type=secret,id=in\nE\n",
		"RUN --mount=type=secret,target=/ x\nRUN --mount=type=secret,dst=.. x", "# syntax=a\n#check=b\nONBUILD RUN --mount=type=secret,id=o x", "\xef\xbb\xbfFROM a\r\nrun --mount=TYPE=SECRET,id=i x\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, dockerfile []byte) {
		found := secrets.Mounts(dockerfile)
		lines := bytes.Count(dockerfile, []byte("\n")) + 1
		for _, m := range found {
			if m.ID == "" || strings.Contains(m.ID, "$") || m.Line < 1 || m.Line > lines {
				t.Errorf("%+v in %d lines", m, lines)
			}
		}
		if !reflect.DeepEqual(found, secrets.Mounts(dockerfile)) {
			t.Error("the same file has other mounts")
		}
	})
}
