package strict_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/strict"
)

// TestAMistakeInsideATextIsFoundInTheFile: the @ of each text is at the offset, and it is
// the only one in the file.
func TestAMistakeInsideATextIsFoundInTheFile(t *testing.T) {
	for name, text := range map[string]string{
		"plain":                   "a: sum(x@y)\n",
		"plain over two lines":    "a: sum(x\n   b  @y)\nb: 1\n",
		"plain with a blank line": "a: sum(x\n\n   b @y)\nb: 1\n",
		"single quotes":           "a: 'it''s x@y'\n",
		"single quotes, folded":   "a: 'it''s   \n  x@y'\n",
		"double quotes":           "a: \"\\\"\\u00e9\\x41\\n x@y\"\n",
		"double quotes, joined":   "a: \"x \\\n    y@\"\n",
		"characters before it":    "a: 'äöü漢@'\n",
		"a literal block":         "a: |\n  sum(\n    x@y)\nb: 1\n",
		"a block at its start":    "a: |-\n  @x\n",
		"a folded block":          "a: >\n  sum(\n  x\n\n  y@)\n",
		"a block, deeper inside":  "l:\na: |2\n    x@y\n",
		"windows' line ends":      "a: 'x\r\n  @y'\r\n",
	} {
		docs, err := strict.Documents("f.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var out map[string]any
		if err := docs[0].Decode(&out); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		value := out["a"].(string)
		got := docs[0].Problems(strict.At("here", "a").Inside(strings.Index(value, "@")))[0].String()
		before := text[:strings.Index(text, "@")]
		line := strings.Count(before, "\n") + 1
		column := len([]rune(before[strings.LastIndex(before, "\n")+1:])) + 1
		if want := fmt.Sprintf("f.yaml:%d:%d: a: here", line, column); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func FuzzInside(f *testing.F) {
	f.Add("a: 'x''y'\n", 2)
	f.Add("a: >\n  x\n\n   y\n", 3)
	f.Fuzz(func(t *testing.T, text string, offset int) {
		docs, err := strict.Documents("f.yaml", []byte(text))
		if err != nil {
			return
		}
		lines := 2 // YAML ends lines with these
		for _, end := range "\n\r\u0085\u2028\u2029" {
			lines += strings.Count(text, string(end))
		}
		for _, d := range docs {
			if p := d.Problems(strict.At("x", "a").Inside(offset % 100)); p[0].Line > lines {
				t.Errorf("line %d of %d", p[0].Line, lines)
			}
		}
	})
}
