package policies_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
)

const (
	hexA   = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	hexB   = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"
	imageA = "registry.example:5000/shop/web@sha256:" + hexA
	imageB = "registry.example:5000/other/cache@sha256:" + hexB
	commit = release.Commit("3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817")
	repo   = "https://forge.example/shop/web"
)

func platforms() []release.Platform {
	return []release.Platform{{Name: "linux/amd64", Digest: "sha256:" + release.Digest(strings.Repeat("1", 64))}, {Name: "linux/arm64", Digest: "sha256:" + release.Digest(strings.Repeat("2", 64))}}
}

// input is a release of shop/web into staging with the given manifests.
func input(manifests ...map[string]any) policies.Input {
	in := policies.Input{Manifests: manifests}
	in.Release = release.Release{ID: "shop.web.3f2a91c07d0b", Service: "shop/web", Repo: repo, Commit: commit}
	in.Environment.Meta.Name = "staging"
	in.Project.Meta.Name = "shop"
	in.Project.Spec = release.ProjectSpec{Team: "shop", Namespaces: []string{"shop", "shop-jobs"}}
	return in
}

func newGate(t testing.TB, c policies.Config, verify policies.VerifyImage) *policies.Gate {
	t.Helper()
	c.TimeLimit = cmp.Or(c.TimeLimit, 5*time.Minute) // a busy machine takes long for a small rule
	gate, err := policies.New(c, verify)
	if err != nil {
		t.Fatal(err)
	}
	return gate
}

func check(t testing.TB, gate *policies.Gate, in policies.Input) release.Verdict {
	t.Helper()
	v, err := gate.Check(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// manifests reads one YAML text of documents.
func manifests(t testing.TB, text string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for doc := range strings.SplitSeq(text, "\n---\n") {
		var m map[string]any
		if err := yaml.Unmarshal([]byte(doc), &m); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		out = append(out, m)
	}
	return out
}

const restricted = `{allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}`

// workload is a good Deployment with one container, changed by replacing text.
func workload(change ...string) string {
	text := `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: app, image: "` + imageA + `", securityContext: ` + restricted + `}
`
	return strings.NewReplacer(change...).Replace(text)
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name      string
		manifests string
		policies  []string
		change    func(*policies.Input)
		outcome   release.Outcome
		says      []string // in the reason
		hint      string
	}{
		{name: "a good Deployment passes every built-in policy but signatures", manifests: workload(),
			policies: []string{policies.NoBarePods, policies.PodSecurityBaseline, policies.PodSecurityRestricted}, outcome: release.Passed},
		{name: "an image by tag is refused whatever the environment asks", manifests: workload("@sha256:"+hexA, ":1.4"), outcome: release.Refused,
			says: []string{"Deployment shop/web container app", `"registry.example:5000/shop/web:1.4" is by tag`}, hint: "sha256"},
		{name: "a tag before the digest is harmless", manifests: workload("web@sha256", "web:1.4@sha256"), outcome: release.Passed},
		{name: "a digest of another algorithm is refused", manifests: workload("sha256:"+hexA, "sha512:"+hexA), outcome: release.Refused, says: []string{"not a repository with a sha256 digest"}},
		{name: "an image without a name is refused", manifests: workload(`image: "`+imageA+`", `, ""), outcome: release.Refused, says: []string{"names no image"}},
		{name: "an image volume by tag is refused", manifests: workload("      containers:", "      volumes: [{name: m, image: {reference: \"models/big:1\"}}]\n      containers:"), outcome: release.Refused, says: []string{"container volume m", "by tag"}},
		{name: "init and ephemeral containers count", outcome: release.Refused, says: []string{"container i", "container e"},
			manifests: workload("      containers:", "      initContainers: [{name: i, image: a:1}]\n      ephemeralContainers: [{name: e, image: \"b:1\"}]\n      containers:")},
		{name: "another team's namespace is refused", manifests: workload("namespace: shop", "namespace: kube-system"), outcome: release.Refused, says: []string{"project shop may not use namespace kube-system"}, hint: "shop or shop-jobs"},
		{name: "no namespace means default, which has to be the project's", manifests: workload(", namespace: shop", ""), outcome: release.Refused, says: []string{"may not use default"}},
		{name: "a namespace that is no text is refused", manifests: workload("namespace: shop", "namespace: 7"), outcome: release.Refused, says: []string{"not text"}},
		{name: "a cluster-scoped kind is refused", manifests: "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}", outcome: release.Refused, says: []string{"may not change cluster-scoped ClusterRole"}},
		{name: "a cluster-scoped kind with a namespace is still cluster-scoped", manifests: "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: all, namespace: shop}", outcome: release.Refused, says: []string{"cluster-scoped ClusterRoleBinding"}},
		{name: "a permitted cluster-scoped kind passes", manifests: "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: high}", outcome: release.Passed,
			change: func(in *policies.Input) { in.Project.Spec.ClusterScoped = []string{"PriorityClass"} }},
		{name: "permission for Namespaces reaches the project's own only", manifests: "apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system}", outcome: release.Refused, says: []string{"may not have namespace kube-system"},
			change: func(in *policies.Input) { in.Project.Spec.ClusterScoped = []string{"Namespace"} }},
		{name: "a custom kind without a namespace is taken for cluster-scoped", manifests: "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}", outcome: release.Refused, says: []string{"cluster-scoped Thing.example.com"}},
		{name: "a custom kind in the project's namespace passes", manifests: "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a, namespace: shop}", outcome: release.Passed},
		{name: "a service of another team is refused", manifests: workload(), outcome: release.Refused, says: []string{`project shop is of team "shop"`},
			change: func(in *policies.Input) { in.Release.Service = "pay/web" }},
		{name: "an environment outside the project is refused", manifests: workload(), outcome: release.Refused, says: []string{"may not deploy to staging"},
			change: func(in *policies.Input) { in.Project.Spec.Environments = []release.Env{"dev"} }},
		{name: "no project is no permission", manifests: workload(), outcome: release.Refused, says: []string{"may not use namespace shop"},
			change: func(in *policies.Input) { in.Project = release.Project{} }},
		{name: "a bare Pod is refused where that is asked", policies: []string{policies.NoBarePods}, outcome: release.Refused, says: []string{"Pod shop/p: a bare Pod"}, hint: "Deployment",
			manifests: "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {containers: [{name: app, image: \"" + imageA + "\"}]}"},
		{name: "a bare Pod inside a List is found", policies: []string{policies.NoBarePods}, outcome: release.Refused, says: []string{"Pod shop/p: a bare Pod"},
			manifests: "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: PodList, items: [{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {containers: [{name: app, image: \"" + imageA + "\"}]}}]}]"},
		{name: "a privileged container breaks baseline", policies: []string{policies.PodSecurityBaseline}, outcome: release.Refused, says: []string{"Deployment shop/web", "privileged", `"app"`}, hint: "remove securityContext.privileged",
			manifests: workload(restricted, "{privileged: true}")},
		{name: "a container without a security context passes baseline", policies: []string{policies.PodSecurityBaseline}, outcome: release.Passed, manifests: workload(restricted, "{}")},
		{name: "a container without a security context breaks restricted in every way", policies: []string{policies.PodSecurityRestricted}, outcome: release.Refused,
			says: []string{"allowPrivilegeEscalation", "capabilities", "runAsNonRoot", "seccompProfile"}, manifests: workload(restricted, "{}")},
		{name: "no manifests are refused", outcome: release.Refused, says: []string{"there are none"}},
		{name: "no manifests pass where that is meant", outcome: release.Passed, change: func(in *policies.Input) { in.Environment.Spec.Prune.AllowEmpty = true }},
		{name: "an object without a kind is refused", manifests: "apiVersion: v1\nmetadata: {name: a, namespace: shop}", outcome: release.Refused, says: []string{"it has no kind"}},
		{name: "an object without a name is refused", manifests: "apiVersion: v1\nkind: Secret\nmetadata: {namespace: shop}", outcome: release.Refused, says: []string{"no metadata.name"}},
		{name: "a generated name is refused", manifests: "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-, namespace: shop}", outcome: release.Refused, says: []string{"generateName"}},
		{name: "a Deployment without a template is refused", manifests: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: shop}\nspec: {}", outcome: release.Refused, says: []string{"spec.template is missing"}},
		{name: "a pod that is no pod is refused", manifests: workload("replicas: 2", "replicas: 2", "    spec:\n      containers:", "    spec:\n      hostNetwork: sure\n      containers:"), outcome: release.Refused, says: []string{"does not read as a pod"}},
		{name: "an unknown field of a pod is refused, because nothing judges it", manifests: workload("    spec:\n      containers:", "    spec:\n      hostNetwrok: true\n      containers:"), outcome: release.Refused, says: []string{"hostNetwrok"}},
		{name: "a policy that nobody has is refused", manifests: workload(), policies: []string{"no-such-thing"}, outcome: release.Refused, says: []string{"policy no-such-thing: there is no policy of that name"}},
		{name: "a file with the name of a built-in policy is refused", manifests: workload(), outcome: release.Refused, says: []string{"policies/signed-images.rego: it has the name of a built-in policy"},
			change: func(in *policies.Input) {
				in.Policies = map[string]string{"policies/signed-images.rego": "package main"}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := input()
			if c.manifests != "" {
				in.Manifests = manifests(t, c.manifests)
			}
			in.Environment.Spec.Policies = c.policies
			if c.change != nil {
				c.change(&in)
			}
			expect(t, check(t, newGate(t, policies.Config{}, nil), in), c.outcome, c.says, c.hint)
		})
	}
}

func expect(t *testing.T, v release.Verdict, outcome release.Outcome, says []string, hint string) {
	t.Helper()
	if v.Outcome() != outcome {
		t.Errorf("%v, want %v: %s", v.Outcome(), outcome, v.Reason())
	}
	for _, s := range says {
		if !strings.Contains(v.Reason(), s) {
			t.Errorf("reason %q does not say %q", v.Reason(), s)
		}
	}
	if !strings.Contains(v.Hint(), hint) {
		t.Errorf("hint %q does not say %q", v.Hint(), hint)
	}
	if v.Outcome() == release.Refused && v.Hint() == "" {
		t.Errorf("no hint for %q", v.Reason())
	}
}

// Every kind of Kubernetes that has a pod inside is judged, and a version of the same
// pod that breaks the standard is found in each.
func TestEveryKindWithAPod(t *testing.T) {
	spec := `{hostNetwork: true, containers: [{name: app, image: "` + imageA + `"}]}`
	for kind, text := range map[string]string{
		"Pod":                   "apiVersion: v1\nspec: " + spec,
		"PodTemplate":           "apiVersion: v1\ntemplate: {spec: " + spec + "}",
		"ReplicationController": "apiVersion: v1\nspec: {template: {spec: " + spec + "}}",
		"Deployment":            "apiVersion: apps/v1\nspec: {template: {spec: " + spec + "}}",
		"DaemonSet":             "apiVersion: apps/v1\nspec: {template: {spec: " + spec + "}}",
		"StatefulSet":           "apiVersion: apps/v1\nspec: {template: {spec: " + spec + "}}",
		"ReplicaSet":            "apiVersion: apps/v1\nspec: {template: {spec: " + spec + "}}",
		"Job":                   "apiVersion: batch/v1\nspec: {template: {spec: " + spec + "}}",
		"CronJob":               "apiVersion: batch/v1\nspec: {jobTemplate: {spec: {template: {spec: " + spec + "}}}}",
	} {
		t.Run("a pod inside "+kind+" is judged", func(t *testing.T) {
			in := input(manifests(t, text+"\nkind: "+kind+"\nmetadata: {name: x, namespace: shop}")...)
			in.Environment.Spec.Policies = []string{policies.PodSecurityBaseline}
			expect(t, check(t, newGate(t, policies.Config{}, nil), in), release.Refused, []string{kind + " shop/x: host namespaces"}, "remove hostNetwork")
		})
	}
}

func TestCustomKinds(t *testing.T) {
	rollout := func(image, extra string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web, namespace: shop}\nspec: {template: {spec: {" + extra + "containers: [{name: app, image: \"" + image + "\"}]}}}"
	}
	for _, c := range []struct {
		name      string
		manifests string
		reviewed  string
		outcome   release.Outcome
		says      []string
	}{
		{name: "a custom kind with a pod is held for review", manifests: rollout(imageA, ""), outcome: release.Undetermined, says: []string{"kind Rollout.argoproj.io is not one of Kubernetes' own and has a pod at spec.template.spec"}},
		{name: "a reviewed kind passes", manifests: rollout(imageA, ""), reviewed: "Other.example.com, Rollout.argoproj.io", outcome: release.Passed},
		{name: "a review of one kind says nothing about another group's", manifests: rollout(imageA, ""), reviewed: "Rollout.example.com", outcome: release.Undetermined},
		{name: "a reviewed kind's pod is judged like any other", manifests: rollout(imageA, "hostPID: true, "), reviewed: "Rollout.argoproj.io", outcome: release.Refused, says: []string{"Rollout shop/web: host namespaces"}},
		{name: "its image by tag is refused, not held", manifests: rollout("web:1", ""), outcome: release.Refused, says: []string{`"web:1" is by tag`, "a pod at spec.template.spec"}},
		{name: "a Deployment of another group is a custom kind", manifests: strings.Replace(workload(), "apps/v1", "extensions/v1beta1", 1), outcome: release.Undetermined, says: []string{"Deployment.extensions"}},
		{name: "an image outside a container is found", outcome: release.Refused, says: []string{`"registry.example/db:16" is by tag`},
			manifests: "apiVersion: example.com/v1\nkind: Database\nmetadata: {name: d, namespace: shop}\nspec: {image: \"registry.example/db:16\"}"},
		{name: "an image in parts is found", outcome: release.Refused, says: []string{`"registry.example/db:16" is by tag`},
			manifests: "apiVersion: example.com/v1\nkind: Database\nmetadata: {name: d, namespace: shop}\nspec: {image: {repository: registry.example/db, tag: 16}}"},
		{name: "a picture is not an image", outcome: release.Passed,
			manifests: "apiVersion: example.com/v1\nkind: Page\nmetadata: {name: d, namespace: shop}\nspec: {image: \"https://example.com/logo.png\"}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := input(manifests(t, c.manifests)...)
			in.Environment.Spec.Policies = []string{policies.PodSecurityBaseline}
			in.Environment.Meta.Annotations = map[string]string{policies.ReviewedKinds: c.reviewed}
			expect(t, check(t, newGate(t, policies.Config{}, nil), in), c.outcome, c.says, "")
		})
	}
}

func TestScopesOfCustomKinds(t *testing.T) {
	const object = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a, namespace: shop}\n"
	defined := func(group, scope string) string {
		return object + "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things." + group + "}\nspec: {group: " + group + ", scope: " + scope + ", names: {kind: Thing}}\n"
	}
	away := errors.New("cluster prod does not answer")
	for _, c := range []struct {
		name, text  string
		wide, known bool
		err         error
		outcome     release.Outcome
		says        string
	}{
		{"a cluster knows that it is cluster-scoped", object, true, true, nil, release.Refused, "cluster-scoped Thing.example.com"},
		{"a cluster knows that it is namespaced", object, false, true, nil, release.Passed, ""},
		{"nobody knows it", object, false, false, nil, release.Refused, "no cluster knows Thing.example.com"},
		{"who may know it is away", object, false, false, away, 0, ""},
		{"the manifests define it namespaced", defined("example.com", "Namespaced"), false, false, away, release.Passed, ""},
		{"the manifests define it cluster-scoped", defined("example.com", "Cluster"), false, false, nil, release.Refused, "cluster-scoped Thing.example.com"},
		{"the manifests define it otherwise than a cluster", defined("example.com", "Namespaced"), true, true, nil, release.Refused, "cluster-scoped Thing.example.com"},
		{"the manifests define another of that name", defined("example.org", "Namespaced"), false, false, nil, release.Refused, "no cluster knows Thing.example.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			gate := newGate(t, policies.Config{ClusterScoped: func(_ context.Context, apiVersion, kind string) (bool, bool, error) {
				if apiVersion != "example.com/v1" || kind != "Thing" {
					t.Errorf("asked for %s %s", apiVersion, kind)
				}
				return c.wide, c.known, c.err
			}}, nil)
			in := input(manifests(t, c.text)...)
			in.Project.Spec.ClusterScoped = []string{"CustomResourceDefinition"}
			if c.outcome == 0 {
				if v, err := gate.Check(t.Context(), in); !errors.Is(err, away) {
					t.Errorf("%v %s, error %v", v.Outcome(), v.Reason(), err)
				}
				return
			}
			var says []string
			if c.says != "" {
				says = []string{c.says}
			}
			expect(t, check(t, gate, in), c.outcome, says, "")
		})
	}
}

func TestAllProblemsAreListedWithinBounds(t *testing.T) {
	var many []map[string]any
	for i := range 500 {
		many = append(many, map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": fmt.Sprintf("s%03d", i), "namespace": "elsewhere"}})
	}
	v := check(t, newGate(t, policies.Config{}, nil), input(many...))
	expect(t, v, release.Refused, []string{"Secret elsewhere/s000", "Secret elsewhere/s019", "and 480 more"}, "")
	e := evidenceOf(t, v, "scope")
	if got := strings.Count(e.Detail, "\n"); got != 100 || e.Facts["problems"] != "500" || e.Facts["objects"] != "500" {
		t.Errorf("%d lines, facts %v", got, e.Facts)
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	deep := any("bottom")
	for range 5000 {
		deep = map[string]any{"a": deep}
	}
	in := input(map[string]any{"apiVersion": "example.com/v1", "kind": "Deep", "metadata": map[string]any{"name": "d", "namespace": "shop"}, "spec": deep})
	in.Environment.Spec.Policies = []string{"no-latest-tag"}
	expect(t, check(t, newGate(t, policies.Config{}, nil), in), release.Refused, []string{"levels deep"}, "")
}

func TestDigest(t *testing.T) {
	gate := newGate(t, policies.Config{}, nil)
	base := input()
	base.Environment.Spec.Policies = []string{"no-latest-tag"}
	base.Policies = map[string]string{"a.rego": "package a"}
	was := gate.Digest(base.Environment, base.Project, base.Policies)
	if !was.Valid() || was != gate.Digest(base.Environment, base.Project, maps.Clone(base.Policies)) {
		t.Fatalf("digest %q is not stable", was)
	}
	for name, change := range map[string]func(*policies.Input){
		"a policy's text":        func(in *policies.Input) { in.Policies = map[string]string{"a.rego": "package b"} },
		"another policy":         func(in *policies.Input) { in.Policies = map[string]string{"a.rego": "package a", "b.rego": ""} },
		"a policy's file":        func(in *policies.Input) { in.Policies = map[string]string{"b.rego": "package a"} },
		"the environment's list": func(in *policies.Input) { in.Environment.Spec.Policies = nil },
		"the approvals wanted":   func(in *policies.Input) { in.Environment.Spec.Approvals.Required = 1 },
		"a reviewed kind": func(in *policies.Input) {
			in.Environment.Meta.Annotations = map[string]string{policies.ReviewedKinds: "A.b"}
		},
		"the project's rights": func(in *policies.Input) { in.Project.Spec.ClusterScoped = []string{"Namespace"} },
	} {
		in := base
		change(&in)
		if gate.Digest(in.Environment, in.Project, in.Policies) == was {
			t.Errorf("%s changed and the digest did not", name)
		}
	}
}

func TestNegativeTimeLimitIsRefused(t *testing.T) {
	if _, err := policies.New(policies.Config{TimeLimit: -time.Second}, nil); err == nil {
		t.Error("no error")
	}
}

func TestRegistryThatDoesNotAnswerIsAnErrorNotAVerdict(t *testing.T) {
	down := errors.New("connection refused")
	gate := newGate(t, policies.Config{}, func(context.Context, string, policies.Expect) (policies.ImageReport, error) {
		return policies.ImageReport{}, down
	})
	in := input(manifests(t, workload())...)
	in.Environment.Spec.Policies = []string{policies.SignedImages}
	if v, err := gate.Check(t.Context(), in); !errors.Is(err, down) || v.Outcome() != release.NoOutcome {
		t.Errorf("%v, %v", v.Outcome(), err)
	}
}
