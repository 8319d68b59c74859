// Package scores holds the command that prints how well a service's releases took their
// faults.
//
// Start at New. It never computes a score: each trial has recorded its own.
package scores

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Point is one trial of one release.
type Point struct {
	Release  release.ID     `json:"release"`
	Commit   release.Commit `json:"commit"`
	Env      release.Env    `json:"env"`
	At       time.Time      `json:"at,omitzero"` // when it was verified, refused, or else last looked at
	Score    float64        `json:"score"`       // 0 to 100
	Verified bool           `json:"verified"`
}

// New is the command "trial score".
func New(r *client.Remote, printAs func(io.Writer, string, any, func(io.Writer, bool)) error) *cobra.Command {
	var output, env string
	cmd := &cobra.Command{
		Use:   "score SERVICE",
		Short: "Print how well a service's releases took their faults, oldest first",
		Long:  "SERVICE is TEAM/NAME. 100: no fault was noticed; 0: the faults used up all that the objectives allow, or the service did not recover.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var page struct{ Items []release.Release }
			q := url.Values{"service": {args[0]}, "limit": {"200"}}
			if err := r.Call(cmd.Context(), http.MethodGet, "/api/v1/releases", q, nil, &page); err != nil {
				return err
			}
			points := Points(page.Items, release.Env(env))
			if len(points) == 0 {
				return hint.Add(fmt.Errorf("score: no release of %s has a trial that measured anything", args[0]), "experiments of an environment are in its spec.trial.experiments")
			}
			return printAs(cmd.OutOrStdout(), output, points, func(w io.Writer, _ bool) { table(w, points) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, wide, json or yaml")
	cmd.Flags().StringVar(&env, "env", "", "only trials of this environment")
	return cmd
}

// Points are the trials of the releases, oldest first; an empty env is any.
func Points(releases []release.Release, env release.Env) []Point {
	points := []Point{}
	for _, r := range releases {
		for _, s := range r.Stages {
			if s.Trial == nil || s.Trial.Score == nil || env != "" && s.Env != env {
				continue
			}
			p := Point{Release: r.ID, Commit: r.Commit, Env: s.Env, At: s.Trial.Since, Score: *s.Trial.Score, Verified: !s.Verified.IsZero()}
			for _, at := range []time.Time{s.Verified, s.Refused} {
				if !at.IsZero() {
					p.At = at
				}
			}
			points = append(points, p)
		}
	}
	slices.SortStableFunc(points, func(a, b Point) int { return a.At.Compare(b.At) })
	return points
}

// table prints a bar beside each score, so that a change is seen.
func table(out io.Writer, points []Point) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WHEN\tRELEASE\tENV\tSCORE\t\tVERIFIED")
	for _, p := range points {
		verified := "no"
		if p.Verified {
			verified = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f\t%s\t%s\n", p.At.Local().Format(time.DateTime), p.Release, p.Env, p.Score, strings.Repeat("#", int(p.Score/5)), verified)
	}
	_ = w.Flush() // into memory or a terminal: its error is the next write's
}
