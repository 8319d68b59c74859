package release

import (
	"fmt"
	"maps"
	"time"
)

// APIVersion is the version of every configuration kind of ours.
const APIVersion = "seatrial.dev/v1"

// Duration is a time.Duration that reads and writes "90s".
type Duration time.Duration

// MarshalText writes "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads "90s"; a negative one is an error.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration like 90s or 5m", b)
	}
	*d = Duration(v)
	return nil
}

// Std is the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Meta names a configuration object.
type Meta struct {
	Name        string            `json:"name"`
	Team        string            `json:"team,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Selector chooses clusters by labels; every pair must match. An empty one matches nothing.
type Selector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

// Matches reports whether labels carry every wanted pair.
func (s Selector) Matches(labels map[string]string) bool {
	for k, v := range s.MatchLabels {
		if labels[k] != v {
			return false
		}
	}
	return len(s.MatchLabels) > 0
}

// Cluster is a place to deploy to. Its credentials are a kubeconfig file in the
// server's credentials folder, never in git.
type Cluster struct {
	Meta Meta        `json:"metadata"`
	Spec ClusterSpec `json:"spec"`
}

// ClusterSpec says how to reach a cluster.
type ClusterSpec struct {
	Agent       bool     `json:"agent,omitempty"`             // an agent near it keeps it, and dials out to the server
	Credentials string   `json:"credentials,omitempty"`       // file in the credentials folder, without .kubeconfig or .token; default: the cluster's name
	Server      string   `json:"server,omitempty"`            // address of the API server: then the file is a service account's token
	CA          string   `json:"ca,omitempty"`                // PEM, of the API server at server; default: the system's
	Plugins     []string `json:"credentialPlugins,omitempty"` // programs that the kubeconfig may run, as it names them
	Chaos       bool     `json:"chaos,omitempty"`             // Chaos Mesh runs there
	ChaosOptIn  bool     `json:"chaosOptIn,omitempty"`        // only namespaces labelled seatrial.dev/chaos: allowed; one labelled refused is never touched
}

// Environment is an ordered place: a branch of desired state, waves of clusters and gates.
type Environment struct {
	Meta Meta            `json:"metadata"`
	Spec EnvironmentSpec `json:"spec"`
}

// EnvironmentSpec is an environment's rules; only the platform repo can set them.
type EnvironmentSpec struct {
	After        Env          `json:"after,omitempty"` // the environment a release has to be verified in first
	DesiredState DesiredState `json:"desiredState"`
	Approvals    Approvals    `json:"approvals,omitzero"`
	Windows      []Window     `json:"windows,omitempty"`
	Policies     []string     `json:"policies,omitempty"`
	Waves        []WaveSpec   `json:"waves"`
	SLO          SLOGate      `json:"slo,omitzero"`
	Trial        TrialSpec    `json:"trial,omitzero"`
	Chaos        ChaosRules   `json:"chaos,omitzero"`
	Prune        Prune        `json:"prune,omitzero"`
	Sync         SyncRules    `json:"sync,omitzero"`
	SyncTimeout  Duration     `json:"syncTimeout,omitempty"` // a wave not healthy by then is refused; default 5m
	OnUnmatch    string       `json:"onUnmatch,omitempty"`   // "leave" (default) or "withdraw"
	OnFailure    string       `json:"onFailure,omitempty"`   // "rollBack" (default) or "hold": what is live stays, and a person decides

	Params    map[string]string `json:"params,omitempty"`    // what manifests are rendered with here, by name: domain: shop.example. Never secrets
	ParamsFor []ClusterParams   `json:"paramsFor,omitempty"` // and for some of its clusters: the first that fits counts
}

// ClusterParams are params of the clusters with some labels, above the environment's.
type ClusterParams struct {
	Name     string            `json:"name"` // in git, manifests.NAME.yaml is theirs
	Clusters Selector          `json:"clusters"`
	Params   map[string]string `json:"params"`
}

// ParamsOf are an environment's params under those of one entry of ParamsFor.
func ParamsOf(e EnvironmentSpec, p ClusterParams) map[string]string {
	all := maps.Clone(e.Params)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, p.Params)
	return all
}

// What becomes of what is live when a gate refuses it.
const (
	FailureRollsBack = "rollBack"
	FailureHolds     = "hold"
)

// DesiredState is the branch that holds an environment's rendered manifests.
type DesiredState struct {
	Repo   string `json:"repo"`   // "platform/desired-state" on the forge, or a URL
	Branch string `json:"branch"` // "env/prod"
}

// Approvals says how many people of which groups have to agree.
type Approvals struct {
	Required int      `json:"required,omitempty"`
	Groups   []string `json:"groups,omitempty"`
}

// Window says when an environment may change: "Mon-Fri 09:00-18:00".
type Window struct {
	Allow    string `json:"allow"`
	TimeZone string `json:"timeZone,omitempty"` // IANA name; default UTC
}

// WaveSpec selects the clusters that change together. A cluster belongs to the first
// wave that matches it.
type WaveSpec struct {
	Name           string   `json:"name"`
	Clusters       Selector `json:"clusters"`
	MaxUnavailable string   `json:"maxUnavailable,omitempty"` // "25%" or "2": targets changing at once; default all
	FailureBudget  int      `json:"failureBudget,omitempty"`  // targets that may fail without stopping the wave
	PauseAfter     Duration `json:"pauseAfter,omitempty"`
	PartitionBy    string   `json:"partitionBy,omitempty"` // a label: one wave for each of its values, in their order
}

// Prune limits what a sync may delete.
type Prune struct {
	MaxDelete  int  `json:"maxDelete,omitempty"` // default 10
	AllowEmpty bool `json:"allowEmpty,omitempty"`
}

// SyncRules say how objects are applied, compared and judged. The lists have Argo CD's
// and Flux's own shape, so that they can be moved over as they are.
type SyncRules struct {
	Namespaces        string       `json:"namespaces,omitempty"` // that are missing: "create" (default) or "require"
	IgnoreDifferences []IgnoreRule `json:"ignoreDifferences,omitempty"`
	HealthCheckExprs  []HealthExpr `json:"healthCheckExprs,omitempty"`
}

// What becomes of a namespace that a cluster does not have.
const (
	NamespacesCreate  = "create"
	NamespacesRequire = "require"
)

// IgnoreRule names fields that belong to somebody else on the cluster: they are neither
// compared nor applied once the object is there.
type IgnoreRule struct {
	Group                 string   `json:"group,omitempty"` // "apps"; left out: the core group; "*": any
	Kind                  string   `json:"kind"`            // "Deployment"; "*": any
	Name                  string   `json:"name,omitempty"`
	Namespace             string   `json:"namespace,omitempty"`
	JSONPointers          []string `json:"jsonPointers,omitempty"`          // "/spec/replicas"
	JQPathExpressions     []string `json:"jqPathExpressions,omitempty"`     // ".spec.template.spec.initContainers[] | select(.name == \"injected\")"
	ManagedFieldsManagers []string `json:"managedFieldsManagers,omitempty"` // "kube-controller-manager": every field it owns
}

// HealthExpr are CEL expressions over an object that say how it is doing.
type HealthExpr struct {
	APIVersion string `json:"apiVersion"` // "cert-manager.io/v1"
	Kind       string `json:"kind"`
	Current    string `json:"current"`              // true: it is healthy
	InProgress string `json:"inProgress,omitempty"` // true: it is on its way; asked first
	Failed     string `json:"failed,omitempty"`     // true: it is degraded; asked before current
}

// Project says which repos a team has and what their manifests may contain.
type Project struct {
	Meta Meta        `json:"metadata"`
	Spec ProjectSpec `json:"spec"`
}

// ProjectSpec bounds a team.
type ProjectSpec struct {
	Team          string   `json:"team"`
	Repos         []string `json:"repos"`                   // "shop/web" on the forge
	Namespaces    []string `json:"namespaces"`              // where its objects may live
	ClusterScoped []string `json:"clusterScoped,omitempty"` // kinds such as "Namespace"; none by default
	Environments  []Env    `json:"environments,omitempty"`  // default: all
	Channels      []string `json:"channels,omitempty"`
	Secrets       []string `json:"secrets,omitempty"` // that its builds may mount; the server reads them from SEATRIAL_SECRET_<NAME>

	Charts       []string        `json:"charts,omitempty"`     // where its charts may take charts from, beside its own and the server's registry: "registry.example/charts"
	Registries   []RegistryLogin `json:"registries,omitempty"` // default: the login of the server's settings
	PullRequests PullRules       `json:"pullRequests,omitzero"`
}

// RegistryLogin is whom a project's builds, signatures and checks are at a registry. The
// password is a secret: only its name is in git.
type RegistryLogin struct {
	Host      string `json:"host"` // "ghcr.io"
	User      string `json:"user"`
	Secret    string `json:"secret"`              // the server reads it from SEATRIAL_SECRET_<NAME>
	TokenHost string `json:"tokenHost,omitempty"` // that gives tokens for the login: "gitlab.example"; default: the host itself
}

// PullRules say whose pull requests are built without asking. Whether any is built stands
// in the application's pipeline.
type PullRules struct {
	Trusted []string `json:"trusted,omitempty"` // accounts on the forge: their own forks are built at once, and they may write /ok-to-test
	Forks   string   `json:"forks,omitempty"`   // "wait" (default) for /ok-to-test, or "refuse"
	Preview string   `json:"preview,omitempty"` // "comment" (default): what it would do on each cluster, never on a stranger's fork; or "none"
}

// What a pull request is told of what it would do.
const (
	PreviewComment = "comment"
	PreviewNone    = "none"
)

// What becomes of a fork's pull request.
const (
	ForksWait   = "wait"
	ForksRefuse = "refuse"
)

// Channel is where people are told.
type Channel struct {
	Meta Meta        `json:"metadata"`
	Spec ChannelSpec `json:"spec"`
}

// ChannelSpec says how. The address is a secret: only its name is in git.
type ChannelSpec struct {
	Type      string      `json:"type"`                // "wecom", "feishu", "dingtalk", "slack", "teams", "email", "webhook", "alertmanager", "pagerduty", "jira" or "status"
	URLSecret string      `json:"urlSecret,omitempty"` // the server reads it from SEATRIAL_SECRET_<NAME>
	Events    []EventKind `json:"events,omitempty"`    // default: verified, failed, rolled-back, held, breach, recovered, experiment, alerts, autoscalers
	Language  string      `json:"language,omitempty"`  // "en" (default) or "zh"
	Mail      MailSpec    `json:"mail,omitzero"`       // of type "email"
	Jira      JiraSpec    `json:"jira,omitzero"`       // of type "jira"

	Quiet *QuietHours `json:"quiet,omitempty"` // what nobody has to wake up for waits until they end
}

// QuietHours are the same every day.
type QuietHours struct {
	From     string `json:"from"`  // "22:00"
	Until    string `json:"until"` // "07:30", the next day when it is before From
	TimeZone string `json:"timeZone,omitempty"`
}

// ParseClock reads "22:00" as the time since midnight.
func ParseClock(text string) (time.Duration, error) {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf("%q: want a time of day like 22:00", text)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// MailSpec says whose mail it is and who gets it.
type MailSpec struct {
	From string   `json:"from"` // "seatrial@example.com"
	To   []string `json:"to"`
}

// JiraSpec says where tickets are opened.
type JiraSpec struct {
	Project   string `json:"project"`             // its key: "OPS"
	IssueType string `json:"issueType,omitempty"` // default "Task"
	API       int    `json:"api,omitempty"`       // 2 (default): Server and Data Center; 3: Cloud
}

// Experiment breaks one thing on purpose, within limits, and maybe on a schedule.
type Experiment struct {
	Meta Meta           `json:"metadata"`
	Spec ExperimentSpec `json:"spec"`
}

// ExperimentSpec is the fault, its targets, its limits and what is expected to hold. One
// that names no service fits any: its namespace may be left out (then it is the project's
// first) and its selector may say {{.Team}} and {{.Name}}.
type ExperimentSpec struct {
	Service    Service       `json:"service,omitempty"` // left out: the service on trial
	Fault      Fault         `json:"fault"`
	Limits     Limits        `json:"limits,omitzero"`
	Hypothesis []string      `json:"hypothesis,omitempty"` // SLO names; left out: all of the service
	Observe    Duration      `json:"observe,omitempty"`    // how long to measure in a scheduled run; default 60s
	Schedule   *ScheduleSpec `json:"schedule,omitempty"`
}

// Fault is one thing to break: one of Chaos Mesh's kinds, or one of ours.
type Fault struct {
	Kind      string         `json:"kind"`                // "PodChaos", "NetworkChaos", "ConnectionPool", "Exec"
	Action    string         `json:"action"`              // "pod-kill", "partition", "limit", "run"
	With      map[string]any `json:"with,omitempty"`      // what the action is told, by the names in docs/faults.md: latency: 100ms
	Mode      string         `json:"mode,omitempty"`      // "one" (default), "all", "fixed", "fixed-percent"
	Value     string         `json:"value,omitempty"`     // for the last two
	Selector  Selector       `json:"selector"`            // of pods, by labels; never empty
	Namespace string         `json:"namespace,omitempty"` // one of the project's; default: its first
	Container string         `json:"container,omitempty"`
	Duration  Duration       `json:"duration"`
}

// ChaosRules say when things may be broken in an environment, and who has to agree.
type ChaosRules struct {
	Windows   []Window `json:"windows,omitempty"`   // only inside of one of them; left out: at any time
	Freezes   []Freeze `json:"freezes,omitempty"`   // never inside of any of them
	MinBudget int      `json:"minBudget,omitempty"` // percent of the error budget that every SLO of the service has to have left; default 0: it is not asked
	Approvals Consent  `json:"approvals,omitzero"`  // who has to agree before a person or a schedule breaks something here; the trial of a release is not asked
}

// Consent says how many people of which groups have to agree to an experiment first.
type Consent struct {
	Required int      `json:"required,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	ValidFor Duration `json:"validFor,omitempty"` // so long an approval counts, at most 30 days; default 7 days
}

// Freeze is a time in which nothing is broken on purpose.
type Freeze struct {
	From   time.Time `json:"from"`  // "2026-11-27T00:00:00+08:00"
	Until  time.Time `json:"until"` // not included
	Reason string    `json:"reason,omitempty"`
}

// Limits bound a fault before anything breaks.
type Limits struct {
	MaxTargets  int      `json:"maxTargets,omitempty"`  // default 1
	MaxPercent  int      `json:"maxPercent,omitempty"`  // of the matching pods; default 50
	MaxDuration Duration `json:"maxDuration,omitempty"` // default 5m
	MinReady    int      `json:"minReady,omitempty"`    // pods ready before; default 2
}

// ScheduleSpec runs an experiment by itself.
type ScheduleSpec struct {
	Cron         string `json:"cron"` // five fields, or six with seconds first, or "@every 1h"
	TimeZone     string `json:"timeZone,omitempty"`
	Environments []Env  `json:"environments"`
	// Each run begins up to so much later, always the same for the same time.
	Jitter           Duration `json:"jitter,omitempty"`
	Missed           string   `json:"missed,omitempty"`           // a time that passed while nobody could start it: "runOnce" (default) or "skip"
	StartingDeadline Duration `json:"startingDeadline,omitempty"` // so late a run may begin and no later; left out: however late
}

// What becomes of the times of a schedule that were missed.
const (
	MissedRunOnce = "runOnce" // the latest of them is made up for
	MissedSkip    = "skip"    // none is
)

// Pipeline is .seatrial.yaml in an application's repo.
type Pipeline struct {
	Meta Meta         `json:"metadata"`
	Spec PipelineSpec `json:"spec"`
}

// PipelineSpec says what to build and where to deploy.
type PipelineSpec struct {
	On     Triggers   `json:"on,omitzero"`
	Build  BuildSpec  `json:"build"`
	Deploy DeploySpec `json:"deploy"`
}

// Triggers say which pushes start a release, and whether pull requests are built.
type Triggers struct {
	Push        PushTrigger  `json:"push,omitzero"`
	PullRequest *PullTrigger `json:"pullRequest,omitempty"` // left out: pull requests start nothing
}

// PushTrigger selects pushes.
type PushTrigger struct {
	Branches []string `json:"branches,omitempty"` // default: main
	Paths    []string `json:"paths,omitempty"`    // globs; default: everything
}

// PullTrigger selects pull requests.
type PullTrigger struct {
	Branches []string `json:"branches,omitempty"` // that they are to be merged into; default: any
}

// BuildSpec says how the image is made.
type BuildSpec struct {
	Context    string            `json:"context,omitempty"`    // default "."
	Dockerfile string            `json:"dockerfile,omitempty"` // default "Dockerfile"; without one the build is planned
	Plan       *BuildPlan        `json:"plan,omitempty"`       // plan the build, whether there is a Dockerfile or not
	Target     string            `json:"target,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
	Platforms  []string          `json:"platforms,omitempty"` // default linux/amd64
	Secrets    []BuildSecret     `json:"secrets,omitempty"`
	Contexts   map[string]string `json:"contexts,omitempty"` // by name: a folder of the repo, or docker-image://NAME@sha256:DIGEST
	Checks     []BuildCheck      `json:"checks,omitempty"`
	Timeout    Duration          `json:"timeout,omitempty"` // default 30m
}

// BuildPlan is what to take in a build without a Dockerfile instead of what the files
// say. Everything may be left out.
type BuildPlan struct {
	Language       string   `json:"language,omitempty"`       // go, node, python or static
	Version        string   `json:"version,omitempty"`        // of the language, as its image's tag has it: "1.26"
	Main           string   `json:"main,omitempty"`           // the package with main, or the file to run: ./cmd/web, server.js
	PackageManager string   `json:"packageManager,omitempty"` // npm, pnpm, yarn, pip, uv or poetry
	Build          string   `json:"build,omitempty"`          // shell command instead of the build script
	Output         string   `json:"output,omitempty"`         // folder that holds the site, for static
	Command        []string `json:"command,omitempty"`        // what the image runs
	Builder        string   `json:"builder,omitempty"`        // image to build in
	Base           string   `json:"base,omitempty"`           // image to run on
}

// BuildSecret is a secret that steps of the Dockerfile may mount: RUN
// --mount=type=secret,id=npmrc.
type BuildSecret struct {
	ID   string `json:"id"`   // "npmrc", as the step says
	Name string `json:"name"` // "npm-token", one of the project's secrets
}

// BuildCheck is a target of the Dockerfile, or a stage of the plan, that has to succeed.
type BuildCheck struct {
	Name   string              `json:"name"`
	Target string              `json:"target"`
	Matrix map[string][]string `json:"matrix,omitempty"` // values of build arguments: it runs with each combination
}

// DeploySpec says which manifests go where.
type DeploySpec struct {
	Manifests    string `json:"manifests"` // folder; <folder>/<env> or <folder>/overlays/<env> is preferred where it exists
	Environments []Env  `json:"environments"`

	Strategy *Strategy `json:"strategy,omitempty"` // how it replaces the release before it inside a cluster; default: rolling
}
