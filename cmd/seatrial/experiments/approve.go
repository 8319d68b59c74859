package experiments

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/web/runs"
)

// whose are the flags that say which approvals are meant.
type whose struct {
	where
	schedule bool
}

func (w *whose) flags(cmd *cobra.Command) {
	w.where.flags(cmd)
	cmd.Flags().BoolVar(&w.schedule, "schedule", false, "of its schedule, instead of one run by hand")
}

func (w *whose) query() url.Values {
	q := url.Values{"env": {w.env}}
	if w.service != "" {
		q.Set("service", w.service)
	}
	if w.schedule {
		q.Set("schedule", "true")
	}
	return q
}

func newApprovals(r *client.Remote) *cobra.Command {
	var of whose
	cmd := &cobra.Command{
		Use:   "approvals NAME",
		Short: "List who has agreed to an experiment as it is now",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := read(cmd.Context(), r, args[0], of)
			if err != nil {
				return err
			}
			return list(cmd.OutOrStdout(), a)
		},
	}
	of.flags(cmd)
	return cmd
}

func read(ctx context.Context, r *client.Remote, name string, of whose) (a runs.Approvals, err error) {
	err = r.Call(ctx, http.MethodGet, path+"/"+url.PathEscape(name)+"/approvals", of.query(), nil, &a)
	return a, err
}

func list(out io.Writer, a runs.Approvals) error {
	what := "one run by hand"
	if a.Schedule {
		what = "its schedule"
	}
	f := a.Spec.Fault
	fmt.Fprintf(out, "%s of %s in %s: %s %s in namespace %s for %s\n", what, a.Experiment, a.Env, f.Kind, f.Action, f.Namespace, f.Duration.Std())
	switch {
	case a.Required == 0:
		fmt.Fprintf(out, "nobody has to agree in %s\n", a.Env)
	case a.Verdict.Reason() == "":
		fmt.Fprintln(out, "enough people have agreed; whoever starts a run by hand does not count")
	default:
		fmt.Fprintln(out, a.Verdict.Reason())
	}
	if len(a.Said) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "BY\tSTATE\tAT\tUNTIL\tREASON")
	for _, s := range a.Said {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.By, s.State, s.At.Local().Format(time.DateTime), s.Until.Local().Format(time.DateTime), s.Reason)
	}
	return w.Flush()
}

func newApprove(r *client.Remote) *cobra.Command {
	return newSay(r, "approve", "Agree to one run of an experiment, or to its schedule", "A token is no person: with --user, the password is read from SEATRIAL_PASSWORD or from standard input.")
}

func newWithdraw(r *client.Remote) *cobra.Command {
	return newSay(r, "withdraw", "Take back what one has agreed to", "A run that has broken nothing yet ends. A token is no person: see approve.")
}

func newSay(r *client.Remote, verb, short, long string) *cobra.Command {
	var of whose
	var user, reason string
	cmd := &cobra.Command{
		Use: verb + " NAME", Short: short, Long: short + ". " + long, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return as(cmd, r, user, func(r *client.Remote) error {
				shown, err := read(cmd.Context(), r, args[0], of)
				if err != nil {
					return err
				}
				in := map[string]any{"env": of.env, "reason": reason, "schedule": of.schedule}
				if of.service != "" {
					in["service"] = of.service
				}
				var now runs.Approvals
				if err := r.IfMatch(`"`+string(shown.Digest)+`"`).Call(cmd.Context(), http.MethodPost, path+"/"+url.PathEscape(args[0])+"/"+verb, nil, in, &now); err != nil {
					return err
				}
				return list(cmd.OutOrStdout(), now)
			})
		},
	}
	of.flags(cmd)
	cmd.Flags().StringVar(&user, "user", "", "who says it")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who read it later")
	return cmd
}

// as does something as a person, or with the token when nobody is named.
func as(cmd *cobra.Command, r *client.Remote, user string, do func(*client.Remote) error) (err error) {
	if user == "" {
		return do(r)
	}
	password, err := passwordOf(cmd.InOrStdin())
	if err != nil {
		return err
	}
	person, err := r.SignIn(cmd.Context(), user, password)
	if err != nil {
		return fmt.Errorf("sign in as %s: %w", user, err)
	}
	defer func() { err = errors.Join(err, person.SignOut(context.WithoutCancel(cmd.Context()))) }()
	return do(person)
}

const maxPassword = 4096

func passwordOf(in io.Reader) (secret.Text, error) {
	if p := settings.Env("SEATRIAL_PASSWORD"); p != "" {
		return p, nil
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxPassword)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", hint.Add(errors.New("there is no password"), "set SEATRIAL_PASSWORD, or write it to standard input")
	}
	return secret.Text(line), nil
}
