package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"github.com/seatrial/seatrial/internal/chance"
	"html/template"
	"io"
	"strings"
	"time"
)

// The ways to write a page.
const (
	HTML     = "html"
	JSON     = "json"
	Markdown = "markdown"
)

// Formats are all of them.
func Formats() []string { return []string{HTML, JSON, Markdown} }

var (
	//go:embed page.css
	css string
	//go:embed page.tmpl
	source string
)

// StyleHash names the one style sheet of a page for its Content-Security-Policy.
func StyleHash() string {
	sum := sha256.Sum256([]byte(css))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Write writes the report. JSON is the same in every language.
func (r Report) Write(w io.Writer, format string, in Language) error {
	return write(w, format, in, "report", r, r.markdown)
}

// Write writes the summary.
func (s Summary) Write(w io.Writer, format string, in Language) error {
	return write(w, format, in, "summary", s, s.markdown)
}

func write(w io.Writer, format string, in Language, page string, doc any, markdown func(Language) string) error {
	var b bytes.Buffer
	switch format {
	case HTML:
		t, err := template.New("").Funcs(template.FuncMap{
			"in": func() Language { return in }, "say": in.say, "clock": func(t time.Time) string { return clock(in, t) }, "percent": func(f *float64) string { return share(in, f) },
			"draw": func(x Experiment, s SLO) *plot { return draw(x, s, in) }, "told": in.told, "css": func() template.CSS { return template.CSS(css) },
			"policy": func() string {
				return "default-src 'none'; style-src '" + StyleHash() + "'; base-uri 'none'; form-action 'none'"
			},
			"word": strings.ToLower, "until": until,
		}).Parse(source)
		if err != nil {
			return fmt.Errorf("read the template: %w", err)
		}
		if err := t.ExecuteTemplate(&b, page, doc); err != nil {
			return fmt.Errorf("write the page: %w", err)
		}
	case Markdown:
		b.WriteString(markdown(in))
	case JSON:
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		if err := e.Encode(doc); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	default:
		return fmt.Errorf("format %q: want %s", clean(format), strings.Join(Formats(), ", "))
	}
	_, err := w.Write(b.Bytes())
	return err
}

func share(in Language, f *float64) string {
	if f == nil {
		return in.say("not measured")
	}
	return chance.Percent(*f)
}

// until is how long something took.
func until(m Moment) string {
	if m.Until.IsZero() {
		return ""
	}
	return m.Until.Sub(m.At).Round(time.Millisecond).String()
}
