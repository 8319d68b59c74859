// Package steps words the steps of a build.
//
// Start at Step. It never talks to BuildKit: it shortens what BuildKit calls a step and
// reads the platform out of it.
package steps

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Step is one step of a build as BuildKit told of it. Its name is the one its lines have
// in the log.
type Step struct {
	Name     string    `json:"name"`               // "[linux/amd64 build 3/4] RUN go mod download"
	Platform string    `json:"platform,omitempty"` // that it works for; empty: for all
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"` // zero: it was stopped before its end
	Cached   bool      `json:"cached,omitempty"`
	Error    string    `json:"error,omitempty"`
	LogBytes int64     `json:"logBytes,omitempty"`
}

var (
	pinned = regexp.MustCompile(`@sha256:[0-9a-f]{64}`)

	// A step "[linux/amd64->arm64 build 4/4] RUN …" runs on one platform for another.
	stepPlatform = regexp.MustCompile(`^\[([a-z0-9]+)/([a-z0-9_]+(?:/v[0-9]+)?)(?:->([a-z0-9_]+(?:/[a-z0-9_]+)*))?[ \]]`)
)

// OneLine is the name of a step on one line, without the digest of a base image, which is
// told elsewhere.
func OneLine(name string) string {
	return strings.Join(strings.Fields(pinned.ReplaceAllString(name, "")), " ")
}

// Cut shortens a text to a number of bytes, between two characters.
func Cut(text string, limit int) string {
	text = strings.ToValidUTF8(text, "�")
	if len(text) <= limit {
		return text
	}
	const more = "…"
	end := limit - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}

// Platform is the platform that a step works for.
func Platform(name string) string {
	m := stepPlatform.FindStringSubmatch(name)
	switch {
	case m == nil:
		return ""
	case m[3] == "":
		return m[1] + "/" + m[2]
	case strings.HasPrefix(m[3], "linux/") || strings.HasPrefix(m[3], "windows/"):
		return m[3]
	}
	return m[1] + "/" + m[3]
}
