package faults_test

import (
	"os"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/faults"
)

// With UPDATE set the table is written anew.
func TestTheDocumentHasTheTableAsItIs(t *testing.T) {
	const file, begin, end = "../../docs/faults.md", "<!-- the table of internal/faults -->\n", "<!-- end of the table -->"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	if table == faults.Markdown() {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("the table of %s is another: UPDATE=1 go test ./internal/faults", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+faults.Markdown()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
