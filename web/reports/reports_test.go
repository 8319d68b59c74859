package reports_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/web/reports"
)

func TestWhatIsWantedIsChosen(t *testing.T) {
	tests := []struct {
		name, named, accept, want string
		ok                        bool
	}{
		{"a browser gets a page", "", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html", true},
		{"whoever takes anything gets JSON", "", "*/*", "json", true},
		{"whoever says nothing gets JSON", "", "", "json", true},
		{"the better liked wins", "", "text/html;q=0.2, text/markdown;q=0.9", "markdown", true},
		{"any text is a page", "", "text/*", "html", true},
		{"what is named counts above what is taken", "markdown", "text/html", "markdown", true},
		{"an unknown name is none", "pdf", "*/*", "pdf", false},
		{"an unknown type is none", "", "application/pdf", "", false},
		{"what is not wanted is none", "", "text/html;q=0", "", false},
		{"nonsense is none", "", "text/html;q=a, ;;", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := reports.Choose(tt.named, tt.accept); got != tt.want || ok != tt.ok {
				t.Errorf("%q, %v", got, ok)
			}
		})
	}
}

func TestAPageMayDoNothing(t *testing.T) {
	p := reports.Policy(reports.Document{Style: "sha256-x"})
	for _, want := range []string{"default-src 'none'", "style-src 'sha256-x'", "frame-ancestors 'none'"} {
		if !strings.Contains(p, want) {
			t.Errorf("%s lacks %s", p, want)
		}
	}
	if !strings.HasSuffix(p, "; sandbox") || strings.Contains(p, "allow-") || strings.Contains(p, "unsafe") {
		t.Errorf("the sandbox has rights: %s", p)
	}
	if !strings.Contains(reports.Policy(reports.Document{}), "style-src 'none'") {
		t.Error("without a style sheet one is allowed")
	}
}

func TestSince(t *testing.T) {
	for text, want := range map[string]time.Duration{"7d": 7 * 24 * time.Hour, "12h": 12 * time.Hour, "31d": 31 * 24 * time.Hour, "32d": 0, "0d": 0, "-1d": 0, "d": 0, "": 0, "1y": 0, "99999999999999999999d": 0} {
		if got, err := reports.Since(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
}
