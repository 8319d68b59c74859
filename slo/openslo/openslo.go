// Package openslo reads what services promise: OpenSLO documents of version v1, every kind,
// and Sloth's. Whatever they count becomes two queries, so that who measures need not know
// which indicator it was.
//
// Start at Read. What they allow and this package does not support is refused at its line
// with the reason, never ignored: a part that is skipped would change what the objective
// means. It asks nothing of any Prometheus.
package openslo

import (
	"slices"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/calendar"
)

// APIVersion and Kind are those of an SLO.
const (
	APIVersion = "openslo/v1"
	Kind       = "SLO"
)

// The label and annotations of ours that an SLO may carry.
const (
	LabelService           = "seatrial.dev/service"       // "shop/web"; needed
	AnnotationAlertWindows = "seatrial.dev/alert-windows" // "1m/15s": long and short
	AnnotationAlertBurn    = "seatrial.dev/alert-burn"    // "2": burn rate that is a breach
	AnnotationChannel      = "seatrial.dev/channel"       // of a target that is not named as its channel
)

// SLO is a promise about one service: of all events in Window, at least Objective are good.
type SLO struct {
	Name        string
	Title       string // displayName, else the name: "availability"
	Description string
	Service     release.Service
	Objective   float64       // 0..1, exclusive of both
	Window      time.Duration // rolling; of a calendar's, what it is long by name
	Calendar    *calendar.Window
	Good        Query // exactly one of Good and Bad is set
	Bad         Query
	Total       Query
	Every       time.Duration // between two looks, or the size of a slice, where time is counted; 0: events are
	Alerts      []Alert       // none: the usual pairs
	NoPage      bool          // nobody is woken
	NoTicket    bool
	File        string
	Line        int
}

// Alert is a pair of windows of its own, for places where an hour is too long.
type Alert struct {
	Long, Short time.Duration
	Burn        float64  // breached when both windows burn faster
	Ticket      bool     // it can wait until the morning
	Channels    []string // of the policy's targets; none: the routes say
}

// Counted is the query of the events that are counted beside the total, and what they are:
// "good" or "bad".
func (s SLO) Counted() (name string, q Query) {
	if s.Bad != "" {
		return "bad", s.Bad
	}
	return "good", s.Good
}

// Begin is when the window that ends at a moment began.
func (s SLO) Begin(at time.Time) time.Time {
	if s.Calendar != nil {
		return s.Calendar.Begin(at)
	}
	return at.Add(-s.Window)
}

// Period is the window as people write it: "30d", "1M".
func (s SLO) Period() string {
	if s.Calendar != nil {
		return s.Calendar.Length.String()
	}
	for _, unit := range []calendar.Unit{calendar.Day, calendar.Hour} {
		if one := (calendar.Length{Count: 1, Unit: unit}).Nominal(); s.Window%one == 0 {
			return calendar.Length{Count: int(s.Window / one), Unit: unit}.String()
		}
	}
	return calendar.Length{Count: int(s.Window / time.Minute), Unit: calendar.Minute}.String()
}

// Least is how many events a window needs to mean anything: want, or as many as time allows.
func (s SLO) Least(window time.Duration, want float64) float64 {
	if s.Every == 0 {
		return want
	}
	return min(want, max(2, float64(window/s.Every-1)))
}

// Read parses every document and gives all problems at once; each carries file, line and
// column. SLOs may refer to the documents of other kinds. Two SLOs of one name are one.
func Read(docs []strict.Document) ([]SLO, error) { return ReadFor(docs, nil) }

// ReadFor is Read where it is known what people can be told through: channel says what is
// wrong with a name; nil: every name will do.
func ReadFor(docs []strict.Document, channel func(name string) error) ([]SLO, error) {
	refer, docs, problems := gather(docs, channel)
	var slos []SLO
	first := map[string]SLO{}
	for _, doc := range docs {
		reader := parse
		if isSloth(doc) {
			reader = sloth
		}
		found, err := reader(doc, refer)
		if err != nil {
			problems = append(problems, strict.ProblemsOf(doc.File, err)...)
			continue
		}
		for _, s := range found {
			if twin, ok := first[s.Name]; ok {
				problems = append(problems, doc.Problems(strict.At("there is an SLO of this name already, in "+twin.File+":"+strconv.Itoa(twin.Line), "metadata", "name"))...)
				continue
			}
			first[s.Name] = s
			slos = append(slos, s)
		}
	}
	return slos, strict.Join(problems)
}

// Of is the SLOs of one service, or those of them that are named.
func Of(all []SLO, service release.Service, names ...string) []SLO {
	var of []SLO
	for _, s := range all {
		if s.Service == service && (len(names) == 0 || slices.Contains(names, s.Name)) {
			of = append(of, s)
		}
	}
	return of
}
