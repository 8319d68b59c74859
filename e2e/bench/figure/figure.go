// Package figure is what a benchmark says: its figures as a table for people and as JSON
// for whoever compares them later.
//
// Start at Figure, then Report.Print and Report.Write. A missed target is printed as
// missed, with its figure; it never makes a program fail.
package figure

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"
)

// Figure is one measured value; what it does not have is nil, or empty.
type Figure struct {
	Case         string   `json:"case"`
	Value        float64  `json:"value"`
	Unit         string   `json:"unit"`
	Against      string   `json:"against"`       // what it is compared with
	AgainstValue *float64 `json:"against_value"` // in the same unit
	Ratio        *float64 `json:"ratio"`         // value / against_value
	Target       string   `json:"target"`        // ">= 2000"
	Met          *bool    `json:"met"`
}

// Of is a figure without a target.
func Of(name string, value float64, unit string) Figure {
	return Figure{Case: name, Value: round(value), Unit: unit}
}

// To compares with a value measured in the same run.
func (f Figure) To(name string, value float64) Figure {
	value = round(value)
	f.Against, f.AgainstValue = name, &value
	if value != 0 {
		ratio := round(f.Value / value)
		f.Ratio = &ratio
	}
	return f
}

// AtLeast sets the target.
func (f Figure) AtLeast(want float64) Figure { return f.target(">= ", want, f.Value >= want) }

// AtMost sets the target.
func (f Figure) AtMost(want float64) Figure { return f.target("<= ", want, f.Value <= want) }

// AtMostTimes sets the target of what it is compared with, which has to be there.
func (f Figure) AtMostTimes(want float64) Figure {
	f = f.target("<= ", want, f.Ratio != nil && *f.Ratio <= want)
	f.Target += "x"
	return f
}

func (f Figure) target(sign string, want float64, met bool) Figure {
	f.Target, f.Met = sign+text(want), &met
	return f
}

// Report is all that one benchmark has to say.
type Report struct {
	Name    string
	Notes   []string // how it was measured, exactly
	Figures []Figure
}

// Print writes the table.
func (r Report) Print(out io.Writer) error {
	fmt.Fprintf(out, "\nbench-%s\n", r.Name)
	for _, n := range r.Notes {
		fmt.Fprintln(out, "  "+n)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CASE\tVALUE\tUNIT\tAGAINST\tAGAINST VALUE\tRATIO\tTARGET\tMET")
	for _, f := range r.Figures {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Case, text(f.Value), f.Unit, dash(f.Against),
			optional(f.AgainstValue), optional(f.Ratio), dash(f.Target), verdict(f))
	}
	return w.Flush()
}

// Write writes DIR/NAME.json.
func (r Report) Write(dir string) error {
	data, err := json.MarshalIndent(r.Figures, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, r.Name+".json"), append(data, '\n'), 0o644)
}

func verdict(f Figure) string {
	switch {
	case f.Met == nil:
		return "–"
	case *f.Met:
		return "met"
	}
	return "MISSED"
}

func optional(v *float64) string {
	if v == nil {
		return "–"
	}
	return text(*v)
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func text(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// round keeps four digits, and every digit before the point.
func round(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	scale := math.Pow(10, max(0, 3-math.Floor(math.Log10(math.Abs(v)))))
	return math.Round(v*scale) / scale
}

// Median is the middle of the values, 0 of none.
func Median(values []float64) float64 { return Percentile(values, 0.5) }

// Percentile is the value that a share q of the values does not exceed, 0 of none.
func Percentile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if q == 0.5 && len(sorted)%2 == 0 {
		return (sorted[len(sorted)/2-1] + sorted[len(sorted)/2]) / 2
	}
	return sorted[min(len(sorted)-1, int(math.Ceil(q*float64(len(sorted))))-1)]
}
