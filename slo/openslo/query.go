package openslo

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/slo/promql"
	"github.com/seatrial/seatrial/slo/timeslices"
)

// Query is PromQL with the placeholders {{.Window}} and {{.Cluster}}. Queries that are made
// here have more: {{.Seconds}} is the window as a number, {{.Step5}} how often to look in it,
// every 5 seconds at best, and {{.Slices60}} where its slices of 60 seconds end.
type Query string

var (
	placeholder = regexp.MustCompile(`\{\{\s*\.(\w+)\s*\}\}`)
	sized       = regexp.MustCompile(`^(Step|Slices)([0-9]{1,9})$`)
)

// maxLooks in one window: more of them make no share more exact.
const maxLooks = 10_000

// Fill is the expression for one cluster and one window, which Prometheus reads in whole
// seconds and at least one.
func (q Query) Fill(cluster string, window time.Duration) string {
	return q.window(window).fill(func(name string) (string, bool) { return cluster, name == "Cluster" })
}

// window fills in everything but the cluster.
func (q Query) window(window time.Duration) Query {
	window = max(time.Second, window.Truncate(time.Second))
	return Query(q.fill(func(name string) (string, bool) {
		if m := sized.FindStringSubmatch(name); m != nil {
			n, _ := strconv.Atoi(m[2]) // at most nine digits
			size := time.Duration(n) * time.Second
			if m[1] == "Slices" {
				return seconds(timeslices.Slices{Size: size}.Span(window)), true
			}
			return seconds(max(size, (window/maxLooks + time.Second - 1).Truncate(time.Second))), true
		}
		switch name {
		case "Window":
			return seconds(window), true
		case "Seconds":
			return strconv.Itoa(int(window / time.Second)), true
		}
		return "", false
	}))
}

func (q Query) fill(value func(name string) (string, bool)) string {
	return placeholder.ReplaceAllStringFunc(string(q), func(match string) string {
		if v, ok := value(placeholder.FindStringSubmatch(match)[1]); ok {
			return v
		}
		return match
	})
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + "s" }

// has reports whether the query has a placeholder.
func (q Query) has(name string) bool {
	for _, m := range placeholder.FindAllStringSubmatch(string(q), -1) {
		if m[1] == name {
			return true
		}
	}
	return false
}

// wrapped can stand in another expression: a comment at its end swallows nothing.
func (q Query) wrapped() string {
	if strings.Contains(string(q), "#") {
		return "(" + string(q) + "\n)"
	}
	return "(" + string(q) + ")"
}

// moments is the query as a vector: a query of numbers alone answers a scalar.
func (q Query) moments() string {
	if kind, _ := promql.Check(q.sample()); kind == promql.Scalar {
		return "vector" + q.wrapped()
	}
	return q.wrapped()
}

// sample is the query with something in its placeholders that is exactly as long, so that
// what stands where in the one stands there in the other.
func (q Query) sample() string {
	return placeholder.ReplaceAllStringFunc(string(q), func(match string) string {
		if placeholder.FindStringSubmatch(match)[1] == "Window" {
			return strings.Repeat("0", len(match)-2) + "1m"
		}
		return strings.Repeat("c", len(match))
	})
}

// wants says whether a query has to ask about a window.
type wants int

const (
	wantsWindow wants = iota
	wantsMoment
	wantsEither
)

// issues are the mistakes of a query that do not need Prometheus to see.
func (q Query) issues(w wants, path []any) []strict.Issue {
	if strings.TrimSpace(string(q)) == "" {
		return []strict.Issue{strict.At("the query is empty", path...)}
	}
	var issues []strict.Issue
	seen := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatchIndex(string(q), -1) {
		name := string(q[m[2]:m[3]])
		seen[name] = true
		if name != "Window" && name != "Cluster" {
			issues = append(issues, strict.At("placeholder "+string(q[m[0]:m[1]])+" is unknown: there is {{.Window}} and {{.Cluster}}", path...).Inside(m[0]))
		}
	}
	foreign := len(issues) > 0
	if seen["Window"] && w == wantsMoment {
		issues = append(issues, strict.At("the query has {{.Window}}, and is looked at moment by moment: write the range that one look needs, such as [1m]", path...))
	}
	if !seen["Window"] && w == wantsWindow {
		issues = append(issues, strict.At("the query has no {{.Window}}: it could not be asked for the time since a rollout", path...))
	}
	if !seen["Cluster"] {
		issues = append(issues, strict.At("the query has no {{.Cluster}}: one cluster would be judged by the events of another", path...))
	}
	if foreign {
		return issues
	}
	return append(issues, q.mistakes(path)...)
}

// mistakes are those of its PromQL.
func (q Query) mistakes(path []any) []strict.Issue {
	sample := q.sample()
	if at := max(strings.Index(sample, "{{"), strings.Index(sample, "}}")); at >= 0 {
		return []strict.Issue{strict.At("only {{.Window}} and {{.Cluster}} can be filled in", path...).Inside(at)}
	}
	var issues []strict.Issue
	_, wrong := promql.Check(sample)
	for _, w := range wrong {
		issues = append(issues, strict.At(w.Message, path...).Inside(w.At))
	}
	return issues
}
