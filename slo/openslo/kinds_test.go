package openslo_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/slo/openslo"
)

// apart is the SLO of availability with its indicator and its service in documents of
// their own.
const apart = `apiVersion: openslo/v1
kind: Service
metadata: {name: web, labels: {seatrial.dev/service: shop/web}}
spec: {description: the shop's front page}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: answered}
spec:
  ratioMetric:
    counter: true
    bad: {metricSource: {type: Prometheus, spec: {query: 'sum(increase(errors_total{cluster="{{.Cluster}}"}[{{.Window}}]))'}}}
    total: {metricSource: {type: Prometheus, spec: {query: 'sum(increase(requests_total{cluster="{{.Cluster}}"}[{{.Window}}]))'}}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: web-availability}
spec:
  service: web
  indicatorRef: answered
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
`

func readAll(t *testing.T, text string) ([]openslo.SLO, error) {
	t.Helper()
	docs, err := strict.Documents("slos/web.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return openslo.Read(docs)
}

func TestAnSLORefersToAnSLIAndAService(t *testing.T) {
	got, err := readAll(t, apart)
	if err != nil || len(got) != 1 || got[0].Service != "shop/web" || got[0].Good != "" || !strings.Contains(string(got[0].Bad), "errors_total") || got[0].Objective != 0.99 {
		t.Fatalf("%+v %v", got, err)
	}
	own := strings.Replace(apart, "metadata: {name: web-availability}", "metadata: {name: web-availability, labels: {seatrial.dev/service: shop/cart}}", 1)
	if got, err := readAll(t, own); err != nil || got[0].Service != "shop/cart" {
		t.Errorf("its own label comes first: %+v %v", got, err)
	}
}

func TestReferencesAreRefusedAtTheirLine(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"an SLI that is not there":    {"indicatorRef: answered", "indicatorRef: answred", `slos/web.yaml:20:17: spec.indicatorRef: unknown SLI "answred" (did you mean "answered"?)`},
		"a Service that is not there": {"  service: web", "  service: wbe", `slos/web.yaml:19:12: spec.service: unknown Service "wbe" (did you mean "web"?)`},
		"no indicator at all":         {"  indicatorRef: answered\n", "", `"indicator" is missing`},
		"an SLI that counts nothing":  {"    counter: true", "    counter: false", "slos/web.yaml:12:58: spec.ratioMetric.bad.metricSource.spec.query: the query has {{.Window}}, and is looked at moment by moment"},
		"an SLI's query without the cluster": {`{cluster="{{.Cluster}}"}[{{.Window}}]))'}}}
    total`, "[{{.Window}}]))'}}}\n    total", "spec.ratioMetric.bad.metricSource.spec.query: the query has no {{.Cluster}}"},
		"two SLIs of one name": {"kind: SLO", "kind: SLI\nmetadata: {name: answered}\nspec:\n  ratioMetric: {counter: true}\n---\napiVersion: openslo/v1\nkind: SLO", "there is an SLI of this name already"},
		"a Service of nobody":  {"shop/web}}", "Web}}", "slos/web.yaml:3:54: metadata.labels.seatrial.dev/service: "},
		"a kind that is none":  {"kind: Service", "kind: Servise", `kind "Servise": want openslo/v1, and SLO or DataSource, SLI`},
		"a label of numbers":   {"shop/web}}", "shop/web, tier: 2}}", "slos/web.yaml:3:70: metadata.labels.tier: want text, or a list of texts"},
		"a long description":   {"the shop's front page", strings.Repeat("x", 1051), "slos/web.yaml:4:21: spec.description: 1051 characters: want at most 1050"},
	} {
		text := strings.Replace(apart, c.old, c.new, 1)
		if text == apart {
			t.Fatalf("%s: %q is not in the documents", name, c.old)
		}
		if _, err := readAll(t, text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
}
