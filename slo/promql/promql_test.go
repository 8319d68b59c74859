package promql_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/slo/promql"
)

func TestCheck(t *testing.T) {
	for text, want := range map[string]promql.Kind{`sum(increase(x[1m]))`: promql.Vector, `vector(1)`: promql.Vector, `1 + 1`: promql.Scalar, `x`: promql.Vector, `{"a.b"}`: promql.Vector} {
		if got, wrong := promql.Check(text); got != want || len(wrong) > 0 {
			t.Errorf("%s: %q %v", text, got, wrong)
		}
	}
}

// TestAMistakeStandsWhereItIs: the § is where it has to be found.
func TestAMistakeStandsWhereItIs(t *testing.T) {
	for text, want := range map[string]string{
		`sum(rate(x[1m])§`:       "unclosed left parenthesis",
		"a\n / sum§)(b)":         "unexpected right parenthesis",
		`sum(x) §]`:              "unexpected right bracket",
		`sum(rate(§x))`:          "expected type range vector",
		`§"abc"`:                 "answers with a string",
		`  §x[5m]`:               "answers with a range of samples: put it into a function",
		`sum(x{a=§"b}[5m])`:      "unterminated quoted string",
		`§unknown(x)`:            `unknown function with name "unknown"`,
		`x{§a=~"("}`:             "missing closing )",
		`sum by (code) (x) §§ 1`: "unexpected character",
	} {
		_, wrong := promql.Check(strings.Replace(text, "§", "", 1))
		if len(wrong) != 1 || !strings.Contains(wrong[0].Message, want) || wrong[0].At != strings.Index(text, "§") {
			t.Errorf("%s: %+v", text, wrong)
		}
	}
}

func TestMatch(t *testing.T) {
	for text, want := range map[string]string{
		`sum(rate(x[1m])) / sum(rate(y{code="5.."}[1m]))`: `sum(rate(x{cluster="c"}[1m])) / sum(rate(y{cluster="c",code="5.."}[1m]))`,
		`a:b{ } offset 5m`:      `a:b{cluster="c", } offset 5m`,
		`{"a.b"}`:               `{cluster="c","a.b"}`,
		`x{cluster=~"e.*"} + y`: `x{cluster=~"e.*"} + y{cluster="c"}`,
		`x
  {a="b"}`: "x\n  {cluster=\"c\",a=\"b\"}",
		`1`: `1`,
	} {
		got := promql.Match(text, text, "cluster", "c")
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if _, wrong := promql.Check(got); len(wrong) > 0 {
			t.Errorf("%s: %v", got, wrong)
		}
	}
}

func TestPerSecond(t *testing.T) {
	for text, want := range map[string]bool{`sum(rate(x[1m]))`: true, `sum(increase(x[1m]))`: false, `x`: false, `rate(`: false} {
		if promql.PerSecond(text) != want {
			t.Errorf("%s: want %v", text, want)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add(`sum(rate(x{a="b"}[1m] offset 5m)) / {"y"}`)
	f.Fuzz(func(t *testing.T, text string) {
		if _, wrong := promql.Check(text); len(wrong) > 0 {
			return
		}
		if _, wrong := promql.Check(promql.Match(text, text, "cluster", "c")); len(wrong) > 0 {
			t.Errorf("%q became %q: %v", text, promql.Match(text, text, "cluster", "c"), wrong)
		}
	})
}
