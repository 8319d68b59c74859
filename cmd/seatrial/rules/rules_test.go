package rules_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/cmd/seatrial/rules"
)

// doctor runs the command on the platform of the examples.
func doctor(t *testing.T, address string) (string, error) {
	t.Helper()
	var out strings.Builder
	cmd := rules.New(func(w io.Writer, _ string, _ any, table func(io.Writer, bool)) error { table(w, false); return nil })
	cmd.SetArgs([]string{"doctor", "--prometheus", address, "--cluster", "staging", "../../../examples/platform"})
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestDoctorFailsWithALineForEachRuleThatIsNotLoaded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/rules":
			io.WriteString(w, `{"status":"success","data":{"groups":[]}}`)
		case "/api/v1/query":
			io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
		default:
			t.Errorf("nobody was to ask for %s", r.URL)
		}
	}))
	defer server.Close()
	out, err := doctor(t, server.URL)
	if err == nil || err.Error() != "5 rules of SLOs are not as they should be" {
		t.Errorf("%v", err)
	}
	if got := strings.Count(out, "\tit is not loaded\tload what seatrial slo rules prints now"); got != 5 {
		t.Errorf("%d lines: %s", got, out)
	}
}

func TestDoctorThatCannotAskSaysSo(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if out, err := doctor(t, server.URL); err == nil || !strings.Contains(err.Error(), "ask Prometheus") || out != "" {
		t.Errorf("%q %v", out, err)
	}
}
