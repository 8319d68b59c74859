package web

import (
	"maps"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/release"
)

// Scene is what a board is made of.
type Scene struct {
	Environments []release.Environment // in the order of the journey
	Clusters     []release.Cluster
	Releases     []release.Release // at least the latest, the current and the occupant of every slot
	Slots        []release.Slot
	Revision     release.Revision // the scene was read at
}

// NewBoard lays a scene out. Health is what the release that is in a slot, or is coming
// into it, saw last on its targets.
func NewBoard(s Scene) Board {
	b := Board{Environments: []BoardEnvironment{}, Services: []BoardService{}, Revision: s.Revision}
	for _, e := range s.Environments {
		b.Environments = append(b.Environments, BoardEnvironment{Name: release.Env(e.Meta.Name), After: e.Spec.After, Waves: wavesOf(e, s.Clusters)})
	}
	byID := map[release.ID]release.Release{}
	rows := map[release.Service]*BoardService{}
	for _, r := range s.Releases {
		byID[r.ID] = r
		row := rowOf(rows, r.Service)
		if r.Pull == nil && (row.Latest == nil || r.Created.After(row.Latest.Created)) {
			sum := Summary(r)
			row.Latest, row.Project = &sum, r.Project
		}
	}
	slots := map[release.Service]map[release.Env]release.Slot{}
	for _, slot := range s.Slots {
		rowOf(rows, slot.Service)
		if slots[slot.Service] == nil {
			slots[slot.Service] = map[release.Env]release.Slot{}
		}
		slots[slot.Service][slot.Env] = slot
	}
	for _, service := range slices.Sorted(maps.Keys(rows)) {
		row := rows[service]
		for _, e := range b.Environments {
			row.Slots = append(row.Slots, slotOf(e.Name, slots[service][e.Name], byID))
		}
		b.Services = append(b.Services, *row)
	}
	return b
}

func rowOf(rows map[release.Service]*BoardService, service release.Service) *BoardService {
	if rows[service] == nil {
		rows[service] = &BoardService{Service: service, Slots: []BoardSlot{}}
	}
	return rows[service]
}

func wavesOf(e release.Environment, clusters []release.Cluster) []BoardWave {
	waves := []BoardWave{}
	for _, w := range release.Plan(e, clusters) {
		out := BoardWave{Name: w.Name}
		for _, t := range w.Targets {
			out.Clusters = append(out.Clusters, t.Cluster)
		}
		waves = append(waves, out)
	}
	return waves
}

func slotOf(env release.Env, slot release.Slot, releases map[release.ID]release.Release) BoardSlot {
	out := BoardSlot{Env: env, Current: slimPlaced(slot.Current), Occupant: slot.Occupant, Hold: slot.Hold, Targets: []BoardTarget{}}
	shown := slot.Occupant
	if slot.Occupant == "" && slot.Current != nil {
		shown = slot.Current.Release
	}
	r, known := releases[shown]
	if known && slot.Occupant != "" {
		sum := Summary(r)
		out.Releasing = &sum
	}
	for _, stage := range r.Stages {
		if stage.Env != env {
			continue
		}
		for _, w := range stage.Waves {
			for _, t := range w.Targets {
				out.Targets = append(out.Targets, BoardTarget{Cluster: t.Cluster, Revision: t.Revision, State: t.State, Message: t.Message})
			}
		}
	}
	slices.SortFunc(out.Targets, func(a, b BoardTarget) int { return strings.Compare(a.Cluster, b.Cluster) })
	out.Health = healthOf(out.Targets)
	return out
}

// healthOf is the worst of the targets; what cannot be seen is never healthy.
func healthOf(targets []BoardTarget) string {
	worst, rank := "Unknown", 0
	for _, t := range targets {
		health, r := "Progressing", 2
		switch t.State {
		case "Healthy", "RolledBack":
			health, r = "Healthy", 1
		case "Unreachable", "":
			health, r = "Unknown", 3
		case "Degraded":
			health, r = "Degraded", 4
		}
		if r > rank {
			worst, rank = health, r
		}
	}
	return worst
}
