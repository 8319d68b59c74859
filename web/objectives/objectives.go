// Package objectives has the words of the API for what services promise, how much of their
// error budgets is left, and how that came about.
//
// Start at Objective, then Course. It never turns what could not be asked into a number.
package objectives

import (
	"time"

	"github.com/seatrial/seatrial/release"
)

// Filter selects objectives; empty fields select all.
type Filter struct {
	Service release.Service `query:"service" maxLength:"127" example:"shop/web"`
	Env     release.Env     `query:"env" maxLength:"63" doc:"Only its clusters are shown"`
	State   string          `query:"state" enum:"ok,ticket,breach,nodata,unasked" doc:"Of any of its clusters"`
	After   string          `query:"after" maxLength:"253" doc:"The next of the page before"`
	Limit   int             `query:"limit" minimum:"1" maximum:"100" default:"50"`
}

// Page is a page of objectives, by name.
type Page struct {
	Items []Objective `json:"items"`
	Next  string      `json:"next,omitempty" doc:"Left out on the last page"`
}

// Objective is a promise and how it is doing.
type Objective struct {
	Name      string          `json:"name"`
	Title     string          `json:"title"`
	Service   release.Service `json:"service"`
	Objective float64         `json:"objective" doc:"0 to 1"`
	Window    string          `json:"window" example:"28d"`
	Clusters  []Standing      `json:"clusters"`
}

// Standing is an objective on one cluster.
type Standing struct {
	Cluster   string      `json:"cluster"`
	Env       release.Env `json:"env"`
	State     string      `json:"state" enum:"ok,ticket,breach,nodata,unasked"`
	Code      string      `json:"code" doc:"The reason in one word, as of a verdict" example:"kept"`
	Problem   string      `json:"problem,omitempty" doc:"What could not be asked"`
	Busy      bool        `json:"busy,omitempty" doc:"A release is under way there: its gates watch"`
	Measured  *float64    `json:"measured,omitempty" doc:"Share of good events of late, in the alert's long window"`
	Burn      *float64    `json:"burn,omitempty" doc:"How many times faster than allowed the budget is spent, in the same window"`
	Remaining *float64    `json:"remaining,omitempty" doc:"Share of the budget that is left over the whole window: 1 at first, negative when overspent; left out when it is not known"`
	Exhausted *float64    `json:"exhausted,omitempty" doc:"Seconds until nothing is left at this burn; 0: nothing is left; left out: never, or not known"`
	At        time.Time   `json:"at,omitzero"`
}

// Question is whose course is meant.
type Question struct {
	Name    string `path:"name" maxLength:"253"`
	Cluster string `query:"cluster" maxLength:"63" doc:"Left out: the first"`
}

// Course is one objective with its way on one cluster.
type Course struct {
	Objective
	Description string    `json:"description,omitempty"`
	Cluster     string    `json:"cluster,omitempty" doc:"Left out: the service is nowhere"`
	From        time.Time `json:"from,omitzero"`
	To          time.Time `json:"to,omitzero"`
	Step        float64   `json:"step,omitempty" doc:"Seconds from a point to the next"`
	Points      []Point   `json:"points" doc:"Empty when Prometheus could not be asked"`
	Known       float64   `json:"known" doc:"Share of the points with events, 0 to 1"`
	Queries     []Asked   `json:"queries"`
	Code        string    `json:"code,omitempty" doc:"Why there are no points" example:"could-not-ask"`
	Problem     string    `json:"problem,omitempty"`
	Hint        string    `json:"hint,omitempty"`
	Releases    []Mark    `json:"releases" doc:"Oldest first"`
	Faults      []Shade   `json:"faults" doc:"What was broken on purpose there, oldest first"`
	LeftOff     bool      `json:"leftOff,omitempty" doc:"There are more releases or faults than these, older ones"`
}

// Point is how a budget was doing at a moment. What is left out is not known.
type Point struct {
	At        time.Time `json:"at"`
	Burn      *float64  `json:"burn,omitempty"`
	Remaining *float64  `json:"remaining,omitempty"`
}

// Asked is a question of a course, as it was put to Prometheus every step.
type Asked struct {
	Name string `json:"name"`
	Expr string `json:"expr"`
}

// Mark is a release that came to the cluster.
type Mark struct {
	At      time.Time      `json:"at"`
	Release release.ID     `json:"release"`
	Commit  release.Commit `json:"commit"`
	Message string         `json:"message,omitempty"`
	End     string         `json:"end" enum:"under way,verified,refused" doc:"What became of it in the environment"`
}

// Shade is a time in which something was broken on purpose.
type Shade struct {
	From       time.Time `json:"from"`
	To         time.Time `json:"to,omitzero" doc:"Left out: it is still broken"`
	Experiment string    `json:"experiment"`
	Kind       string    `json:"kind" example:"PodChaos pod-kill"`
	Run        string    `json:"run,omitempty" doc:"The run it was of; left out: a release's trial"`
}
