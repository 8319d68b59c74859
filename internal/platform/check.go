package platform

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

const (
	dayRange = `(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat)(?:-(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat))?`
	clock    = `(?:[01][0-9]|2[0-3]):[0-5][0-9]`
)

var (
	window       = regexp.MustCompile(`^\s*(?:` + dayRange + `(?:,` + dayRange + `)*\s+)?(` + clock + `)-(` + clock + `|24:00)\s*$`)
	percent      = regexp.MustCompile(`^([1-9][0-9]?|100)%$`)
	count        = regexp.MustCompile(`^[1-9][0-9]{0,5}$`)
	branch       = regexp.MustCompile(`^[A-Za-z0-9_][-A-Za-z0-9_.]*(/[A-Za-z0-9_][-A-Za-z0-9_.]*)*$`)
	repo         = regexp.MustCompile(`^[A-Za-z0-9_][-A-Za-z0-9_.]*/[A-Za-z0-9_][-A-Za-z0-9_.]*$`)
	repoURL      = regexp.MustCompile(`^(https?|ssh|file)://[^\s]+$`)
	account      = regexp.MustCompile(`^[A-Za-z0-9_][-A-Za-z0-9_.]{0,99}$`)
	registryHost = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?$`)
	chartFolder  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)
	registryUser = regexp.MustCompile(`^[^\s:]{1,255}$`)
	fileName     = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9_.]*$`)
	kindName     = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	label        = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	jiraProject  = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,19}$`)
	secretRef    = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9_]*$`)
)

// checker collects what is wrong with one object.
type checker struct{ strict.Issues }

func check[T any](l *loader, list []object[T], f func(*checker, *T)) {
	for _, o := range list {
		var c checker
		f(&c, o.T)
		l.report(o.doc, c.Issues...)
	}
}

// checkEach fills defaults in and checks every object by itself.
func (l *loader) checkEach() {
	check(l, l.clusters, (*checker).cluster)
	check(l, l.environments, (*checker).environment)
	check(l, l.projects, (*checker).project)
	check(l, l.channels, (*checker).channel)
	check(l, l.teams, (*checker).team)
	check(l, l.experiments, (*checker).experiment)
}

func (c *checker) name(s string, path ...any) {
	if !release.ValidName(s) {
		c.Add(fmt.Sprintf("%q: want lower-case letters, digits and dashes, at most 63", s), path...)
	}
}

func (c *checker) pattern(re *regexp.Regexp, want, s string, path ...any) {
	if s != "" && !re.MatchString(s) {
		c.Add(fmt.Sprintf("%q: want %s", s, want), path...)
	}
}

func (c *checker) atLeast(least, n int, path ...any) {
	if n < least {
		c.Add(fmt.Sprintf("want at least %d, got %d", least, n), path...)
	}
}

// duration refuses what would block a release for longer than a day.
func (c *checker) duration(d release.Duration, path ...any) {
	if d.Std() > 24*time.Hour {
		c.Add(fmt.Sprintf("want at most 24h, got %v", d.Std()), path...)
	}
}

func (c *checker) zone(name string, path ...any) {
	if _, err := time.LoadLocation(name); err != nil || name == "Local" {
		c.Add(fmt.Sprintf("unknown time zone %q: want an IANA name like Asia/Shanghai", name), path...)
	}
}

// selector refuses an empty one: it matches nothing, and nobody writes that on purpose.
func (c *checker) selector(s release.Selector, path ...any) {
	if len(s.MatchLabels) == 0 {
		c.Add("want at least one label: an empty selector matches nothing", append(path, "matchLabels")...)
	}
}

func (c *checker) cluster(v *release.Cluster) {
	c.name(v.Meta.Name, "metadata", "name")
	c.access(&v.Spec)
	if !v.Spec.Agent {
		setDefault(&v.Spec.Credentials, v.Meta.Name)
	}
	for key, value := range v.Meta.Labels {
		if key == "" || len(value) > 63 {
			c.Add("want a name and at most 63 characters", "metadata", "labels", key)
		}
	}
}

func (c *checker) project(v *release.Project) {
	c.name(v.Meta.Name, "metadata", "name")
	c.name(v.Spec.Team, "spec", "team")
	c.atLeast(1, len(v.Spec.Repos), "spec", "repos")
	for i, r := range v.Spec.Repos {
		c.pattern(repo, "owner/name on the forge", r, "spec", "repos", i)
	}
	c.atLeast(1, len(v.Spec.Namespaces), "spec", "namespaces")
	for i, n := range v.Spec.Namespaces {
		c.name(n, "spec", "namespaces", i)
	}
	for i, k := range v.Spec.ClusterScoped {
		c.pattern(kindName, "a kind like Namespace", k, "spec", "clusterScoped", i)
	}
	for i, s := range v.Spec.Secrets {
		c.pattern(secretRef, "a name of letters, digits, dashes and underscores, never the secret itself", s, "spec", "secrets", i)
	}
	c.Once(v.Spec.Secrets, "spec", "secrets")
	c.Once(v.Spec.Repos, "spec", "repos")
	c.Once(v.Spec.Namespaces, "spec", "namespaces")
	for i, f := range v.Spec.Charts {
		c.pattern(chartFolder, "HOST or HOST/FOLDER, without oci:// and without a tag", f, "spec", "charts", i)
	}
	c.Once(v.Spec.Charts, "spec", "charts")
	c.logins(v.Spec.Registries)
	c.pullRules(&v.Spec.PullRequests)
}

func (c *checker) logins(list []release.RegistryLogin) {
	var all []string
	for i, l := range list {
		for field, value := range map[string]string{"host": l.Host, "user": l.User, "secret": l.Secret} {
			if value == "" {
				c.Add("want a value", "spec", "registries", i, field)
			}
		}
		c.pattern(registryHost, "HOST or HOST:PORT", l.Host, "spec", "registries", i, "host")
		c.pattern(registryHost, "HOST or HOST:PORT", l.TokenHost, "spec", "registries", i, "tokenHost")
		c.pattern(registryUser, "a user without spaces and colons", l.User, "spec", "registries", i, "user")
		c.pattern(secretRef, "a name of letters, digits, dashes and underscores, never the secret itself", l.Secret, "spec", "registries", i, "secret")
		all = append(all, l.Host)
	}
	c.Once(all, "spec", "registries")
}

func (c *checker) pullRules(v *release.PullRules) {
	for i, who := range v.Trusted {
		if !account.MatchString(who) { // an empty one would trust whoever has no name
			c.Add(fmt.Sprintf("%q: want an account on the forge", who), "spec", "pullRequests", "trusted", i)
		}
	}
	c.Once(v.Trusted, "spec", "pullRequests", "trusted")
	setDefault(&v.Forks, release.ForksWait)
	setDefault(&v.Preview, release.PreviewComment)
	c.OneOf("choice", v.Preview, []string{release.PreviewComment, release.PreviewNone}, "spec", "pullRequests", "preview")
	c.OneOf("way with forks", v.Forks, []string{release.ForksWait, release.ForksRefuse}, "spec", "pullRequests", "forks")
}

func (c *checker) cron(s *release.ScheduleSpec) {
	// The library reads a zone out of the expression as well; two places would be one too many.
	if strings.Contains(s.Cron, "TZ=") {
		c.Add("write the time zone under timeZone", "spec", "schedule", "cron")
		return
	}
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	schedule, err := parser.Parse(s.Cron)
	if err != nil {
		c.Add(fmt.Sprintf("%q: want five fields, six with seconds first, or @every 1h: %v", s.Cron, err), "spec", "schedule", "cron")
		return
	}
	first := schedule.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if first.IsZero() {
		c.Add(fmt.Sprintf("%q never comes", s.Cron), "spec", "schedule", "cron")
		return
	}
	setDefault(&s.Missed, release.MissedRunOnce)
	c.OneOf("policy", s.Missed, []string{release.MissedRunOnce, release.MissedSkip}, "spec", "schedule", "missed")
	if s.StartingDeadline < 0 {
		c.Add(fmt.Sprintf("%s: want more than nothing", s.StartingDeadline.Std()), "spec", "schedule", "startingDeadline")
	}
	if between := schedule.Next(first).Sub(first); s.Jitter < 0 || s.Jitter.Std() >= between {
		c.Add(fmt.Sprintf("%s: want less than the %s between two runs", s.Jitter.Std(), between), "spec", "schedule", "jitter")
	}
}

func setDefault[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}
