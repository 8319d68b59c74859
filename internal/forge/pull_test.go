package forge_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/release"
)

func pullEvent(action string, number int) []byte {
	return fmt.Appendf(nil, `{"action":%q,"number":%d,"pull_request":{"number":%d,"user":{"login":"someone"},"head":{"sha":%q}},
		"repository":{"full_name":"shop/web"},"sender":{"login":"eve"}}`, action, number, number, sha)
}

func TestParsePull(t *testing.T) {
	want := forge.Push{Forge: forge.Gitea, Repo: "shop/web", Ref: "refs/pull/7/head", After: sha, Pusher: "eve", Pull: 7}
	for _, action := range []string{"opened", "reopened", "closed", "synchronize", "synchronized"} {
		got, matters, err := forge.ParsePull(forge.Gitea, pullEvent(action, 7))
		if err != nil || !matters || got != want {
			t.Errorf("%s: got %+v, %v, %v", action, got, matters, err)
		}
	}
	for _, action := range []string{"edited", "assigned", "labeled", "review_requested", ""} {
		if got, matters, err := forge.ParsePull(forge.GitHub, pullEvent(action, 7)); err != nil || matters {
			t.Errorf("%s: got %+v, %v, %v", action, got, matters, err)
		}
	}
	for name, b := range map[string][]byte{
		"no number":            pullEvent("opened", 0),
		"a negative number":    pullEvent("opened", -7),
		"a repo that climbs":   []byte(strings.Replace(string(pullEvent("opened", 7)), "shop/web", "../web", 1)),
		"a commit that is one": []byte(strings.Replace(string(pullEvent("opened", 7)), after, "--upload-pack=x", 1)),
		"no JSON":              []byte("x"),
	} {
		if _, _, err := forge.ParsePull(forge.Gitea, b); !errors.Is(err, forge.ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func commentEvent(action, author, sender, issue, text string) []byte {
	return fmt.Appendf(nil, `{"action":%q,"issue":{"number":7%s},"comment":{"id":42,"user":{"login":%q},"body":%q},
		"repository":{"full_name":"shop/web"},"sender":{"login":%q}}`, action, issue, author, text, sender)
}

func TestParseComment(t *testing.T) {
	const onPull = `,"pull_request":{"merged":false}`
	said := "Looks fine.\r\n/ok-to-test " + after + "\r\nThanks!"
	for _, c := range []struct {
		name    string
		body    []byte
		matters bool
	}{
		{name: "a new comment that says it", body: commentEvent("created", "ann", "ann", onPull, said), matters: true},
		{name: "a comment that is changed afterwards says nothing", body: commentEvent("edited", "ann", "ann", onPull, said)},
		{name: "nor one that is deleted", body: commentEvent("deleted", "ann", "ann", onPull, said)},
		{name: "nor one that another account sends", body: commentEvent("created", "ann", "eve", onPull, said)},
		{name: "nor one on an issue", body: commentEvent("created", "ann", "ann", "", said)},
		{name: "nor one on an issue that says so", body: commentEvent("created", "ann", "ann", `,"pull_request":null`, said)},
		{name: "nor one that names no commit", body: commentEvent("created", "ann", "ann", onPull, "/ok-to-test")},
		{name: "nor one that names a part of one", body: commentEvent("created", "ann", "ann", onPull, "/ok-to-test "+after[:12])},
		{name: "nor one that quotes it", body: commentEvent("created", "ann", "ann", onPull, "> /ok-to-test "+after)},
		{name: "nor one that names two", body: commentEvent("created", "ann", "ann", onPull, said+"\n/ok-to-test "+strings.Repeat("a", 40))},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, matters, err := forge.ParseComment(forge.Gitea, c.body)
			if err != nil || matters != c.matters {
				t.Fatalf("got %+v, %v, %v", got, matters, err)
			}
			want := forge.Push{Forge: forge.Gitea, Repo: "shop/web", Ref: "refs/pull/7/head", After: sha, Pusher: "ann", Pull: 7, Comment: 42}
			if matters && got != want {
				t.Errorf("got %+v", got)
			}
		})
	}
	bad := strings.Replace(string(commentEvent("created", "ann", "ann", onPull, said)), `"id":42`, `"id":0`, 1)
	if _, _, err := forge.ParseComment(forge.GitHub, []byte(bad)); !errors.Is(err, forge.ErrMalformed) {
		t.Errorf("a comment without an id: %v", err)
	}
}

// answering is a forge that knows some paths.
func answering(t *testing.T, answers map[string]string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.RequestURI()]
		if !ok {
			http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
			return
		}
		if auth := r.Header.Get("Authorization"); !strings.HasSuffix(auth, " s3cret") {
			t.Errorf("%s was asked with %q", r.URL, auth)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestPullIsWhatTheForgeSaysNow(t *testing.T) {
	const request = `{"number":7,"state":%q,"user":{"login":"eve"},
		"base":{"ref":"main","repo_id":1,"repo":{"id":1,"owner":{"login":"shop"}}},"head":{"ref":"fix","sha":"3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817","repo":%s}}`
	for kind, prefix := range map[forge.Kind]string{forge.Gitea: "/api/v1", forge.GitHub: "/api/v3"} {
		url := answering(t, map[string]string{
			prefix + "/repos/shop/web/pulls/7": fmt.Sprintf(request, "open", `{"id":2,"owner":{"login":"eve"}}`),
			prefix + "/repos/shop/web/pulls/8": fmt.Sprintf(request, "open", `{"id":1,"owner":{"login":"shop"}}`),
			prefix + "/repos/shop/web/pulls/9": fmt.Sprintf(request, "closed", `null`),
		})
		f := client(t, forge.Config{Kind: kind, URL: url, Token: "s3cret"})
		for number, want := range map[int]forge.Pull{
			7: {Author: "eve", Owner: "eve", Branch: "fix", Base: "main", Fork: true, Open: true},
			8: {Author: "eve", Owner: "shop", Branch: "fix", Base: "main", Open: true},
			9: {Author: "eve", Branch: "fix", Base: "main", Fork: true}, // the fork is gone
		} {
			if got, err := f.Pull(t.Context(), "shop/web", number); err != nil || got != want {
				t.Errorf("%s %d: got %+v, %v", kind, number, got, err)
			}
		}
		if _, err := f.Pull(t.Context(), "shop/web", 10); !errors.Is(err, release.ErrNotFound) {
			t.Errorf("%s: none: %v", kind, err)
		}
		if _, err := f.Pull(t.Context(), "../web", 7); err == nil {
			t.Errorf("%s: a repo that climbs is asked for", kind)
		}
	}
}

func TestCommentIsWhatTheForgeSaysNow(t *testing.T) {
	for kind, prefix := range map[forge.Kind]string{forge.Gitea: "/api/v1", forge.GitHub: "/api/v3"} {
		url := answering(t, map[string]string{prefix + "/repos/shop/web/issues/comments/42": `{"id":42,"user":{"login":"ann"},"body":"/ok-to-test ` + after + `"}`})
		f := client(t, forge.Config{Kind: kind, URL: url, Token: "s3cret"})
		got, err := f.Comment(t.Context(), "shop/web", 42)
		named, ok := got.OKToTest()
		if err != nil || got.Author != "ann" || !ok || named != sha {
			t.Errorf("%s: got %+v, %v", kind, got, err)
		}
		if _, err := f.Comment(t.Context(), "shop/web", 43); !errors.Is(err, release.ErrNotFound) {
			t.Errorf("%s: one that was deleted: %v", kind, err)
		}
	}
}

func FuzzParseComment(f *testing.F) {
	f.Add(commentEvent("created", "ann", "ann", `,"pull_request":{}`, "/ok-to-test "+after))
	f.Add(pullEvent("opened", 7))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, parse := range []func(forge.Kind, []byte) (forge.Push, bool, error){forge.ParsePull, forge.ParseComment} {
			p, matters, err := parse(forge.Gitea, body)
			if err == nil && matters && (p.Pull <= 0 || !p.After.Valid() || !forge.ValidRepo(p.Repo) || p.Ref != forge.PullRef(p.Pull)) {
				t.Errorf("%+v", p)
			}
		}
	})
}
