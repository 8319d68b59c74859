package web_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/vault/vaulttest"
)

// listen opens a stream and gives back its lines as they come.
func (h *harbour) listen(t *testing.T, query string, headers ...string) <-chan string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", h.url+"/api/v1/stream?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.tokens[auth.Viewer])
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 {
		t.Fatalf("the stream is answered %d", resp.StatusCode)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		defer resp.Body.Close()
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}

func await(t *testing.T, lines <-chan string, want string) {
	t.Helper()
	for line := range lines {
		if strings.Contains(line, want) {
			return
		}
	}
	t.Fatalf("the stream ended without %q", want)
}

func TestAnActIsSeenLive(t *testing.T) {
	h := open(t, page)
	lines := h.listen(t, "topics=releases,board,log:"+string(shopWeb)+"@8")
	await(t, lines, ": ok")
	await(t, lines, `{"n":9,`)
	await(t, lines, `"done":true`)
	h.ask(t, auth.Operator, "POST", one+"/hold", `{"reason":"x"}`)
	await(t, lines, "id: 7")
	await(t, lines, "event: release")
	await(t, lines, `"id":"shop.web.3f2a91c07d0b"`)

	again := h.listen(t, "topics=releases", "Last-Event-ID", "6")
	await(t, again, "id: 6")
	await(t, again, "id: 7")
}

func TestTheServerStopsWithStreamsOpen(t *testing.T) {
	y, v := newYard(), vaulttest.New()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := web.New(web.Config{External: "http://" + l.Addr().String()}, y.parts(v), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := s.Guard().AddToken(t.Context(), auth.Who{Role: auth.Admin}, "x", auth.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	h := &harbour{url: "http://" + l.Addr().String(), tokens: map[auth.Role]string{auth.Viewer: token.Reveal()}}
	lines := h.listen(t, "topics=releases")
	await(t, lines, ": ok")
	cancel()
	for range lines { // until it ends
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWebhooksComeThroughTheSameDoor(t *testing.T) {
	h := open(t, page)
	body := `{"ref":"refs/heads/main","after":"` + string(commit) + `","repository":{"full_name":"shop/web"}}`
	mac := hmac.New(sha256.New, []byte(hookKey))
	mac.Write([]byte(body))
	sum := hex.EncodeToString(mac.Sum(nil))
	got := h.ask(t, "", "POST", "/hooks/gitea", body, "X-Gitea-Event", "push", "X-Gitea-Delivery", "d-1", "X-Gitea-Signature", sum)
	if got.code != 202 || !strings.Contains(got.text, "d-1") {
		t.Errorf("signed: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Admin, "POST", "/hooks/gitea", body, "X-Gitea-Event", "push", "X-Gitea-Delivery", "d-1"); got.code != 401 {
		t.Errorf("a token in place of a signature: %d", got.code)
	}
	if got := h.ask(t, "", "POST", "/hooks/gitlab", body); got.code != 404 {
		t.Errorf("a forge we do not serve: %d", got.code)
	}
}

func TestAWeakSetupDoesNotStart(t *testing.T) {
	start := func(c web.Config) error {
		_, err := web.New(c, newYard().parts(vaulttest.New()), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		return err
	}
	for name, c := range map[string]web.Config{
		"an empty webhook secret": {External: "http://127.0.0.1:1", Secrets: map[forge.Kind][]secret.Text{forge.Gitea: {""}}},
		"sessions in the clear":   {External: "http://seatrial.example"},
		"no address at all":       {},
	} {
		if err := start(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestTheConsoleIsServed(t *testing.T) {
	h := open(t, page)
	for _, c := range []struct {
		path, kind, cache string
		code              int
	}{
		{"/", "text/html; charset=utf-8", "no-store", 200},
		{"/index.html", "text/html; charset=utf-8", "no-store", 200},
		{"/releases/shop.web.3f2a91c07d0b", "text/html; charset=utf-8", "no-store", 200},
		{"/assets/index-3f2a91c.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", 200},
		{"/favicon.svg", "image/svg+xml", "public, max-age=3600", 200},
		{"/assets/index-older.js", "application/problem+json", "no-store", 404},
		{"/.keep", "text/html; charset=utf-8", "no-store", 200}, // the page, not the file
		{"/assets/../../web.go", "text/html; charset=utf-8", "no-store", 200},
		{"/metrics", "text/html; charset=utf-8", "no-store", 200}, // no metrics here
	} {
		got := h.ask(t, "", "GET", c.path, "")
		if got.code != c.code || got.header.Get("Content-Type") != c.kind || got.header.Get("Cache-Control") != c.cache {
			t.Errorf("%s: %d %v", c.path, got.code, got.header)
		}
	}
	if got := h.ask(t, "", "POST", "/releases", "{}"); got.code != 405 || got.header.Get("Allow") == "" {
		t.Errorf("POST to a page: %d", got.code)
	}
}

func TestAServerBuiltWithoutItsConsoleSaysSo(t *testing.T) {
	h := open(t, fstest.MapFS{".keep": {}})
	got := h.ask(t, "", "GET", "/", "")
	if _, hint := got.problem(t); got.code != 404 || !strings.Contains(hint, "make console") {
		t.Errorf("%d %s", got.code, got.text)
	}
}

func TestMetricsHaveBoundedLabels(t *testing.T) {
	h := open(t, page)
	for _, path := range []string{"/a", "/b", one, "/api/v1/releases/shop.web.000000000000", "/api/v1/nothing"} {
		h.ask(t, auth.Viewer, "GET", path, "")
	}
	h.ask(t, auth.Viewer, "PROPFIND", "/", "")
	families, err := h.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			seen[name] = m.GetCounter().GetValue()
			if strings.Contains(name, "shop.web") {
				t.Errorf("a release is in %s", name)
			}
		}
	}
	for name, want := range map[string]float64{
		"seatrial_http_requests_total 200 GET /":                     2,
		"seatrial_http_requests_total 200 GET /api/v1/releases/{id}": 1,
		"seatrial_http_requests_total 404 GET /api/v1/releases/{id}": 1,
		"seatrial_http_requests_total 405 other /":                   1,
	} {
		if seen[name] != want {
			t.Errorf("%s = %v, want %v of %v", name, seen[name], want, seen)
		}
	}
}
