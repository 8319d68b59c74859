package archtest

// Arrow says what the packages below a folder may import of ours, beside their own
// folder.
type Arrow struct {
	From   string
	May    []string // folders; "*": everything
	Reason string
}

// Arrows is the import table of the house: the first row whose folder a package is in
// counts, and a package in no row is a violation.
func Arrows() []Arrow {
	words := []string{"release", "internal"}
	return []Arrow{
		{"release", nil, "the words depend on nothing, so that everything may depend on them"},
		{"cmd/lab", []string{"lab", "release", "internal"}, "the lab is a tool of its own; it must not test the platform with the platform"},
		{"cmd", []string{"*"}, "cmd is the one place that knows everybody and introduces them"},
		{"e2e", []string{"*"}, "the journey is tested from outside, with real parts"},
		{"lab", words, "the lab stands for the world outside: it must not lean on what it tests"},
		{"internal", words, "plumbing serves every part, so it knows none of them"},
		{"pipeline", words, "the road knows actions as functions; cmd hands them in"},
		{"builder", words, "a build can be replaced without the rest noticing"},
		{"signing", words, "keys are near as little code as possible"},
		{"policies", words, "a gate that knew the deployer could be talked round by it"},
		{"deployer", words, "gates are wired in cmd, so either can be replaced"},
		{"slo", words, "an SLO is measured, whoever wants to know"},
		{"chaos", words, "a fault has to be put back even when nothing else works"},
		{"infra", words, "infrastructure has its own road"},
		{"notify", words, "who tells does not decide"},
		{"store", words, "the store keeps words; it must not know who writes them"},
		{"web", words, "the API shows what others do through interfaces that it declares"},
	}
}

// TestsMay is what test files may import beside their arrows: a fake is a small real
// thing, and the store in a temporary folder is one.
func TestsMay() []string { return []string{"store"} }

// Door says which folders may import an SDK.
type Door struct {
	SDK    string // import path prefix
	May    []string
	Reason string
}

// Doors are the SDKs that have one door. The most specific row counts.
func Doors() []Door {
	const one = "one SDK, one door: an upgrade or a replacement touches one folder"
	return []Door{
		{"k8s.io/client-go", []string{"internal/kube", "lab", "e2e"}, "connections, credentials and back-off to clusters are decided in one place"},
		{"sigs.k8s.io/controller-runtime", []string{"internal/kube"}, "client-go's door is the door of what wraps it, too"},
		{"github.com/argoproj/argo-cd/gitops-engine", []string{"deployer", "internal/kube"}, one},
		{"github.com/go-git", []string{"internal/git"}, one},
		{"github.com/google/go-containerregistry", []string{"internal/oci", "lab"}, one},
		{"code.gitea.io/sdk", []string{"internal/forge"}, one},
		{"github.com/google/go-github", []string{"internal/forge"}, one},
		{"go.yaml.in/yaml", []string{"internal/strict", "deployer/render/manifest"}, "people's YAML is read strictly and with positions, or not at all; manifests are written"},
		{"gopkg.in/yaml.v3", []string{"internal/strict"}, "people's YAML is read strictly and with positions, or not at all"},
		{"github.com/prometheus/client_golang/api", []string{"slo"}, "how a sample is asked for and judged stands in one place"},
		{"github.com/expr-lang/expr", []string{"slo/analysis"}, "what an expression may cost is decided in one place"},
		{"github.com/prometheus/prometheus", []string{"slo/rules", "slo/course", "slo/tally"}, "its engine proves our rules and our plots in tests, and does not belong into the binary"},
		{"github.com/prometheus/prometheus/promql/parser", []string{"slo/promql", "slo/rules"}, "what counts as PromQL is decided in one place; the engine stays outside of the binary"},
		{"github.com/chaos-mesh", []string{"chaos"}, one},
		{"github.com/go-sql-driver/mysql", []string{"chaos/connections"}, one},
		{"github.com/jackc/pgx", []string{"chaos/connections"}, one},
		{"github.com/moby/buildkit", []string{"builder"}, one},
		{"github.com/sigstore", []string{"signing"}, "the keys never leave signing"},
		{"github.com/secure-systems-lab", []string{"signing"}, "the keys never leave signing"},
		{"github.com/miekg/pkcs11", []string{"signing/token"}, "the keys never leave signing"},
		{Module + "/signing/token/module", []string{"cmd/sigstore-kms-pkcs11", "signing/token/module"}, "a token's library is somebody else's code, and needs cgo: neither belongs into the server"},
		{"github.com/anchore/syft", []string{"builder"}, one},
		{"github.com/open-policy-agent/opa", []string{"policies"}, one},
		{"k8s.io/pod-security-admission", []string{"policies"}, one},
		{"github.com/yuin/gopher-lua", []string{"deployer"}, "what a script may use is decided in one place"},
		{"github.com/google/cel-go", []string{"deployer"}, "what an expression may cost is decided in one place"},
		{"github.com/itchyny/gojq", []string{"deployer"}, "what an expression may cost is decided in one place"},
		{"helm.sh/helm", []string{"deployer"}, one},
		{"sigs.k8s.io/kustomize", []string{"deployer"}, one},
		{"github.com/google/go-jsonnet", []string{"deployer"}, one},
		{"github.com/hashicorp/terraform-exec", []string{"infra"}, one},
		{"go.etcd.io", []string{"store", "lab"}, one},
		{"github.com/danielgtaylor/huma", []string{"web"}, one},
		{"github.com/spf13/cobra", []string{"cmd"}, "only the command line knows flags"},
		{"github.com/invopop/jsonschema", []string{"internal/schema"}, one},
	}
}

// OnlyTests are the SDKs, of those with a door, that nothing but test files may import.
func OnlyTests() []string { return []string{"github.com/prometheus/prometheus"} }

// Exception lets one rule be broken in one place.
type Exception struct {
	Rule   string
	Path   string // a file or a folder
	Reason string
}

// Exceptions are the breaches we decided on.
func Exceptions() []Exception {
	return []Exception{
		{"blank import", "builder/sbom/scan/scan.go", "syft reads RPM databases through database/sql, which knows drivers by registration only"},
	}
}
