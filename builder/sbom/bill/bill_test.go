package bill_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/builder/sbom/bill"
)

const document = `{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
	{"type": "file", "name": "/etc/passwd"},
	{"type": "library", "name": "golang.org/x/net", "version": "v0.43.0", "purl": "pkg:golang/golang.org/x/net@v0.43.0", "licenses": [{"license": {"id": "BSD-3-Clause"}}]},
	{"type": "library", "group": "@types", "name": "node", "version": "20.1.0", "licenses": [{"license": {"name": "MIT"}}, {"license": {"name": "MIT"}}]},
	{"type": "application", "name": "web", "components": [{"type": "library", "name": "inner", "licenses": [{"expression": "MIT OR Apache-2.0"}]}]}
]}`

func names(all []bill.Component) string {
	var out []string
	for _, c := range all {
		out = append(out, c.Name)
	}
	return strings.Join(out, " ")
}

func TestWhatIsInADocument(t *testing.T) {
	all, err := bill.Read([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, question, want string }{
		{name: "all, by name, files last", question: "  ", want: "@types/node golang.org/x/net inner web /etc/passwd"},
		{name: "a part of a name, letter case ignored", question: "X/NET", want: "golang.org/x/net"},
		{name: "a licence", question: "mit", want: "@types/node inner"},
		{name: "every word counts, in any order", question: "apache mit", want: "inner"},
		{name: "a package URL", question: "pkg:golang", want: "golang.org/x/net"},
		{name: "a type", question: "file", want: "/etc/passwd"},
		{name: "nothing like it", question: "log4j", want: ""},
	} {
		if got := names(bill.Find(all, c.question)); got != c.want {
			t.Errorf("%s: %q finds %q, want %q", c.name, c.question, got, c.want)
		}
	}
	if net := all[1]; net.Version != "v0.43.0" || net.PURL != "pkg:golang/golang.org/x/net@v0.43.0" || net.Type != "library" || !reflect.DeepEqual(net.Licences, []string{"BSD-3-Clause"}) {
		t.Errorf("got %+v", net)
	}
}

func TestPages(t *testing.T) {
	var all []bill.Component
	for i := range 5 {
		all = append(all, bill.Component{Name: fmt.Sprint(i)})
	}
	for _, c := range []struct {
		after, limit int
		want         string
		next         int
	}{
		{after: 0, limit: 2, want: "0 1", next: 2},
		{after: 2, limit: 3, want: "2 3 4"},
		{after: 4, limit: 9, want: "4"},
		{after: 99, limit: 9, want: ""},
	} {
		page, next, err := bill.Page(all, c.after, c.limit)
		if err != nil || names(page) != c.want || next != c.next {
			t.Errorf("%d after %d: %q, next %d, %v", c.limit, c.after, names(page), next, err)
		}
	}
	if _, _, err := bill.Page(all, -1, 1); err == nil {
		t.Error("a page before the first")
	}
}

func TestADocumentIsBounded(t *testing.T) {
	deep := strings.Repeat(`{"components":[`, 40) + strings.Repeat(`]}`, 40)
	for name, text := range map[string]string{
		"no JSON": "{", "components within components without end": deep, "more than can be looked through": `{"x":"` + strings.Repeat(" ", 17<<20) + `"}`,
	} {
		if all, err := bill.Read([]byte(text)); err == nil {
			t.Errorf("%s: %d components", name, len(all))
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(document), "mit")
	f.Add([]byte(`{"components":[{"licenses":[{}]}]}`), "")
	f.Add([]byte(`null`), "x")
	f.Fuzz(func(t *testing.T, text []byte, question string) {
		all, err := bill.Read(text)
		if err != nil {
			return
		}
		found := bill.Find(all, question)
		page, next, err := bill.Page(found, 0, 10)
		if err != nil || len(found) > len(all) || len(page) > 10 || (next > 0) != (len(found) > 10) {
			t.Errorf("%d of %d, page %d, next %d, %v", len(found), len(all), len(page), next, err)
		}
	})
}
