package release

// SLOGate is how a wave's SLOs are judged.
type SLOGate struct {
	Observe   Duration `json:"observe,omitempty"`   // how long to measure once healthy; default 30s
	Settle    Duration `json:"settle,omitempty"`    // what to leave out after healthy; default 5s
	MinEvents int      `json:"minEvents,omitempty"` // default 100
	MaxWait   Duration `json:"maxWait,omitempty"`   // for enough events; then NoData says what; default 5m

	Confidence float64 `json:"confidence,omitempty"` // 0.95: a pass needs so many events that the objective is missed with a chance of at most 5 %; 0: the share of good events decides

	MinSamples int      `json:"minSamples,omitempty"` // equal pieces of the window that need events of their own; default 1
	MaxAge     Duration `json:"maxAge,omitempty"`     // of the newest data that a pass rests on; default 3m
	NoData     string   `json:"noData,omitempty"`     // once maxWait is over: "inconclusive" (default) or "refuse"
	NotANumber string   `json:"notANumber,omitempty"` // NaN and infinity: "noData" (default), "drop" or "refuse"
	MaxErrors  int      `json:"maxErrors,omitempty"`  // that Prometheus could not be asked, in a row; then Inconclusive; default 20

	Compare  Comparison    `json:"compare,omitzero"`
	Analysis []AnalysisUse `json:"analysis,omitempty"` // Argo Rollouts' AnalysisTemplates of the platform repo, judged beside the SLOs
}

// AnalysisUse is one AnalysisTemplate with its arguments.
type AnalysisUse struct {
	Template string            `json:"template"`
	Args     map[string]string `json:"args,omitempty"` // {{.Service}}, {{.Team}}, {{.Name}}, {{.Env}} and {{.Cluster}} are filled in
}

// What missing data comes to, and what NaN and infinity are.
const (
	NoDataInconclusive = "inconclusive"
	NoDataRefuse       = "refuse"

	NotANumberNoData = "noData"
	NotANumberDrop   = "drop"
	NotANumberRefuse = "refuse"
)

// Comparison is what a release is compared by with the last verified one, each measured
// at the same age on the same cluster.
type Comparison struct {
	Metrics    []MetricSpec `json:"metrics,omitempty"`
	AllowWorse int          `json:"allowWorse,omitempty"` // metrics that may be worse, critical ones left out; default 0
}

// MetricSpec is one number over time.
type MetricSpec struct {
	Name      string  `json:"name"`
	Query     string  `json:"query"`               // PromQL of one number; {{.Cluster}}, {{.Service}}, {{.Team}}, {{.Name}} and {{.Env}} are filled in
	Worse     string  `json:"worse,omitempty"`     // "higher" (default), "lower" or "either"
	Critical  bool    `json:"critical,omitempty"`  // it alone refuses, and what nobody can tell of it holds
	Tolerance float64 `json:"tolerance,omitempty"` // share of the earlier median that a change may have
}

// Which change of a metric is bad.
const (
	WorseHigher = "higher"
	WorseLower  = "lower"
	WorseEither = "either"
)

// TrialSpec is the sea trial of an environment.
type TrialSpec struct {
	Experiments []string    `json:"experiments,omitempty"`
	Observe     Duration    `json:"observe,omitempty"` // how long to measure under each fault; default 60s
	Compare     CompareSpec `json:"compare,omitzero"`
	After       string      `json:"after,omitempty"` // the wave that it comes after; default: all
}

// CompareSpec says what becomes of a release that keeps its objectives under a fault, and
// is worse than the last verified release was under the same.
type CompareSpec struct {
	Worse     string  `json:"worse,omitempty"`     // "refuse" (default), "hold" or "tell"
	Tolerance float64 `json:"tolerance,omitempty"` // share of the error budget that it may lose more; default 0.5
}

// What becomes of a release that is worse under a fault than the one before.
const (
	WorseRefuse = "refuse"
	WorseHold   = "hold"
	WorseTell   = "tell"
)
