package matchers_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/matchers"
)

func TestMatches(t *testing.T) {
	labels := map[string]string{"severity": "critical", "service": "shop/web", "kind": "slo.breach"}
	for text, want := range map[string]bool{
		"severity=critical": true, `severity = "critical"`: true, "severity!=critical": false, "severity=warning": false,
		"service=~shop/.*": true, "service=~shop": false, "service!~pay/.*": true, `service=~"shop/(web|api)"`: true,
		"environment=": true, "environment!=prod": true, "kind=~slo[.].*": true, "kind=~a|slo.breach": true,
	} {
		m, err := matchers.Parse(text)
		if err != nil || m.Matches(labels) != want {
			t.Errorf("%s: %v, %v; want %v", text, m.Matches(labels), err, want)
		}
	}
}

func TestWrongOnesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"severty=critical": `unknown label "severty" (did you mean "severity"?)`, "critical": "want LABEL=VALUE", "": "want LABEL=VALUE",
		"service=~(": "missing closing )", `service="shop`: "quotes", "service=" + strings.Repeat("x", 600): "want LABEL=VALUE",
	} {
		if _, err := matchers.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`service=~"shop/.*"`)
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := matchers.Parse(text); err == nil {
			again, err := matchers.Parse(m.String())
			if err != nil || again.String() != m.String() {
				t.Errorf("%q reads again as %q, %v", m, again, err)
			}
		}
	})
}
