package source_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/slo/source"
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const one = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}`

// says is a server that gives one answer to everything.
func says(t *testing.T, status int, body string) *source.Prometheus {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	p, err := source.New(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func data(kind, result string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, kind, result)
}

func TestWhatIsNoNumberHasAClearReason(t *testing.T) {
	many := strings.Repeat(`{"metric":{"pod":"a"},"value":[1,"1"]},`, 20) + `{"metric":{"pod":"b"},"value":[1,"1"]}`
	huge := strings.Repeat(`{"metric":{"pod":"aaaaaaaaaa"},"value":[1,"1"]},`, 1_000_000) + `{"metric":{},"value":[1,"1"]}`
	for _, tt := range []struct {
		name   string
		status int
		body   string
		query  bool // the query is to blame, not the server
		want   string
	}{
		{"a string", 200, data("string", `[1,"text"]`), true, "the answer is a string, not a number"},
		{"a range", 200, data("matrix", `[{"metric":{},"values":[[1,"1"],[2,"1"]]}]`), true, "the answer is a matrix, not a number"},
		{"many series", 200, data("vector", "["+many+"]"), true, "21 samples in the answer, at most 20"},
		{"a million series", 200, data("vector", "["+huge+"]"), true, "the answer is larger than 1048576 bytes"},
		{"a histogram", 200, data("vector", `[{"metric":{},"histogram":[1,{"count":"1","sum":"1","buckets":[]}]}]`), true, "histogram"},
		{"a query that is none", 400, `{"status":"error","errorType":"bad_data","error":"1:3: parse error: unexpected )"}`, true, "it refuses the query: 1:3: parse error"},
		{"a query that fails", 422, `{"status":"error","errorType":"execution","error":"many-to-many matching not allowed"}`, true, "many-to-many"},
		{"a query that takes too long", 503, `{"status":"error","errorType":"timeout","error":"query timed out"}`, false, "does not answer: server_error: server error: 503"},
		{"no login", 401, `no`, false, "does not answer: client_error: client error: 401"},
		{"something that is no Prometheus", 200, `<html>`, false, "does not answer: bad_response"},
		{"a server that is ill", 500, `oops`, false, "does not answer: server_error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := says(t, tt.status, tt.body).Ask(t.Context(), "good", "up", begin)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("err = %v, want %q", err, tt.want)
			}
			if errors.Is(err, source.ErrQuery) != tt.query || errors.Is(err, source.ErrUnreachable) == tt.query {
				t.Errorf("query to blame: %v, server to blame: %v", errors.Is(err, source.ErrQuery), errors.Is(err, source.ErrUnreachable))
			}
			if hint.Of(err) == "" {
				t.Errorf("%v says no next step", err)
			}
		})
	}
}

func TestOnlyWhoIsToldTheLoginGetsIt(t *testing.T) {
	var seen atomic.Pointer[http.Header]
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen.Store(&r.Header); _, _ = io.WriteString(w, one) }))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/away"):
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		case r.Header.Get("Authorization") == "Bearer s3cr3t" && r.Header.Get("X-Scope-OrgID") == "shop":
			_, _ = io.WriteString(w, one)
		default:
			if user, password, _ := r.BasicAuth(); user == "seatrial" && password == "s3cr3t" {
				_, _ = io.WriteString(w, one)
				return
			}
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	tenant := map[string]secret.Text{"X-Scope-OrgID": "shop"}
	for _, tt := range []struct {
		name   string
		access source.Access
		want   string // error; none: it gets in
	}{
		{"a token and a header get in", source.Access{URL: server.URL, CA: ca, Token: "s3cr3t", Header: tenant}, ""},
		{"a password gets in", source.Access{URL: server.URL, CA: ca, User: "seatrial", Password: "s3cr3t"}, ""},
		{"without a login nobody does", source.Access{URL: server.URL, CA: ca}, "401"},
		{"without the CA it is nobody's server", source.Access{URL: server.URL, Token: "s3cr3t"}, "certificate"},
		{"a redirect to elsewhere is not followed", source.Access{URL: server.URL + "/away", CA: ca, Token: "s3cr3t", Header: tenant}, "it redirects to http://"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := source.Open(tt.access)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Ask(t.Context(), "one", "vector(1)", begin)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(fmt.Sprintf("%+v %s", err, hint.Of(err)), "s3cr3t") {
				t.Errorf("the secret is in the error: %v", err)
			}
		})
	}
	if h := seen.Load(); h != nil {
		t.Errorf("elsewhere was told %v", *h)
	}
}

func TestAccessThatCannotBeMeantIsRefused(t *testing.T) {
	for name, a := range map[string]source.Access{
		"no address":              {},
		"not HTTP":                {URL: "ftp://u:s3cr3t@prometheus"},
		"a control character":     {URL: "http://u:s3cr3t@prometheus\x7f"},
		"a token in the address":  {URL: "http://prometheus/?token=s3cr3t"},
		"two logins":              {URL: "http://prometheus", Token: "s3cr3t", User: "u"},
		"a password of nobody":    {URL: "http://prometheus", Password: "s3cr3t"},
		"a CA without TLS":        {URL: "http://prometheus", CA: []byte("x")},
		"a CA that is none":       {URL: "https://prometheus", CA: []byte("s3cr3t")},
		"a login in the URL, too": {URL: "http://u:s3cr3t@prometheus", Token: "t"},
	} {
		_, err := source.Open(a)
		if err == nil || hint.Of(err) == "" || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAServerThatHangsIsNotWaitedFor(t *testing.T) {
	end := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-end:
		}
	}))
	t.Cleanup(hangs.Close)
	t.Cleanup(func() { close(end) })
	p, err := source.New(hangs.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Ask(ctx, "good", "up", begin); !errors.Is(err, source.ErrUnreachable) || !strings.Contains(err.Error(), "does not answer in time") {
		t.Errorf("err = %v", err)
	}
}
