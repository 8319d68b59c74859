package platform_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

// good is a platform repo in which everything fits together.
func good(t testing.TB) fstest.MapFS {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/good.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{}
	for _, f := range archive.Files {
		tree[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return tree
}

func TestLoad(t *testing.T) {
	tree, err := platform.Load(good(t))
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, e := range tree.Environments {
		order = append(order, e.Meta.Name)
	}
	if got := strings.Join(order, " "); got != "dev staging prod" {
		t.Errorf("environments in the order %s", got)
	}
	for what, got := range map[string][]string{
		"prod-canary prod-main staging":  slices.Sorted(maps.Keys(tree.Clusters)),
		"shop":                           slices.Sorted(maps.Keys(tree.Projects)),
		"forge ops":                      slices.Sorted(maps.Keys(tree.Channels)),
		"kill-one-pod nightly":           slices.Sorted(maps.Keys(tree.Experiments)),
		"lib/images.rego no-latest.rego": slices.Sorted(maps.Keys(tree.Policies)),
		"db.dev/Database/health.lua":     slices.Sorted(maps.Keys(tree.Scripts)),
	} {
		if strings.Join(got, " ") != what {
			t.Errorf("got %v, want %s", got, what)
		}
	}
	if len(tree.SLOs) != 1 || tree.SLOs[0].Name != "availability" {
		t.Errorf("SLOs = %+v", tree.SLOs)
	}
	if p, ok := tree.ProjectOf("Shop/web"); !ok || p.Meta.Name != "shop" {
		t.Errorf("project of shop/web = %+v", p)
	}
	if _, ok := tree.ProjectOf("shop/other"); ok {
		t.Error("a repo of nobody has a project")
	}
}

func TestLoadFillsDefaultsIn(t *testing.T) {
	tree, err := platform.Load(good(t))
	if err != nil {
		t.Fatal(err)
	}
	prod, ok := tree.Environment("prod")
	if !ok {
		t.Fatal("no prod")
	}
	s := prod.Spec
	if s.SLO.Observe.Std() != 30*time.Second || s.SLO.Settle.Std() != 5*time.Second || s.SLO.MinEvents != 100 || s.SLO.MaxWait.Std() != 5*time.Minute {
		t.Errorf("slo = %+v", s.SLO)
	}
	if s.Params["domain"] != "shop.example" || s.Params["replicas"] != "3" {
		t.Errorf("params = %v", s.Params)
	}
	if s.Trial.Observe.Std() != time.Minute || s.Prune.MaxDelete != 10 || s.SyncTimeout.Std() != 5*time.Minute || s.OnUnmatch != "leave" {
		t.Errorf("spec = %+v", s)
	}
	if c := tree.Clusters["staging"]; c.Spec.Credentials != "staging" || !c.Spec.Chaos {
		t.Errorf("cluster = %+v", c)
	}
	e := tree.Experiments["kill-one-pod"].Spec
	if want := (release.Limits{MaxTargets: 1, MaxPercent: 50, MaxDuration: release.Duration(5 * time.Minute), MinReady: 2}); e.Limits != want || e.Fault.Mode != "one" {
		t.Errorf("experiment = %+v", e)
	}
	ops := tree.Channels["ops"].Spec
	if ops.Language != "en" || len(ops.Events) != 14 || slices.Contains(ops.Events, release.EventPhase) || !slices.Contains(ops.Events, release.EventSummary) {
		t.Errorf("channel = %+v", ops)
	}
	if !slices.Contains(tree.Channels["forge"].Spec.Events, release.EventPhase) {
		t.Error("a commit status does not follow the phases")
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct{ name, file, from, to, want string }{
		{"an unknown key", "environments/prod.yaml", "  onUnmatch:", "  onUnmacth:", `environments/prod.yaml:22:3: unknown field "onUnmacth" (did you mean "onUnmatch"?)`},
		{"an unknown kind", "clusters.yaml", "kind: Cluster\nmetadata: {name: staging", "kind: Clustr\nmetadata: {name: staging", `clusters.yaml:2:7: kind: unknown kind "Clustr" (did you mean "Cluster"?)`},
		{"a foreign version", "projects/shop.yaml", "seatrial.dev/v1", "seatrial.dev/v9", `projects/shop.yaml:1:13: apiVersion: want "seatrial.dev/v1" or "openslo/v1", got "seatrial.dev/v9"`},
		{"a name twice", "clusters.yaml", "name: prod-main", "name: staging", `clusters.yaml:14:18: metadata.name: Cluster "staging" is already in clusters.yaml:1`},
		{"an address without TLS", "clusters.yaml", "{chaos: true}", "{server: \"http://10.0.0.1:6443\"}", `clusters.yaml:4:16: spec.server: "http://10.0.0.1:6443": want an address like https://10.0.0.1:6443`},
		{"an authority that is none", "clusters.yaml", "{chaos: true}", "{server: \"https://10.0.0.1:6443\", ca: x}", `clusters.yaml:4:45: spec.ca: want certificates in PEM`},
		{"an authority for a kubeconfig", "clusters.yaml", "{chaos: true}", "{ca: CERT}", "clusters.yaml:4:8: spec.ca: only counts together with server; a kubeconfig has its own\nclusters.yaml:4:12: spec.ca: want certificates in PEM"},
		{"a plug-in by its arguments", "clusters.yaml", "{chaos: true}", "{credentialPlugins: [\"aws eks\"]}", `clusters.yaml:4:28: spec.credentialPlugins[0]: "aws eks": want the name or the path of a program, as the kubeconfig has it`},
		{"credentials of an agent", "clusters.yaml", "{chaos: true}", "{credentials: staging, agent: true}", `clusters.yaml:4:8: spec.credentials: the cluster has an agent, which has credentials of its own`},
		{"faults through an agent", "clusters.yaml", "{chaos: true}", "{agent: true, chaos: true}", `clusters.yaml:4:21: spec.chaos: faults are not injected through an agent: leave it out, or let the server reach the cluster`},
		{"an unknown predecessor", "environments/prod.yaml", "after: staging", "after: stagin", `environments/prod.yaml:6:10: spec.after: unknown environment "stagin" (did you mean "staging"?)`},
		{"a circle", "environments/staging.yaml", "after: dev", "after: prod", "environments/prod.yaml:6:10: spec.after: comes after itself: prod after staging after prod\nenvironments/staging.yaml:6:10: spec.after: comes after itself: staging after prod after staging"},
		{"an environment after itself", "environments/staging.yaml", "after: dev", "after: staging", "environments/staging.yaml:6:10: spec.after: comes after itself: staging after staging"},
		{"two environments on a branch", "environments/staging.yaml", "env/staging", "env/prod", `environments/staging.yaml:7:56: spec.desiredState.branch: branch env/prod of platform/desired-state is already environment prod's`},
		{"an unknown policy", "environments/prod.yaml", "no-latest]", "no-lastest]", `environments/prod.yaml:12:29: spec.policies[1]: unknown policy "no-lastest" (did you mean "no-latest"?)`},
		{"an unknown experiment", "environments/prod.yaml", "[kill-one-pod]", "[kill-all-pods]", `environments/prod.yaml:21:19: spec.trial.experiments[0]: unknown experiment "kill-all-pods" (did you mean "kill-one-pod"?)`},
		{"a bad window", "environments/prod.yaml", "Mon-Fri 09:00-18:00", "weekdays 9-18", `environments/prod.yaml:10:14: spec.windows[0].allow: "weekdays 9-18": want days and hours like "Mon-Fri 09:00-18:00" or "22:00-06:00"`},
		{"a bad time zone", "environments/prod.yaml", "Asia/Shanghai", "Asia/Shangai", `environments/prod.yaml:11:17: spec.windows[0].timeZone: unknown time zone "Asia/Shangai": want an IANA name like Asia/Shanghai`},
		{"a wave that selects nothing", "environments/prod.yaml", "{matchLabels: {env: prod, ring: canary}}", "{matchLabels: {}}", `environments/prod.yaml:15:18: spec.waves[0].clusters.matchLabels: want at least one label: an empty selector matches nothing`},
		{"a wave without a selector", "environments/prod.yaml", "      clusters: {matchLabels: {env: prod, ring: canary}}\n", "", `environments/prod.yaml:14:7: spec.waves[0]: "clusters" is missing`},
		{"a wave twice", "environments/prod.yaml", "name: rest", "name: canary", `environments/prod.yaml:16:7: spec.waves[1]: "canary" is listed twice`},
		{"a bad share", "environments/prod.yaml", "25%", "quarter", `environments/prod.yaml:18:23: spec.waves[1].maxUnavailable: "quarter": want a share like "25%" or a number of clusters like "2"`},
		{"a bad choice", "environments/prod.yaml", "onUnmatch: leave", "onUnmatch: delete", `environments/prod.yaml:22:14: spec.onUnmatch: unknown choice "delete" (there is: leave, withdraw)`},
		{"an analysis that is not there", "environments/prod.yaml", "onUnmatch: leave", "slo: {analysis: [{template: success-rate}]}", `environments/prod.yaml:22:31: spec.slo.analysis[0].template: unknown AnalysisTemplate "success-rate"`},
		{"missing data that passes", "environments/prod.yaml", "onUnmatch: leave", "slo: {noData: pass}", `environments/prod.yaml:22:17: spec.slo.noData: unknown way to treat missing data "pass" (there is: inconclusive, refuse)`},
		{"a number that may be none", "environments/prod.yaml", "onUnmatch: leave", "slo: {notANumber: zero}", `environments/prod.yaml:22:21: spec.slo.notANumber: unknown way to treat NaN "zero" (there is: noData, drop, refuse)`},
		{"too short to compare", "environments/prod.yaml", "onUnmatch: leave", "slo: {compare: {metrics: [{name: latency, query: up}]}}", `environments/prod.yaml:22:3: spec.slo.observe: want 50s or more to compare metrics: 50 samples, a second apart, got 30s`},
		{"a comparison without a query", "environments/prod.yaml", "onUnmatch: leave", "slo: {observe: 60s, compare: {metrics: [{name: latency, query: ' '}]}}", `environments/prod.yaml:22:66: spec.slo.compare.metrics[0].query: it asks for nothing: give it a query of one number`},
		{"a trial after the last wave", "environments/prod.yaml", "experiments: [kill-one-pod]", "after: rest", `environments/prod.yaml:21:12: spec.trial.after: want a wave that another follows, got "rest"; left out, the trial comes after all of them`},
		{"a tolerance of more than all", "environments/prod.yaml", "experiments: [kill-one-pod]", "compare: {tolerance: 1.5}", `environments/prod.yaml:21:26: spec.trial.compare.tolerance: want a share of the error budget, above 0 and up to 1, got 1.5`},
		{"pieces too short to count in", "environments/prod.yaml", "onUnmatch: leave", "slo: {minSamples: 4}", `environments/prod.yaml:22:21: spec.slo.minSamples: 4: a piece of the window is at least 10s long, so observe has to be 40s or more`},
		{"confidence in per cent", "environments/prod.yaml", "onUnmatch: leave", "slo: {confidence: 95}", `environments/prod.yaml:22:21: spec.slo.confidence: 95: want 0.5 or more and less than 1, such as 0.95`},
		{"an unbounded wait", "environments/prod.yaml", "onUnmatch: leave", "syncTimeout: 100h", `environments/prod.yaml:22:16: spec.syncTimeout: want at most 24h, got 100h0m0s`},
		{"a password in a URL", "environments/prod.yaml", "platform/desired-state", "https://u:p@forge/x", `environments/prod.yaml:7:24: spec.desiredState.repo: has a password in it: credentials are a setting of the server`},
		{"a param that is no name", "environments/prod.yaml", `params: {domain: shop.example, replicas: "3"}`, "params: {\"a b\": x}", `environments/prod.yaml:23:12: spec.params.a b: want letters, digits, dashes and underscores, with dots between names: ingress.host`},
		{"a param of the platform's own", "environments/prod.yaml", `params: {domain: shop.example, replicas: "3"}`, "params: {seatrial.team: x}", `environments/prod.yaml:23:12: spec.params.seatrial.team: names that begin with seatrial. are the platform's own`},
		{"a secret among the params", "environments/prod.yaml", `params: {domain: shop.example, replicas: "3"}`, "params: {db.password: x}", `environments/prod.yaml:23:12: spec.params.db.password: looks like a secret: params are rendered into git; keep it in a Secret on the clusters`},
		{"a param within a value", "environments/prod.yaml", `params: {domain: shop.example, replicas: "3"}`, "params: {a: x, a.b: y}", `environments/prod.yaml:23:18: spec.params.a.b: a is a value already, and cannot hold others`},
		{"params for clusters without a name", "environments/prod.yaml", `params: {domain: shop.example, replicas: "3"}`, "paramsFor: [{clusters: {matchLabels: {region: eu}}, params: {a: x}}]", `environments/prod.yaml:23:15: spec.paramsFor[0]: "name" is missing`},
		{"params for every cluster", "environments/prod.yaml", `params: {domain: shop.example, replicas: "3"}`, "paramsFor: [{name: eu, clusters: {matchLabels: {}}, params: {a: x}}]", `environments/prod.yaml:23:37: spec.paramsFor[0].clusters.matchLabels: want at least one label: an empty selector matches nothing`},
		{"params for clusters within a value", "environments/prod.yaml", `params: {domain: shop.example, replicas: "3"}`, "params: {a: x}\n  paramsFor: [{name: eu, clusters: {matchLabels: {region: eu}}, params: {a.b: y}}]", `environments/prod.yaml:24:74: spec.paramsFor[0].params.a.b: a is a value in the environment's params already, and cannot hold others`},
		{"a secret among the params for clusters", "environments/prod.yaml", `params: {domain: shop.example, replicas: "3"}`, "paramsFor: [{name: eu, clusters: {matchLabels: {region: eu}}, params: {api_key: y}}]", `environments/prod.yaml:23:74: spec.paramsFor[0].params.api_key: looks like a secret: params are rendered into git; keep it in a Secret on the clusters`},
		{"a param that is not a text", "environments/prod.yaml", `params: {domain: shop.example, replicas: "3"}`, "params: {replicas: [1]}", `environments/prod.yaml:23:22: spec.params.replicas: want text, got a list`},
		{"a trusted account without a name", "projects/shop.yaml", "channels: [ops, forge]", "pullRequests: {trusted: [ann, \"\"]}", `projects/shop.yaml:8:33: spec.pullRequests.trusted[1]: "": want an account on the forge`},
		{"an unknown way with forks", "projects/shop.yaml", "channels: [ops, forge]", "pullRequests: {forks: build}", `projects/shop.yaml:8:25: spec.pullRequests.forks: unknown way with forks "build" (there is: wait, refuse)`},
		{"an unknown channel", "projects/shop.yaml", "[ops, forge]", "[opps, forge]", `projects/shop.yaml:8:14: spec.channels[0]: unknown channel "opps" (did you mean "ops"?)`},
		{"an address in git", "channels.yaml", "urlSecret: wecom-ops", "urlSecret: https://qyapi.weixin.qq.com/x?key=1", `channels.yaml:6:14: spec.urlSecret: "https://qyapi.weixin.qq.com/x?key=1": want a name of letters, digits, dashes and underscores, never the address itself`},
		{"a secret of builds in git", "projects/shop.yaml", "  channels: [ops, forge]", "  channels: [ops, forge]\n  secrets: [\"token=1\"]", `projects/shop.yaml:9:13: spec.secrets[0]: "token=1": want a name of letters, digits, dashes and underscores, never the secret itself`},
		{"a registry's password in git", "projects/shop.yaml", "  channels: [ops, forge]", "  channels: [ops, forge]\n  registries: [{host: ghcr.io, user: robot, secret: \"ghp=1\"}]", `projects/shop.yaml:9:53: spec.registries[0].secret: "ghp=1": want a name of letters, digits, dashes and underscores, never the secret itself`},
		{"a registry's login without a user", "projects/shop.yaml", "  channels: [ops, forge]", "  channels: [ops, forge]\n  registries: [{host: ghcr.io, user: \"\", secret: ghcr}]", `projects/shop.yaml:9:38: spec.registries[0].user: want a value`},
		{"a chart folder with its scheme", "projects/shop.yaml", "  channels: [ops, forge]", "  channels: [ops, forge]\n  charts: [\"oci://ghcr.io/charts\"]", `projects/shop.yaml:9:12: spec.charts[0]: "oci://ghcr.io/charts": want HOST or HOST/FOLDER, without oci:// and without a tag`},
		{"a registry by its address", "projects/shop.yaml", "  channels: [ops, forge]", "  channels: [ops, forge]\n  registries: [{host: \"https://ghcr.io\", user: robot, secret: ghcr}]", `projects/shop.yaml:9:23: spec.registries[0].host: "https://ghcr.io": want HOST or HOST:PORT`},
		{"two logins for one registry", "projects/shop.yaml", "  channels: [ops, forge]", "  channels: [ops, forge]\n  registries: [{host: ghcr.io, user: a, secret: x}, {host: ghcr.io, user: b, secret: y}]", `projects/shop.yaml:9:53: spec.registries[1]: "ghcr.io" is listed twice`},
		{"an unknown type of channel", "channels.yaml", "type: wecom", "type: wechat", `channels.yaml:5:9: spec.type: unknown type "wechat" (did you mean "wecom"?)`},
		{"mail from nobody", "channels.yaml", "type: wecom", "mail: {from: x, to: []}\n  type: email", "channels.yaml:5:16: spec.mail.from: want an address like seatrial@example.com\nchannels.yaml:5:19: spec.mail.to: want 1 to 50 addresses, got 0"},
		{"mail to a chat", "channels.yaml", "type: wecom", "mail: {from: a@b.example, to: [c@d.example]}\n  type: wecom", "channels.yaml:5:3: spec.mail: is for channels of type email"},
		{"tickets of a project that is none", "channels.yaml", "type: wecom", "jira: {project: \"ops team\", api: 4}\n  type: jira", "channels.yaml:5:19: spec.jira.project: \"ops team\": want a project's key like OPS\nchannels.yaml:5:36: spec.jira.api: want 2 (Server, Data Center) or 3 (Cloud), got 4"},
		{"tickets of a chat", "channels.yaml", "type: wecom", "jira: {project: OPS}\n  type: slack", "channels.yaml:5:3: spec.jira: is for channels of type jira"},
		{"quiet hours that are none", "channels.yaml", "  urlSecret: wecom-ops\n", "  urlSecret: wecom-ops\n  quiet: {from: 10pm, until: \"07:00\"}\n", `channels.yaml:7:17: spec.quiet.from: "10pm": want a time of day like 22:00`},
		{"quiet hours all day", "channels.yaml", "  urlSecret: wecom-ops\n", "  urlSecret: wecom-ops\n  quiet: {from: \"07:00\", until: \"07:00\"}\n", `channels.yaml:7:33: spec.quiet.until: they begin when they end: that is all day, or never`},
		{"quiet hours on Mars", "channels.yaml", "  urlSecret: wecom-ops\n", "  urlSecret: wecom-ops\n  quiet: {from: \"22:00\", until: \"07:00\", timeZone: Mars/Olympus}\n", `channels.yaml:7:52: spec.quiet.timeZone: unknown time zone "Mars/Olympus": want an IANA name like Asia/Shanghai`},
		{"a channel without an address", "channels.yaml", "  urlSecret: wecom-ops\n", "", `channels.yaml:4:1: spec.urlSecret: want the name of the secret that holds the address; the server reads it from SEATRIAL_SECRET_<NAME>`},
		{"a fault in a system namespace", "experiments.yaml", "namespace: shop", "namespace: kube-system", "experiments.yaml:9:16: spec.fault.namespace: namespace kube-system is protected: nothing is broken there\nexperiments.yaml:9:16: spec.fault.namespace: unknown namespace of a project \"kube-system\" (there is: shop, shop-jobs)"},
		{"a fault outside the projects", "experiments.yaml", "namespace: shop\n", "namespace: pay\n", `experiments.yaml:9:16: spec.fault.namespace: unknown namespace of a project "pay" (there is: shop, shop-jobs)`},
		{"a fault for too long", "experiments.yaml", "duration: 20s", "duration: 2h", `experiments.yaml:10:15: spec.fault.duration: 2h0m0s is longer than limits.maxDuration, 5m0s`},
		{"a fault without an end", "experiments.yaml", "    duration: 20s\n", "", `experiments.yaml:5:3: spec.fault: "duration" is missing`},
		{"more targets than allowed", "experiments.yaml", "action: pod-kill\n", "action: pod-kill\n    mode: fixed\n    value: \"3\"\n", `experiments.yaml:9:12: spec.fault.value: 3 is more than limits.maxTargets, 1`},
		{"a fault nobody knows", "experiments.yaml", "kind: PodChaos\n", "kind: PodKaos\n", `experiments.yaml:6:11: spec.fault.kind: unknown kind of fault "PodKaos" (did you mean "PodChaos"?)`},
		{"a fault of a cloud", "experiments.yaml", "kind: PodChaos\n", "kind: AWSChaos\n", `experiments.yaml:6:11: spec.fault.kind: AWSChaos is not supported: it acts on machines of an account, which no namespace, label or limit of an experiment covers`},
		{"an action of another kind", "experiments.yaml", "action: pod-kill\n", "action: delay\n", `experiments.yaml:7:13: spec.fault.action: unknown action of PodChaos "delay" (there is: pod-kill, pod-failure, container-kill)`},
		{"a fault that is not told enough", "experiments.yaml", "kind: PodChaos\n    action: pod-kill\n", "kind: NetworkChaos\n    action: delay\n    with: {jitter: 1ms}\n", `experiments.yaml:8:5: spec.fault.with: delay needs latency: a duration like 100ms`},
		{"a latency without a unit", "experiments.yaml", "kind: PodChaos\n    action: pod-kill\n", "kind: NetworkChaos\n    action: delay\n    with:\n      latency: 100\n", `experiments.yaml:9:16: spec.fault.with.latency: 100: want a duration like 100ms`},
		{"a field of another action", "experiments.yaml", "kind: PodChaos\n    action: pod-kill\n", "kind: StressChaos\n    action: cpu\n    with: {size: 1GB}\n", `experiments.yaml:8:18: spec.fault.with.size: cpu has no such field (there is: workers, load)`},
		{"a fault that would hit the other end", "experiments.yaml", "kind: PodChaos\n    action: pod-kill\n", "kind: NetworkChaos\n    action: partition\n    with: {direction: both, target: {app: db}}\n", `experiments.yaml:8:23: spec.fault.with.direction: both would change the pods of target too, which no limit was checked for: want to`},
		{"a user that is a statement", "experiments.yaml", "kind: PodChaos\n    action: pod-kill\n", "kind: ConnectionPool\n    action: limit\n    with: {database: mysql, dsnSecret: shop-db, user: \"x'; drop\", connections: 2}\n", `experiments.yaml:8:55: spec.fault.with.user: "x'; drop": want the application's user: letters, digits, _ . -`},
		{"a program that nothing takes back", "experiments.yaml", "kind: PodChaos\n    action: pod-kill\n", "kind: Exec\n    action: run\n    container: web\n    with:\n      command: [touch, /tmp/x]\n", `experiments.yaml:9:5: spec.fault.with: run needs revert: a list of text (numbers in quotes): the program that puts it back, and its arguments; what nothing puts back is not broken`},
		{"a program in no container", "experiments.yaml", "kind: PodChaos\n    action: pod-kill\n", "kind: Exec\n    action: run\n    with: {command: [touch, /tmp/x], revert: [rm, /tmp/x]}\n", `experiments.yaml:5:3: spec.fault.container: run wants the name of a container`},
		{"a bad cron", "experiments.yaml", "0 3 * * *", "0 25 * * *", `experiments.yaml:23:11: spec.schedule.cron: "0 25 * * *": want five fields, six with seconds first, or @every 1h: end of range (25) above maximum (23): 25`},
		{"a cron that never comes", "experiments.yaml", "0 3 * * *", "0 3 31 2 *", `experiments.yaml:23:11: spec.schedule.cron: "0 3 31 2 *" never comes`},
		{"a zone inside the cron", "experiments.yaml", "0 3 * * *", "TZ=", `experiments.yaml:23:11: spec.schedule.cron: write the time zone under timeZone`},
		{"a jitter as long as the schedule", "experiments.yaml", "[staging]\n", "[staging]\n    jitter: 24h\n", `experiments.yaml:26:13: spec.schedule.jitter: 24h0m0s: want less than the 24h0m0s between two runs`},
		{"a policy for what was missed that nobody knows", "experiments.yaml", "[staging]\n", "[staging]\n    missed: runAll\n", `experiments.yaml:26:13: spec.schedule.missed: unknown policy "runAll" (there is: runOnce, skip)`},
		{"a schedule without a service", "experiments.yaml", "  service: shop/web\n", "", `experiments.yaml:21:3: spec.schedule: a scheduled experiment has no release on trial: it wants spec.service`},
		{"an unknown SLO", "experiments.yaml", "[availability]", "[avialability]", `experiments.yaml:21:16: spec.hypothesis[0]: unknown SLO "avialability" (did you mean "availability"?)`},
		{"an unknown environment in a schedule", "experiments.yaml", "environments: [staging]", "environments: [stage]", `experiments.yaml:25:20: spec.schedule.environments[0]: unknown environment "stage" (did you mean "staging"?)`},
		{"a team of no project", "teams.yaml", "name: shop", "name: shopp", `teams.yaml:3:18: metadata.name: unknown team of a project "shopp" (did you mean "shop"?)`},
		{"a route to an unknown channel", "teams.yaml", "[ops]", "[opps]", `teams.yaml:7:18: spec.routes[0].channels[0]: unknown channel "opps" (did you mean "ops"?)`},
		{"a matcher of an unknown label", "teams.yaml", "severity=", "severty=", `teams.yaml:6:18: spec.routes[0].matchers[0]: unknown label "severty" (did you mean "severity"?)`},
		{"a group by an unknown label", "teams.yaml", "[service]", "[servce]", `teams.yaml:8:17: spec.routes[0].groupBy[0]: unknown label "servce" (did you mean "service"?)`},
		{"a wait without a group", "teams.yaml", "      groupBy: [service]\n", "", `teams.yaml:8:18: spec.routes[0].groupWait: is for routes with groupBy: without it every event is told by itself`},
		{"an escalation to an unknown channel", "teams.yaml", "groupWait: 10s", "escalate: [{after: 15m, channels: [opps]}]", `teams.yaml:9:42: spec.routes[0].escalate[0].channels[0]: unknown channel "opps" (did you mean "ops"?)`},
		{"an escalation before the one above", "teams.yaml", "groupWait: 10s", "escalate: [{after: 15m, channels: [ops]}, {after: 5m, channels: [ops]}]", `teams.yaml:9:57: spec.routes[0].escalate[1].after: want a time after the one before`},
		{"an unknown key of a route", "teams.yaml", "groupWait", "groupwait", `teams.yaml:9:7: unknown field "groupwait" (did you mean "groupWait"?)`},
		{"a policy that is not text", "policies/no-latest.rego", "package", "\xff", `policies/no-latest.rego: is not UTF-8`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := good(t)
			data := string(tree[c.file].Data)
			changed := strings.Replace(data, c.from, c.to, 1)
			if changed == data {
				t.Fatal("the case changes nothing")
			}
			tree[c.file] = &fstest.MapFile{Data: []byte(changed)}
			_, err := platform.Load(tree)
			if err == nil || err.Error() != c.want {
				t.Errorf("error\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

func TestLoadTellsEverythingAtOnce(t *testing.T) {
	tree := good(t)
	for _, f := range []string{"environments/prod.yaml", "projects/shop.yaml", "channels.yaml"} {
		tree[f].Data = append(tree[f].Data, "  typo: 1\n"...)
	}
	_, err := platform.Load(tree)
	e, ok := errors.AsType[*strict.Error](err)
	if !ok || len(e.Problems) != 3 {
		t.Errorf("error = %v", err)
	}
}

func TestBrokenSyntaxBlamesNobodyElse(t *testing.T) {
	tree := good(t)
	tree["environments/staging.yaml"].Data = []byte("kind: [")
	_, err := platform.Load(tree)
	if e, ok := errors.AsType[*strict.Error](err); !ok || len(e.Problems) != 1 {
		t.Errorf("error = %v", err)
	}
}

func TestLibraryPoliciesCanBeNamed(t *testing.T) {
	tree := good(t)
	delete(tree, "policies/no-latest.rego")
	if _, err := platform.Load(tree); err == nil {
		t.Error("a policy that does not exist was accepted")
	}
	if _, err := platform.Load(tree, "no-latest"); err != nil {
		t.Error(err)
	}
}

func TestTheRepoOfTwoProjects(t *testing.T) {
	tree := good(t)
	tree["projects/two.yaml"] = &fstest.MapFile{Data: []byte(strings.Replace(string(tree["projects/shop.yaml"].Data), "name: shop", "name: two", 1))}
	_, err := platform.Load(tree)
	if err == nil || err.Error() != "projects/two.yaml:6:11: spec.repos[0]: repo shop/web is already project shop's\nprojects/two.yaml:6:21: spec.repos[1]: repo shop/cart is already project shop's" {
		t.Errorf("error = %v", err)
	}
}

func TestLoadIsBounded(t *testing.T) {
	many := fstest.MapFS{}
	for i := range 5001 {
		many[fmt.Sprintf("d/%d.yaml", i)] = &fstest.MapFile{Data: []byte("x")}
	}
	for name, c := range map[string]struct {
		tree fs.FS
		want string
	}{
		"one large file": {fstest.MapFS{"a.yaml": &fstest.MapFile{Data: make([]byte, 300<<10)}}, "a.yaml: is larger than 262144 bytes"},
		"many files":     {many, "more than 5000 files"},
		"nothing":        {fstest.MapFS{"README.md": &fstest.MapFile{}}, ".: holds no configuration"},
		"only hidden":    {fstest.MapFS{".gitea/workflow.yaml": &fstest.MapFile{Data: []byte("on: push")}}, ".: holds no configuration"},
	} {
		if _, err := platform.Load(c.tree); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %.300v, want %s", name, err, c.want)
		}
	}
}

func TestLoadDirFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	for name, f := range good(t) {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, f.Data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := platform.LoadDir(dir); err != nil {
		t.Fatalf("without links: %v", err)
	}
	outside := filepath.Join(t.TempDir(), "x.yaml")
	if err := errors.Join(os.WriteFile(outside, []byte("kind: Secret"), 0o644), os.Symlink(outside, filepath.Join(dir, "link.yaml"))); err != nil {
		t.Fatal(err)
	}
	if _, err := platform.LoadDir(dir); err == nil || err.Error() != "link.yaml: is not a regular file: links are not followed" {
		t.Errorf("error = %v", err)
	}
	if _, err := platform.LoadDir(filepath.Join(dir, "absent")); err == nil {
		t.Error("an absent folder was read")
	}
}

func TestTheExamplesAreValid(t *testing.T) {
	for _, dir := range []string{"platform", "chaos/nightly"} {
		tree, err := platform.LoadDir("../../examples/" + dir)
		if err != nil {
			t.Error(err)
		}
		if len(tree.Environments) == 0 || len(tree.Projects) == 0 || len(tree.Experiments) == 0 {
			t.Errorf("%s holds %+v", dir, tree)
		}
	}
}

func TestSecretVariable(t *testing.T) {
	if got := platform.SecretVariable("wecom-ops"); got != "SEATRIAL_SECRET_WECOM_OPS" {
		t.Errorf("got %s", got)
	}
}

func TestEverySecretThatTheRepoRefersToIsNamedOnce(t *testing.T) {
	tree := platform.Tree{
		Projects: map[string]release.Project{
			"shop": {Spec: release.ProjectSpec{Secrets: []string{"npm-token", "maps-key"}, Registries: []release.RegistryLogin{{Host: "a.example", Secret: "pushes"}}}},
			"blog": {Spec: release.ProjectSpec{Secrets: []string{"npm-token"}}},
		},
		Channels:    map[string]release.Channel{"ops": {Spec: release.ChannelSpec{URLSecret: "wecom-ops"}}, "forge": {}},
		Experiments: map[string]release.Experiment{"pool": {Spec: release.ExperimentSpec{Fault: release.Fault{With: map[string]any{"dsnSecret": "database"}}}}, "kill": {}},
	}
	if got, want := tree.Secrets(), []string{"database", "maps-key", "npm-token", "pushes", "wecom-ops"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzLoad(f *testing.F) {
	for _, file := range good(f) {
		f.Add(file.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := platform.Load(fstest.MapFS{"a.yaml": &fstest.MapFile{Data: data}})
		if err != nil {
			if _, ok := errors.AsType[*strict.Error](err); !ok {
				t.Fatalf("error %#v", err)
			}
		}
	})
}
