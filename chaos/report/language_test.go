package report

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	asked = regexp.MustCompile(`(?:in\.say\(|say )"((?:[^"\\]|\\.)*)"`)
	lists = regexp.MustCompile(`in\.all\(([^)]*)\)`)
	texts = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	verbs = regexp.MustCompile(`%(\[\d\])?[+.\d]*[a-z%]`)
)

// Every fixed text of a page has a Chinese form, with the same figures in it.
func TestEveryTextOfAPageIsThereInChinese(t *testing.T) {
	found := 0
	for _, file := range []string{"build.go", "text.go", "markdown.go", "summary.go", "plot.go", "language.go", "page.tmpl"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all := asked.FindAllStringSubmatch(string(source), -1)
		for _, m := range lists.FindAllStringSubmatch(string(source), -1) {
			all = append(all, texts.FindAllStringSubmatch(m[1], -1)...)
		}
		for _, m := range all {
			if found++; m[1] != "" && chinese[m[1]] == "" {
				t.Errorf("%s: %q has no Chinese form", file, m[1])
			}
		}
	}
	if found < 80 {
		t.Errorf("only %d texts were found", found)
	}
	for english, text := range chinese {
		want, got := verbs.FindAllString(english, -1), verbs.FindAllString(text, -1)
		if len(want) != len(got) {
			t.Errorf("%q has %v, %q has %v", english, want, text, got)
		}
		for i := range min(len(want), len(got)) {
			if !strings.Contains(got[i], "[") && got[i] != want[i] {
				t.Errorf("%q has %v, %q has %v", english, want, text, got)
			}
		}
	}
}

func TestLanguageOf(t *testing.T) {
	for tag, want := range map[string]Language{"zh": Chinese, "zh-CN": Chinese, "ZH-Hant-TW": Chinese, "en": English, "": English, "de-CH": English, "zhx": English} {
		if got := LanguageOf(tag); got != want {
			t.Errorf("LanguageOf(%q) = %q", tag, got)
		}
	}
}
