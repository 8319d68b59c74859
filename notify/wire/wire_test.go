package wire_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify/wire"
)

func post(t *testing.T, h http.HandlerFunc, address func(base string) string) ([]byte, *wire.Failure) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	answer, err := wire.Do(t.Context(), server.Client(), wire.Request{Address: secret.Text(address(server.URL)), Body: []byte(`{}`)})
	f, _ := err.(*wire.Failure)
	return answer, f
}

func same(base string) string { return base }

func TestRetryAfter(t *testing.T) {
	for said, want := range map[string]time.Duration{
		"90": 90 * time.Second, "0": 0, "-5": 0, "-9223372037": 0, "-9223372036854775808": 0, "soon": 0, "": 0, "1.5": 0,
		"7200": time.Hour, "9223372036854775807": time.Hour, "99999999999999999999": time.Hour,
		"Mon, 02 Jan 2006 15:04:05 GMT": 0, "Fri, 31 Dec 9999 23:59:59 GMT": time.Hour,
	} {
		_, f := post(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", said)
			w.WriteHeader(http.StatusTooManyRequests)
		}, same)
		if f == nil || f.After != want || !f.Limited {
			t.Errorf("%q: %+v, want %v", said, f, want)
		}
	}
}

// A server that shows what it was asked shows it as it came: with escapes, and in HTML.
func TestNoPartOfAnAddressIsSeen(t *testing.T) {
	_, f := post(t, func(w http.ResponseWriter, req *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "%s %s of %q and %s", req.Header.Get("Authorization"), strings.ReplaceAll(req.RequestURI, "&", "&amp;"), req.URL.Query()["sig"], req.URL.Path)
	}, func(base string) string {
		return strings.Replace(base, "http://", "http://robot:t0psecret%2B1@", 1) + "/hooks/step%20one%2Btwo/x?v=1&sig=ab%2Bcdef%2Fghij%3D"
	})
	if f == nil || f.Status != http.StatusForbidden {
		t.Fatalf("%+v", f)
	}
	for _, bad := range []string{"cdef", "one%2B", "one+", "cm9ib3Q6", "t0psecret"} {
		if strings.Contains(f.Reason, bad) {
			t.Errorf("%q is seen in %q", bad, f.Reason)
		}
	}
}

func TestAnAnswerThatBreaksOffIsStillOne(t *testing.T) {
	broken := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(status)
			fmt.Fprint(w, "taken")
		}
	}
	if answer, f := post(t, broken(202), same); f != nil || string(answer) != "taken" {
		t.Errorf("%q, %+v", answer, f)
	}
	if _, f := post(t, broken(403), same); f == nil || !f.Permanent || f.Status != 403 {
		t.Errorf("%+v", f)
	}
}

func TestMetadataServicesAreRefused(t *testing.T) {
	for _, host := range []string{"169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "100.100.100.200", "[fd00:ec2::254]", "[fd20:ce::254]", "168.63.129.16", "192.0.0.192", "100.96.0.96"} {
		_, err := wire.Do(t.Context(), wire.NewClient(), wire.Request{Address: secret.Text("http://" + host + "/latest")})
		if err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: %v", host, err)
		}
	}
}
