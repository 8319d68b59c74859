package forge_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

const sha = release.Commit("3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817")

// seen is one request as a forge got it.
type seen struct {
	method, path, auth, contentType, agent string
	body                                   map[string]any
}

// listen is a forge that answers every call with code and body and tells what it saw.
func listen(t *testing.T, code int, header http.Header, body string) (url string, calls chan seen) {
	calls = make(chan seen, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := seen{method: r.Method, path: r.URL.RequestURI(), auth: r.Header.Get("Authorization"),
			contentType: r.Header.Get("Content-Type"), agent: r.Header.Get("User-Agent")}
		raw, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(raw, &s.body)
		}
		if err != nil {
			t.Errorf("request body %q: %v", raw, err)
		}
		calls <- s
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, calls
}

func client(t *testing.T, c forge.Config) *forge.Client {
	t.Helper()
	f, err := forge.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var verified = forge.Status{Context: "seatrial/staging", State: forge.Success,
	Description: "verified in staging", Target: "http://127.0.0.1:8480/releases/shop.web.3f2a91c07d0b"}

func TestTheStatusOnTheWire(t *testing.T) {
	for _, c := range []struct {
		name, path, auth string
		kind             forge.Kind
	}{
		{name: "Gitea gets the token in its own scheme and no version question before", kind: forge.Gitea,
			path: "/api/v1/repos/shop/web/statuses/" + string(sha), auth: "token s3cret"},
		{name: "GitHub Enterprise gets a bearer token below api/v3", kind: forge.GitHub,
			path: "/api/v3/repos/shop/web/statuses/" + string(sha), auth: "Bearer s3cret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, calls := listen(t, http.StatusCreated, nil, `{"id":1}`)
			f := client(t, forge.Config{Kind: c.kind, URL: url + "/", Token: "s3cret"})
			if err := f.SetStatus(t.Context(), "shop/web", sha, verified); err != nil {
				t.Fatal(err)
			}
			got := <-calls
			if got.method != "POST" || got.path != c.path || got.auth != c.auth || got.contentType != "application/json" {
				t.Errorf("request %+v", got)
			}
			if len(calls) != 0 {
				t.Errorf("%d more calls than one", len(calls))
			}
			want := map[string]any{"state": "success", "context": "seatrial/staging",
				"description": "verified in staging", "target_url": verified.Target}
			for k, v := range want {
				if got.body[k] != v {
					t.Errorf("%s = %v, want %v", k, got.body[k], v)
				}
			}
			if len(got.body) != len(want) {
				t.Errorf("body %v has other fields than %v", got.body, want)
			}
		})
	}
}

func TestDescriptionsAreCutToWhatTheForgeTakes(t *testing.T) {
	for kind, most := range map[forge.Kind]int{forge.GitHub: 140, forge.Gitea: 255} {
		url, calls := listen(t, http.StatusCreated, nil, `{}`)
		s := verified
		s.Description = "可用性\n" + strings.Repeat("低于目标 ", 100)
		if err := client(t, forge.Config{Kind: kind, URL: url}).SetStatus(t.Context(), "shop/web", sha, s); err != nil {
			t.Fatal(err)
		}
		got := (<-calls).body["description"].(string)
		if n := len([]rune(got)); n != most || !strings.HasSuffix(got, "…") || strings.Contains(got, "\n") {
			t.Errorf("%s: %d characters %q", kind, n, got)
		}
	}
}

func TestNothingWrongIsSent(t *testing.T) {
	url, calls := listen(t, http.StatusCreated, nil, `{}`)
	f := client(t, forge.Config{Kind: forge.Gitea, URL: url})
	link, state, context := verified, verified, verified
	link.Target = "javascript:alert(1)"
	state.State = "great"
	context.Context = ""
	for _, c := range []struct {
		name, repo string
		commit     release.Commit
		status     forge.Status
	}{
		{name: "a repo that climbs out of its path", repo: "../admin", commit: sha, status: verified},
		{name: "a repo with three parts", repo: "a/b/c", commit: sha, status: verified},
		{name: "a short commit", repo: "shop/web", commit: "3f2a91c", status: verified},
		{name: "a link that runs script", repo: "shop/web", commit: sha, status: link},
		{name: "a state no forge knows", repo: "shop/web", commit: sha, status: state},
		{name: "a status without context", repo: "shop/web", commit: sha, status: context},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := f.SetStatus(t.Context(), c.repo, c.commit, c.status); err == nil {
				t.Error("was accepted")
			}
		})
	}
	if len(calls) != 0 {
		t.Errorf("%d calls reached the forge", len(calls))
	}
}

func TestRefusalsSayWhoHasToAct(t *testing.T) {
	for _, c := range []struct {
		name, hint string
		kind       forge.Kind
		code       int
		header     http.Header
		temporary  bool
		retry      time.Duration
	}{
		{name: "a wrong token is a person's to change", kind: forge.Gitea, code: 401, hint: "set a new one"},
		{name: "a weak token is a person's to change", kind: forge.GitHub, code: 403, hint: "right to write"},
		{name: "an unknown repo is a person's to check", kind: forge.Gitea, code: 404, hint: "repository's name"},
		{name: "a broken forge is asked again", kind: forge.Gitea, code: 502, temporary: true},
		{name: "a busy forge says when", kind: forge.Gitea, code: 429, temporary: true, retry: 7 * time.Second,
			header: http.Header{"Retry-After": {"7"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, _ := listen(t, c.code, c.header, `{"message":"no"}`)
			err := client(t, forge.Config{Kind: c.kind, URL: url, Token: "s3cret"}).SetStatus(t.Context(), "shop/web", sha, verified)
			refused, ok := errors.AsType[*forge.Error](err)
			if !ok || refused.Code != c.code || refused.Temporary() != c.temporary || refused.RetryAfter != c.retry {
				t.Errorf("error %#v", err)
			}
			if h := hint.Of(err); !strings.Contains(h, c.hint) {
				t.Errorf("hint %q, want %q", h, c.hint)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the token is in %q", err)
			}
		})
	}
}

func TestTheTokenStaysWithItsHost(t *testing.T) {
	stranger := make(chan struct{}, 1)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stranger <- struct{}{} }))
	t.Cleanup(other.Close)
	url, _ := listen(t, http.StatusTemporaryRedirect, http.Header{"Location": {other.URL}}, "")
	for _, kind := range []forge.Kind{forge.Gitea, forge.GitHub} {
		err := client(t, forge.Config{Kind: kind, URL: url, Token: "s3cret"}).SetStatus(t.Context(), "shop/web", sha, verified)
		if err == nil || !strings.Contains(err.Error(), "refused redirect") {
			t.Errorf("%s: error %v", kind, err)
		}
	}
	if len(stranger) != 0 {
		t.Error("the redirect was followed to another host")
	}
}

func TestAnEndlessAnswerEnds(t *testing.T) {
	url, _ := listen(t, http.StatusCreated, nil, `{"id":"`+strings.Repeat("x", 4<<20)+`"}`)
	err := client(t, forge.Config{Kind: forge.Gitea, URL: url}).SetStatus(t.Context(), "shop/web", sha, verified)
	if err == nil {
		t.Error("4 MiB were read")
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []forge.Config{
		{Kind: "gitlab", URL: "https://x"}, {Kind: forge.Gitea}, {Kind: forge.Gitea, URL: "git.example"},
		{Kind: forge.Gitea, URL: "https://me:pw@git.example"}, {Kind: forge.GitHub, URL: "ftp://x"},
	} {
		if _, err := forge.New(c); err == nil {
			t.Errorf("%+v was accepted", c)
		} else if strings.Contains(err.Error(), "pw@") {
			t.Errorf("credentials in %q", err)
		}
	}
}
