package steps_test

import (
	"testing"
	"unicode/utf8"

	"github.com/seatrial/seatrial/builder/steps"
)

func TestPlatform(t *testing.T) {
	for name, want := range map[string]string{
		"[linux/amd64 build 2/4] COPY . .":                "linux/amd64",
		"[linux/amd64->arm64 build 4/4] RUN make":         "linux/arm64",
		"[linux/amd64->arm/v7 build 4/4] RUN make":        "linux/arm/v7",
		"[linux/amd64->windows/amd64 build 4/4] RUN make": "windows/amd64",
		"[linux/arm64]":                      "linux/arm64",
		"[internal] load build context":      "",
		"[build 1/2] FROM linux/amd64":       "",
		"exporting to image for linux/amd64": "",
	} {
		if got := steps.Platform(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("船船船", 5)
	f.Add("\xff\xfe", 3)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 3 + max(0, limit)%100
		if got := steps.Cut(text, limit); len(got) > limit || !utf8.ValidString(got) {
			t.Errorf("%q cut to %d is %q", text, limit, got)
		}
	})
}
