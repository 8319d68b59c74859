// Package calendar has the words of the API for when things are broken on purpose: what is
// planned, what was run, and when nothing may be broken.
//
// Start at Calendar. It never says that a planned run will take place: only its limits at
// the moment itself can.
package calendar

import (
	"time"

	"github.com/seatrial/seatrial/release"
)

// Longest is the most that can be asked for at once: six weeks of a month's page.
const Longest = 43 * 24 * time.Hour

// Question is which time is meant.
type Question struct {
	From time.Time `query:"from" required:"true" example:"2026-11-01T00:00:00+08:00"`
	To   time.Time `query:"to" required:"true" doc:"Not included; at most 43 days later"`
}

// Calendar is what happens, happened and may not happen between two moments.
type Calendar struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Planned []Planned `json:"planned" doc:"From now on, in order"`
	Often   []Often   `json:"often" doc:"Schedules with more times than are listed"`
	Closed  []Span    `json:"closed" doc:"When nothing may be broken"`
	Open    []Span    `json:"open" doc:"The windows of environments that have some"`
	Runs    []Entry   `json:"runs" doc:"Oldest first"`
	LeftOff bool      `json:"leftOff,omitempty" doc:"There were more runs, older ones"`
	Stopped string    `json:"stopped,omitempty" doc:"Why nothing is broken now: the kill switch"`
}

// Planned is a time of a schedule.
type Planned struct {
	At         time.Time       `json:"at" doc:"With the offset of the schedule's zone"`
	TimeZone   string          `json:"timeZone" example:"Asia/Shanghai"`
	Experiment string          `json:"experiment"`
	Service    release.Service `json:"service"`
	Env        release.Env     `json:"env"`
	Closed     string          `json:"closed,omitempty" doc:"Why the environment's rules forbid it then"`
}

// Often is a schedule with too many times to list.
type Often struct {
	Experiment string          `json:"experiment"`
	Service    release.Service `json:"service"`
	Env        release.Env     `json:"env"`
	Cron       string          `json:"cron"`
	TimeZone   string          `json:"timeZone"`
}

// Span is a time of an environment.
type Span struct {
	Env    release.Env `json:"env"`
	From   time.Time   `json:"from"`
	To     time.Time   `json:"to" doc:"Not included"`
	Reason string      `json:"reason,omitempty"`
}

// Entry is a run that began.
type Entry struct {
	ID         string          `json:"id"`
	Experiment string          `json:"experiment"`
	Service    release.Service `json:"service"`
	Env        release.Env     `json:"env"`
	Cluster    string          `json:"cluster,omitempty"`
	Trigger    string          `json:"trigger" enum:"schedule,person,trial"`
	State      string          `json:"state" enum:"Planned,Injecting,Measuring,Reverting,Passed,Failed,Invalid,Aborted"`
	Started    time.Time       `json:"started"`
	Ended      time.Time       `json:"ended,omitzero"`
	Reason     string          `json:"reason,omitempty"`
}
