package hooks_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/web/hooks"
)

const (
	current = "current-secret-0123456789"
	next    = "next-secret-0123456789abc"
	commit  = "3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817"
)

// shelf keeps pushes the way a store does: a delivery id only once.
type shelf struct {
	mu     sync.Mutex // guards pushes
	pushes map[string]forge.Push
	broken error
}

func (s *shelf) keep(_ context.Context, p forge.Push) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return false, s.broken
	}
	key := string(p.Forge) + "/" + p.Delivery
	if _, seen := s.pushes[key]; seen {
		return false, nil
	}
	s.pushes[key] = p
	return true, nil
}

func known(_ forge.Kind, repo string) bool { return repo == "shop/web" }

func open(t testing.TB, s *shelf, secrets ...secret.Text) *httptest.Server {
	t.Helper()
	s.pushes = map[string]forge.Push{}
	both := map[forge.Kind][]secret.Text{forge.Gitea: secrets, forge.GitHub: secrets}
	r, err := hooks.New(hooks.Config{Secrets: both}, known, s.keep, func(forge.Kind, string) {}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, k := range r.Kinds() {
		mux.Handle("POST /hooks/"+string(k), r.Handler(k))
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

func push(repo, ref, after string) []byte {
	return fmt.Appendf(nil, `{"ref":%q,"before":%q,"after":%q,"repository":{"full_name":%q},"pusher":{"login":"li","name":"li"}}`,
		ref, commit, after, repo)
}

func sign(key string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func gitea(key, id string, body []byte) http.Header {
	return http.Header{"Content-Type": {"application/json"}, "X-Gitea-Event": {"push"},
		"X-Gitea-Delivery": {id}, "X-Gitea-Signature": {sign(key, body)}}
}

func github(key, id string, body []byte) http.Header {
	return http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Github-Event": {"push"},
		"X-Github-Delivery": {id}, "X-Hub-Signature-256": {"sha256=" + sign(key, body)}}
}

func deliver(t testing.TB, url string, h http.Header, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = h
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 400 && resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a refusal as %s", resp.Header.Get("Content-Type"))
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

func TestASignedPushIsKeptOnce(t *testing.T) {
	for kind, header := range map[forge.Kind]func(key, id string, body []byte) http.Header{forge.Gitea: gitea, forge.GitHub: github} {
		var s shelf
		srv := open(t, &s, current, next)
		body := push("shop/web", "refs/heads/main", commit)
		for i, c := range []struct {
			key, id string
			code    int
			answer  string
		}{
			{key: current, id: "d-1", code: 202, answer: `{"delivery":"d-1"}`},
			{key: current, id: "d-1", code: 200, answer: `{"duplicate":true}`},
			{key: next, id: "d-2", code: 202, answer: `{"delivery":"d-2"}`},
		} {
			code, text := deliver(t, srv.URL+"/hooks/"+string(kind), header(c.key, c.id, body), bytes.NewReader(body))
			if code != c.code || text != c.answer {
				t.Errorf("%s delivery %d: %d %s", kind, i, code, text)
			}
		}
		want := forge.Push{Forge: kind, Delivery: "d-1", Repo: "shop/web", Ref: "refs/heads/main", Before: commit, After: commit, Pusher: "li"}
		if got := s.pushes[string(kind)+"/d-1"]; got != want || len(s.pushes) != 2 {
			t.Errorf("kept %+v", s.pushes)
		}
	}
}

func TestWhatIsNotKept(t *testing.T) {
	good := push("shop/web", "refs/heads/main", commit)
	with := func(h http.Header, name string, values ...string) http.Header { h[name] = values; return h }
	sum1 := hmac.New(sha1.New, []byte(current))
	sum1.Write(good)
	huge := append(bytes.Repeat([]byte(" "), hooks.MaxBody), good...)
	for _, c := range []struct {
		name, path string
		header     http.Header
		body       []byte
		chunked    bool // the length is not announced
		code       int
	}{
		{name: "no signature", header: with(gitea(current, "d", good), "X-Gitea-Signature"), code: 401},
		{name: "an empty signature", header: with(gitea(current, "d", good), "X-Gitea-Signature", ""), code: 401},
		{name: "another key's signature", header: gitea("some-other-secret-00000", "d", good), code: 401},
		{name: "the empty key's signature", header: gitea("", "d", good), code: 401},
		{name: "another body's signature", header: gitea(current, "d", push("shop/web", "refs/heads/x", commit)), code: 401},
		{name: "two signatures", header: with(gitea(current, "d", good), "X-Gitea-Signature", sign(current, good), sign(current, good)), code: 401},
		{name: "a signature that is no hex", header: with(gitea(current, "d", good), "X-Gitea-Signature", strings.Repeat("zz", 32)), code: 401},
		{name: "a signature in unicode", header: with(gitea(current, "d", good), "X-Gitea-Signature", "签名"), code: 401},
		{name: "GitHub's prefix missing", path: "/hooks/github", header: with(github(current, "d", good), "X-Hub-Signature-256", sign(current, good)), code: 401},
		{name: "GitHub's old SHA-1 signature", path: "/hooks/github", code: 401,
			header: with(with(github(current, "d", good), "X-Hub-Signature-256"), "X-Hub-Signature", "sha1="+hex.EncodeToString(sum1.Sum(nil)))},
		{name: "a Gitea signature at GitHub's door", path: "/hooks/github", header: gitea(current, "d", good), code: 401},
		{name: "an unknown repo", body: push("shop/other", "refs/heads/main", commit), code: 404},
		{name: "a repo in unicode", body: push("商店/web", "refs/heads/main", commit), code: 400},
		{name: "a body over the cap", body: huge, code: 413},
		{name: "a body over the cap that hides its length", body: huge, chunked: true, code: 413},
		{name: "a form", header: with(gitea(current, "d", good), "Content-Type", "application/x-www-form-urlencoded"), code: 415},
		{name: "no content type", header: with(gitea(current, "d", good), "Content-Type"), code: 415},
		{name: "malformed JSON", body: []byte(`{"ref":`), code: 400},
		{name: "an empty body", body: []byte{}, code: 400},
		{name: "no delivery id", header: with(gitea(current, "d", good), "X-Gitea-Delivery"), code: 400},
		{name: "a delivery id that is a path", header: gitea(current, "../../users", good), code: 400},
		{name: "a delivery id without end", header: gitea(current, strings.Repeat("d", 65), good), code: 400},
		{name: "a ping", header: with(gitea(current, "d", good), "X-Gitea-Event", "ping"), code: 204},
		{name: "an issue's event", header: with(gitea(current, "d", good), "X-Gitea-Event", "issues"), code: 204},
		{name: "a deleted branch", body: push("shop/web", "refs/heads/old", strings.Repeat("0", 40)), code: 204},
		{name: "a tag", body: push("shop/web", "refs/tags/v1", commit), code: 204},
	} {
		t.Run(c.name+fmt.Sprintf(" is answered %d", c.code), func(t *testing.T) {
			var s shelf
			srv := open(t, &s, current)
			if c.body == nil {
				c.body = good
			}
			if c.header == nil {
				c.header = gitea(current, "d", c.body)
			}
			if c.path == "" {
				c.path = "/hooks/gitea"
			}
			var body io.Reader = bytes.NewReader(c.body)
			if c.chunked {
				body = struct{ io.Reader }{body}
			}
			code, text := deliver(t, srv.URL+c.path, c.header, body)
			if code != c.code {
				t.Errorf("answered %d %s", code, text)
			}
			if len(s.pushes) != 0 {
				t.Errorf("kept %+v", s.pushes)
			}
			if strings.Contains(text, current) {
				t.Error("the secret is in the answer")
			}
		})
	}
}

func TestAPushThatCouldNotBeKeptIsNotAccepted(t *testing.T) {
	var s shelf
	srv := open(t, &s, current)
	s.broken = errors.New("disk /var/lib full")
	body := push("shop/web", "refs/heads/main", commit)
	code, text := deliver(t, srv.URL+"/hooks/gitea", gitea(current, "d", body), bytes.NewReader(body))
	if code != 503 || strings.Contains(text, "/var/lib") {
		t.Errorf("answered %d %s", code, text)
	}
}

func TestASecretThatIsNoSecretStopsTheStart(t *testing.T) {
	for name, secrets := range map[string][]secret.Text{
		"none": {}, "an empty one": {""}, "a short one": {"hunter2"}, "an empty one beside a good one": {current, ""},
		"three": {current, next, current},
	} {
		c := hooks.Config{Secrets: map[forge.Kind][]secret.Text{forge.Gitea: secrets}}
		_, err := hooks.New(c, known, new(shelf).keep, func(forge.Kind, string) {}, slog.New(slog.DiscardHandler))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestManyAtOnceAreAllKept(t *testing.T) {
	var s shelf
	srv := open(t, &s, current)
	body := push("shop/web", "refs/heads/main", commit)
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			id := fmt.Sprintf("d-%d", i)
			if code, text := deliver(t, srv.URL+"/hooks/gitea", gitea(current, id, body), bytes.NewReader(body)); code != 202 {
				t.Errorf("%s: %d %s", id, code, text)
			}
		})
	}
	wg.Wait()
	if len(s.pushes) != 300 {
		t.Errorf("kept %d of 300", len(s.pushes))
	}
}

func BenchmarkReceive(b *testing.B) {
	s := shelf{pushes: map[string]forge.Push{}}
	r, err := hooks.New(hooks.Config{Secrets: map[forge.Kind][]secret.Text{forge.Gitea: {current}}}, known,
		func(context.Context, forge.Push) (bool, error) { return true, nil }, func(forge.Kind, string) {}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err, s.broken)
	}
	h := r.Handler(forge.Gitea)
	body := push("shop/web", "refs/heads/main", commit)
	body = append(body[:len(body)-1], []byte(`,"commits":["`+strings.Repeat("x", 8<<10)+`"]}`)...)
	header := gitea(current, "d-1", body)
	b.ReportAllocs()
	for b.Loop() {
		req := httptest.NewRequest("POST", "/hooks/gitea", bytes.NewReader(body))
		req.Header = header
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, req); w.Code != 202 {
			b.Fatal(w.Code)
		}
	}
}
