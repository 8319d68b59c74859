package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/web/drift"
)

func newDiff(r *client.Remote) *cobra.Command {
	var output, env, cluster, to string
	cmd := &cobra.Command{
		Use:   "diff SERVICE",
		Short: "Show how clusters differ from the revision they are on; exits 2 when they do",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := url.Values{"service": {args[0]}, "env": {env}, "cluster": {cluster}, "to": {to}}
			var page struct {
				Items []drift.Comparison `json:"items"`
			}
			if err := r.Call(cmd.Context(), http.MethodGet, "/api/v1/drift", q, nil, &page); err != nil {
				return err
			}
			if output == "table" || output == "wide" { // columns would move the text about
				driftText(cmd.OutOrStdout(), page.Items)
			} else if err := printAs(cmd.OutOrStdout(), output, page.Items, nil); err != nil {
				return err
			}
			return drifts(page.Items)
		},
	}
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&env, "env", "", "the environment")
	_ = cmd.MarkFlagRequired("env")
	cmd.Flags().StringVar(&cluster, "cluster", "", "only this cluster")
	cmd.Flags().StringVar(&to, "to", "", "compare with this verified release: what a roll back to it would do")
	return cmd
}

// drifts is how the command ends: a target that could not be compared is an error.
func drifts(targets []drift.Comparison) error {
	differ := 0
	for _, t := range targets {
		if t.Problem != "" {
			return hint.Add(errors.New(t.Problem), t.Hint)
		}
		differ += len(t.Objects)
	}
	if differ > 0 {
		return exit{code: exitDiffers}
	}
	return nil
}

func driftText(w io.Writer, targets []drift.Comparison) {
	for _, t := range targets {
		state := "as git says"
		switch {
		case t.Problem != "":
			state = "could not be compared"
		case len(t.Objects) > 0:
			state = fmt.Sprintf("%d objects differ", len(t.Objects))
		}
		fmt.Fprintf(w, "%s (%s): %s\n", t.Cluster, t.Revision.Short(), state)
		for _, o := range t.Objects {
			name := o.Kind + "/" + o.Name
			if o.Namespace != "" {
				name += " in " + o.Namespace
			}
			fmt.Fprintf(w, "\n%s %s\n%s", o.Act, name, o.Text)
		}
	}
}
