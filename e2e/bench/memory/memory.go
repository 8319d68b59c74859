// Package memory measures how much memory the server has resident after a hundred
// releases on three clusters.
//
// Start at Run. It never looks into the server: the figures are the kernel's, from /proc.
package memory

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/e2e/bench/stage"
	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// Config says how much.
type Config struct {
	Stage    stage.Config
	Services int
	Rounds   int           // commits of each service
	Limit    time.Duration // no new round begins after it; 0: none
}

const (
	wantMiB = 200
	rps     = 4 // on each service and cluster: enough for an SLO, little for the machine
)

// edit makes the windows short and takes the trial out: memory, not time, is measured.
func edit(_, text string) string {
	return strings.NewReplacer("observe: 15s, settle: 8s, minEvents: 100", "observe: 2s, settle: 1s, minEvents: 4",
		"  trial: {experiments: [kill-one-pod], observe: 15s}\n", "").Replace(text)
}

// Run releases every service once a round and looks at the server after each round.
func Run(ctx context.Context, c Config, say io.Writer) (report figure.Report, err error) {
	s, err := stage.Open(ctx, c.Stage, edit, nil)
	if err != nil {
		return figure.Report{}, err
	}
	defer func() { err = s.Close(ctx, err) }()
	watch := watchChildren(ctx, s.PID())
	defer watch.stop()
	var seen []sample
	look := func(done int) error {
		m, err := read(s.PID())
		if err != nil {
			return err
		}
		seen = append(seen, sample{done, m})
		fmt.Fprintf(say, "%s  after %3d releases: VmRSS %.0f, RssAnon %.0f, RssFile %.0f, VmHWM %.0f MiB; largest child %.0f MiB\n",
			time.Now().Format(time.TimeOnly), done, m.rss, m.anon, m.file, m.peak, watch.largest())
		return nil
	}
	if err := look(0); err != nil {
		return figure.Report{}, err
	}
	began := time.Now()
	services, err := add(ctx, s, c.Services)
	if err != nil {
		return figure.Report{}, err
	}
	done, ended := 0, map[release.Phase]int{}
	for round := range c.Rounds {
		if c.Limit > 0 && time.Since(began) > c.Limit {
			fmt.Fprintf(say, "stopping after %d rounds: the limit of %s has passed\n", round, c.Limit)
			break
		}
		phases, err := releaseAll(ctx, s, services, round, say)
		if err != nil {
			return figure.Report{}, err
		}
		for _, p := range phases {
			ended[p]++
			done++
		}
		if err := look(done); err != nil {
			return figure.Report{}, err
		}
	}
	return summary(c, seen, ended, watch.largest(), time.Since(began)), nil
}

func add(ctx context.Context, s *stage.Stage, n int) ([]*rig.Service, error) {
	var all []*rig.Service
	for i := range n {
		one, err := s.Service(ctx, release.Service(fmt.Sprintf("bench%d/web", i)), rps, "amd64", "arm64", "ppc64le")
		if err == nil {
			err = onePod(one)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// onePod spares the machine: thirty pods start in a round, not ninety.
func onePod(s *rig.Service) error {
	const file = "deploy/base/deployment.yaml"
	text, err := s.Read(file)
	if err != nil {
		return err
	}
	return s.Repo().Write(file, strings.Replace(text, "replicas: 3", "replicas: 1", 1))
}

// releaseAll pushes a commit to every service and waits until all have ended.
func releaseAll(ctx context.Context, s *stage.Stage, services []*rig.Service, round int, say io.Writer) ([]release.Phase, error) {
	var ids []release.ID
	for _, one := range services {
		if err := stage.Mark(one, fmt.Sprintf("rope number %d", round)); err != nil {
			return nil, err
		}
		id, err := one.Push(ctx, fmt.Sprintf("%s: rope number %d", one.Name, round))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	var phases []release.Phase
	for _, id := range ids {
		r, err := end(ctx, s, id)
		if err != nil {
			return nil, err
		}
		if r.Phase != release.Done {
			fmt.Fprintf(say, "%s ended %s in %s: %s\n", id, r.Phase, r.Env(), r.Reason)
		}
		phases = append(phases, r.Phase)
	}
	return phases, nil
}

// end waits for a release, asking seldom: every question costs the server memory as well.
func end(ctx context.Context, s *stage.Stage, id release.ID) (r release.Release, err error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	err = rig.WaitFor(ctx, "release "+string(id), time.Second, func() (bool, error) {
		if r, err = s.API.Release(ctx, id); err != nil {
			return false, err
		}
		return r.Phase.Final(), fmt.Errorf("it is %s in %s: %s", r.Phase, r.Env(), r.Reason)
	})
	return r, err
}

// sample is what the server had after so many releases.
type sample struct {
	releases int
	memory
}

func summary(c Config, seen []sample, ended map[release.Phase]int, child float64, took time.Duration) figure.Report {
	r := figure.Report{Name: "memory", Notes: []string{
		fmt.Sprintf("%d services (copies of examples/shop-web with one pod each) on three clusters, %d commits each, one round of all services at a time: %s.",
			c.Services, c.Rounds, took.Round(time.Second)),
		"Programs are compiled for three platforms before each push, not in the build. Windows are short (observe 2s, settle 1s) and there is no trial. VmRSS, RssAnon, RssFile and VmHWM are the kernel's, of the server's own process, some ms after a round's last release.",
		"The scan for an SBOM runs in a child that ends; it is not in these figures and listed apart.",
		fmt.Sprintf("Releases by how they ended: %s.", phases(ended)),
	}}
	for _, s := range seen {
		name := fmt.Sprintf("after %d releases", s.releases)
		r.Figures = append(r.Figures, figure.Of("VmRSS "+name, s.rss, "MiB"), figure.Of("RssAnon "+name, s.anon, "MiB"), figure.Of("RssFile "+name, s.file, "MiB"))
	}
	last := seen[len(seen)-1]
	at := len(r.Figures) - 3
	r.Figures[at] = r.Figures[at].To("at the start", seen[0].rss)
	if want := c.Services * c.Rounds; last.releases < want {
		r.Notes = append(r.Notes, fmt.Sprintf("Stopped after %d of %d releases: the target of %d MiB is not judged.", last.releases, want, wantMiB))
	} else {
		r.Figures[at] = r.Figures[at].AtMost(wantMiB)
	}
	r.Figures = append(r.Figures, figure.Of("VmHWM (peak) at the end", last.peak, "MiB").To("VmHWM at the start", seen[0].peak),
		figure.Of("largest child", child, "MiB"))
	return r
}

func phases(ended map[release.Phase]int) string {
	var parts []string
	for _, p := range release.Phases() {
		if n := ended[p]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, p))
		}
	}
	return strings.Join(parts, ", ")
}
