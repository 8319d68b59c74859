package openslo_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/openslo"
)

// everyKind is an SLO and one document of each of the other kinds.
const everyKind = `apiVersion: openslo/v1
kind: SLO
metadata: {name: web, labels: {seatrial.dev/service: shop/web, team: [identity, rbac]}}
spec:
  indicatorRef: fast
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99, op: lte, value: 0.3}]
  alertPolicies:
    - alertPolicyRef: fast-burn
    - kind: AlertPolicy
      metadata: {name: slow-burn}
      spec:
        alertWhenBreaching: true
        conditions:
          - {kind: AlertCondition, metadata: {name: slow}, spec: {severity: ticket, condition: {kind: burnrate, threshold: 1, lookbackWindow: 3d}}}
        notificationTargets: [{kind: AlertNotificationTarget, metadata: {name: mail}, spec: {target: email}}]
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: fast-burn, annotations: {seatrial.dev/alert-windows: 1h/5m}}
spec:
  alertWhenBreaching: true
  alertWhenResolved: false
  conditions: [{conditionRef: fast}]
  notificationTargets: [{targetRef: on-call}]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast}
spec: {severity: page, condition: {kind: burnrate, op: gt, threshold: 14.4, lookbackWindow: 2h, alertAfter: 10m}}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: on-call}
spec: {target: slack, description: who is awake}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: fast}
spec: {thresholdMetric: {metricSource: {metricSourceRef: main, spec: {query: 'p99{cluster="{{.Cluster}}"}'}}}}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: main}
spec: {type: prometheus, connectionDetails: {}}
`

func TestEveryKindIsReadAndResolved(t *testing.T) {
	all, err := readAll(t, everyKind)
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v %v", all, err)
	}
	want := []openslo.Alert{{Long: time.Hour, Short: 5 * time.Minute, Burn: 14.4, Channels: []string{"on-call"}}, {Long: 72 * time.Hour, Short: 6 * time.Hour, Burn: 1, Ticket: true, Channels: []string{"mail"}}}
	if !reflect.DeepEqual(all[0].Alerts, want) || !strings.Contains(string(all[0].Total), "p99") {
		t.Errorf("%+v", all[0])
	}
	without := strings.Replace(everyKind, ", annotations: {seatrial.dev/alert-windows: 1h/5m}", "", 1)
	if all, err = readAll(t, without); err != nil || all[0].Alerts[0].Long != 2*time.Hour || all[0].Alerts[0].Short != 10*time.Minute {
		t.Errorf("without the annotation: %+v %v", all, err)
	}
}

func TestTargetsAreChannels(t *testing.T) {
	for name, c := range map[string]struct{ old, new, page, ticket string }{
		"by their names":             {"", "", "[on-call]", "[mail]"},
		"by an annotation":           {"metadata: {name: on-call}", "metadata: {name: on-call, annotations: {seatrial.dev/channel: ops-chat}}", "[ops-chat]", "[mail]"},
		"a policy that names nobody": {"  notificationTargets: [{targetRef: on-call}]\n", "", "[]", "[mail]"},
	} {
		all, err := readAll(t, strings.Replace(everyKind, c.old, c.new, 1))
		if err != nil {
			t.Fatal(err)
		}
		if page, ticket := fmt.Sprint(all[0].Channels(burn.Page)), fmt.Sprint(all[0].Channels(burn.Ticket)); page != c.page || ticket != c.ticket {
			t.Errorf("%s: %s and %s", name, page, ticket)
		}
	}
	docs, err := strict.Documents("slos/web.yaml", []byte(everyKind))
	if err != nil {
		t.Fatal(err)
	}
	_, err = openslo.ReadFor(docs, func(name string) error {
		if name == "mail" {
			return nil
		}
		return fmt.Errorf("there is no channel %q", name)
	})
	if want := `slos/web.yaml:35:18: metadata.name: there is no channel "on-call"`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestBadKindsAreRefusedAtTheirLine(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"a policy that is not there":      {"alertPolicyRef: fast-burn", "alertPolicyRef: fastburn", `slos/web.yaml:10:23: spec.alertPolicies[0].alertPolicyRef: unknown AlertPolicy "fastburn" (did you mean "fast-burn"?)`},
		"a condition that is not there":   {"conditionRef: fast", "conditionRef: quick", `slos/web.yaml:25:31: spec.conditions[0].conditionRef: unknown AlertCondition "quick"`},
		"a target that is not there":      {"targetRef: on-call", "targetRef: oncall", `slos/web.yaml:26:37: spec.notificationTargets[0].targetRef: unknown AlertNotificationTarget "oncall" (did you mean "on-call"?)`},
		"a data source that is not there": {"metricSourceRef: main", "metricSourceRef: man", `slos/web.yaml:41:58: spec.thresholdMetric.metricSource.metricSourceRef: unknown DataSource "man" (did you mean "main"?)`},
		"a data source of another make":   {"type: prometheus", "type: Datadog", `slos/web.yaml:46:14: spec.type: "Datadog" is not supported: want Prometheus`},
		"a way to reach it":               {"connectionDetails: {}", "connectionDetails: {url: http://prometheus}", "slos/web.yaml:46:26: spec.connectionDetails: not supported: how Prometheus is reached stands in the server's settings"},
		"two conditions":                  {"[{conditionRef: fast}]", "[{conditionRef: fast}, {conditionRef: fast}]", "slos/web.yaml:25:3: spec.conditions: want exactly one condition, got 2: its second window stands in the annotation seatrial.dev/alert-windows"},
		"a severity of somebody else":     {"severity: page", "severity: sev1", `slos/web.yaml:31:18: spec.severity: "sev1": want page, which wakes people, or ticket`},
		"a condition that is no burn":     {"burnrate, op", "budget, op", `slos/web.yaml:31:42: spec.condition.kind: "budget": want burnrate`},
		"a burn that is too slow":         {"op: gt", "op: lt", `slos/web.yaml:31:56: spec.condition.op: "lt": want gt`},
		"no burn at all":                  {"14.4", "0", `slos/web.yaml:31:71: spec.condition.threshold: 0: want a burn rate above 0`},
		"a month to look back at":         {"lookbackWindow: 2h", "lookbackWindow: 1M", `slos/web.yaml:31:93: spec.condition.lookbackWindow: "1M": want a number and m, h, d or w`},
		"an alert after its window":       {"alertAfter: 10m", "alertAfter: 2h", `slos/web.yaml:31:109: spec.condition.alertAfter: "2h": want less than lookbackWindow`},
		"nobody is told of a breach":      {"alertWhenBreaching: true\n  alert", "alertWhenBreaching: false\n  alert", "slos/web.yaml:22:1: spec: alertWhenBreaching: want true"},
		"no data as an alarm":             {"alertWhenResolved: false", "alertWhenNoData: true", "slos/web.yaml:24:20: spec.alertWhenNoData: not supported"},
		"a target that is nothing":        {"target: slack", `target: ""`, "slos/web.yaml:36:16: spec.target: is empty"},
		"a policy and a reference":        {"alertPolicyRef: fast-burn", "alertPolicyRef: fast-burn\n      spec: {alertWhenBreaching: true, conditions: [{conditionRef: fast}]}", "slos/web.yaml:10:23: spec.alertPolicies[0].alertPolicyRef: want either this or a policy in place"},
		"another kind in place":           {"- kind: AlertPolicy", "- kind: Policy", `slos/web.yaml:11:13: spec.alertPolicies[1].kind: kind "Policy": want AlertPolicy`},
		"windows the wrong way round":     {"1h/5m", "5m/1h", `slos/web.yaml:21:71: metadata.annotations.seatrial.dev/alert-windows: "5m/1h": want a long and a shorter window`},
		"an unknown key":                  {"alertWhenResolved", "alertWhenResolve", `unknown field "alertWhenResolve" (did you mean "alertWhenResolved"?)`},
		"two policies of one name":        {"kind: AlertCondition\nmetadata: {name: fast}", "kind: AlertPolicy\nmetadata: {name: fast-burn}\nspec: {alertWhenBreaching: true, conditions: [{conditionRef: fast}]}\n---\napiVersion: openslo/v1\nkind: AlertCondition\nmetadata: {name: fast}", "slos/web.yaml:30:18: metadata.name: there is an AlertPolicy of this name already"},
	} {
		text := strings.Replace(everyKind, c.old, c.new, 1)
		if text == everyKind {
			t.Fatalf("%s: %q is not in the documents", name, c.old)
		}
		if _, err := readAll(t, text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
}
