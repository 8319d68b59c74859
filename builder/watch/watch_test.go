package watch_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"

	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/watch"
)

// FuzzNames: whatever a step is called, each base that is read from its name has a digest,
// and an ADD from the network without a checksum is seen to be one.
func FuzzNames(f *testing.F) {
	for _, s := range []string{
		"docker.io/library/golang:1.26@sha256:" + strings.Repeat("ab", 32), "https://example.org/tool /bin/", "--checksum=sha256:" + strings.Repeat("ab", 32) + " https://example.org/tool /bin/",
		"git@github.com:a/b.git /b", "--chown=1:1 --link \\\n https://example.org/tool /x", "<<EOF /x", "\x1b[31m://", "https://example.org/tool?--checksum=1 /bin/",
	} {
		f.Add(s)
	}
	book, err := logs.Open(f.TempDir(), logs.Config{MaxBytes: 1 << 10})
	if err != nil {
		f.Fatal(err)
	}
	log, err := book.Start("shop.web.3f2a91c07d0b", logs.NewMasker())
	if err != nil {
		f.Fatal(err)
	}
	digest := regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	f.Fuzz(func(t *testing.T, rest string) {
		w := watch.New(log)
		for _, word := range []string{"FROM ", "ADD ", ""} {
			w.See(&client.SolveStatus{Vertexes: []*client.Vertex{{Name: "[stage-0 2/3] " + word + rest}}})
		}
		for name, d := range w.Bases {
			if name == "" || !digest.MatchString(string(d)) {
				t.Errorf("base %q is at %q", name, d)
			}
		}
		if strings.Contains(rest, "://") && !strings.HasPrefix(rest, "--") && len(w.Loose()) == 0 {
			t.Errorf("%q is taken for pinned", rest)
		}
	})
}
