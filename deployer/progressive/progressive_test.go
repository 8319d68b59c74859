package progressive_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/deployer/progressive"
	"github.com/seatrial/seatrial/release"
)

type object = unstructured.Unstructured

func parse(t *testing.T, text string) []*object {
	t.Helper()
	var out []*object
	for _, doc := range strings.Split(text, "---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(doc), &o.Object); err != nil {
			t.Fatal(err)
		}
		out = append(out, &o)
	}
	return out
}

// web is what shop/web runs in one colour.
func web(color string, more ...string) string {
	return `apiVersion: v1
kind: ConfigMap
metadata: {name: conf, namespace: shop}
data: {color: ` + color + `}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: NodePort, clusterIP: 10.0.0.1, selector: {app: web}, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web, team: shop}}
  template:
    metadata: {labels: {app: web, team: shop}}
    spec: {containers: [{name: main, image: web@` + color + `}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: lab, namespace: gateway}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
` + strings.Join(more, "")
}

var canary = release.Strategy{Type: release.Canary, Steps: []release.CanaryStep{{Weight: 10}, {Weight: 50}}}

// seen is what a cluster looks like: who runs what, and who serves how much.
func seen(objects []*object) string {
	var out []string
	for _, o := range objects {
		switch o.GetKind() {
		case "Deployment":
			image, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
			out = append(out, fmt.Sprintf("%s runs %s", o.GetName(), strings.TrimPrefix(image[0].(map[string]any)["image"].(string), "web@")))
		case "Service":
			sel, _, _ := unstructured.NestedString(o.Object, "spec", "selector", "app")
			out = append(out, fmt.Sprintf("%s to %s", o.GetName(), sel))
		case "HTTPRoute":
			rules, _, _ := unstructured.NestedSlice(o.Object, "spec", "rules")
			for _, b := range rules[0].(map[string]any)["backendRefs"].([]any) {
				ref := b.(map[string]any)
				if ref["weight"] == nil {
					ref["weight"] = int64(100)
				}
				out = append(out, fmt.Sprintf("%v%% %s", ref["weight"], ref["name"]))
			}
		case "ConfigMap":
			color, _, _ := unstructured.NestedString(o.Object, "data", "color")
			out = append(out, "conf "+color)
		default:
			out = append(out, o.GetKind()+" "+o.GetName())
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func TestTheOldSideServesUntilTheNewOneDoes(t *testing.T) {
	blueGreen := release.Strategy{Type: release.BlueGreen}
	for _, c := range []struct {
		strategy release.Strategy
		shift    string
		want     string
	}{
		{canary, "warm", "100% web, conf green, web runs blue, web to web, web-canary runs green, web-canary to web-canary"},
		{canary, "10%", "10% web-canary, 90% web, conf green, web runs blue, web to web, web-canary runs green, web-canary to web-canary"},
		{canary, "50%", "50% web, 50% web-canary, conf green, web runs blue, web to web, web-canary runs green, web-canary to web-canary"},
		{canary, "100%", "0% web, 100% web-canary, conf green, web runs blue, web to web, web-canary runs green, web-canary to web-canary"},
		{canary, "replace", "0% web, 100% web-canary, conf green, web runs green, web to web, web-canary runs green, web-canary to web-canary"},
		{canary, "drain", "100% web, conf green, web runs green, web to web, web-canary runs green, web-canary to web-canary"},
		{canary, "", "100% web, conf green, web runs green, web to web"},
		{blueGreen, "warm", "100% web, conf green, web runs blue, web to web, web-canary runs green, web-canary to web-canary"},
		{blueGreen, "100%", "100% web, conf green, web runs blue, web to web-canary, web-canary runs green, web-canary to web-canary"},
		{blueGreen, "replace", "100% web, conf green, web runs green, web to web-canary, web-canary runs green, web-canary to web-canary"},
		{blueGreen, "drain", "100% web, conf green, web runs green, web to web, web-canary runs green, web-canary to web-canary"},
		{blueGreen, "", "100% web, conf green, web runs green, web to web"},
	} {
		shifts := progressive.Shifts(&c.strategy)
		i := slices.IndexFunc(shifts, func(s release.Shift) bool { return s.Name == c.shift })
		if i < 0 {
			t.Fatalf("%s has no shift %q: %v", c.strategy.Type, c.shift, shifts)
		}
		stable, candidate := parse(t, web("blue")), parse(t, web("green"))
		got, moving := progressive.Objects(&c.strategy, stable, candidate, shifts[i])
		if !moving || seen(got) != c.want {
			t.Errorf("%s %q:\n got %s\nwant %s", c.strategy.Type, c.shift, seen(got), c.want)
		}
		if !reflect.DeepEqual(stable, parse(t, web("blue"))) || !reflect.DeepEqual(candidate, parse(t, web("green"))) {
			t.Fatalf("%s %q changes what it was given", c.strategy.Type, c.shift)
		}
	}
}

func TestNoSelectorFindsThePodsOfTheOtherSide(t *testing.T) {
	more := "---\napiVersion: v1\nkind: Service\nmetadata: {name: metrics, namespace: shop}\nspec: {selector: {team: shop}}\n"
	for _, extra := range []string{"", more} { // with one label that all selectors use, and without
		got, _ := progressive.Objects(&release.Strategy{Type: release.Canary, Service: "web", Steps: canary.Steps}, parse(t, web("blue", extra)), parse(t, web("green", extra)), release.Shift{Name: "warm"})
		pods := map[string]map[string]string{}
		for _, o := range got {
			if o.GetKind() == "Deployment" {
				pods[o.GetName()], _, _ = unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "labels")
			}
		}
		for _, o := range got {
			path := []string{"spec", "selector"}
			if o.GetKind() == "Deployment" {
				path = append(path, "matchLabels")
			} else if o.GetKind() != "Service" {
				continue
			}
			sel, _, _ := unstructured.NestedStringMap(o.Object, path...)
			for name, labels := range pods {
				finds := true
				for k, v := range sel {
					finds = finds && labels[k] == v
				}
				if ours := strings.HasSuffix(o.GetName(), progressive.Suffix) == strings.HasSuffix(name, progressive.Suffix); finds != ours {
					t.Errorf("%s %s %v finds the pods of %s: %v", o.GetKind(), o.GetName(), sel, name, finds)
				}
			}
		}
	}
}

func TestTheNewServiceTakesNothingThatThereIsOnce(t *testing.T) {
	got, _ := progressive.Objects(&canary, parse(t, web("blue")), parse(t, web("green")), release.Shift{Name: "warm"})
	for _, o := range got {
		if o.GetKind() == "Service" && o.GetName() == "web-canary" {
			if text := fmt.Sprint(o.Object["spec"]); strings.Contains(text, "10.0.0.1") || strings.Contains(text, "30080") || strings.Contains(text, "NodePort") {
				t.Errorf("it has %s", text)
			}
			return
		}
	}
	t.Error("there is none")
}

func TestWhatIsNotServedChangesWithTheOldSide(t *testing.T) {
	other := func(color string) string {
		return "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db-" + color + ", namespace: shop}\n" +
			"---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, namespace: shop, annotations: {argocd.argoproj.io/hook: PreSync}}\n" +
			"---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: tell, namespace: shop, annotations: {argocd.argoproj.io/hook: PostSync}}\n"
	}
	for _, c := range []struct{ shift, has, lacks string }{
		{"warm", "StatefulSet db-blue,Job migrate", "StatefulSet db-green,Job tell"},
		{"10%", "StatefulSet db-blue", "StatefulSet db-green,Job migrate,Job tell"},
		{"replace", "StatefulSet db-green,StatefulSet db-blue", "Job migrate,Job tell"},
		{"", "StatefulSet db-green,Job tell", "StatefulSet db-blue,Job migrate"},
	} {
		got, _ := progressive.Objects(&canary, parse(t, web("blue", other("blue"))), parse(t, web("green", other("green"))), release.Shift{Name: c.shift})
		for _, want := range strings.Split(c.has, ",") {
			if !strings.Contains(seen(got), want) {
				t.Errorf("%q lacks %s: %s", c.shift, want, seen(got))
			}
		}
		for _, no := range strings.Split(c.lacks, ",") {
			if strings.Contains(seen(got), no) {
				t.Errorf("%q has %s: %s", c.shift, no, seen(got))
			}
		}
	}
}

func TestAReferenceAmongOthersKeepsItsPart(t *testing.T) {
	route := func(color string) string {
		return strings.Replace(web(color), "[{name: web, port: 80}]", "[{name: web, port: 80, weight: 3}, {name: old, port: 80}]", 1)
	}
	got, _ := progressive.Objects(&canary, parse(t, route("blue")), parse(t, route("green")), release.Shift{Name: "10%", Weight: 10})
	if text := seen(got); !strings.Contains(text, "270% web,") || !strings.Contains(text, "30% web-canary") || !strings.Contains(text, "100% old") {
		t.Error(text)
	}
}

func TestWithoutTwoSidesEverythingChangesAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		strategy *release.Strategy
		stable   []*object
	}{
		"no strategy": {nil, parse(t, web("blue"))},
		"rolling":     {&release.Strategy{Type: release.Rolling}, parse(t, web("blue"))},
		"the first":   {&canary, nil},
		"no old side": {&canary, parse(t, web("blue"))[:1]},
	} {
		candidate := parse(t, web("green"))
		if got, moving := progressive.Objects(c.strategy, c.stable, candidate, release.Shift{Name: "10%", Weight: 10}); moving || len(got) != len(candidate) {
			t.Errorf("%s: moving %v, %s", name, moving, seen(got))
		}
	}
	if got := progressive.Shifts(nil); got != nil {
		t.Errorf("no strategy has shifts: %v", got)
	}
}

func TestCheck(t *testing.T) {
	second := "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: worker}\nspec: {selector: {matchLabels: {app: worker}}, template: {metadata: {labels: {app: worker}}}}\n"
	for name, c := range map[string]struct {
		strategy release.Strategy
		text     string
		want     string // empty: it can be followed
	}{
		"a canary":                       {canary, web("blue"), ""},
		"a blue-green needs no route":    {release.Strategy{Type: release.BlueGreen}, strings.Split(web("blue"), "---\napiVersion: gateway")[0], ""},
		"one of two, named":              {release.Strategy{Type: release.BlueGreen, Deployment: "web"}, web("blue", second), ""},
		"one of two, not named":          {canary, web("blue", second), "2 of the manifests' Deployments fit"},
		"a name that is not there":       {release.Strategy{Type: release.BlueGreen, Deployment: "wbe"}, web("blue"), `no Deployment "wbe"`},
		"a service of other pods":        {release.Strategy{Type: release.BlueGreen, Deployment: "worker", Service: "web"}, web("blue", second), "nothing leads from Service web"},
		"a canary without a route":       {canary, strings.Split(web("blue"), "---\napiVersion: gateway")[0], "HTTPRoute that fits"},
		"a stateful set":                 {canary, strings.Replace(web("blue"), "kind: Deployment", "kind: StatefulSet", 1), "a StatefulSet has one set of volumes"},
		"an autoscaler":                  {canary, web("blue", "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {scaleTargetRef: {kind: Deployment, name: web}}\n"), "nobody would scale the new side"},
		"the new side's name is taken":   {canary, web("blue", "---\napiVersion: v1\nkind: Service\nmetadata: {name: web-canary}\n"), "the name of the new side"},
		"a label without room":           {canary, strings.ReplaceAll(web("blue"), "app: web", "app: "+strings.Repeat("w", 60)), "has no room"},
		"matchExpressions":               {canary, strings.Replace(web("blue"), "selector: {matchLabels: {app: web, team: shop}}", "selector: {matchLabels: {app: web}, matchExpressions: [{key: a, operator: Exists}]}", 1), "matchExpressions"},
		"a route that leads elsewhere":   {release.Strategy{Type: release.Canary, Route: "web"}, strings.Replace(web("blue"), "[{name: web, port", "[{name: other, port", 1), "no backendRef"},
		"a type by hand":                 {release.Strategy{Type: "purple"}, web("blue"), "no such strategy"},
		"a weight by hand":               {release.Strategy{Type: release.Canary, Steps: []release.CanaryStep{{Weight: 150}}}, web("blue"), "a step of 150 %"},
		"steps by hand that go down":     {release.Strategy{Type: release.Canary, Steps: []release.CanaryStep{{Weight: 50}, {Weight: 10}}}, web("blue"), "a step of 10 %"},
		"rolling fits whatever there is": {release.Strategy{Type: release.Rolling}, second[len("---\n"):], ""},
	} {
		err := progressive.Check(&c.strategy, parse(t, c.text))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
