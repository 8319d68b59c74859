package openslo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/slo/openslo"
)

const slothSpec = `version: "prometheus/v1"
service: web
labels: {team: shop, tier: "2"}
slos:
  - name: requests-availability
    objective: 99.9
    description: requests that were answered
    sli:
      events:
        error_query: sum(rate(http_requests_total{code=~"(5..|429)"}[{{.window}}]))
        total_query: sum(rate(http_requests_total[{{ .window }}]))
    alerting:
      name: WebErrors
      annotations: {runbook: "https://example.com/web"}
      page_alert: {labels: {severity: critical}}
      ticket_alert: {disable: true}
  - name: Raw_errors
    objective: 95
    sli:
      raw:
        error_ratio_query: |
          sum(rate(http_requests_total{cluster="eu",code="500"}[{{.window}}]))
            / sum(rate(http_requests_total{cluster="eu"}[{{.window}}]))
    alerting: {page_alert: {disable: true}}
`

// slothObject is the same as the object that Sloth's controller reads.
var slothObject = "apiVersion: sloth.slok.dev/v1\nkind: PrometheusServiceLevel\nmetadata: {name: web, namespace: monitoring}\nspec:\n  " +
	strings.TrimSuffix(strings.NewReplacer("version: \"prometheus/v1\"\n", "", "\n", "\n  ", "error_query", "errorQuery", "total_query", "totalQuery", "error_ratio_query", "errorRatioQuery", "page_alert", "pageAlert", "ticket_alert", "ticketAlert").Replace(slothSpec), "  ")

func TestSlothsDocumentsAreRead(t *testing.T) {
	for name, text := range map[string]string{"spec": slothSpec, "object": slothObject} {
		all, err := readAll(t, text)
		if err != nil || len(all) != 2 {
			t.Fatalf("%s: %+v %v", name, all, err)
		}
		a, raw := all[0], all[1]
		if a.Name != "web-requests-availability" || a.Title != "requests-availability" || a.Service != "shop/web" || a.Objective != 0.999 || a.Window != 30*24*time.Hour || a.NoPage || !a.NoTicket || a.Every != 0 {
			t.Errorf("%s: %+v", name, a)
		}
		if got := a.Bad.Fill("eu", time.Minute); got != `(sum(rate(http_requests_total{cluster="eu",code=~"(5..|429)"}[60s]))) * 60` {
			t.Errorf("%s: %s", name, got)
		}
		if got := a.Total.Fill("eu", time.Minute); got != `(sum(rate(http_requests_total{cluster="eu"}[60s]))) * 60` {
			t.Errorf("%s: %s", name, got)
		}
		if raw.Name != "web-raw-errors" || !raw.NoPage || raw.NoTicket || raw.Good != "" || raw.Every == 0 || !strings.Contains(string(raw.Bad), `{cluster="eu",code="500"}`) {
			t.Errorf("%s: %+v", name, raw)
		}
	}
}

func TestASlothServiceMayBeAServiceDocument(t *testing.T) {
	text := strings.Replace(slothSpec, "{team: shop, tier: \"2\"}", "{tier: \"2\"}", 1)
	service := "---\napiVersion: openslo/v1\nkind: Service\nmetadata: {name: web, labels: {seatrial.dev/service: shop/front}}\nspec: {}\n"
	all, err := readAll(t, text+service)
	if err != nil || all[0].Service != "shop/front" {
		t.Errorf("%+v %v", all, err)
	}
}

func TestBadSlothDocumentsAreRefusedAtTheirLine(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"nobody's service":        {"team: shop, ", "", `slos/web.yaml:2:10: service: whose is "web"?`},
		"an unknown key":          {"error_query", "errorQuery", `slos/web.yaml:10:9: unknown field "errorQuery" (did you mean "error_query"?)`},
		"PromQL that is none":     {"[{{.window}}]))\n        total", "[{{.window}}])\n        total", "slos/web.yaml:10:83: slos[0].sli.events.error_query: the query does not parse: unclosed left parenthesis"},
		"a mistake in a block":    {"\n            / sum", "\n            / sum)", "slos/web.yaml:23:18: slos[1].sli.raw.error_ratio_query: the query does not parse"},
		"no window":               {"[{{ .window }}]", "[5m]", "slos/web.yaml:11:22: slos[0].sli.events.total_query: the query has no {{.window}}"},
		"another placeholder":     {"{{ .window }}", "{{ .window }}{{.env}}", "slos/web.yaml:11:64: slos[0].sli.events.total_query: placeholder {{.env}} is unknown: there is {{.window}}"},
		"all of them":             {"99.9", "100", "slos/web.yaml:6:16: slos[0].objective: 100: want a number between 0 and 100"},
		"events and raw":          {"      raw:", "      events: {error_query: x, total_query: y}\n      raw:", "slos/web.yaml:19:5: slos[1].sli: want either events or raw"},
		"a plugin":                {"      raw:", "      plugin: {id: x}\n      raw:", "slos/web.yaml:20:7: slos[1].sli.plugin: not supported"},
		"a name that is too long": {"requests-availability", strings.Repeat("a", 70), "slos/web.yaml:5:11: slos[0].name: "},
		"no objective":            {"    objective: 99.9\n", "", `"objective" is missing`},
	} {
		text := strings.Replace(slothSpec, c.old, c.new, 1)
		if text == slothSpec {
			t.Fatalf("%s: %q is not in the document", name, c.old)
		}
		if _, err := readAll(t, text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
	if _, err := readAll(t, strings.Replace(slothObject, "PrometheusServiceLevel", "SLO", 1)); err == nil || !strings.Contains(err.Error(), "slos/web.yaml:2:7: kind: kind \"SLO\": want PrometheusServiceLevel") {
		t.Errorf("%v", err)
	}
}

func FuzzSloth(f *testing.F) {
	f.Add(slothSpec)
	f.Add(slothObject)
	f.Fuzz(func(t *testing.T, text string) { whatIsReadIsUsable(t, text) })
}

func whatIsReadIsUsable(t *testing.T, text string) {
	t.Helper()
	docs, err := documents(text)
	if err != nil {
		return
	}
	all, err := openslo.Read(docs)
	for _, s := range all {
		if err == nil && !(s.Objective > 0 && s.Objective < 1 && s.Window > 0 && s.Total != "" && (s.Good == "") != (s.Bad == "")) {
			t.Errorf("accepted %+v", s)
		}
	}
}
