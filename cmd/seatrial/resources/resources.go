// Package resources holds the command that prints what a service has on a cluster.
//
// Start at New. It never asks a cluster itself: the server does.
package resources

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/web/drift"
)

// Print writes a value in the form that was asked for.
type Print func(w io.Writer, form string, v any, table func(w io.Writer, wide bool)) error

// New is the command "tree".
func New(r *client.Remote, print Print) *cobra.Command {
	var output, env, cluster string
	cmd := &cobra.Command{
		Use:   "tree SERVICE",
		Short: "Show what a service has on a cluster, and what that owns",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var t drift.Tree
			q := url.Values{"service": {args[0]}, "env": {env}, "cluster": {cluster}}
			if err := r.Call(cmd.Context(), http.MethodGet, "/api/v1/tree", q, nil, &t); err != nil {
				return err
			}
			return print(cmd.OutOrStdout(), output, t, func(w io.Writer, _ bool) { Table(w, t) })
		},
	}
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "table", "table, json or yaml")
	f.StringVar(&env, "env", "", "the environment")
	f.StringVar(&cluster, "cluster", "", "the cluster")
	_ = cmd.MarkFlagRequired("env")
	_ = cmd.MarkFlagRequired("cluster")
	return cmd
}

// Table writes a line for each object, with columns between tabs.
func Table(w io.Writer, t drift.Tree) {
	if t.Problem != "" {
		fmt.Fprintf(w, "%s\n%s\n", t.Problem, t.Hint)
		return
	}
	fmt.Fprintln(w, "OBJECT\tSTATE\tHEALTH\tMESSAGE")
	for _, r := range t.Items {
		message := strings.Join(strings.Fields(r.Message), " ")
		fmt.Fprintf(w, "%s%s/%s\t%s\t%s\t%s\n", strings.Repeat("  ", r.Depth), r.Kind, r.Name, cmp.Or(r.State, "-"), cmp.Or(r.Health, "-"), message)
	}
	if t.Left > 0 {
		fmt.Fprintf(w, "(%d more are left out)\n", t.Left)
	}
}
