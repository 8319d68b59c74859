// Package road measures the platform's own time on the way of a release, and how soon a
// refused one is off the clusters again.
//
// Start at Run. It never counts as its own what a release waits for on purpose, and the
// report says exactly what that is.
package road

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/e2e/bench/stage"
	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// Config says how often.
type Config struct {
	Stage    stage.Config
	Releases int // whole ones, each of which passes staging and prod
	Returns  int // refused ones
}

const (
	wantOwn    = 2  // s, per environment
	wantReturn = 10 // s
	rps        = 40
)

// The windows of the example platform, which the demo uses as well, and short ones.
var (
	usual = windows{settle: 8 * time.Second, observe: 15 * time.Second, trial: 15 * time.Second}
	short = windows{settle: time.Second, observe: 4 * time.Second}
)

// fleet is an environment of all three clusters in one wave, so that a roll back has
// three targets to return.
const fleet = `apiVersion: seatrial.dev/v1
kind: Environment
metadata: {name: fleet}
spec:
  desiredState: {repo: platform/desired-state, branch: env/fleet}
  policies: [signed-images, no-bare-pods, pod-security-restricted, resources]
  waves:
    - {name: all, clusters: {matchLabels: {lab: "yes"}}}
  slo: {observe: 4s, settle: 1s, minEvents: 60, maxWait: 2m}
  prune: {maxDelete: 10}
  syncTimeout: 2m
`

func edit(file, text string) string {
	switch file {
	case "clusters/lab.yaml":
		return strings.ReplaceAll(text, "labels: {", `labels: {lab: "yes", `)
	case "projects/shop.yaml":
		return strings.Replace(text, "[staging, prod]", "[staging, prod, fleet]", 1)
	}
	return text
}

// course is one service on the stage with its pods watched.
type course struct {
	stage   *stage.Stage
	service *rig.Service
	pods    *pods
	say     io.Writer
}

// Run releases good and broken commits in turn on the fleet, then good ones on the usual
// road.
func Run(ctx context.Context, c Config, say io.Writer) (report figure.Report, err error) {
	s, err := stage.Open(ctx, c.Stage, edit, map[string]string{"environments/fleet.yaml": fleet})
	if err != nil {
		return figure.Report{}, err
	}
	defer func() { err = s.Close(ctx, err) }()
	own := owned{map[release.Env][]float64{}, map[release.Env][]float64{}, map[release.Env]map[string][]float64{}}
	back, err := returns(ctx, s, c.Returns, own, say)
	if err != nil {
		return figure.Report{}, err
	}
	if err := whole(ctx, s, c.Releases, own, say); err != nil {
		return figure.Report{}, err
	}
	floor, err := pushes(ctx, s)
	if err != nil {
		return figure.Report{}, err
	}
	report = figure.Report{Name: "road", Notes: notes(own, back)}
	report.Figures = append(own.figures(floor), back.figures()...)
	return report, nil
}

func begin(ctx context.Context, s *stage.Stage, name release.Service, say io.Writer) (*course, error) {
	service, err := s.Service(ctx, name, rps)
	if err != nil {
		return nil, err
	}
	var clusters []string
	for _, one := range s.Rig.Lab.Clusters {
		clusters = append(clusters, one.Name)
	}
	watched, err := watchPods(ctx, s.Lab, service.Namespace(), name.Name(), clusters)
	return &course{s, service, watched, say}, err
}

// end stops what the service costs the machine; Stage.Close removes the rest.
func (c *course) end(ctx context.Context) error {
	c.pods.stop()
	return c.stage.LabDo(ctx, "load", "remove", string(c.service.Name))
}

// release pushes what is in the checkout and follows it to its end.
func (c *course) release(ctx context.Context, message string) (release.Release, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	id, err := c.service.Push(ctx, message)
	if err != nil {
		return release.Release{}, err
	}
	var r release.Release
	err = rig.WaitFor(ctx, "release "+string(id), time.Second, func() (bool, error) {
		r, err = c.stage.API.Release(ctx, id)
		if err != nil {
			return false, err
		}
		return r.Phase.Final(), fmt.Errorf("it is %s in %s: %s", r.Phase, r.Env(), r.Reason)
	})
	return r, err
}

// expect is release with the end that it has to have.
func (c *course) expect(ctx context.Context, message string, want release.Phase) (release.Release, error) {
	r, err := c.release(ctx, message)
	if err == nil && r.Phase != want {
		err = fmt.Errorf("%s ended %s in %s, not %s: %s", r.ID, r.Phase, r.Env(), want, r.Reason)
	}
	return r, err
}

// owned are the times of whole releases, in seconds by environment.
type owned struct {
	byHealthy map[release.Env][]float64 // pods start until the server says Healthy
	byReady   map[release.Env][]float64 // pods start until kubectl sees them Ready
	parts     map[release.Env]map[string][]float64
}

// whole releases on the usual road, staging and then prod.
func whole(ctx context.Context, s *stage.Stage, n int, o owned, say io.Writer) error {
	c, err := begin(ctx, s, "benchroad/web", say)
	if err != nil {
		return err
	}
	defer c.pods.stop()
	for i := range n + 1 {
		if err := stage.Mark(c.service, fmt.Sprintf("rope number %d", i)); err != nil {
			return err
		}
		r, err := c.expect(ctx, fmt.Sprintf("rope number %d", i), release.Done)
		if err != nil {
			return err
		}
		if i > 0 { // the first makes branches, namespaces and caches
			o.add(r, usual, c.pods, say)
		}
	}
	return c.end(ctx)
}

func (o owned) add(r release.Release, set windows, watched *pods, say io.Writer) {
	for _, p := range passages(r) {
		w := set
		if p.stage.Trial == nil {
			w.trial = 0
		}
		within := span{p.parts[0].from, p.parts[len(p.parts)-1].to}
		seen := func(cluster string) (time.Time, bool) {
			return watched.lastReady(cluster, r.Artifact.Reference(), within)
		}
		healthy, _ := p.own(p.excluded(w, func(string) (time.Time, bool) { return time.Time{}, false }))
		strict, parts := p.own(p.excluded(w, seen))
		o.byHealthy[p.env] = append(o.byHealthy[p.env], healthy.Seconds())
		o.byReady[p.env] = append(o.byReady[p.env], strict.Seconds())
		if o.parts[p.env] == nil {
			o.parts[p.env] = map[string][]float64{}
		}
		for _, name := range partNames {
			o.parts[p.env][name] = append(o.parts[p.env][name], parts[name].Seconds())
		}
		fmt.Fprintf(say, "%s in %s: own time %.2f s until Healthy, %.2f s until Ready; %v\n", r.ID, p.env, healthy.Seconds(), strict.Seconds(), parts)
	}
}

var partNames = []string{"Approving", "sync", "health", "slo", "Trial", "Verified"}

func (o owned) figures(floor float64) []figure.Figure {
	var all []figure.Figure
	for _, env := range []release.Env{"staging", "prod", "fleet"} {
		all = append(all,
			figure.Of(fmt.Sprintf("own time in %s, pod start until Ready", env), figure.Median(o.byReady[env]), "s").AtMost(wantOwn),
			figure.Of(fmt.Sprintf("own time in %s, pod start until Healthy", env), figure.Median(o.byHealthy[env]), "s").AtMost(wantOwn))
		for _, name := range partNames {
			f := figure.Of(fmt.Sprintf("  of which %s", name), figure.Median(o.parts[env][name]), "s")
			if name == release.StepSync.String() {
				f = f.To("one git push to this forge", floor)
			}
			all = append(all, f)
		}
	}
	return all
}

// pushes is how long the git command line takes to push one empty commit to this forge,
// which is what a sync does before it applies anything, and what no platform can save.
func pushes(ctx context.Context, s *stage.Stage) (float64, error) {
	repo, err := s.Forge.Clone(ctx, "benchroad/web", filepath.Join(s.Dir, "checkouts", "floor"))
	if err != nil {
		return 0, err
	}
	var took []float64
	for i := range 6 {
		if _, err := repo.Git(ctx, "-c", "user.name=bench", "-c", "user.email=bench@shop.example", "commit", "-q", "--allow-empty", "-m", "nothing"); err != nil {
			return 0, err
		}
		began := time.Now()
		if _, err := repo.Git(ctx, "push", "-q", "origin", "HEAD:refs/heads/nothing"); err != nil {
			return 0, err
		}
		if i > 0 { // the first makes the branch
			took = append(took, time.Since(began).Seconds())
		}
	}
	return figure.Median(took), nil
}

// returned are the times of roll backs, in seconds.
type returned struct{ server, ready []float64 }

const brokenPrice = "package main\n\nimport \"errors\"\n\nfunc price(string, int) (string, error) { return \"\", errors.New(\"no price %d\") }\n"

// returns are good and broken releases on the fleet in turn.
func returns(ctx context.Context, s *stage.Stage, n int, o owned, say io.Writer) (returned, error) {
	var back returned
	c, err := begin(ctx, s, "benchback/web", say)
	if err != nil {
		return back, err
	}
	defer c.pods.stop()
	for i := range n {
		if err := c.write(fmt.Sprintf("rope number %d", i), nil); err != nil {
			return back, err
		}
		good, err := c.expect(ctx, fmt.Sprintf("rope number %d", i), release.Done)
		if err != nil {
			return back, err
		}
		if i > 0 {
			o.add(good, short, c.pods, say)
		}
		broken := map[string]string{"price.go": fmt.Sprintf(brokenPrice, i), "price_test.go": "package main\n"}
		if err := c.write("a broken rope", broken); err != nil {
			return back, err
		}
		bad, err := c.expect(ctx, fmt.Sprintf("broken rope number %d", i), release.RolledBack)
		if err != nil {
			return back, err
		}
		back.add(good, bad, c.pods, say)
	}
	return back, c.end(ctx)
}

// write puts the example, a mark and other files into the checkout, for the fleet only.
func (c *course) write(text string, files map[string]string) error {
	if err := c.service.Restore(); err != nil {
		return err
	}
	pipeline, err := c.service.Read(".seatrial.yaml")
	if err != nil {
		return err
	}
	overlay, err := c.service.Read("deploy/overlays/staging/kustomization.yaml")
	if err != nil {
		return err
	}
	all := map[string]string{".seatrial.yaml": strings.Replace(pipeline, "[staging, prod]", "[fleet]", 1), "deploy/overlays/fleet/kustomization.yaml": overlay}
	maps.Copy(all, files)
	for name, text := range all {
		if err := c.service.Repo().Write(name, text); err != nil {
			return err
		}
	}
	return stage.Mark(c.service, text)
}

func (b *returned) add(good, bad release.Release, watched *pods, say io.Writer) {
	s := bad.Stages[0]
	took := s.Returned.Sub(s.Refused).Seconds()
	b.server = append(b.server, took)
	var last time.Time
	seen := 0
	for _, w := range s.Waves {
		for _, t := range w.Targets {
			if at, ok := watched.lastReady(t.Cluster, good.Artifact.Reference(), span{s.Refused, s.Returned.Add(time.Second)}); ok {
				last, seen = later(last, at), seen+1
			}
		}
	}
	if seen > 0 {
		b.ready = append(b.ready, last.Sub(s.Refused).Seconds())
	}
	fmt.Fprintf(say, "%s: refused to returned %.2f s, to the last pod Ready %.2f s on %d clusters\n", bad.ID, took, last.Sub(s.Refused).Seconds(), seen)
}

func (b returned) figures() []figure.Figure {
	return []figure.Figure{
		figure.Of("refused to returned, three targets", figure.Median(b.server), "s").AtMost(wantReturn),
		figure.Of("refused to the last verified pods Ready, as kubectl saw it", figure.Median(b.ready), "s").AtMost(wantReturn),
		figure.Of("refused to returned, the longest", figure.Percentile(b.server, 1), "s"),
	}
}

func notes(o owned, b returned) []string {
	return []string{
		fmt.Sprintf("Own time: medians of %d releases of a copy of examples/shop-web with the demo's settings (settle %s, observe %s, trial %s), after one that is not counted; in fleet, of the good ones below.",
			len(o.byReady["staging"]), usual.settle, usual.observe, usual.trial),
		"It is the time from the arrival in Approving to the end of Verified (the release's History) without the union of these spans:",
		"  pod start: per wave, from the last target's Synced to its last pod Ready as `kubectl --watch` saw it (or, in the second figure, to Healthy as the server saw it);",
		"  settle and observe: per wave, from the last target's Healthy on, as long as the environment says;",
		"  trial: from the fault's Injected on, as long as the environment says, or to Recovered when that is later.",
		"Everything else counts: commits and pushes to the desired-state branch, applying, noticing, queries, Chaos Mesh injecting and removing its fault, the 3 s that recovery has to last when they are not inside the window.",
		fmt.Sprintf("Roll backs: medians of %d; one wave of three clusters (environment fleet, settle %s, observe %s), good and broken commits in turn; the broken ones answer 500.",
			len(b.server), short.settle, short.observe),
		"Refused is when the release came to RollingBack, Returned when it came to RolledBack: every touched target synced to the last verified content and healthy.",
	}
}
