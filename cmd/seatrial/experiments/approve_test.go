package experiments_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/cmd/seatrial/experiments"
)

// run is the command with a password on standard input, and what the server was asked.
func run(t *testing.T, password string, args ...string) (asked []string, out string, err error) {
	t.Helper()
	t.Setenv("SEATRIAL_PASSWORD", "")
	t.Setenv("SEATRIAL_TOKEN", "st_of-a-robot")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, _ := r.Cookie("seatrial")
		asked = append(asked, fmt.Sprint(r.Method, " ", r.URL, " cookie ", cookie != nil, " token ", r.Header.Get("Authorization") != "", " match ", r.Header.Get("If-Match")))
		switch {
		case r.URL.Path == "/api/v1/session" && r.Method == http.MethodPost:
			http.SetCookie(w, &http.Cookie{Name: "seatrial", Value: "s1"})
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = w.Write([]byte(`{"experiment":"kill","env":"prod","required":2,"digest":"sha256:1","verdict":{"outcome":"Refuse","reason":"1 of 2 approvals"},"said":[{"by":"bob","state":"counts"}]}`))
		}
	}))
	defer server.Close()
	var text bytes.Buffer
	cmd := experiments.New(&client.Remote{Server: server.URL})
	cmd.SetArgs(args)
	cmd.SetOut(&text)
	cmd.SetErr(&text)
	cmd.SetIn(strings.NewReader(password))
	err = cmd.ExecuteContext(t.Context())
	return asked, text.String(), err
}

func TestAPersonApprovesWhatWasShownAndSignsOut(t *testing.T) {
	asked, out, err := run(t, "secret\n", "approve", "kill", "--env", "prod", "--schedule", "--user", "bob")
	want := []string{
		"POST /api/v1/session cookie false token true match ",
		"GET /api/v1/experiments/kill/approvals?env=prod&schedule=true cookie true token false match ",
		`POST /api/v1/experiments/kill/approve cookie true token false match "sha256:1"`,
		"DELETE /api/v1/session cookie true token false match ",
	}
	if err != nil || strings.Join(asked, "\n") != strings.Join(want, "\n") {
		t.Errorf("%v: asked\n%s\nwant\n%s", err, strings.Join(asked, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(out, "1 of 2 approvals") || !strings.Contains(out, "bob") {
		t.Errorf("printed %s", out)
	}
}

func TestWithoutAPasswordNobodySignsIn(t *testing.T) {
	if asked, _, err := run(t, "\n", "withdraw", "kill", "--env", "prod", "--user", "bob"); err == nil || !strings.Contains(err.Error(), "no password") || len(asked) != 0 {
		t.Errorf("%v: asked %v", err, asked)
	}
}
