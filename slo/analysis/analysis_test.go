package analysis_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/analysis"
)

// successRate is what Argo Rollouts' users have.
const successRate = `apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: success-rate
spec:
  args:
    - name: service-name
    - name: least
      value: "0.95"
  metrics:
    - name: success-rate
      interval: 30s
      count: 3
      initialDelay: 10s
      successCondition: result[0] >= {{args.least}}
      failureLimit: 1
      provider:
        prometheus:
          address: http://prometheus.example.com:9090
          query: |
            sum(irate(requests_total{service="{{args.service-name}}",code!~"5.*"}[5m])) / sum(irate(requests_total{service="{{ args.service-name }}"}[5m]))
`

func parse(t *testing.T, text string) (analysis.Template, error) {
	t.Helper()
	docs, err := strict.Documents("a.yaml", []byte(text))
	if err != nil || len(docs) != 1 || !analysis.Is(docs[0]) {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	return analysis.Parse(docs[0])
}

func TestAnArgoTemplateIsReadAsItIs(t *testing.T) {
	read, err := parse(t, successRate)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read.With(nil); err == nil || !strings.Contains(err.Error(), "argument service-name has no value") {
		t.Errorf("err = %v", err)
	}
	if _, err := read.With(map[string]string{"service-name": "web", "servce": "x"}); err == nil || !strings.Contains(err.Error(), "it has no argument servce") {
		t.Errorf("err = %v", err)
	}
	if _, err := read.With(map[string]string{"service-name": "web", "least": `"high"`}); err == nil || !strings.Contains(err.Error(), "is no condition") {
		t.Errorf("err = %v", err)
	}
	filled, err := read.With(map[string]string{"service-name": "web"})
	if err != nil {
		t.Fatal(err)
	}
	m := filled.Metrics[0]
	if m.Success != "result[0] >= 0.95" || strings.Count(m.Query, `service="web"`) != 2 || m.Interval != 30*time.Second || m.Count != 3 || m.FailureLimit != 1 || m.ErrorLimit != 4 {
		t.Errorf("%+v", m)
	}
	if strings.Contains(m.Query, "{{") || !strings.Contains(read.Metrics[0].Query, "{{args.service-name}}") {
		t.Errorf("filled %q, the template %q", m.Query, read.Metrics[0].Query)
	}
}

func TestWhatIsNotSupportedIsRefusedAtItsLine(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"another provider", "        prometheus:\n          address: http://prometheus.example.com:9090\n          query: |\n", "        datadog:\n          query: |\n", "a.yaml:18:9: spec.metrics[0].provider.datadog: not supported: datadog; only prometheus is"},
		{"a job", "        prometheus:\n          address: http://prometheus.example.com:9090\n          query: |\n", "        job:\n          query: |\n", "not supported: job; only prometheus is"},
		{"a login", "address: http://prometheus.example.com:9090", "authentication: {oauth2: {}}", "a.yaml:19:11: spec.metrics[0].provider.prometheus.authentication: not supported: a login belongs into the server's settings"},
		{"TLS that is not verified", "address: http://prometheus.example.com:9090", "insecure: true", "not supported: set prometheus.ca"},
		{"a field that is none", "address:", "adress:", `unknown field (did you mean "address"?)`},
		{"a secret as an argument", `value: "0.95"`, `valueFrom: {secretKeyRef: {name: a, key: b}}`, "a.yaml:9:7: spec.args[1].valueFrom: not supported: write a value"},
		{"no condition", "      successCondition: result[0] >= {{args.least}}\n", "", "without one every answer would pass"},
		{"a condition that is none", "result[0] >=", "result[0] =>", "spec.metrics[0].successCondition"},
		{"a condition that is no condition", "result[0] >= {{args.least}}", "result[0] + 1", "expected bool"},
		{"a condition about a stranger", "result[0] >=", "results[0] >=", "unknown name results"},
		{"an argument that is none", "{{args.least}}", "{{args.most}}", "a.yaml:15:25: spec.metrics[0].successCondition: {{args.most}} is no argument of this template"},
		{"Helm's braces", "{{args.least}}", "{{ .Values.least }}", "is no argument of this template"},
		{"a time that is none", "interval: 30s", "interval: soon", `"soon": want a time like 30s`},
		{"a count without an interval", "      interval: 30s\n", "", "is missing: with a count above 1"},
		{"a count that is none", "count: 3", "count: many", "many: want a number, at least 0"},
		{"a count without end", "count: 3", "count: 100000", "want at most 1000"},
		{"a limit below all", "failureLimit: 1", "failureLimit: -2", "want a number, at least -1"},
		{"a dry run", "  metrics:", "  dryRun: [{metricName: x}]\n  metrics:", "spec.dryRun: not supported"},
		{"an unknown key", "failureLimit", "failureLimt", `unknown field "failureLimt"`},
		{"no metric", successRate[strings.Index(successRate, "  metrics:"):], "  metrics: []\n", "want 1 to 50 metrics"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.ReplaceAll(successRate, c.from, c.to)
			if text == successRate {
				t.Fatal("the case changes nothing")
			}
			_, err := parse(t, text)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "a.yaml:") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func TestJudge(t *testing.T) {
	nan := math.NaN()
	ok := analysis.Metric{Success: "result[0] >= 0.95", Count: 3, ErrorLimit: 2}
	with := func(change func(*analysis.Metric)) analysis.Metric {
		m := ok
		change(&m)
		return m
	}
	for _, c := range []struct {
		name    string
		metric  analysis.Metric
		answers [][]float64
		want    release.Outcome
		missing bool
	}{
		{"enough good answers pass", ok, [][]float64{{1}, {0.95}, {0.99}}, release.Passed, false},
		{"fewer wait", ok, [][]float64{{1}, {1}}, release.Waiting, false},
		{"one bad answer refuses at once", ok, [][]float64{{1}, {0.9}}, release.Refused, false},
		{"within the limit it does not", with(func(m *analysis.Metric) { m.FailureLimit = 1 }), [][]float64{{1}, {0.9}, {1}}, release.Passed, false},
		{"only bad answers never pass", with(func(m *analysis.Metric) { m.FailureLimit = -1 }), [][]float64{{0}, {0}, {0}}, release.Undetermined, false},
		{"no samples wait", ok, [][]float64{{}, {}}, release.Waiting, false},
		{"and never pass", ok, [][]float64{{}, {}, {}}, release.Undetermined, true},
		{"also where Argo's condition would let them", with(func(m *analysis.Metric) { m.Success = "len(result) == 0 || result[0] >= 0.95" }), [][]float64{{}, {}, {}}, release.Undetermined, true},
		{"or its default would", with(func(m *analysis.Metric) { m.Success, m.Failure = "", "default(result, 0) > 0.05" }), [][]float64{{}, {}, {}}, release.Undetermined, true},
		{"a gap within the limit is no harm", ok, [][]float64{{1}, {}, {}, {1}, {1}}, release.Passed, false},
		{"NaN is no answer", with(func(m *analysis.Metric) { m.Success, m.Failure = "", "result[0] > 0.05" }), [][]float64{{nan}, {nan}, {nan}}, release.Undetermined, false},
		{"unless the condition says what it is", with(func(m *analysis.Metric) { m.Success = "isNaN(result[0]) || result[0] >= 0.95" }), [][]float64{{nan}, {1}, {nan}}, release.Passed, false},
		{"default says so, too", with(func(m *analysis.Metric) { m.Success = "default(result[0], 1) >= 0.95" }), [][]float64{{nan}, {1}, {nan}}, release.Passed, false},
		{"a number is compared as one", with(func(m *analysis.Metric) { m.Success = "result < 100" }), [][]float64{{5}, {5}, {5}}, release.Passed, false},
		{"two series are not", with(func(m *analysis.Metric) { m.Success = "result < 100" }), [][]float64{{5, 6}, {5, 6}, {5, 6}}, release.Undetermined, false},
		{"a series too few cannot be judged", with(func(m *analysis.Metric) { m.Success = "result[1] < 100" }), [][]float64{{5}, {5}, {5}}, release.Undetermined, false},
		{"all of them can", with(func(m *analysis.Metric) { m.Success = "all(result, # > 0.5)" }), [][]float64{{1, 1}, {1, 0.6}, {1, 1}}, release.Passed, false},
		{"neither good nor bad is inconclusive", with(func(m *analysis.Metric) { m.Failure = "result[0] < 0.9" }), [][]float64{{0.92}}, release.Undetermined, false},
		{"within its limit it is not", with(func(m *analysis.Metric) { m.Failure, m.InconclusiveLimit = "result[0] < 0.9", 1 }), [][]float64{{0.92}, {1}, {1}}, release.Passed, false},
		{"without a failure the failure condition passes", with(func(m *analysis.Metric) { m.Success, m.Failure = "", "result[0] < 0.9" }), [][]float64{{1}, {1}, {1}}, release.Passed, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.metric
			m.Name, m.Interval = "m", 10*time.Second
			now := start.Add(time.Duration(len(c.answers)-1) * m.Interval)
			var points []analysis.Point
			for i, at := range m.Moments(start, now) {
				points = append(points, analysis.Point{At: at, Values: c.answers[i]})
			}
			got := analysis.Judge(m, points, start, now, now)
			if got.Outcome != c.want || got.Missing != c.missing {
				t.Errorf("%v %v %s, want %v %v", got.Outcome, got.Missing, got.Reason, c.want, c.missing)
			}
			if (got.Outcome == release.Waiting) != (got.After > 0) {
				t.Errorf("%v looks again after %v", got.Outcome, got.After)
			}
		})
	}
}

func TestWithoutACountTheWaveIsWatchedToItsEnd(t *testing.T) {
	m := analysis.Metric{Name: "m", Success: "result < 1", Interval: 10 * time.Second, InitialDelay: 5 * time.Second, ErrorLimit: 4}
	end := start.Add(time.Minute)
	for after, want := range map[time.Duration]release.Outcome{0: release.Waiting, 59 * time.Second: release.Waiting, time.Minute: release.Passed, time.Hour: release.Passed} {
		now := start.Add(after)
		var points []analysis.Point
		for _, at := range m.Moments(start, now) {
			v := 0.0
			if at.After(end) {
				v = 5 // what comes later is of no account
			}
			points = append(points, analysis.Point{At: at, Values: []float64{v}})
		}
		if got := analysis.Judge(m, points, start, now, end); got.Outcome != want {
			t.Errorf("after %s: %v %s, want %v", after, got.Outcome, got.Reason, want)
		}
	}
	if got := analysis.Judge(m, nil, start, end, end); got.Outcome != release.Undetermined {
		t.Errorf("nothing measured at the end: %v", got.Outcome)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(successRate)
	f.Fuzz(func(t *testing.T, text string) {
		docs, err := strict.Documents("a.yaml", []byte(text))
		if err != nil {
			return
		}
		for _, doc := range docs {
			if read, err := analysis.Parse(doc); err == nil && len(read.Metrics) == 0 {
				t.Errorf("a template without a metric was read")
			}
		}
	})
}
