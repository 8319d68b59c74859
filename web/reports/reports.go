// Package reports has what the API needs to hand out reports: who makes them, in which
// format one is wanted, and what a browser may do with a page.
//
// Start at Maker. It never makes a report, and a page that it lets through can run nothing
// and load nothing.
package reports

import (
	"context"
	"fmt"
	"mime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Form is how a document is made: "html", "json" or "markdown", and a language tag.
type Form struct{ Format, Language string }

// Maker makes documents in one of the Formats. What is not there is web.ErrNotFound.
type Maker interface {
	// Trial is of a release's trial in an environment, or its newest when env is empty.
	Trial(ctx context.Context, id release.ID, env release.Env, form Form) (Document, error)
	// Run is of a run outside of releases.
	Run(ctx context.Context, id string, form Form) (Document, error)
	// Summary counts the runs that ended since then.
	Summary(ctx context.Context, since time.Duration, form Form) (Document, error)
}

// Document is a whole report.
type Document struct {
	Body  []byte
	Style string // of HTML: the hash of its one style sheet, "sha256-…"
}

// Wanted is how a report is wanted.
type Wanted struct {
	Format string `query:"format" enum:"html,json,markdown" doc:"Left out: what Accept likes best"`
	Accept string `header:"Accept"`

	Language string `query:"language" enum:"en,zh" doc:"Of HTML and Markdown; left out: what Accept-Language names first"`
	Speaks   string `header:"Accept-Language"`
}

// Tongue is the language tag that is wanted.
func (w Wanted) Tongue() string {
	if w.Language != "" {
		return w.Language
	}
	first, _, _ := strings.Cut(w.Speaks, ",")
	tag, _, _ := strings.Cut(first, ";")
	return strings.TrimSpace(tag)
}

type kind struct{ format, media string }

// kinds are in the order of preference of whoever takes anything.
func kinds() []kind {
	return []kind{{"json", "application/json"}, {"html", "text/html"}, {"markdown", "text/markdown"}}
}

// Type is the Content-Type of a format.
func Type(format string) string {
	for _, k := range kinds() {
		if k.format == format && format != "json" {
			return k.media + "; charset=utf-8"
		}
	}
	return "application/json"
}

// Policy is the Content-Security-Policy of a document: a sandbox without any right, in
// which only its own style sheet counts.
func Policy(d Document) string {
	style := "'none'"
	if d.Style != "" {
		style = "'" + d.Style + "'"
	}
	return "default-src 'none'; style-src " + style + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
}

// Choose is the format that is wanted: the one that is named, else what Accept likes best;
// false when there is none that it takes.
func Choose(named, accept string) (string, bool) {
	if named != "" {
		return named, slices.ContainsFunc(kinds(), func(k kind) bool { return k.format == named })
	}
	if strings.TrimSpace(accept) == "" {
		return "json", true
	}
	best, most := "", 0.0
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		for _, k := range kinds() {
			group, _, _ := strings.Cut(k.media, "/")
			if fits := media == k.media || media == "*/*" || media == group+"/*"; fits && q > most {
				best, most = k.format, q
			}
		}
	}
	return best, best != ""
}

// The longest time that a summary looks back.
const maxSince = 31 * 24 * time.Hour

// Since reads "7d" or what Go calls a duration.
func Since(text string) (time.Duration, error) {
	days, isDays := strings.CutSuffix(text, "d")
	var d time.Duration
	var err error
	if isDays {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(min(max(n, 0), 1000)) * 24 * time.Hour
	} else {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d <= 0 || d > maxSince {
		return 0, fmt.Errorf("since %q: want a time like 7d or 12h, at most 31d", text)
	}
	return d, nil
}
