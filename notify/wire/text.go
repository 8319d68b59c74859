package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain makes text from outside harmless in a chat: one line, no tags, so that a
// commit message mentions nobody, and at most limit bytes.
func Plain(s string, limit int) string {
	s = strings.NewReplacer("<", "‹", ">", "›", "[", "(", "]", ")").Replace(OneLine(s))
	return Cut(s, limit)
}

// OneLine makes one line of valid text.
func OneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r):
			return ' '
		case r == utf8.RuneError: // what JSON makes of bytes that are no text
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return strings.Join(strings.Fields(s), " ")
}

// Cut shortens to limit bytes between two characters and marks the cut.
func Cut(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:max(end, 0)] + mark
}
