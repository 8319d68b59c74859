// Package holds holds the command by which a person keeps releases of a service out of an
// environment for a while.
//
// Start at New. It never stops a return, and never changes what is on a cluster.
package holds

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/web/drift"
)

// New is the command "hold".
func New(r *client.Remote) *cobra.Command {
	var env, reason string
	var free bool
	cmd := &cobra.Command{
		Use:   "hold SERVICE",
		Short: "Let no release of a service enter an environment, and no next wave begin, until it is freed",
		Long: "A wave that has begun is finished, and what is refused still returns. A release that waits for the place says who holds it\n" +
			"and why. To hold one release instead: seatrial release hold.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			act, done := "hold", "held"
			if free {
				act, done, reason = "free", "free", cmp.Or(reason, "freed")
			}
			var p drift.Place
			in := map[string]string{"service": args[0], "env": env, "reason": reason}
			if err := r.Call(cmd.Context(), http.MethodPost, "/api/v1/place/"+act, nil, in, &p); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s in %s is %s\n", p.Service, p.Env, done)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&env, "env", "", "the environment")
	f.StringVar(&reason, "reason", "", "why, for whoever waits")
	f.BoolVar(&free, "free", false, "take the hold off")
	_ = cmd.MarkFlagRequired("env")
	cmd.MarkFlagsOneRequired("reason", "free")
	return cmd
}
