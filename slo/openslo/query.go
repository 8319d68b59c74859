package openslo

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/slo/promql"
)

// Query is PromQL with the placeholders {{.Window}} and {{.Cluster}}.
type Query string

var placeholder = regexp.MustCompile(`\{\{\s*\.(\w+)\s*\}\}`)

// Fill is the expression for one cluster and one window, which Prometheus reads in whole
// seconds and at least one.
func (q Query) Fill(cluster string, window time.Duration) string {
	seconds := max(1, int(window/time.Second))
	return placeholder.ReplaceAllStringFunc(string(q), func(match string) string {
		switch placeholder.FindStringSubmatch(match)[1] {
		case "Window":
			return strconv.Itoa(seconds) + "s"
		case "Cluster":
			return cluster
		}
		return match
	})
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

// issues are the mistakes of a query that do not need Prometheus to see.
func (q Query) issues(path []any) []strict.Issue {
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
	if !seen["Window"] {
		issues = append(issues, strict.At("the query has no {{.Window}}: it could not be asked for the time since a rollout", path...))
	}
	if !seen["Cluster"] {
		issues = append(issues, strict.At("the query has no {{.Cluster}}: one cluster would be judged by the events of another", path...))
	}
	sample := q.sample()
	if at := max(strings.Index(sample, "{{"), strings.Index(sample, "}}")); at >= 0 {
		return append(issues, strict.At("only {{.Window}} and {{.Cluster}} can be filled in", path...).Inside(at))
	}
	if foreign {
		return issues
	}
	_, wrong := promql.Check(sample)
	for _, w := range wrong {
		issues = append(issues, strict.At(w.Message, path...).Inside(w.At))
	}
	return issues
}
