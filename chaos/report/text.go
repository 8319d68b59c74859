package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seatrial/seatrial/internal/chance"
)

const maxText = 2000 // bytes of one text from outside

// clean makes one line of text from outside: no control characters, none that turn the
// direction of reading, and of bounded length.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		case r == utf8.RuneError:
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

func seconds(s float64) string { return fmt.Sprintf("%.1f s", s) }

// clock is a moment to the millisecond, which is as exact as anything here.
func clock(in Language, t time.Time) string {
	if t.IsZero() {
		return in.say("not recorded")
	}
	return t.UTC().Format("2006-01-02 15:04:05.000")
}

// Text is the recovery in words.
func (r Recovery) Text(in Language) string {
	switch {
	case r.Measured && r.Recovered:
		return in.say("recovered after %.1f to %.1f s (pods tell whole seconds)", r.AtLeast, r.Below)
	case r.Measured:
		return strings.TrimSuffix(in.say("not recovered within %.0f s", r.Limit)+in.colon()+r.Detail, in.colon())
	}
	return in.say("not measured")
}

// Text is the window in words.
func (w *Window) Text(in Language) string {
	if w == nil || w.Share == nil {
		return in.say("not measured")
	}
	if w.Total <= 0 {
		return chance.Percent(*w.Share)
	}
	return in.say("%s of %.0f events", chance.Percent(*w.Share), math.Floor(w.Total+1e-9))
}

// Sure is in which interval the true share is, in words.
func (w *Window) Sure(in Language) string {
	if w == nil || w.Share == nil || w.Total <= 0 {
		return ""
	}
	return in.say("%s to %s", chance.Percent(w.Low), chance.Percent(w.High))
}

// Text is the outcome and why.
func (v Verdict) Text(in Language) string {
	if v.Outcome == "" {
		return in.say("no verdict is recorded")
	}
	if v.Reason == "" {
		return in.say(v.Outcome)
	}
	return in.say(v.Outcome) + in.colon() + v.Reason
}

// Title is the page's.
func (r Report) Title(in Language) string {
	if r.Subject.Kind == Run {
		return in.say("Run %s", r.Subject.ID)
	}
	return in.say("Trial of %s in %s", r.Subject.ID, r.Subject.Env)
}

// Agreement says whether the samples come to what was recorded.
func (r Report) Agreement(in Language) string {
	switch {
	case r.Recorded.Outcome == "":
		return in.say("No verdict is recorded; the stored samples come to %s.", in.say(r.Replayed.Outcome))
	case r.Agrees:
		return in.say("Judged again from the stored samples, it is the same.")
	}
	return in.say("Judged again from the stored samples it is %s, not what was recorded.", r.Replayed.Text(in))
}

// Text is the fault in words.
func (f *Fault) Text(in Language) string {
	if f == nil {
		return in.say("nothing was broken")
	}
	return strings.TrimSpace(f.Kind + " " + f.Action)
}

// Told is what the action was told, a line each.
func (f *Fault) Told() (out []string) {
	for _, k := range slices.Sorted(maps.Keys(f.With)) {
		out = append(out, k+" "+f.With[k])
	}
	return out
}

// Text is the moment in words.
func (m Moment) Text(in Language) string {
	if m.Detail == "" {
		return in.say(m.What)
	}
	return in.say(m.What) + in.colon() + m.Detail
}

// Rows are what is known of the subject, a name and a value each; an empty value is not.
func (r Report) Rows(in Language) [][]string {
	s := r.Subject
	rows := [][]string{{"service", s.Service}, {"environment", s.Env}, {"commit", s.Commit}, {"message", s.Message}, {"image", s.Image},
		{"by", strings.TrimSpace(in.say(s.Trigger) + " " + s.By)}, {"state", in.say(s.State)}, {"resilience", s.resilience(in)}, {"began", clock(in, s.Started)}, {"ended", clock(in, s.Ended)}}
	for i := range rows {
		rows[i][0] = in.say(rows[i][0])
	}
	return rows
}

// Notes say how to read the figures.
func (Report) Notes(in Language) string {
	return in.say("Times are UTC. Intervals hold the true share with 90 % confidence. The verdict rests on a window's one value; the line through it, where one was recorded, says how it came about.")
}

func (s Subject) resilience(in Language) string {
	if s.Score == nil {
		return ""
	}
	return in.say("%.0f of 100", *s.Score)
}

// Text is the comparison in words.
func (c Compared) Text(in Language) string {
	holds := in.say("it does not hold")
	if c.Holds {
		holds = in.say("it holds")
	}
	text := c.Claim + in.colon() + holds
	if c.Now != nil && c.Before != nil {
		text += in.say(", %s now and %s then", chance.Percent(*c.Now), chance.Percent(*c.Before))
	}
	if c.Detail != "" {
		text += "; " + c.Detail
	}
	return text
}

// Text is the difference in words.
func (d *Difference) Text(in Language) string {
	if d == nil {
		return in.say("not measured")
	}
	return in.say("%+.2f points (%+.2f to %+.2f, 98 %% confidence); worse with %.1f %% confidence", 100*d.By, 100*d.Low, 100*d.High, math.Floor(1000*min(d.Confidence, 0.999))/10)
}

// Sides are the two-by-two, a release each.
func (c Compared) Sides(in Language) [][]string {
	t, verified := c.Table, in.say("last verified release, tried before")
	if c.Beside != "" {
		verified = in.say("last verified release, at the same time on %s", c.Beside)
	}
	return [][]string{{verified, share(in, t.VerifiedWithout), share(in, t.VerifiedUnder)}, {in.say("candidate"), share(in, t.CandidateWithout), share(in, t.CandidateUnder)}}
}
