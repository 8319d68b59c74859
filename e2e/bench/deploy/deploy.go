// Package deploy measures how fast desired state gets from git to clusters, and what that
// costs: many services on one control plane beside a bare loop that applies the same
// objects, one of very many, a full reconcile, drift, and many control planes.
//
// Start at Run. What is measured is package subject in a process of its own. The clusters
// are real control planes without nodes, in a lab of the bench's own. It never counts what
// the API servers do not show in the end, and never touches another lab.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/deploy/subject"
	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/release"
)

// Config says how much.
type Config struct {
	Bin      string // folder of the binary lab
	Dir      string // of everything that is kept while measuring
	Runs     int    // of each side of a ratio
	Services int    // of the ratio
	Curve    []int  // services, each once
	Fleets   []int  // control planes, each number once; two of the last are dead
	Edits    int    // by hand, healed
	Pictures string // folder of docs for the curve; empty: none is written
	Profiles string // address of the subject's pprof; empty: none
}

const (
	wantRatio  = 1.6
	wantCPU    = 2   // s of a processor
	wantPeak   = 220 // MiB
	wantOne    = 3   // s
	wantHealed = 2   // s, p95
	wantAway   = 15  // s until a dead cluster is in quarantine
	waveSize   = 10
	perFleet   = 20 // services
	alone      = "bench-one"
)

// bench is one run of everything.
type bench struct {
	Config
	dir    string
	repo   *repo
	planes *planes
	say    io.Writer
	runs   int // of subjects
	gen    int // of what is in git
}

// Run measures.
func Run(ctx context.Context, c Config, say io.Writer) (report figure.Report, err error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return report, err
	}
	b := &bench{Config: c, say: say}
	if b.dir, err = os.MkdirTemp(c.Dir, "deploy-"); err != nil {
		return report, err
	}
	lab, err := filepath.Abs(filepath.Join(c.Bin, "lab"))
	if err != nil {
		return report, err
	}
	b.planes = &planes{lab: lab, root: filepath.Join(b.dir, "lab"), credentials: filepath.Join(b.dir, "credentials")}
	defer func() {
		if err = errors.Join(err, b.planes.down(ctx)); err == nil {
			err = os.RemoveAll(b.dir)
		}
	}()
	return b.all(ctx)
}

func (b *bench) all(ctx context.Context) (figure.Report, error) {
	report := figure.Report{Name: "deploy", Notes: notes(b.Config)}
	ratio, sides, err := b.ratio(ctx)
	if err != nil {
		return report, err
	}
	curve, err := b.curve(ctx, sides)
	if err != nil {
		return report, err
	}
	fleet, err := b.fleets(ctx)
	if err != nil {
		return report, err
	}
	report.Figures = append(append(ratio, curve...), fleet...)
	return report, nil
}

func (b *bench) tell(format string, args ...any) {
	fmt.Fprintf(b.say, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// fresh gives a new repo and one new control plane: every side of every run begins so.
func (b *bench) fresh(ctx context.Context) error {
	if len(b.planes.names) > 0 {
		if err := b.planes.down(ctx); err != nil {
			return err
		}
	}
	return b.planes.up(ctx, alone)
}

// anew makes an empty desired-state repo.
func (b *bench) anew(ctx context.Context) (err error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("git-%d", b.runs))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	b.repo, err = openRepo(ctx, dir)
	return err
}

// limit is what the bare loop takes, and how long it is until the controllers have seen
// what it applied.
func (b *bench) limit(ctx context.Context, services int) (applied, seen float64, err error) {
	if err := b.fresh(ctx); err != nil {
		return 0, 0, err
	}
	c, err := b.planes.open(alone)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	took, err := bareLoop(ctx, c, services, 1)
	if err == nil {
		err = observed(ctx, c, services)
	}
	applied, seen = took.Seconds(), time.Since(began).Seconds()
	b.tell("the bare loop applied %d objects in %.2f s, observed after %.2f s", len(kinds)*services, applied, seen)
	return applied, seen, err
}

// took is one push, from before it until all of it is observed.
type took struct {
	seconds float64
	cpu     float64 // s of the subject
}

// change commits a new generation of some services, and times its push and what follows.
func (b *bench) change(ctx context.Context, s *child, services []int) (took, error) {
	b.gen++
	if err := b.repo.commit(ctx, services, b.gen); err != nil {
		return took{}, err
	}
	began := time.Now()
	if err := b.repo.push(ctx); err != nil {
		return took{}, err
	}
	a, err := s.do(subject.Follow)
	t := took{time.Since(began).Seconds(), a.CPU.Seconds()}
	if err == nil && a.Releases != len(services) {
		err = fmt.Errorf("%d services were pushed and %d releases made", len(services), a.Releases)
	}
	if err != nil {
		return t, err
	}
	return t, b.shown(ctx, len(services))
}

// shown asks every control plane whether it has what was pushed.
func (b *bench) shown(ctx context.Context, services int) error {
	for _, n := range b.planes.names {
		c, err := b.planes.open(n)
		if err != nil {
			return err
		}
		got, err := shows(ctx, c, b.gen)
		if err == nil && got != len(kinds)*services {
			err = fmt.Errorf("%s has %d objects of generation %d, not %d", n, got, b.gen, len(kinds)*services)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var oneWave = []release.WaveSpec{{Name: "all", Clusters: release.Selector{MatchLabels: map[string]string{"bench": "yes"}}}}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// on runs a subject on a fresh control plane with services on it.
func (b *bench) on(ctx context.Context, services int, do func(*child, took) error) (err error) {
	if err := errors.Join(b.fresh(ctx), b.anew(ctx)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.repo.close()) }()
	s, err := b.start(ctx, oneWave)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	first, err := b.change(ctx, s, upTo(services))
	if err != nil {
		return err
	}
	b.tell("first sync of %d services: %.2f s, %.2f s of a processor", services, first.seconds, first.cpu)
	return do(s, first)
}
