package platform

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

func seconds(n int) release.Duration { return release.Duration(time.Duration(n) * time.Second) }

func (c *checker) environment(v *release.Environment) {
	s := &v.Spec
	c.name(v.Meta.Name, "metadata", "name")
	c.desiredState(s.DesiredState)
	c.atLeast(0, s.Approvals.Required, "spec", "approvals", "required")
	for i, w := range s.Windows {
		c.window(w, "spec", "windows", i)
	}
	c.Once(s.Policies, "spec", "policies")
	c.atLeast(1, len(s.Waves), "spec", "waves")
	names := make([]string, len(s.Waves))
	for i, w := range s.Waves {
		names[i] = w.Name
		c.wave(w, "spec", "waves", i)
	}
	c.Once(names, "spec", "waves")
	c.sloGate(&s.SLO)
	c.Once(s.Trial.Experiments, "spec", "trial", "experiments")
	setDefault(&s.Trial.Observe, seconds(60))
	c.duration(s.Trial.Observe, "spec", "trial", "observe")
	if i := slices.Index(names, s.Trial.After); s.Trial.After != "" && (i < 0 || i+1 == len(names)) {
		c.Add(fmt.Sprintf("want a wave that another follows, got %q; left out, the trial comes after all of them", s.Trial.After), "spec", "trial", "after")
	}
	setDefault(&s.Trial.Compare.Worse, release.WorseRefuse)
	c.OneOf("choice", s.Trial.Compare.Worse, []string{release.WorseRefuse, release.WorseHold, release.WorseTell}, "spec", "trial", "compare", "worse")
	setDefault(&s.Trial.Compare.Tolerance, 0.5)
	if t := s.Trial.Compare.Tolerance; !(t > 0 && t <= 1) {
		c.Add(fmt.Sprintf("want a share of the error budget, above 0 and up to 1, got %v", t), "spec", "trial", "compare", "tolerance")
	}
	setDefault(&s.Prune.MaxDelete, 10)
	c.atLeast(0, s.Prune.MaxDelete, "spec", "prune", "maxDelete")
	setDefault(&s.SyncTimeout, seconds(5*60))
	c.duration(s.SyncTimeout, "spec", "syncTimeout")
	setDefault(&s.Sync.Namespaces, release.NamespacesCreate)
	c.OneOf("choice", s.Sync.Namespaces, []string{release.NamespacesCreate, release.NamespacesRequire}, "spec", "sync", "namespaces")
	setDefault(&s.OnFailure, release.FailureRollsBack)
	c.OneOf("choice", s.OnFailure, []string{release.FailureRollsBack, release.FailureHolds}, "spec", "onFailure")
	setDefault(&s.OnUnmatch, "leave")
	c.OneOf("choice", s.OnUnmatch, []string{"leave", "withdraw"}, "spec", "onUnmatch")
	c.params(s.Params, "spec", "params")
	c.paramsFor(s)
	c.chaosRules(s.Chaos)
}

// paramsFor checks each entry as it is rendered: over the environment's params.
func (c *checker) paramsFor(s *release.EnvironmentSpec) {
	c.AtMost(maxVariants, len(s.ParamsFor), "spec", "paramsFor")
	var names []string
	for i, p := range s.ParamsFor {
		names = append(names, p.Name)
		c.name(p.Name, "spec", "paramsFor", i, "name")
		c.selector(p.Clusters, "spec", "paramsFor", i, "clusters")
		if len(p.Params) == 0 {
			c.Add("it changes nothing: give it params", "spec", "paramsFor", i)
		}
		c.params(p.Params, "spec", "paramsFor", i, "params")
		for name := range p.Params {
			if clash := holds(release.ParamsOf(*s, p), name); clash != "" && holds(p.Params, name) == "" {
				c.AddKey(fmt.Sprintf("%s is a value in the environment's params already, and cannot hold others", clash), "spec", "paramsFor", i, "params", name)
			}
		}
	}
	c.Once(names, "spec", "paramsFor")
}

// holds is the name of a value that another name would be inside of.
func holds(all map[string]string, name string) string {
	for i, r := range name {
		if _, both := all[name[:i]]; r == '.' && both {
			return name[:i]
		}
	}
	return ""
}

func (c *checker) chaosRules(r release.ChaosRules) {
	if r.MinBudget < 0 || r.MinBudget > 100 {
		c.Add(fmt.Sprintf("want 0 to 100 percent, got %d", r.MinBudget), "spec", "chaos", "minBudget")
	}
	for i, w := range r.Windows {
		c.window(w, "spec", "chaos", "windows", i)
	}
	for i, f := range r.Freezes {
		if !f.From.Before(f.Until) {
			c.Add("ends before it begins", "spec", "chaos", "freezes", i, "until")
		}
	}
	c.consent(r.Approvals)
}

func (c *checker) consent(a release.Consent) {
	c.atLeast(0, a.Required, "spec", "chaos", "approvals", "required")
	if a.Required == 0 && len(a.Groups) > 0 {
		c.Add("nobody of them is asked: say how many have to agree with required", "spec", "chaos", "approvals", "groups")
	}
	if d := a.ValidFor.Std(); d != 0 && (d < time.Minute || d > maxConsent) {
		c.Add(fmt.Sprintf("want 1m to 720h, got %v", d), "spec", "chaos", "approvals", "validFor")
	}
}

const maxConsent = 30 * 24 * time.Hour

const (
	maxParams     = 100
	maxParamBytes = 4096
	maxVariants   = 20
)

var (
	param       = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$`)
	paramSecret = regexp.MustCompile(`(?i)(password|passwd|passphrase|token|api[_-]?key|private[_-]?key)s?$`)
)

// params refuses what would end up in git and should not, and names that cannot all be
// values: of a and a.b, one would take the other's place.
func (c *checker) params(all map[string]string, path ...any) {
	c.AtMost(maxParams, len(all), path...)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		at := append(slices.Clone(path), name)
		switch {
		case len(name) > 128 || !param.MatchString(name):
			c.AddKey("want letters, digits, dashes and underscores, with dots between names: ingress.host", at...)
		case strings.HasPrefix(name, "seatrial.") || strings.HasPrefix(name, "global.seatrial."):
			c.AddKey("names that begin with seatrial. are the platform's own", at...)
		case paramSecret.MatchString(name):
			c.AddKey("looks like a secret: params are rendered into git; keep it in a Secret on the clusters", at...)
		case len(all[name]) > maxParamBytes:
			c.Add(fmt.Sprintf("want at most %d bytes", maxParamBytes), at...)
		}
		if clash := holds(all, name); clash != "" {
			c.AddKey(fmt.Sprintf("%s is a value already, and cannot hold others", clash), at...)
		}
	}
}

func (c *checker) desiredState(d release.DesiredState) {
	switch {
	case d.Repo == "" || !repo.MatchString(d.Repo) && !repoURL.MatchString(d.Repo):
		c.Add(fmt.Sprintf("%q: want owner/name on the forge, or a URL", d.Repo), "spec", "desiredState", "repo")
	case repoURL.MatchString(d.Repo) && hasPassword(d.Repo):
		c.Add("has a password in it: credentials are a setting of the server", "spec", "desiredState", "repo")
	}
	if !branch.MatchString(d.Branch) {
		c.Add(fmt.Sprintf("%q: want the name of a branch", d.Branch), "spec", "desiredState", "branch")
	}
}

func (c *checker) window(w release.Window, path ...any) {
	m := window.FindStringSubmatch(w.Allow)
	if m == nil || m[1] == m[2] {
		c.Add(fmt.Sprintf(`%q: want days and hours like "Mon-Fri 09:00-18:00" or "22:00-06:00"`, w.Allow), append(path, "allow")...)
	}
	c.zone(w.TimeZone, append(path, "timeZone")...)
}

func (c *checker) wave(w release.WaveSpec, path ...any) {
	c.name(w.Name, append(path, "name")...)
	c.selector(w.Clusters, append(path, "clusters")...)
	if m := w.MaxUnavailable; m != "" && !percent.MatchString(m) && !count.MatchString(m) {
		c.Add(fmt.Sprintf(`%q: want a share like "25%%" or a number of clusters like "2"`, m), append(path, "maxUnavailable")...)
	}
	c.atLeast(0, w.FailureBudget, append(path, "failureBudget")...)
	c.duration(w.PauseAfter, append(path, "pauseAfter")...)
	c.pattern(label, "the name of a label, such as region or example.com/region", w.PartitionBy, append(path, "partitionBy")...)
}

// comparison checks what is compared with the last verified release.
func (c *checker) comparison(m *release.Comparison) {
	c.AtMost(maxMetrics, len(m.Metrics), "spec", "slo", "compare", "metrics")
	c.atLeast(0, m.AllowWorse, "spec", "slo", "compare", "allowWorse")
	var names []string
	for i := range m.Metrics {
		one, at := &m.Metrics[i], []any{"spec", "slo", "compare", "metrics", i}
		names = append(names, one.Name)
		c.name(one.Name, append(at, "name")...)
		if strings.TrimSpace(one.Query) == "" {
			c.Add("it asks for nothing: give it a query of one number", append(at, "query")...)
		}
		setDefault(&one.Worse, release.WorseHigher)
		c.OneOf("direction", one.Worse, []string{release.WorseHigher, release.WorseLower, release.WorseEither}, append(at, "worse")...)
		if !(one.Tolerance >= 0) || math.IsInf(one.Tolerance, 0) {
			c.Add(fmt.Sprintf("want a share of 0 or more, got %v", one.Tolerance), append(at, "tolerance")...)
		}
	}
	c.Once(names, "spec", "slo", "compare", "metrics")
}

const (
	maxMetrics    = 20 // compared in one environment
	leastCompared = 50 * time.Second
)

func (c *checker) sloGate(g *release.SLOGate) {
	c.atLeast(0, g.MinEvents, "spec", "slo", "minEvents")
	if !(g.Confidence == 0 || g.Confidence >= 0.5 && g.Confidence < 1) {
		c.Add(fmt.Sprintf("%v: want 0.5 or more and less than 1, such as 0.95", g.Confidence), "spec", "slo", "confidence")
	}
	c.duration(g.Observe, "spec", "slo", "observe")
	c.duration(g.Settle, "spec", "slo", "settle")
	c.duration(g.MaxWait, "spec", "slo", "maxWait")
	c.atLeast(0, g.MinSamples, "spec", "slo", "minSamples")
	c.AtMost(maxAnalyses, len(g.Analysis), "spec", "slo", "analysis")
	c.atLeast(0, g.MaxErrors, "spec", "slo", "maxErrors")
	c.duration(g.MaxAge, "spec", "slo", "maxAge")
	setDefault(&g.NoData, release.NoDataInconclusive)
	setDefault(&g.NotANumber, release.NotANumberNoData)
	c.OneOf("way to treat missing data", g.NoData, []string{release.NoDataInconclusive, release.NoDataRefuse}, "spec", "slo", "noData")
	c.OneOf("way to treat NaN", g.NotANumber, []string{release.NotANumberNoData, release.NotANumberDrop, release.NotANumberRefuse}, "spec", "slo", "notANumber")
	setDefault(&g.Observe, seconds(30))
	setDefault(&g.Settle, seconds(5))
	if c.comparison(&g.Compare); len(g.Compare.Metrics) > 0 && g.Observe.Std() < leastCompared {
		c.Add(fmt.Sprintf("want %s or more to compare metrics: 50 samples, a second apart, got %s", leastCompared, g.Observe.Std()), "spec", "slo", "observe")
	}
	setDefault(&g.MinEvents, 100)
	setDefault(&g.MaxWait, seconds(5*60))
	setDefault(&g.MinSamples, 1)
	setDefault(&g.MaxAge, seconds(3*60))
	setDefault(&g.MaxErrors, 20)
	if g.MinSamples > maxPieces {
		c.Add(fmt.Sprintf("%d: at most %d", g.MinSamples, maxPieces), "spec", "slo", "minSamples")
	}
	if shortest := time.Duration(g.MinSamples) * minPiece; g.MinSamples > 1 && g.Observe.Std() < shortest {
		c.Add(fmt.Sprintf("%d: a piece of the window is at least %s long, so observe has to be %s or more", g.MinSamples, minPiece, shortest), "spec", "slo", "minSamples")
	}
}

// A piece of an SLO's window: a counter has to be scraped twice in it, and every one is
// kept as evidence.
const (
	minPiece    = 10 * time.Second
	maxPieces   = 60
	maxAnalyses = 20 // of an environment
)
