package spec_test

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/pipeline/spec"
	"github.com/seatrial/seatrial/release"
)

const head = "apiVersion: seatrial.dev/v1\nkind: Pipeline\nmetadata: {name: web, team: shop}\n"

const full = `apiVersion: seatrial.dev/v1
kind: Pipeline
metadata:
  name: web
  team: shop
spec:
  on:
    push:
      branches: [main, "release/*"]
      paths: ["web/**", "!**/*.md"]
  build:
    context: ./web/
    dockerfile: web/Dockerfile
    args: {GO_VERSION: "1.26", TOKENIZER_PATH: /x}
    platforms: [linux/amd64, linux/arm64, linux/ppc64le]
    checks:
      - {name: test, target: test}
    timeout: 10m
  deploy:
    manifests: deploy/
    environments: [staging, prod]
`

func TestParse(t *testing.T) {
	p, err := spec.Parse(spec.Name, []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	b := p.Spec.Build
	if b.Context != "web" || b.Timeout.Std() != 10*time.Minute || len(b.Platforms) != 3 || p.Spec.Deploy.Manifests != "deploy" {
		t.Errorf("build = %+v, deploy = %+v", b, p.Spec.Deploy)
	}
	if got := spec.Service(p); got != "shop/web" {
		t.Errorf("service = %s", got)
	}
}

func TestTheExampleIsValid(t *testing.T) {
	data, err := os.ReadFile("../../examples/shop-web/" + spec.Name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spec.Parse(spec.Name, data); err != nil {
		t.Error(err)
	}
}

func TestDefaults(t *testing.T) {
	p, err := spec.Parse(spec.Name, []byte(head+"spec: {deploy: {manifests: deploy, environments: [staging]}}"))
	if err != nil {
		t.Fatal(err)
	}
	want := release.BuildSpec{Context: ".", Platforms: []string{"linux/amd64"}, Timeout: release.Duration(30 * time.Minute)}
	if !reflect.DeepEqual(p.Spec.Build, want) {
		t.Errorf("build = %+v", p.Spec.Build)
	}
	if got := p.Spec.On.Push.Branches; len(got) != 1 || got[0] != "main" {
		t.Errorf("branches = %v", got)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"an unknown key", "    manifests: deploy/", "    manifest: deploy/", ".seatrial.yaml:19:3: spec.deploy: \"manifests\" is missing\n.seatrial.yaml:20:5: unknown field \"manifest\" (did you mean \"manifests\"?)"},
		{"another kind", "kind: Pipeline", "kind: Environment", `.seatrial.yaml:2:7: kind: want "Pipeline", got "Environment"`},
		{"another version", "seatrial.dev/v1", "seatrial.dev/v2", `.seatrial.yaml:1:13: apiVersion: want "seatrial.dev/v1", got "seatrial.dev/v2"`},
		{"no team", "  team: shop\n", "", `.seatrial.yaml:3:1: metadata: "team" is missing`},
		{"a name in capitals", "name: web\n", "name: Web\n", `.seatrial.yaml:4:9: metadata.name: "Web": want lower-case letters, digits and dashes, at most 63`},
		{"an unknown platform", "linux/arm64", "linux/amd46", `.seatrial.yaml:15:30: spec.build.platforms[1]: unknown platform "linux/amd46" (did you mean "linux/amd64"?)`},
		{"a platform twice", "linux/arm64", "linux/amd64", `.seatrial.yaml:15:30: spec.build.platforms[1]: "linux/amd64" is listed twice`},
		{"a context outside the repo", "./web/", "../other", `.seatrial.yaml:12:14: spec.build.context: "../other": want a path inside the repo, without ".."`},
		{"dots in the middle of a path", "deploy/", "deploy/../../x", `.seatrial.yaml:20:16: spec.deploy.manifests: "deploy/../../x": want a path inside the repo, without ".."`},
		{"an absolute path", "deploy/", "/etc", `.seatrial.yaml:20:16: spec.deploy.manifests: "/etc": want a path inside the repo, relative to its root`},
		{"a secret as build argument", "GO_VERSION", "NPM_TOKEN", `.seatrial.yaml:14:12: spec.build.args.NPM_TOKEN: looks like a secret: build arguments end up in the image's history; use a secret mount in the Dockerfile`},
		{"a secret under an innocent name", `"1.26"`, "ghp_0123456789abcdef", `.seatrial.yaml:14:12: spec.build.args.GO_VERSION: looks like a secret: build arguments end up in the image's history; use a secret mount in the Dockerfile`},
		{"an argument name with a dash", "GO_VERSION", "GO-VERSION", `.seatrial.yaml:14:12: spec.build.args.GO-VERSION: want letters, digits and underscores`},
		{"a bad timeout", "10m", "10 minutes", `.seatrial.yaml:18:14: spec.build.timeout: "10 minutes" is not a duration like 90s or 5m`},
		{"a timeout of a day", "10m", "24h", `.seatrial.yaml:18:14: spec.build.timeout: want between 1s and 6h0m0s, got 24h0m0s`},
		{"no environment", "[staging, prod]", "[]", `.seatrial.yaml:21:5: spec.deploy.environments: want at least one environment`},
		{"an environment twice", "[staging, prod]", "[prod, prod]", `.seatrial.yaml:21:26: spec.deploy.environments[1]: "prod" is listed twice`},
		{"a broken pattern of pull requests", "  build:\n", "    pullRequest: {branches: [\"a[\"]}\n  build:\n", `.seatrial.yaml:11:30: spec.on.pullRequest.branches[0]: "a[" is not a pattern: a bracket is not closed or an escape ends it`},
		{"an unknown wish for pull requests", "  build:\n", "    pullRequest: {forks: build}\n  build:\n", `.seatrial.yaml:11:19: unknown field "forks" (there is: branches)`},
		{"a broken pattern", `"web/**"`, `"web/["`, `.seatrial.yaml:10:15: spec.on.push.paths[0]: "web/[" is not a pattern: a bracket is not closed or an escape ends it`},
		{"stars glued to a name", `"web/**"`, `"web**"`, `.seatrial.yaml:10:15: spec.on.push.paths[0]: "web**": ** has to stand alone between slashes`},
		{"a plan and a Dockerfile", "    dockerfile: web/Dockerfile", "    dockerfile: web/Dockerfile\n    plan: {language: go}", `.seatrial.yaml:14:5: spec.build.plan: a build has a plan or a Dockerfile: leave out one of them`},
		{"a plan in an unknown language", "    dockerfile: web/Dockerfile", "    plan: {language: nodejs}", `.seatrial.yaml:13:22: spec.build.plan.language: unknown language "nodejs" (did you mean "node"?)`},
		{"a plan with a main outside the repo", "    dockerfile: web/Dockerfile", "    plan: {main: ../cmd/web}", `.seatrial.yaml:13:18: spec.build.plan.main: "../cmd/web": want a path inside the repo, without ".."`},
		{"a plan with a version that is none", "    dockerfile: web/Dockerfile", "    plan: {version: \"1.26 AS x\"}", `.seatrial.yaml:13:21: spec.build.plan.version: "1.26 AS x": want a version like 1.26`},
		{"a plan with an image that is none", "    dockerfile: web/Dockerfile", "    plan: {base: \"nginx\\nRUN x\"}", `.seatrial.yaml:13:18: spec.build.plan.base: "nginx\nRUN x": want an image like registry.example/name:tag`},
		{"a plan with a command of two lines", "    dockerfile: web/Dockerfile", "    plan: {build: \"a\\nb\"}", `.seatrial.yaml:13:19: spec.build.plan.build: want one line of at most 1000 bytes`},
		{"a matrix with a secret", "{name: test, target: test}", "{name: test, target: test, matrix: {A: [a, ghp_0123456789abcdef]}}", `.seatrial.yaml:17:45: spec.build.checks[0].matrix.A: looks like a secret: build arguments end up in the image's history; use a secret mount in the Dockerfile`},
		{"a matrix without values", "{name: test, target: test}", "{name: test, target: test, matrix: {A: []}}", `.seatrial.yaml:17:45: spec.build.checks[0].matrix.A: want at least one value`},
		{"a matrix of too many runs", "{name: test, target: test}", "{name: test, target: test, matrix: {A: [a, b, c, d, e], B: [a, b, c, d, e]}}", `.seatrial.yaml:17:36: spec.build.checks[0].matrix: gives more than 20 combinations`},
		{"a secret without a name", "    timeout: 10m", "    secrets: [{id: npmrc}]", `.seatrial.yaml:18:15: spec.build.secrets[0]: "name" is missing`},
		{"a secret's value instead of its name", "    timeout: 10m", "    secrets: [{id: npmrc, name: \"//npm.example/:_authToken=abc\"}]", `.seatrial.yaml:18:33: spec.build.secrets[0].name: want the name of one of the project's secrets, never the secret itself`},
		{"a secret with an odd id", "    timeout: 10m", "    secrets: [{id: \"a,b\", name: npm}]", `.seatrial.yaml:18:20: spec.build.secrets[0].id: "a,b": want an id like npmrc, as in RUN --mount=type=secret,id=npmrc`},
		{"an id twice", "    timeout: 10m", "    secrets: [{id: a, name: x}, {id: a, name: y}]", `.seatrial.yaml:18:33: spec.build.secrets[1]: "a" is listed twice`},
		{"a context outside of the repo", "    timeout: 10m", "    contexts: {shared: ../other}", `.seatrial.yaml:18:24: spec.build.contexts.shared: "../other": want a path inside the repo, without ".."`},
		{"a context that is an image by tag", "    timeout: 10m", "    contexts: {base: \"docker-image://golang:1.26\"}", `.seatrial.yaml:18:22: spec.build.contexts.base: "docker-image://golang:1.26": want an image by digest: docker-image://NAME@sha256:…`},
		{"a context from the network", "    timeout: 10m", "    contexts: {base: \"https://example.org/x.git\"}", `.seatrial.yaml:18:22: spec.build.contexts.base: "https://example.org/x.git": want a folder of the repo, or docker-image://NAME@sha256:…`},
		{"a context with a platform in its name", "    timeout: 10m", "    contexts: {\"base::linux/arm64\": base}", `.seatrial.yaml:18:16: spec.build.contexts.base::linux/arm64: want lower-case letters and digits, with dots, dashes and underscores between them`},
		{"an unknown strategy", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: canery}", `.seatrial.yaml:22:22: spec.deploy.strategy.type: unknown strategy "canery" (did you mean "canary"?)`},
		{"a strategy without a type", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {steps: [{weight: 10}]}", `.seatrial.yaml:22:5: spec.deploy.strategy: "type" is missing`},
		{"a canary without steps", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: canary}", `.seatrial.yaml:22:5: spec.deploy.strategy: a canary wants at least one step: {weight: 10, observe: 30s}`},
		{"a weight of everything", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: canary, steps: [{weight: 100}]}", `.seatrial.yaml:22:47: spec.deploy.strategy.steps[0].weight: want 1 to 99, got 100: after the last step it is everywhere by itself`},
		{"weights that do not grow", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: canary, steps: [{weight: 50}, {weight: 10}]}", `.seatrial.yaml:22:61: spec.deploy.strategy.steps[1].weight: want more than the 50 before it`},
		{"steps of a blue-green", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: blueGreen, steps: [{weight: 10}]}", `.seatrial.yaml:22:33: spec.deploy.strategy.steps: only a canary and a partition have steps`},
		{"a partition of a Deployment", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: partition, deployment: web, steps: [{weight: 10}]}", `.seatrial.yaml:22:5: spec.deploy.strategy: a partition has one set of pods: no deployment and no service`},
		{"a partition without steps", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: partition}", `.seatrial.yaml:22:5: spec.deploy.strategy: a partition wants at least one step: {weight: 10, observe: 30s}`},
		{"a StatefulSet of a canary", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: canary, statefulSet: db, steps: [{weight: 10}]}", `.seatrial.yaml:22:43: spec.deploy.strategy.statefulSet: only a partition is of a StatefulSet`},
		{"a route of a blue-green", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: blueGreen, route: web}", `.seatrial.yaml:22:40: spec.deploy.strategy.route: only a canary has a route`},
		{"an object without a name's form", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: blueGreen, service: Web_1}", `.seatrial.yaml:22:42: spec.deploy.strategy.service: "Web_1": want lower-case letters, digits and dashes, at most 63`},
		{"a rolling strategy with more to say", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: rolling, service: web}", `.seatrial.yaml:22:5: spec.deploy.strategy: a rolling strategy has nothing but its type`},
		{"a step of a week", "    environments: [staging, prod]", "    environments: [staging, prod]\n    strategy: {type: canary, steps: [{weight: 10, observe: 168h}]}", `.seatrial.yaml:22:60: spec.deploy.strategy.steps[0].observe: want at most 24h0m0s, got 168h0m0s`},
		{"a check without a target", "{name: test, target: test}", "{name: test}", `.seatrial.yaml:17:9: spec.build.checks[0]: "target" is missing`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(full, c.from, c.to, 1)
			if text == full {
				t.Fatal("the case changes nothing")
			}
			p, err := spec.Parse(spec.Name, []byte(text))
			if err == nil || err.Error() != c.want {
				t.Errorf("error\n%v\nwant\n%s", err, c.want)
			}
			if !reflect.DeepEqual(p, release.Pipeline{}) {
				t.Error("a refused file left a pipeline behind")
			}
		})
	}
}

func TestParseRefusesWhatWouldHurt(t *testing.T) {
	for name, text := range map[string]string{
		"10 MB":         head + "# " + strings.Repeat("x", 10<<20),
		"an alias bomb": head + "spec: &a [" + strings.Repeat("*a,", 99) + "]",
		"many args":     head + "spec: {build: {args: {" + strings.Repeat("A", 1) + ": x" + manyArgs(60) + "}}, deploy: {manifests: d, environments: [e]}}",
		"a list":        "- a",
		"nothing":       "",
	} {
		_, err := spec.Parse(spec.Name, []byte(text))
		if e, ok := errors.AsType[*strict.Error](err); !ok || len(e.Problems) == 0 {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

func manyArgs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(", A" + strings.Repeat("B", i) + ": x")
	}
	return b.String()
}

func TestCheck(t *testing.T) {
	env := func(name, after string) release.Environment {
		return release.Environment{Meta: release.Meta{Name: name}, Spec: release.EnvironmentSpec{After: release.Env(after)}}
	}
	environments := []release.Environment{env("dev", ""), env("staging", ""), env("prod", "staging")}
	project := release.Project{Meta: release.Meta{Name: "shop"}, Spec: release.ProjectSpec{Team: "shop"}}
	narrow := project
	narrow.Spec.Environments = []release.Env{"dev", "staging"}
	for _, c := range []struct {
		name, list string
		project    release.Project
		want       string
	}{
		{"the platform's environments in order", "[staging, prod]", project, ""},
		{"an unknown environment", "[stagign, prod]", project, ".seatrial.yaml:21:20: spec.deploy.environments[0]: unknown environment \"stagign\" (did you mean \"staging\"?)\n.seatrial.yaml:21:29: spec.deploy.environments[1]: prod comes after staging: list staging before it"},
		{"nothing like it", "[moon]", project, `.seatrial.yaml:21:20: spec.deploy.environments[0]: unknown environment "moon" (there is: dev, staging, prod)`},
		{"the wrong order", "[prod, staging]", project, `.seatrial.yaml:21:20: spec.deploy.environments[0]: prod comes after staging: list staging before it`},
		{"an environment the project may not use", "[staging, prod]", narrow, `.seatrial.yaml:21:29: spec.deploy.environments[1]: project shop may not deploy to "prod" (there is: dev, staging)`},
		{"another team", "[staging]", release.Project{Meta: release.Meta{Name: "pay"}, Spec: release.ProjectSpec{Team: "pay"}}, `.seatrial.yaml:5:9: metadata.team: team "shop" is not the team of project pay, "pay"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := spec.Read(spec.Name, []byte(strings.Replace(full, "[staging, prod]", c.list, 1)))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := f.Check(environments, c.project); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestASecretIsOneOfTheProjects(t *testing.T) {
	f, err := spec.Read(spec.Name, []byte(strings.Replace(full, "    timeout: 10m", "    secrets: [{id: npmrc, name: npm-token}]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	staging := []release.Environment{{Meta: release.Meta{Name: "staging"}}, {Meta: release.Meta{Name: "prod"}}}
	project := release.Project{Meta: release.Meta{Name: "shop"}, Spec: release.ProjectSpec{Team: "shop", Secrets: []string{"npm-tokens"}}}
	const want = `.seatrial.yaml:18:33: spec.build.secrets[0].name: project shop has no secret "npm-token" (did you mean "npm-tokens"?): operators add it to the project in the platform repo`
	if err := f.Check(staging, project); err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
	project.Spec.Secrets = []string{"npm-token"}
	if err := f.Check(staging, project); err != nil {
		t.Error(err)
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		name            string
		branches, paths []string
		branch          string
		changed         []string
		want            bool
	}{
		{"the branch alone", []string{"main"}, nil, "main", []string{"a"}, true},
		{"another branch", []string{"main"}, nil, "dev", nil, false},
		{"a star stays within a segment", []string{"release/*"}, nil, "release/1/x", nil, false},
		{"a star matches a segment", []string{"release/*"}, nil, "release/1", nil, true},
		{"an excluded branch", []string{"**", "!wip/**"}, nil, "wip/a", nil, false},
		{"only exclusions begin with everything", []string{"!wip/**"}, nil, "main", nil, true},
		{"two stars match any depth", []string{"main"}, []string{"web/**"}, "main", []string{"web/a/b/c.go"}, true},
		{"two stars match no depth", []string{"main"}, []string{"web/**/c.go"}, "main", []string{"web/c.go"}, true},
		{"two stars at the start", []string{"main"}, []string{"**/*.go"}, "main", []string{"c.go"}, true},
		{"a file elsewhere", []string{"main"}, []string{"web/**"}, "main", []string{"docs/a", "webs/b"}, false},
		{"one of several is enough", []string{"main"}, []string{"web/**"}, "main", []string{"docs/a", "web/b"}, true},
		{"only excluded files changed", []string{"main"}, []string{"web/**", "!**/*.md"}, "main", []string{"web/README.md"}, false},
		{"unknown changes build", []string{"main"}, []string{"web/**"}, "main", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := release.Pipeline{Spec: release.PipelineSpec{On: release.Triggers{Push: release.PushTrigger{Branches: c.branches, Paths: c.paths}}}}
			if got := spec.Matches(p, c.branch, c.changed); got != c.want {
				t.Errorf("Matches = %v", got)
			}
		})
	}
}

func TestPullRequestsAreBuiltOnlyWhereTheFileSaysSo(t *testing.T) {
	for text, want := range map[string]bool{
		"{}": false, "{pullRequest: {}}": true, "{pullRequest: {branches: [main]}}": true,
		"{pullRequest: {branches: [dev]}}": false, `{pullRequest: {branches: ["!main"]}}`: false,
	} {
		p, err := spec.Parse(spec.Name, []byte(head+"spec: {on: "+text+", deploy: {manifests: deploy, environments: [staging]}}"))
		if got := spec.MatchesPull(p, "main"); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func FuzzMatches(f *testing.F) {
	f.Add("web/**/[a-z]*", "web/a/b")
	f.Fuzz(func(t *testing.T, glob, name string) {
		p := release.Pipeline{}
		p.Spec.On.Push = release.PushTrigger{Branches: []string{"**"}, Paths: []string{glob}}
		spec.Matches(p, "main", []string{name})
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := spec.Read(spec.Name, data)
		if err != nil {
			if _, ok := errors.AsType[*strict.Error](err); !ok {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if _, err := release.ParseService(string(read.Service())); err != nil {
			t.Fatal(err)
		}
		_ = read.Check(nil, release.Project{})
	})
}
