package notify_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
)

func TestASummarySaysWhatItIsInBothLanguages(t *testing.T) {
	e := release.Event{ID: "1", Kind: release.EventSummary, Project: "pay", Subject: "pay, 7 days to 2026-11-30: 42 runs: 40 passed", Reason: "pay/payment: 42 runs, 1 failed, 1 invalid"}
	for language, want := range map[string]string{"en": ">experiments of the week: pay, 7 days", "zh": ">实验周报: pay, 7 days"} {
		if got := notify.Markdown(e, language, "https://seatrial.example"); !strings.Contains(got, want) || !strings.Contains(got, "pay/payment: 42 runs") {
			t.Errorf("%s: %s", language, got)
		}
	}
}
