package openslo_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/slo/openslo"
)

const availability = `apiVersion: openslo/v1
kind: SLO
metadata:
  name: web-availability
  displayName: availability
  labels: {seatrial.dev/service: shop/web}
  annotations: {seatrial.dev/alert-windows: 1m/15s, seatrial.dev/alert-burn: "2"}
spec:
  description: requests that were answered
  service: web
  indicator:
    metadata: {name: web-requests}
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource:
            type: Prometheus
            spec:
              query: sum(increase(gateway_requests_total{service="shop/web",cluster="{{.Cluster}}",code=~"2.."}[{{.Window}}]))
        total:
          metricSource:
            type: Prometheus
            spec:
              query: sum(increase(gateway_requests_total{service="shop/web",cluster="{{ .Cluster }}"}[{{ .Window }}]))
  timeWindow:
    - {duration: 28d, isRolling: true}
  budgetingMethod: Occurrences
  objectives:
    - {displayName: promise, targetPercent: 99.9}
`

func parse(t *testing.T, text string) (openslo.SLO, error) {
	t.Helper()
	docs, err := strict.Documents("slos/web.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	all, err := openslo.Read(docs)
	if err != nil {
		return openslo.SLO{}, err
	}
	return all[0], nil
}

func TestParse(t *testing.T) {
	got, err := parse(t, availability)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "web-availability" || got.Title != "availability" || got.Service != "shop/web" || got.Objective != 0.999 || got.Window != 28*24*time.Hour {
		t.Errorf("got %+v", got)
	}
	if !reflect.DeepEqual(got.Alerts, []openslo.Alert{{Long: time.Minute, Short: 15 * time.Second, Burn: 2}}) {
		t.Errorf("alert = %+v", got.Alerts)
	}
	want := `sum(increase(gateway_requests_total{service="shop/web",cluster="staging"}[90s]))`
	if expr := got.Total.Fill("staging", 90*time.Second+400*time.Millisecond); expr != want {
		t.Errorf("Fill = %s, want %s", expr, want)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name     string
		old, new string
		want     []string // of the error; the first begins with file:line
	}{
		{"an unknown key, with a suggestion", "budgetingMethod", "budgetingMetod", []string{"slos/web.yaml:28:", "budgetingMetod"}},
		{"time slices without their size", "Occurrences", "Timeslices", []string{"slos/web.yaml:30:7:", `"timeSliceTarget" is missing`, `"timeSliceWindow" is missing`}},
		{"a method that is none", "Occurrences", "Occurences", []string{"slos/web.yaml:28:20:", `unknown method "Occurences" (did you mean "Occurrences"?)`}},
		{"a time slice target", "targetPercent: 99.9", "targetPercent: 99.9, timeSliceTarget: 0.9", []string{"slos/web.yaml:30:", "timeSliceTarget and timeSliceWindow belong to budgetingMethod Timeslices"}},
		{"a threshold metric beside a ratio", "ratioMetric:\n", "thresholdMetric: {metricSource: {type: Prometheus, spec: {query: 'x{cluster=\"{{.Cluster}}\"}'}}}\n      ratioMetric:\n", []string{"slos/web.yaml:13:5: spec.indicator.spec: want either ratioMetric or thresholdMetric"}},
		{"a reference to an indicator", "  indicator:\n", "  indicatorRef: other\n  indicator:\n", []string{"slos/web.yaml:11:", "indicatorRef: want either this or an indicator"}},
		{"an alert policy that is not there", "  service: web", "  alertPolicies: [{alertPolicyRef: x}]", []string{`slos/web.yaml:10:36: spec.alertPolicies[0].alertPolicyRef: unknown AlertPolicy "x"`}},
		{"a gauge", "counter: true", "counter: false", []string{"slos/web.yaml:20:22:", "the query has {{.Window}}, and is looked at moment by moment"}},
		{"another metric source", "type: Prometheus\n            spec:\n              query: sum(increase(gateway_requests_total{service=\"shop/web\",cluster=\"{{.", "type: Datadog\n            spec:\n              query: sum(increase(gateway_requests_total{service=\"shop/web\",cluster=\"{{.", []string{"slos/web.yaml:18:", `"Datadog" is not supported: want Prometheus`}},
		{"a window that neither rolls nor has a calendar", "isRolling: true", "isRolling: false", []string{"slos/web.yaml:27:", "want isRolling: true, or a calendar"}},
		{"a calendar that rolls", "isRolling: true", "isRolling: true, calendar: {startTime: 2026-01-01 00:00:00, timeZone: UTC}", []string{"slos/web.yaml:27:34:", "a calendar's window does not roll"}},
		{"a zone that is none", "isRolling: true", "calendar: {startTime: 2026-01-01 00:00:00, timeZone: Mars}", []string{`slos/web.yaml:27:76: spec.timeWindow[0].calendar.timeZone: timeZone "Mars": want the name of a time zone`}},
		{"a day that is none", "isRolling: true", "calendar: {startTime: 2026-02-30 00:00:00, timeZone: UTC}", []string{`slos/web.yaml:27:`, `spec.timeWindow[0].calendar.startTime: startTime "2026-02-30 00:00:00": want a moment`}},
		{"slices that target nothing", "budgetingMethod: Occurrences", "budgetingMethod: Timeslices", []string{`"timeSliceTarget" is missing`}},
		{"an op without a threshold", "targetPercent: 99.9", "targetPercent: 99.9, op: lte", []string{"slos/web.yaml:30:7: spec.objectives[0]: op and value belong to a thresholdMetric"}},
		{"a weight of one objective only", "- {displayName: promise, targetPercent: 99.9}", "- {displayName: promise, targetPercent: 99.9}\n    - {targetPercent: 99, compositeWeight: 2}", []string{"compositeWeight: want a number above 0 on every objective", "the objectives of a composite have indicators of their own"}},
		{"two objectives of one name", "- {displayName: promise, targetPercent: 99.9}", "- {displayName: promise, targetPercent: 99.9}\n    - {displayName: Promise, targetPercent: 99}", []string{"slos/web.yaml:31:7: spec.objectives[1]: one of several objectives needs a displayName of its own"}},
		{"months, which have no length", "28d", "1M", []string{"slos/web.yaml:27:", "slos/web.yaml:27:18:", "months, quarters and years belong to a calendar"}},
		{"two windows", "- {duration: 28d, isRolling: true}", "- {duration: 28d, isRolling: true}\n    - {duration: 7d, isRolling: true}", []string{"exactly one window, got 2"}},
		{"a target of 100 %", "targetPercent: 99.9", "targetPercent: 100", []string{"slos/web.yaml:30:", "between 0 and 100"}},
		{"target and targetPercent", "targetPercent: 99.9", "targetPercent: 99.9, target: 0.9", []string{"either target or targetPercent"}},
		{"a service that is none", "shop/web}", "Web}", []string{"slos/web.yaml:6:", "want team/name"}},
		{"a query without the cluster", `,cluster="{{.Cluster}}"`, "", []string{"slos/web.yaml:20:", "no {{.Cluster}}"}},
		{"a query without the window", "[{{.Window}}]", "[5m]", []string{"slos/web.yaml:20:", "no {{.Window}}"}},
		{"an unknown placeholder", "{{.Window}}", "{{.Window}}{{.Env}}", []string{"placeholder {{.Env}} is unknown"}},
		{"a template that is not a placeholder", "{{.Window}}", "{{.Window}}{{ if x }}", []string{"only {{.Window}} and {{.Cluster}}"}},
		{"PromQL that does not parse", "{{.Window}}]))\n        total", "{{.Window}}])\n        total", []string{"slos/web.yaml:20:126: spec.indicator.spec.ratioMetric.good.metricSource.spec.query: the query does not parse: unclosed left parenthesis"}},
		{"a vector where a range is wanted", "[{{ .Window }}]))", "))+vector(time()-{{ .Window }})", []string{"slos/web.yaml:25:35: spec.indicator.spec.ratioMetric.total.metricSource.spec.query: the query does not parse: expected type range vector"}},
		{"a range of samples", "sum(increase(gateway_requests_total{service=\"shop/web\",cluster=\"{{ .Cluster }}\"}[{{ .Window }}]))", "gateway_requests_total{cluster=\"{{ .Cluster }}\"}[{{ .Window }}]", []string{"slos/web.yaml:25:22:", "the query answers with a range of samples"}},
		{"a string", "sum(increase(gateway_requests_total{service=\"shop/web\",cluster=\"{{ .Cluster }}\"}[{{ .Window }}]))", "'\"{{.Cluster}}{{.Window}}\"'", []string{"slos/web.yaml:25:23:", "the query answers with a string: a number is wanted"}},
		{"alert windows the wrong way round", "1m/15s", "15s/1m", []string{"slos/web.yaml:7:", "a long and a shorter window"}},
		{"good and bad at once", "        good:\n", "        bad: {metricSource: {type: Prometheus, spec: {query: \"x{{.Window}}{{.Cluster}}\"}}}\n        good:\n", []string{"either good or bad"}},
		{"another version", "openslo/v1", "openslo/v2alpha", []string{`want openslo/v1, and SLO or DataSource, SLI, Service, AlertCondition, AlertNotificationTarget, AlertPolicy`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(availability, tt.old, tt.new, 1)
			if text == availability {
				t.Fatalf("%q is not in the document", tt.old)
			}
			_, err := parse(t, text)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestReadRefusesTwoOfOneName(t *testing.T) {
	docs, err := strict.Documents("slos/web.yaml", []byte(availability+"---\n"+availability))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = openslo.Read(docs); err == nil || !strings.Contains(err.Error(), "an SLO of this name already, in slos/web.yaml:1") {
		t.Errorf("err = %v", err)
	}
}

func TestOf(t *testing.T) {
	all := []openslo.SLO{{Name: "a", Service: "shop/web"}, {Name: "b", Service: "shop/web"}, {Name: "c", Service: "shop/api"}}
	if got := openslo.Of(all, "shop/web"); len(got) != 2 {
		t.Errorf("all of shop/web: %v", got)
	}
	if got := openslo.Of(all, "shop/web", "b", "c"); len(got) != 1 || got[0].Name != "b" {
		t.Errorf("named ones of shop/web: %v", got)
	}
}

func documents(text string) ([]strict.Document, error) {
	return strict.Documents("x.yaml", []byte(text))
}

func FuzzRead(f *testing.F) {
	f.Add(availability)
	f.Add(of(latency, "Timeslices", "[{target: 0.9, op: lt, value: 1, timeSliceTarget: 1, timeSliceWindow: 1}]"))
	f.Fuzz(func(t *testing.T, text string) { whatIsReadIsUsable(t, text) })
}
