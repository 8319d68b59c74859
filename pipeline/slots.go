package pipeline

import (
	"maps"
	"slices"
	"time"

	"github.com/seatrial/seatrial/release"
)

// keptVerified is how many verified releases a slot remembers to return to.
const keptVerified = 10

// place is the slot after its release went from before to after; false when nothing
// in it changes.
func place(s release.Slot, before, after release.Release, now time.Time) (release.Slot, bool) {
	was := s
	s.Verified, s.Targets = slices.Clone(s.Verified), maps.Clone(s.Targets)
	switch {
	case after.Phase == release.Deploying, after.Phase == release.RollingBack:
		s.Occupant = after.ID
	case after.Phase.Final() && s.Occupant == after.ID:
		s.Occupant = ""
	}
	s.Undo = undo(s, before, after)
	if after.Phase == before.Phase || after.Phase == release.Deploying {
		return follow(s, after), changed(was, follow(s, after))
	}
	switch after.Phase {
	case release.Verified:
		s = follow(verified(s, after, now), after)
		s.Occupant = ""
	case release.RollingBack:
		s.Verified = without(s.Verified, after.ID)
	case release.RolledBack:
		s = returned(s, after, now)
	}
	return s, changed(was, s)
}

// undo are the clusters that a release has left between two shifts, until it or another
// comes there again.
func undo(s release.Slot, before, after release.Release) []string {
	list := s.Undo
	left := map[string]bool{}
	for _, w := range before.Now().Waves {
		for _, t := range w.Targets {
			left[t.Cluster] = t.Shift != ""
		}
	}
	for _, w := range after.Now().Waves {
		for _, t := range w.Targets {
			switch has := slices.Contains(list, t.Cluster); {
			case !has && left[t.Cluster] && t.Revision == "" && stopped(after) && s.Targets[t.Cluster] != "":
				list = append(list[:len(list):len(list)], t.Cluster)
			case has && t.Revision != "":
				list = slices.DeleteFunc(slices.Clone(list), func(c string) bool { return c == t.Cluster })
			}
		}
	}
	return list
}

// stopped: nobody works on the release.
func stopped(r release.Release) bool {
	return r.Hold != nil || r.Phase == release.Held || r.Phase == release.Superseded
}

// follow notes the revision that each target is to be on. Between two shifts that is still
// the one before: whoever puts a target right must not bring it a release half-way proved.
func follow(s release.Slot, r release.Release) release.Slot {
	for _, w := range r.Now().Waves {
		for _, t := range w.Targets {
			if t.Revision == "" || t.Shift != "" || s.Targets[t.Cluster] == t.Revision {
				continue
			}
			if s.Targets == nil {
				s.Targets = map[string]release.Commit{}
			}
			s.Targets[t.Cluster] = t.Revision
		}
	}
	return s
}

func verified(s release.Slot, r release.Release, now time.Time) release.Slot {
	stage := r.Now()
	p := release.Placed{Release: r.ID, Commit: r.Commit, Desired: stage.Desired, Manifests: stage.Manifests, At: now, Trial: stage.Trial, Metrics: stage.Metrics}
	if p.Trial != nil { // its cells are what the next release is compared with
		t := *p.Trial
		t.Evidence, t.Beside = nil, nil
		p.Trial = &t
	}
	if r.Artifact != nil {
		p.Image = r.Artifact.Reference()
	}
	s.Current = &p
	s.Verified = append([]release.Placed{p}, without(s.Verified, r.ID)...)
	s.Verified = s.Verified[:min(len(s.Verified), keptVerified)]
	return s
}

// returned: the branch ends on the last verified content again, under a new commit.
func returned(s release.Slot, r release.Release, now time.Time) release.Slot {
	s.Current = nil
	if p, ok := s.ReturnTo(r.Now(), r.ID); ok {
		s.Verified = append([]release.Placed{p}, without(s.Verified, p.Release)...) // the next return goes there, too
		if back := r.Now().Return; back != "" {
			p.Desired = back
		}
		s.Current = &p
	}
	return follow(s, r)
}

func without(list []release.Placed, id release.ID) []release.Placed {
	return slices.DeleteFunc(slices.Clone(list), func(p release.Placed) bool { return p.Release == id })
}

func changed(a, b release.Slot) bool {
	return a.Occupant != b.Occupant || a.Current != b.Current || len(a.Verified) != len(b.Verified) ||
		(len(a.Verified) > 0 && a.Verified[0].Release != b.Verified[0].Release) || !maps.Equal(a.Targets, b.Targets) || !slices.Equal(a.Undo, b.Undo)
}
