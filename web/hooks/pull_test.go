package hooks_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/forge"
)

func pullRequest(repo, action string) []byte {
	return fmt.Appendf(nil, `{"action":%q,"number":7,"pull_request":{"head":{"sha":%q}},"repository":{"full_name":%q},"sender":{"login":"eve"}}`, action, commit, repo)
}

func says(action, text string) []byte {
	return fmt.Appendf(nil, `{"action":%q,"issue":{"number":7,"pull_request":{}},"comment":{"id":42,"user":{"login":"ann"},"body":%q},
		"repository":{"full_name":"shop/web"},"sender":{"login":"ann"}}`, action, text)
}

func as(event string, h http.Header) http.Header {
	for _, name := range []string{"X-Gitea-Event", "X-Github-Event"} {
		if h[name] != nil {
			h[name] = []string{event}
		}
	}
	return h
}

func TestWhatHappensToAPullRequestIsKeptAsAHint(t *testing.T) {
	pull := forge.Push{Delivery: "d", Repo: "shop/web", Ref: "refs/pull/7/head", After: commit, Pusher: "eve", Pull: 7}
	ok := forge.Push{Delivery: "d", Repo: "shop/web", Ref: "refs/pull/7/head", After: commit, Pusher: "ann", Pull: 7, Comment: 42}
	for _, c := range []struct {
		name, event, key string
		body             []byte
		code             int
		want             forge.Push
	}{
		{name: "a pull request that was opened", event: "pull_request", body: pullRequest("shop/web", "opened"), code: 202, want: pull},
		{name: "a pull request that was closed", event: "pull_request", body: pullRequest("shop/web", "closed"), code: 202, want: pull},
		{name: "a pull request with another key's signature", event: "pull_request", key: "some-other-secret-00000", body: pullRequest("shop/web", "opened"), code: 401},
		{name: "a pull request of an unknown repo", event: "pull_request", body: pullRequest("shop/other", "opened"), code: 404},
		{name: "a pull request that got a label", event: "pull_request", body: pullRequest("shop/web", "labeled"), code: 204},
		{name: "a pull request in half a JSON", event: "pull_request", body: pullRequest("shop/web", "opened")[:40], code: 400},
		{name: "a comment that says ok to test", event: "issue_comment", body: says("created", "/ok-to-test "+commit), code: 202, want: ok},
		{name: "a comment that says so with a wrong signature", event: "issue_comment", key: "some-other-secret-00000", body: says("created", "/ok-to-test "+commit), code: 401},
		{name: "a comment that names no commit", event: "issue_comment", body: says("created", "/ok-to-test"), code: 204},
		{name: "a comment that was changed to say so", event: "issue_comment", body: says("edited", "/ok-to-test "+commit), code: 204},
		{name: "a comment about the weather", event: "issue_comment", body: says("created", "rain"), code: 204},
	} {
		t.Run(c.name+fmt.Sprintf(" is answered %d", c.code), func(t *testing.T) {
			if c.key == "" {
				c.key = current
			}
			for kind, header := range map[forge.Kind]func(key, id string, body []byte) http.Header{forge.Gitea: gitea, forge.GitHub: github} {
				var s shelf
				srv := open(t, &s, current)
				code, text := deliver(t, srv.URL+"/hooks/"+string(kind), as(c.event, header(c.key, "d", c.body)), bytes.NewReader(c.body))
				if code != c.code || (code == 202) != (len(s.pushes) == 1) {
					t.Fatalf("%s answered %d %s, kept %+v", kind, code, text, s.pushes)
				}
				want := c.want
				want.Forge = kind
				if got := s.pushes[string(kind)+"/d"]; code == 202 && got != want {
					t.Errorf("%s kept %+v", kind, got)
				}
				if code != 202 {
					continue
				}
				if code, text := deliver(t, srv.URL+"/hooks/"+string(kind), as(c.event, header(c.key, "d", c.body)), bytes.NewReader(c.body)); code != 200 || !strings.Contains(text, "duplicate") {
					t.Errorf("%s: a replay is answered %d %s", kind, code, text)
				}
			}
		})
	}
}
