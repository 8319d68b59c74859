package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/oci/ocitest"
)

func TestBuildDiff(t *testing.T) {
	s := ocitest.New(t, true)
	made := time.Unix(1_700_000_000, 0)
	a := s.PushFiles(t, "shop/web", "a", "linux/amd64", made, map[string][]byte{"app": []byte("one")})
	b := s.PushFiles(t, "shop/web", "b", "linux/amd64", made, map[string][]byte{"app": []byte("two")})
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{name: "the same image by tag and by digest", args: []string{a.Repository + ":a", string(a.Digest), "--plain-http"}, code: 0, want: "the same"},
		{name: "the first file that differs", args: []string{a.Reference(), b.Reference(), "--plain-http"}, code: 2, want: "linux/amd64 layer 1 app: content is 3 bytes"},
		{name: "as JSON", args: []string{a.Reference(), string(b.Digest), "--plain-http", "-o", "json"}, code: 2, want: `"path": "app"`},
		{name: "an image that is not there", args: []string{a.Reference(), a.Repository + ":none", "--plain-http"}, code: 1, want: "not found in the registry"},
		{name: "no image at all", args: []string{"web", "web"}, code: 1, want: "the registry included"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(append([]string{"build", "diff"}, c.args...), strings.NewReader(""), &out, &errs)
			if all := out.String() + errs.String(); code != c.code || !strings.Contains(all, c.want) {
				t.Errorf("exit %d, want %d\n%s", code, c.code, all)
			}
		})
	}
}
