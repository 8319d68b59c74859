package manifest_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/deployer/render/manifest"
	"github.com/seatrial/seatrial/internal/hint"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"documents are counted as the file has them", "# first\n---\na: 1\n---\n---\nb: 2\n", "2:map[a:1] 3:map[b:2]"},
		{"a file may begin and end with the line between documents", "---\na: 1\n---\n", "1:map[a:1]"},
		{"Windows' line ends", "a: 1\r\n---\r\nb: 2\r\n", "1:map[a:1] 2:map[b:2]"},
		{"a byte order mark", "\xef\xbb\xbfa: 1\n", "1:map[a:1]"},
		{"JSON", `{"a": 1}`, "1:map[a:1]"},
		{"a document may say that it ends", "a: 1\n...\n# and a comment\n---\nb: 2\n", "1:map[a:1] 2:map[b:2]"},
		{"the line between documents within a text is text", "a: |\n  x\n  ---\n  y\n", "1:map[a:x\n---\ny\n]"},
		{"whole numbers keep every digit", "a: 9007199254740993\n", "1:map[a:9007199254740993]"},
		{"a List is its items", "kind: ConfigMapList\nitems: [{a: 1}, {b: 2}]\n", "1:map[a:1] 1:map[b:2]"},
		{"an object with items that is no List", "kind: ConfigMap\nitems: [1]\n", "1:map[items:[1] kind:ConfigMap]"},
	} {
		docs, err := manifest.Split("f", []byte(c.data), 10)
		var got []string
		for _, d := range docs {
			got = append(got, fmt.Sprintf("%d:%v", d.Index, d.Object))
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, strings.Join(got, " "), err, c.want)
		}
	}
}

// FuzzSplit holds that nothing is lost between documents, and nothing on the way to a child
// and back.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"a: 1", "a: 1\n---\nb: 2\n", "---\n# x\n---\n", "a: 1\n...\nb: 2", "\xff\xfea\x00", "\xef\xbb\xbfa: 1", "a: &a [*a]", "%YAML 1.2\n---\na: 1\n", "a: |\n  ---\n---", "kind: List\nitems: [{a: 1}]", "{\"a\": 1e400}", "a: .nan"} {
		f.Add(s, "b: 2\n")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		const limit = 1000
		split := func(s string) []manifest.Document {
			docs, err := manifest.Split("f", []byte(s), limit)
			if err != nil && hint.Of(err) == "" {
				t.Errorf("no next step in %v", err)
			}
			if err != nil {
				return nil
			}
			raw, err := manifest.Encode(docs)
			if err != nil {
				t.Fatalf("%q cannot be told: %v", s, err)
			}
			again, err := manifest.Decode(raw)
			if err != nil || len(again) != len(docs) || len(docs) > 0 && !reflect.DeepEqual(again, docs) {
				t.Fatalf("%v became %v, %v", docs, again, err)
			}
			return docs
		}
		first, second := split(a), split(b)
		if first == nil || second == nil || strings.HasPrefix(b, "\xef\xbb\xbf") {
			return
		}
		both := split(a + "\n---\n" + b)
		if len(both) != len(first)+len(second) {
			t.Errorf("%q and %q: %d and %d objects, together %d", a, b, len(first), len(second), len(both))
		}
	})
}
