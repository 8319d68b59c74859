package analysis

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// maxNodes of a condition: one is a line, not a program.
const maxNodes = 200

// condition is compiled for the kind of result that it was written for: Prometheus
// answers a scalar as one number, a vector as a list.
type condition struct {
	program *vm.Program
	scalar  bool
}

// world is what a condition may name; result is the answer.
func world(result any) map[string]any {
	return map[string]any{
		"result":  result,
		"asInt":   asInt,
		"asFloat": asFloat,
		"isNaN":   math.IsNaN,
		"isInf":   func(f float64) bool { return math.IsInf(f, 0) },
		"isNil":   func(v any) bool { return v == nil },
		"default": func(v, other any) any {
			if f, ok := v.(float64); v == nil || ok && math.IsNaN(f) {
				return other
			}
			return v
		},
	}
}

func asFloat(v any) (float64, error) {
	switch n := v.(type) {
	case float64:
		return n, nil
	case int:
		return float64(n), nil
	}
	return 0, fmt.Errorf("%v is not a number", v)
}

func asInt(v any) (int, error) {
	f, err := asFloat(v)
	return int(f), err
}

// compile reads a condition: over one number, or over a list.
func compile(text string) (condition, error) {
	options := func(result any) []expr.Option {
		return []expr.Option{expr.Env(world(result)), expr.AsBool(), expr.MaxNodes(maxNodes), expr.DisableBuiltin("now")}
	}
	program, scalarErr := expr.Compile(text, options(0.0)...)
	if scalarErr == nil {
		return condition{program, true}, nil
	}
	program, err := expr.Compile(text, options([]float64{})...)
	if err == nil {
		return condition{program: program}, nil
	}
	if !strings.Contains(text, "[") && !strings.Contains(text, "len(") {
		err = scalarErr
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return condition{}, fmt.Errorf("%q is no condition: %s; want one like result[0] >= 0.95", text, first)
}

// evaluate answers a condition about the values of one answer.
func evaluate(text string, v []float64) (bool, error) {
	c, err := compile(text)
	if err != nil {
		return false, err
	}
	var result any = v
	if c.scalar {
		if len(v) != 1 {
			return false, fmt.Errorf("%d series, and %q wants one number: aggregate the query, or write result[0]", len(v), text)
		}
		result = v[0]
	}
	out, err := expr.Run(c.program, world(result))
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return false, fmt.Errorf("%q: %s", text, first)
	}
	holds, ok := out.(bool)
	if !ok {
		return false, errors.New("the condition is neither true nor false")
	}
	return holds, nil
}
