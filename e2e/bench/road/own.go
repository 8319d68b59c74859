package road

import (
	"slices"
	"time"

	"github.com/seatrial/seatrial/release"
)

// windows are the settings of an environment that make a release wait on purpose.
type windows struct{ settle, observe, trial time.Duration }

// span is a piece of time.
type span struct{ from, to time.Time }

// part is a piece of a release's way through one environment, by what it did there.
type part struct {
	name string
	span
}

// passage is a release's way through one environment.
type passage struct {
	env   release.Env
	parts []part
	stage release.Stage
}

// passages cuts a release's history into its environments and their parts.
func passages(r release.Release) []passage {
	var all []passage
	for i, h := range r.History {
		name := ""
		switch h.To {
		case release.Approving, release.Trying, release.Verified:
			name = h.To.String()
		case release.Deploying:
			name = h.Step.String()
		}
		if name == "" || i+1 >= len(r.History) {
			continue
		}
		at := slices.IndexFunc(all, func(p passage) bool { return p.env == h.Env })
		if at < 0 {
			s := slices.IndexFunc(r.Stages, func(s release.Stage) bool { return s.Env == h.Env })
			if s < 0 {
				continue
			}
			all, at = append(all, passage{env: h.Env, stage: r.Stages[s]}), len(all)
		}
		all[at].parts = append(all[at].parts, part{name, span{h.At, r.History[i+1].At}})
	}
	return all
}

// ready says when the last pod of the release was ready on a cluster, as somebody else
// than the server saw it; false when nobody did.
type ready func(cluster string) (time.Time, bool)

// excluded is the time that is not the platform's own.
func (p passage) excluded(w windows, ready ready) []span {
	var all []span
	for _, wave := range p.stage.Waves {
		var synced, healthy, up time.Time
		for _, t := range wave.Targets {
			synced, healthy = later(synced, t.Synced), later(healthy, t.Healthy)
			at, ok := ready(t.Cluster)
			if !ok || at.After(t.Healthy) {
				at = t.Healthy
			}
			up = later(up, at)
		}
		all = append(all, span{synced, up}, span{healthy, healthy.Add(w.settle + w.observe)})
	}
	if t := p.stage.Trial; t != nil && t.Fault != nil && !t.Fault.Injected.IsZero() {
		all = append(all, span{t.Fault.Injected, later(t.Fault.Injected.Add(w.trial), t.Fault.Recovered)})
	}
	return all
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// own is the time of a passage, in all and by part, without what is excluded.
func (p passage) own(excluded []span) (total time.Duration, byPart map[string]time.Duration) {
	byPart = map[string]time.Duration{}
	for _, piece := range p.parts {
		left := piece.to.Sub(piece.from) - covered(piece.span, excluded)
		byPart[piece.name] += left
		total += left
	}
	return total, byPart
}

// covered is how much of a span the others cover, counted once.
func covered(s span, others []span) time.Duration {
	sorted := slices.Clone(others)
	slices.SortFunc(sorted, func(a, b span) int { return a.from.Compare(b.from) })
	var sum time.Duration
	at := s.from
	for _, o := range sorted {
		from, to := later(o.from, at), o.to
		if to.After(s.to) {
			to = s.to
		}
		if to.After(from) {
			sum += to.Sub(from)
			at = to
		}
	}
	return sum
}
