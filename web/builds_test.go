package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/builds"
)

func TestABuildIsTold(t *testing.T) {
	h := open(t, page)
	got := h.ask(t, auth.Viewer, "GET", one+"/build", "")
	for _, want := range []string{`"plan":{"context":"."}`, `"why":"rebuilt because the commit changed"`, `"before":"a"`, `"cached":true`, `"attached":[]`, `"unchanged":false`} {
		if !strings.Contains(got.text, want) {
			t.Errorf("no %s in %s", want, got.text)
		}
	}
	if strings.Contains(got.text, "0001-01-01") {
		t.Errorf("times that nobody knows: %s", got.text)
	}
	none := h.ask(t, auth.Viewer, "GET", "/api/v1/releases/shop.api.111111111111/build", "")
	if _, hint := none.problem(t); none.code != http.StatusNotFound || hint != "follow the log" {
		t.Errorf("without a build: %d %s", none.code, none.text)
	}
}

func TestAnSBOMIsAskedForInPages(t *testing.T) {
	h := open(t, page)
	for _, c := range []struct {
		name, query string
		code        int
		want        builds.Components
	}{
		{name: "what is asked for reaches who knows", query: "?platform=linux/arm64&q=net+http&after=50&limit=25", code: 200,
			want: builds.Components{Total: 7, Matches: 3, Next: 75, Items: []builds.Component{{Name: "net http", Version: "linux/arm64"}}}},
		{name: "a page has 50", query: "", code: 200, want: builds.Components{Total: 7, Matches: 3, Next: 50, Items: []builds.Component{{}}}},
		{name: "a platform that is not there", query: "?platform=linux/moon", code: 404},
		{name: "a page that is too large", query: "?limit=201", code: 422},
		{name: "a page before the first", query: "?after=-1", code: 422},
		{name: "a filter with a typo", query: "?platfrom=linux/arm64", code: 422},
		{name: "a long question", query: "?q=" + strings.Repeat("x", 201), code: 422},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := h.ask(t, auth.Viewer, "GET", one+"/sbom"+c.query, "")
			if got.code != c.code {
				t.Fatalf("%d %s", got.code, got.text)
			}
			if c.code != 200 {
				return
			}
			var page builds.Components
			got.into(t, &page)
			item, want := page.Items[0], c.want.Items[0]
			if page.Total != c.want.Total || page.Matches != c.want.Matches || page.Next != c.want.Next || item.Name != want.Name || item.Version != want.Version {
				t.Errorf("got %+v, want %+v", page, c.want)
			}
		})
	}
}

func TestAnSBOMIsGivenAsADocument(t *testing.T) {
	h := open(t, page)
	for _, c := range []struct {
		name, query, want string
		code              int
	}{
		{name: "what is asked for reaches who knows", query: "?platform=linux/arm64&version=1.5", code: 200, want: `{"specVersion":"1.5","for":"linux/arm64"}`},
		{name: "nothing has to be asked for", code: 200, want: `{"specVersion":"","for":""}`},
		{name: "a version that there is not, with those that there are", query: "?version=1.4", code: 422, want: "ask for version=1.5 or version=1.6"},
		{name: "a question with a typo", query: "?versoin=1.5", code: 422},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := h.ask(t, auth.Viewer, "GET", one+"/sbom/document"+c.query, "")
			if got.code != c.code || !strings.Contains(got.text, c.want) {
				t.Fatalf("%d %s", got.code, got.text)
			}
			if kind := got.header.Get("Content-Type"); c.code == 200 && kind != "application/vnd.cyclonedx+json" {
				t.Errorf("content type %s", kind)
			}
		})
	}
}

func TestALogIsSearched(t *testing.T) {
	h := open(t, page)
	for _, c := range []struct {
		name, query, want string
		code              int
	}{
		{name: "what is asked for reaches who knows", query: "?q=a(b*%5B&after=512&limit=7", code: 200, want: `"after":512`},
		{name: "the text is taken as it stands", query: "?q=a(b*%5B&after=512&limit=7", code: 200, want: `"text":"a(b*["`},
		{name: "no text", query: "", code: 422},
		{name: "an empty text", query: "?q=", code: 422},
		{name: "a long text", query: "?q=" + strings.Repeat("x", 201), code: 422},
		{name: "a place before the first", query: "?q=x&after=-1", code: 422},
		{name: "more than one answer holds", query: "?q=x&limit=1001", code: 422},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := h.ask(t, auth.Viewer, "GET", one+"/log/search"+c.query, "")
			if got.code != c.code || !strings.Contains(got.text, c.want) {
				t.Errorf("%d %s", got.code, got.text)
			}
		})
	}
}

// The console reads every line's step; one of the build itself has an empty one.
func TestALineOfALogAlwaysHasItsStep(t *testing.T) {
	raw, err := json.Marshal(builds.LogLine{Text: "note"})
	if err != nil || !strings.Contains(string(raw), `"step":"","stream":""`) {
		t.Errorf("%s, %v", raw, err)
	}
}
