package forge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/hint"
)

const marker = "<!-- seatrial: preview of shop/web -->"

// talk is a forge with the comments of one pull request.
type talk struct {
	prefix, author string // of paths; the field that names a comment's author
	list           []map[string]any
	wrote, edited  int
	anonymous      bool // the token may not say whose it is
}

func (f *talk) add(author, body string) {
	f.list = append(f.list, map[string]any{"id": len(f.list) + 1, "body": body, f.author: map[string]any{"login": author}})
}

func (f *talk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	comments := f.prefix + "/repos/shop/web/issues/7/comments"
	var in struct{ Body string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	switch call := r.Method + " " + r.URL.Path; {
	case call == "GET "+f.prefix+"/user" && f.anonymous:
		http.Error(w, `{"message":"token does not have at least one of required scope(s): [read:user]"}`, http.StatusForbidden)
	case call == "GET "+f.prefix+"/user":
		fmt.Fprint(w, `{"login":"seatrial"}`)
	case call == "GET "+comments:
		_ = json.NewEncoder(w).Encode(f.list) // as Gitea: all, whatever page is asked for
	case call == "POST "+comments:
		f.wrote++
		f.add("seatrial", in.Body)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":1}`)
	case r.Method == http.MethodPatch && strings.HasPrefix(r.URL.Path, f.prefix+"/repos/shop/web/issues/comments/"):
		f.edited++
		for _, c := range f.list {
			if strings.HasSuffix(r.URL.Path, fmt.Sprintf("/%d", c["id"])) {
				c["body"] = in.Body
			}
		}
		fmt.Fprint(w, `{"id":1}`)
	default:
		http.NotFound(w, r)
	}
}

func TestACommentIsWrittenOnceAndThenEdited(t *testing.T) {
	for kind, prefix := range map[forge.Kind]string{forge.Gitea: "/api/v1", forge.GitHub: "/api/v3"} {
		t.Run(string(kind), func(t *testing.T) {
			there := &talk{prefix: prefix, author: "user"}
			for i := range 60 {
				there.add("eve", fmt.Sprintf("%s I was here first, %d", marker, i))
			}
			srv := httptest.NewServer(there)
			defer srv.Close()
			for _, step := range []struct {
				body          string
				wrote, edited int
			}{{"one", 1, 0}, {"one", 1, 0}, {"two", 1, 1}, {"two", 1, 1}} {
				f := client(t, forge.Config{Kind: kind, URL: srv.URL, Token: "s3cret"}) // as after a restart
				if err := f.KeepComment(t.Context(), "shop/web", 7, marker, marker+step.body); err != nil {
					t.Fatal(err)
				}
				if there.wrote != step.wrote || there.edited != step.edited || there.list[60]["body"] != marker+step.body {
					t.Errorf("%s: written %d times and edited %d, says %v", step.body, there.wrote, there.edited, there.list[60]["body"])
				}
			}
			if there.list[0]["body"] != marker+" I was here first, 0" {
				t.Errorf("somebody else's comment was changed: %v", there.list[0])
			}
			there.anonymous = true
			err := client(t, forge.Config{Kind: kind, URL: srv.URL, Token: "s3cret"}).KeepComment(t.Context(), "shop/web", 7, marker, marker+"three")
			if err == nil || !strings.Contains(hint.Of(err), "read:user") || there.wrote != 1 {
				t.Errorf("who does not know who it is says %v, hint %q; written %d times", err, hint.Of(err), there.wrote)
			}
		})
	}
}
