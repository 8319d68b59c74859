// Package experiments holds the commands by which people see what an experiment would hit,
// run it, and stop everything that is broken on purpose.
//
// Start at New and NewChaos. It never decides anything: the server refuses what the limits forbid.
package experiments

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/runs"
)

const path = "/api/v1/experiments"

// New is the command "experiment".
func New(r *client.Remote) *cobra.Command {
	cmd := &cobra.Command{Use: "experiment", Short: "See, run and abort experiments outside of releases"}
	cmd.AddCommand(newList(r), newPlan(r), newRun(r), newApprovals(r), newApprove(r), newWithdraw(r), newAbort(r))
	return cmd
}

func newList(r *client.Remote) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List experiments, when they are run next and how the last run ended",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var page struct{ Items []web.Experiment }
			if err := r.Call(cmd.Context(), http.MethodGet, path, nil, nil, &page); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tSERVICE\tFAULT\tNEXT\tLAST")
			for _, x := range page.Items {
				next, last := "-", "-"
				if !x.Next.IsZero() {
					next = x.Next.Local().Format(time.DateTime)
				}
				if len(x.Last) > 0 {
					last = x.Last[0].State
				}
				fmt.Fprintf(w, "%s\t%s\t%s %s\t%s\t%s\n", x.Name, cmp.Or(string(x.Spec.Service), "(on trial)"), x.Spec.Fault.Kind, x.Spec.Fault.Action, next, last)
			}
			return w.Flush()
		},
	}
}

// where are the flags that say what a run is against.
type where struct{ env, service string }

func (w *where) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.env, "env", "", "the environment")
	cmd.Flags().StringVar(&w.service, "service", "", "TEAM/NAME (default: the experiment's own)")
	_ = cmd.MarkFlagRequired("env")
}

func newPlan(r *client.Remote) *cobra.Command {
	var at where
	cmd := &cobra.Command{
		Use:   "plan NAME",
		Short: "List what a run would hit now, and break nothing",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var p runs.Plan
			q := url.Values{"env": {at.env}, "service": {at.service}}
			if err := r.Call(cmd.Context(), http.MethodGet, path+"/"+url.PathEscape(args[0])+"/plan", q, nil, &p); err != nil {
				return err
			}
			tell(cmd.OutOrStdout(), p)
			return nil
		},
	}
	at.flags(cmd)
	return cmd
}

func tell(w io.Writer, p runs.Plan) {
	if p.Cluster != "" {
		fmt.Fprintf(w, "on %s, %d pods match\n", p.Cluster, len(p.Matching))
	}
	for _, t := range p.Targets {
		fmt.Fprintf(w, "would be hit: %s\n", t)
	}
	if p.Refused != "" {
		fmt.Fprintf(w, "it would not be run now: %s\n", p.Refused)
	}
	if p.Hint != "" {
		fmt.Fprintf(w, "hint: %s\n", p.Hint)
	}
}

func newRun(r *client.Remote) *cobra.Command {
	var at where
	var reason string
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Run an experiment once, now",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var run web.Run
			in := map[string]string{"env": at.env, "reason": reason}
			if at.service != "" {
				in["service"] = at.service
			}
			if err := r.Call(cmd.Context(), http.MethodPost, path+"/"+url.PathEscape(args[0])+"/run", nil, in, &run); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is %s on %s\n", run.ID, run.State, run.Cluster)
			return nil
		},
	}
	at.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who read it later")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func newAbort(r *client.Remote) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "abort RUN",
		Short: "Revert the fault of a run and end it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var run web.Run
			in := map[string]string{"reason": reason}
			if err := r.Call(cmd.Context(), http.MethodPost, path+"/runs/"+url.PathEscape(args[0])+"/abort", nil, in, &run); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is being aborted\n", run.ID)
			return nil
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

// NewChaos is the command "chaos": the kill switch.
func NewChaos(r *client.Remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Stop everything that is broken on purpose, or let it go on",
		Long: "While the switch is on, nothing is broken on purpose, by a trial, a schedule or a person, and faults that are active are\n" +
			"reverted within seconds. Trials wait. For when all else fails the switch is a file: stop-chaos in the server's state folder.",
	}
	cmd.AddCommand(newSwitch(r, "stop", "Revert every active fault and allow no new one", true), newSwitch(r, "resume", "Allow faults again", false), newStatus(r))
	return cmd
}

func newSwitch(r *client.Remote, verb, short string, stop bool) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: verb, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var now web.Stop
			if err := r.Call(cmd.Context(), http.MethodPost, "/api/v1/chaos", nil, map[string]any{"stopped": stop, "reason": reason}, &now); err != nil {
				return err
			}
			return say(cmd.OutOrStdout(), now)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever wonders")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func newStatus(r *client.Remote) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Say whether things may be broken on purpose", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var now web.Stop
			if err := r.Call(cmd.Context(), http.MethodGet, "/api/v1/chaos", nil, nil, &now); err != nil {
				return err
			}
			return say(cmd.OutOrStdout(), now)
		},
	}
}

func say(w io.Writer, s web.Stop) error {
	text := "faults may be injected, within their limits"
	if s.Stopped {
		text = "stopped: " + strings.TrimSpace(s.Why)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}
