package report

import (
	"fmt"
	"strings"
)

// Language is what a page is written in. What was recorded stays as it was written down.
type Language string

// The languages of pages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// LanguageOf is the page's language for a tag such as "zh-Hans-CN": Chinese, or else English.
func LanguageOf(tag string) Language {
	if base, _, _ := strings.Cut(strings.ToLower(tag), "-"); base == string(Chinese) {
		return Chinese
	}
	return English
}

// say is a text in the language, which is known by its English form.
func (in Language) say(text string, parts ...any) string {
	if in == Chinese && chinese[text] != "" {
		text = chinese[text]
	}
	if len(parts) == 0 {
		return text
	}
	return fmt.Sprintf(text, parts...)
}

func (in Language) all(texts ...string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = in.say(t)
	}
	return out
}

func (in Language) colon() string { return in.say(": ") }
func (in Language) stop() string  { return in.say(".") }

// told are texts of a record that were put together of a fixed part and what was recorded.
func (in Language) told(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = in.say(t)
		for _, part := range togetherParts {
			out[i] = strings.Replace(out[i], part, in.say(part), 1)
		}
	}
	return out
}

// togetherParts are the fixed parts of what was not measured.
var togetherParts = []string{" without the fault", " under the fault", "anything after it was aborted: ", "anything under the fault: "}

// Broken says what was broken, where and for whom.
func (x Experiment) Broken(in Language) string {
	return x.Broke(in, func(s string) string { return s })
}

// Broke is Broken with everything from outside made safe.
func (x Experiment) Broke(in Language, safe func(string) string) string {
	return in.say("%s on %s, attempt %d. %s.", safe(x.Fault.Text(in)), safe(or(x.Cluster, in.say("no cluster"))), x.Attempt, safe(or(x.Aim, in.say("Whom it might have hit is not recorded"))))
}
