package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/internal/chance"
	"github.com/seatrial/seatrial/release"
)

// SummaryFormat names the JSON of a Summary.
const SummaryFormat = "seatrial.dev/summary/v1"

// Summary counts the runs outside of releases that ended in a time.
type Summary struct {
	Format string    `json:"format"`
	From   time.Time `json:"from"` // not included
	To     time.Time `json:"to"`
	Rows   []Row     `json:"rows"` // per service and experiment, each service's own total first
	Total  Row       `json:"total"`
}

// Row counts some runs.
type Row struct {
	Service    string   `json:"service,omitempty"`
	Experiment string   `json:"experiment,omitempty"` // empty: all of the service
	Runs       int      `json:"runs"`
	Passed     int      `json:"passed"`
	Failed     int      `json:"failed"`
	Invalid    int      `json:"invalid"` // skipped, not injected or not measured: they say nothing of the service
	Aborted    int      `json:"aborted"`
	Rate       *float64 `json:"rate,omitempty"` // failed of passed and failed, 0..1; nil: none told anything
	Low        float64  `json:"low"`            // the true rate is between Low and High with 90 % confidence
	High       float64  `json:"high"`
	Recovered  int      `json:"recovered"`        // runs whose time of recovery was measured
	Median     *float64 `json:"median,omitempty"` // of it, in seconds; up to Resolution more
	Worst      *float64 `json:"worst,omitempty"`
	Unwhole    int      `json:"unwhole"` // runs that did not recover within the limit

	times []float64
}

// Summarise counts the runs that ended after from and not after to; of some services, or of
// all when which is nil.
func Summarise(runs []schedule.Run, from, to time.Time, which func(release.Service) bool) Summary {
	s := Summary{Format: SummaryFormat, From: from.UTC(), To: to.UTC(), Rows: []Row{}}
	rows := map[[2]string]*Row{}
	row := func(service, experiment string) *Row {
		key := [2]string{service, experiment}
		if rows[key] == nil {
			rows[key] = &Row{Service: service, Experiment: experiment}
		}
		return rows[key]
	}
	for _, r := range runs {
		if !r.Over() || !r.Ended.After(from) || r.Ended.After(to) || which != nil && !which(r.Service) {
			continue
		}
		service, experiment := clean(string(r.Service)), clean(r.Experiment)
		for _, into := range []*Row{row(service, ""), row(service, experiment), &s.Total} {
			into.count(r)
		}
	}
	for _, r := range rows {
		s.Rows = append(s.Rows, r.done())
	}
	s.Total = s.Total.done()
	slices.SortFunc(s.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Experiment, b.Experiment))
	})
	return s
}

func (r *Row) count(run schedule.Run) {
	r.Runs++
	switch run.State {
	case schedule.Passed:
		r.Passed++
	case schedule.Failed:
		r.Failed++
	case schedule.Aborted:
		r.Aborted++
	default:
		r.Invalid++
	}
	if run.Trial == nil {
		return
	}
	for _, ev := range evidence.About(evidence.Latest(run.Trial.Evidence, run.Experiment), evidence.Recovered) {
		if took := number(ev.Measured); ev.Holds && took != nil {
			r.times = append(r.times, *took)
		} else if !ev.Holds {
			r.Unwhole++
		}
	}
}

func (r Row) done() Row {
	r.Low, r.High = chance.Wilson(float64(r.Failed), float64(r.Passed+r.Failed), sure)
	if told := r.Passed + r.Failed; told > 0 {
		rate := float64(r.Failed) / float64(told)
		r.Rate = &rate
	}
	slices.Sort(r.times)
	if n := len(r.times); n > 0 {
		middle, worst := (r.times[(n-1)/2]+r.times[n/2])/2, r.times[n-1]
		r.Recovered, r.Median, r.Worst = n, &middle, &worst
	}
	r.times = nil
	return r
}

// Title is the page's.
func (s Summary) Title(in Language) string {
	return in.say("Experiments from %s to %s", s.From.UTC().Format(time.DateTime), s.To.UTC().Format(time.DateTime))
}

// Line is the whole in a sentence, for a chat as well.
func (s Summary) Line(in Language) string {
	t := s.Total
	if t.Runs == 0 {
		return in.say("no run ended in this time")
	}
	text := in.say("%d runs: %d passed, %d failed, %d invalid, %d aborted", t.Runs, t.Passed, t.Failed, t.Invalid, t.Aborted)
	if t.Rate != nil {
		text += in.say("; %s failed of those that told something (%s)", rounded(*t.Rate), t.sure(in))
	}
	if t.Worst != nil {
		text += in.say("; recovered after %.1f s in the median, %.1f s at worst", *t.Median, *t.Worst)
	}
	if t.Unwhole > 0 {
		text += in.say("; %d did not recover in time", t.Unwhole)
	}
	return text
}

// rounded is a rate; unlike an objective, it is rounded as people expect.
func rounded(rate float64) string { return fmt.Sprintf("%.1f %%", 100*rate) }

func (r Row) sure(in Language) string {
	return in.say("true rate %.1f to %.1f %%", 100*r.Low, 100*r.High)
}

// Head are the columns of a row's Cells.
func (Summary) Head(in Language) []string {
	return in.all("runs", "passed", "failed", "invalid", "aborted", "failure rate", "true rate, 90 %", "recovery, median", "worst", "not recovered")
}

// Cells are a row's figures, in the order of Head.
func (r Row) Cells(in Language) []string {
	rate, interval, median, worst := in.say("nothing told"), in.say("%s to %s", "0", "100 %"), in.say("not measured"), in.say("not measured")
	if r.Rate != nil {
		rate, interval = rounded(*r.Rate), in.say("%s to %s", fmt.Sprintf("%.1f", 100*r.Low), rounded(r.High))
	}
	if r.Worst != nil {
		median, worst = seconds(*r.Median), seconds(*r.Worst)
	}
	cells := []string{}
	for _, n := range []int{r.Runs, r.Passed, r.Failed, r.Invalid, r.Aborted} {
		cells = append(cells, fmt.Sprint(n))
	}
	return append(cells, rate, interval, median, worst, fmt.Sprint(r.Unwhole))
}

// Notes say how to read the figures.
func (s Summary) Notes(in Language) string {
	return in.say("Runs outside of releases. Invalid and aborted runs say nothing of a service and are not in its rate. Pods tell whole seconds: a recovery took up to a second more. Times are UTC.")
}

// inChat is how many services a chat is told of one by one.
const inChat = 20

// Services are the totals of services, a clause each, for a chat: those of which most runs
// failed first.
func (s Summary) Services() string {
	var rows []Row
	for _, r := range s.Rows {
		if r.Experiment == "" {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.Failed, a.Failed) })
	var parts []string
	for i, r := range rows {
		if i == inChat {
			parts = append(parts, fmt.Sprintf("and %d more services", len(rows)-i))
			break
		}
		text := fmt.Sprintf("%s: %d runs, %d failed, %d invalid", r.Service, r.Runs, r.Failed, r.Invalid)
		if r.Rate != nil {
			text += ", " + r.sure(English)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
