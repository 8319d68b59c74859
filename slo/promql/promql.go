// Package promql reads PromQL as Prometheus does, to find its mistakes before anybody is
// asked, and to write into it.
//
// Start at Check. It never evaluates anything and asks nobody. What a server like
// Prometheus understands beyond it is a mistake here.
package promql

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// Mistake is what is wrong with an expression, and at which byte of it.
type Mistake struct {
	At      int
	Message string
}

// Kind is what an expression answers with.
type Kind string

// The kinds that can be read as numbers.
const (
	Vector Kind = "vector"
	Scalar Kind = "scalar"
)

func parse(text string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{EnableExperimentalFunctions: true}).ParseExpr(text)
}

// Check is what text answers with at one moment, or why it cannot be asked for: it does not
// parse, or what it answers is no number.
func Check(text string) (Kind, []Mistake) {
	expr, err := parse(text)
	if err != nil {
		return "", mistakes(err)
	}
	switch kind := Kind(expr.Type()); kind {
	case Vector, Scalar:
		return kind, nil
	case "matrix":
		return "", []Mistake{{begin(expr), "the query answers with a range of samples: put it into a function, such as increase()"}}
	}
	return "", []Mistake{{begin(expr), fmt.Sprintf("the query answers with a %s: a number is wanted", expr.Type())}}
}

func begin(n parser.Node) int { return int(n.PositionRange().Start) }

func mistakes(err error) []Mistake {
	list, ok := errors.AsType[parser.ParseErrors](err)
	if !ok {
		return []Mistake{{0, err.Error()}}
	}
	e := list[0] // the others follow from it
	at, message := int(e.PositionRange.Start), e.Err.Error()
	if strings.HasPrefix(message, "unexpected right parenthesis") { // the parser has stepped over it
		at--
	}
	return []Mistake{{max(0, at), "the query does not parse: " + message}}
}

// Match adds a label matcher to every selector of text that says nothing about the label.
// Sample is text as Check accepts it, byte for byte as long: text may have placeholders.
func Match(text, sample, label, value string) string {
	expr, err := parse(sample)
	if err != nil || len(text) != len(sample) {
		return text
	}
	matcher := label + "=" + strconv.Quote(value)
	var places []int
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok && !matches(v, label) {
			places = append(places, begin(v))
		}
		return nil
	})
	slices.Sort(places) // from the last on, those before stay where they are
	for _, at := range slices.Backward(places) {
		name := at + len(text[at:]) - len(strings.TrimLeftFunc(text[at:], inName))
		if open := strings.TrimLeft(text[name:], " \t\r\n"); strings.HasPrefix(open, "{") {
			within := len(text) - len(open) + 1
			text = text[:within] + matcher + "," + text[within:]
		} else {
			text = text[:name] + "{" + matcher + "}" + text[name:]
		}
	}
	return text
}

func matches(v *parser.VectorSelector, label string) bool {
	for _, m := range v.LabelMatchers {
		if m.Name == label {
			return true
		}
	}
	return false
}

func inName(r rune) bool {
	return r == '_' || r == ':' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// PerSecond reports whether text is made of rates, which say how many a second.
func PerSecond(text string) bool {
	expr, err := parse(text)
	if err != nil {
		return false
	}
	rates, counts := false, false
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if call, ok := n.(*parser.Call); ok {
			rates = rates || call.Func.Name == "rate" || call.Func.Name == "irate"
			counts = counts || call.Func.Name == "increase"
		}
		return nil
	})
	return rates && !counts
}
