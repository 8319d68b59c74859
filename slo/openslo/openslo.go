// Package openslo reads OpenSLO documents: openslo/v1 objects of kind SLO whose indicator
// counts good or bad events of a total in Prometheus, and the SLIs and Services that they name.
//
// Start at Read. What OpenSLO allows and this package does not support is refused at its
// line with the reason, never ignored: a part that is skipped would change what the
// objective means. It asks nothing of any Prometheus.
package openslo

import (
	"slices"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

// APIVersion and Kind say which documents Parse reads.
const (
	APIVersion = "openslo/v1"
	Kind       = "SLO"
)

// The label and annotations of ours that an SLO may carry.
const (
	LabelService           = "seatrial.dev/service"       // "shop/web"; needed
	AnnotationAlertWindows = "seatrial.dev/alert-windows" // "1m/15s": long and short
	AnnotationAlertBurn    = "seatrial.dev/alert-burn"    // "2": burn rate that is a breach
)

// SLO is a promise about one service: of all events in Window, at least Objective are good.
type SLO struct {
	Name        string
	Title       string // displayName, else the name: "availability"
	Description string
	Service     release.Service
	Objective   float64       // 0..1, exclusive of both
	Window      time.Duration // rolling
	Good        Query         // exactly one of Good and Bad is set
	Bad         Query
	Total       Query
	Alert       *Alert // nil: the usual pairs
	File        string
	Line        int
}

// Alert is a pair of windows of its own, for places where an hour is too long.
type Alert struct {
	Long, Short time.Duration
	Burn        float64 // breached when both windows burn faster
}

// Is reports whether Parse reads documents like doc.
func Is(doc strict.Document) bool { return doc.APIVersion == APIVersion && doc.Kind == Kind }

// Read parses every document and gives all problems at once. SLOs may refer to an SLI and
// to a Service. Two SLOs of one name are one.
func Read(docs []strict.Document) ([]SLO, error) {
	refer, docs, problems := gather(docs)
	var slos []SLO
	first := map[string]SLO{}
	for _, doc := range docs {
		s, err := parse(doc, refer)
		if err != nil {
			problems = append(problems, strict.ProblemsOf(doc.File, err)...)
			continue
		}
		if twin, ok := first[s.Name]; ok {
			problems = append(problems, doc.Problems(strict.At("there is an SLO of this name already, in "+twin.File+":"+strconv.Itoa(twin.Line), "metadata", "name"))...)
			continue
		}
		first[s.Name] = s
		slos = append(slos, s)
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
