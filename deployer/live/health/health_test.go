package health_test

import (
	"strings"
	"testing"
	"time"

	enginehealth "github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/health"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

func certificate(conditions ...map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
		"metadata": map[string]any{"name": "web", "namespace": "shop", "generation": int64(2)}}}
	if len(conditions) > 0 {
		var list []any
		for _, c := range conditions {
			list = append(list, c)
		}
		o.Object["status"] = map[string]any{"conditions": list, "observedGeneration": int64(2), "replicas": int64(3)}
	}
	return o
}

func condition(kind, status, message string) map[string]any {
	return map[string]any{"type": kind, "status": status, "message": message}
}

// script has the shape of those in Argo CD's resource_customizations.
const script = `
local hs = {}
if obj.status ~= nil then
  if obj.status.conditions ~= nil then
    for i, condition in ipairs(obj.status.conditions) do
      if condition.type == "Issuing" and condition.status == "True" then
        hs.status = "Progressing"
        hs.message = condition.message
        return hs
      end
    end
    for i, condition in ipairs(obj.status.conditions) do
      if condition.type == "Ready" and condition.status == "False" then
        hs.status = "Degraded"
        hs.message = string.format("%s (%d)", condition.message, obj.status.replicas)
        return hs
      end
      if condition.type == "Ready" and condition.status == "True" then
        hs.status = "Healthy"
        hs.message = condition.message
        return hs
      end
    end
  end
end
hs.status = "Progressing"
hs.message = "Waiting for certificate"
return hs
`

func compile(t *testing.T, scripts map[string]string, exprs ...release.HealthExpr) *health.Checks {
	t.Helper()
	c, err := health.Compile(scripts, exprs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestScripts(t *testing.T) {
	stale := certificate(condition("Ready", "True", "issued"))
	stale.SetGeneration(3)
	for _, c := range []struct {
		name    string
		place   string
		o       *unstructured.Unstructured
		status  enginehealth.HealthStatusCode
		message string
	}{
		{"ready", "cert-manager.io/Certificate", certificate(condition("Ready", "True", "issued")), "Healthy", "issued"},
		{"not ready", "cert-manager.io/Certificate", certificate(condition("Ready", "False", "expired")), "Degraded", "expired (3)"},
		{"the first that holds counts", "cert-manager.io/Certificate", certificate(condition("Ready", "False", "expired"), condition("Issuing", "True", "on it")), "Progressing", "on it"},
		{"without a status", "cert-manager.io/Certificate", certificate(), "Progressing", "Waiting"},
		{"an older generation has no opinion", "cert-manager.io/Certificate", stale, "Progressing", "has not seen the change"},
		{"any kind of a group", "cert-manager.io/_", certificate(condition("Ready", "True", "issued")), "Healthy", "issued"},
		{"any group that ends so", "_.io/Certificate", certificate(condition("Ready", "True", "issued")), "Healthy", "issued"},
		{"another kind", "cert-manager.io/Issuer", certificate(condition("Ready", "True", "issued")), "", ""},
		{"the core group", "Certificate", certificate(condition("Ready", "True", "issued")), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := compile(t, map[string]string{c.place + "/health.lua": script}).GetResourceHealth(c.o)
			if err != nil {
				t.Fatal(err)
			}
			if (got == nil) != (c.status == "") || got != nil && (got.Status != c.status || !strings.Contains(got.Message, c.message)) {
				t.Errorf("got %+v, want %s %q", got, c.status, c.message)
			}
		})
	}
}

func TestAnExactNameComesBeforeAWildcard(t *testing.T) {
	c := compile(t, map[string]string{
		"_/_/health.lua":                         `return {status="Degraded"}`,
		"cert-manager.io/Certificate/health.lua": `return {status="Healthy"}`,
		"cert-manager.io/_/health.lua":           `return {status="Suspended"}`,
	})
	if got, err := c.GetResourceHealth(certificate()); err != nil || got.Status != "Healthy" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAScriptReachesNothingAndEnds(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"files", `return {status=io.open("/etc/passwd"):read()}`, "nil"},
		{"programs", `os.execute("true")`, "non-function"},
		{"the environment", `return {status=os.getenv("HOME")}`, "non-function"},
		{"other modules", `require("io")`, "no module io"},
		{"other scripts", `dofile("/etc/passwd")`, "non-function"},
		{"made-up code", `loadstring("return 1")()`, "non-function"},
		{"an endless loop", `while true do end`, "stopped after"},
		{"an endless recursion", `local function f() return 1 + f() end; f()`, "overflow"},
		{"a huge string", `return {status=string.rep("x", 2^30)}`, "more than 1048576 bytes"},
		{"more values than there may be", `return unpack({}, 1, 1e5)`, "registry overflow"},
		{"a loop in a protected call", `pcall(function() while true do end end); while true do end`, "stopped after"},
		{"a wrong status", `return {status="Fine"}`, `"Fine", which there is not`},
		{"no table", `return 1`, "not a table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			got, err := compile(t, map[string]string{"cert-manager.io/Certificate/health.lua": c.script}).GetResourceHealth(certificate())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v", got, err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestAScriptMayAskForTheTimeAndSayNothing(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        ``,
		"an empty table": `return {}`,
	} {
		if got, err := compile(t, map[string]string{"cert-manager.io/Certificate/health.lua": text}).GetResourceHealth(certificate()); got != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	text := `local os = require("os"); print("x"); local t = os.date("!*t", 86400); if os.time() > 1e9 and t.year == 1970 and os.time(t) == 86400 then return {status="Healthy"} end`
	if got, err := compile(t, map[string]string{"cert-manager.io/Certificate/health.lua": text}).GetResourceHealth(certificate()); err != nil || got == nil || got.Status != "Healthy" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestExpressions(t *testing.T) {
	ready := release.HealthExpr{APIVersion: "cert-manager.io/v1", Kind: "Certificate",
		Current:    "status.conditions.exists(e, e.type == 'Ready' && e.status == 'True')",
		Failed:     "status.conditions.exists(e, e.type == 'Ready' && e.status == 'False' && e.message.contains('expired'))",
		InProgress: "has(status.conditions) && status.conditions.exists(e, e.type == 'Issuing' && e.status == 'True')"}
	only := release.HealthExpr{APIVersion: "cert-manager.io/v1beta1", Kind: "Certificate", Current: "status.?conditions.orValue([]).exists(e, e.type == 'Ready' && e.status == 'True') && metadata.name == 'web'"}
	other := ready
	other.Kind = "Issuer"
	stale := certificate(condition("Ready", "True", "issued"))
	stale.SetGeneration(3)
	for _, c := range []struct {
		name    string
		expr    release.HealthExpr
		o       *unstructured.Unstructured
		status  enginehealth.HealthStatusCode
		message string
	}{
		{"current", ready, certificate(condition("Ready", "True", "issued")), "Healthy", "issued"},
		{"failed", ready, certificate(condition("Ready", "False", "expired yesterday")), "Degraded", "expired yesterday"},
		{"in progress comes first", ready, certificate(condition("Ready", "False", "expired"), condition("Issuing", "True", "on it")), "Progressing", "expired"},
		{"none of them is in progress", ready, certificate(condition("Ready", "False", "soon")), "Progressing", "soon"},
		{"what is not there yet is waited for", ready, certificate(), "Progressing", "no such key: conditions"},
		{"optional fields", only, certificate(), "Progressing", ""},
		{"the version does not matter", only, certificate(condition("Ready", "True", "issued")), "Healthy", "issued"},
		{"an older generation has no opinion", ready, stale, "Progressing", "has not seen the change"},
		{"another kind", other, certificate(condition("Ready", "True", "issued")), "", ""},
		{"an expression that costs too much", release.HealthExpr{APIVersion: "cert-manager.io/v1", Kind: "Certificate",
			Current: "[1,2,3,4,5,6,7,8,9,0].all(a, [1,2,3,4,5,6,7,8,9,0].all(b, [1,2,3,4,5,6,7,8,9,0].all(c, [1,2,3,4,5,6,7,8,9,0].all(d, [1,2,3,4,5,6,7,8,9,0].all(e, [1,2,3,4,5,6,7,8,9,0].all(f, a + b + c + d + e + f >= 0))))))"}, certificate(), "Progressing", "cannot be told"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := compile(t, map[string]string{"_/Certificate/health.lua": `return nil`}, c.expr).GetResourceHealth(c.o)
			if err != nil {
				t.Fatal(err)
			}
			if (got == nil) != (c.status == "") || got != nil && (got.Status != c.status || !strings.Contains(got.Message, c.message)) {
				t.Errorf("got %+v, want %s %q", got, c.status, c.message)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		scripts map[string]string
		expr    release.HealthExpr
		want    string
	}{
		{"a script that is not Lua", map[string]string{"apps/Deployment/health.lua": "if then"}, release.HealthExpr{}, "health/apps/Deployment/health.lua"},
		{"a script in the wrong place", map[string]string{"health.lua": "return nil"}, release.HealthExpr{}, "not a place"},
		{"a script too deep", map[string]string{"a/b/c/health.lua": "return nil"}, release.HealthExpr{}, "not a place"},
		{"an expression that is not CEL", nil, release.HealthExpr{APIVersion: "v1", Kind: "X", Current: "status.("}, "current: "},
		{"one that names nothing known", nil, release.HealthExpr{APIVersion: "v1", Kind: "X", Current: "secrets.all"}, "undeclared reference"},
		{"one that is no yes or no", nil, release.HealthExpr{APIVersion: "v1", Kind: "X", Current: "'Healthy'"}, "is a string"},
		{"none for current", nil, release.HealthExpr{APIVersion: "v1", Kind: "X", Failed: "true"}, "current is empty"},
		{"no kind", nil, release.HealthExpr{APIVersion: "a/b/c", Kind: "X", Current: "true"}, "is no kind"},
	} {
		var exprs []release.HealthExpr
		if c.expr != (release.HealthExpr{}) {
			exprs = append(exprs, c.expr)
		}
		_, err := health.Compile(c.scripts, exprs)
		if err == nil || !strings.Contains(err.Error(), c.want) || hint.Of(err) == "" {
			t.Errorf("%s: %v (hint %q)", c.name, err, hint.Of(err))
		}
	}
}
