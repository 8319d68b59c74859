// Package silences holds the commands by which people say what they do not want to hear
// for a while, and the server's end of them.
//
// Start at New and Desk. It never drops a message: notify holds it back.
package silences

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/release"
)

const path = "/api/v1/silences"

// New is the command "silence".
func New(r *client.Remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "silence",
		Short: "Hold messages back for a while, and see which are",
		Long: "What a silence matches is held back until it ends, and told then, unless the trouble has ended by itself. Matchers are\n" +
			"LABEL=VALUE with =, !=, =~ or !~; labels are team, project, severity, kind, environment and service.",
	}
	cmd.AddCommand(newAdd(r), newList(r), newRemove(r))
	return cmd
}

func newAdd(r *client.Remote) *cobra.Command {
	var length time.Duration
	var reason string
	cmd := &cobra.Command{
		Use:     "add MATCHER...",
		Short:   "Hold messages back that match all of these",
		Example: `  seatrial silence add service=shop/web environment=prod --for 2h --reason "the database moves"`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s release.Silence
			in := map[string]any{"matchers": args, "for": length.String(), "reason": reason}
			if err := r.Call(cmd.Context(), http.MethodPost, path, nil, in, &s); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s until %s\n", s.ID, s.Until.Local().Format(time.DateTime))
			return err
		},
	}
	cmd.Flags().DurationVar(&length, "for", 0, "how long, like 2h")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for whoever wonders")
	_ = cmd.MarkFlagRequired("for")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func newList(r *client.Remote) *cobra.Command {
	var ended bool
	cmd := &cobra.Command{
		Use: "list", Short: "List silences that are active", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var page struct{ Items []release.Silence }
			if err := r.Call(cmd.Context(), http.MethodGet, path, nil, nil, &page); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tUNTIL\tBY\tMATCHERS\tREASON")
			for _, s := range page.Items {
				if ended || s.Active(time.Now()) {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.ID, s.Until.Local().Format(time.DateTime), s.By, strings.Join(s.Matchers, " "), s.Reason)
				}
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&ended, "ended", false, "those of the last 30 days that are over as well")
	return cmd
}

func newRemove(r *client.Remote) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "remove ID", Short: "End a silence now and tell what it held back", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s release.Silence
			if err := r.Call(cmd.Context(), http.MethodPost, path+"/"+url.PathEscape(args[0])+"/end", nil, map[string]string{"reason": reason}, &s); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is over\n", s.ID)
			return err
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}
