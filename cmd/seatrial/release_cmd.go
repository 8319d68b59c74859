package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/release"
)

func newRelease(r *client.Remote) *cobra.Command {
	cmd := &cobra.Command{Use: "release", Aliases: []string{"releases", "rel"}, Short: "List, watch and steer releases"}
	cmd.AddCommand(newReleaseList(r), newReleaseShow(r), newReleaseWatch(r),
		newAct(r, "rollback", "Return an environment to what was verified before this release, or to another that it keeps", "env", "to"),
		newAct(r, "approve", "Approve this release for an environment", "env"),
		newAct(r, "hold", "Stop a release where it is"),
		newAct(r, "free", "Let a held release go on"),
		newAct(r, "retry", "Start a release that ended early again"))
	return cmd
}

func newReleaseList(r *client.Remote) *cobra.Command {
	var output, service, env, phase string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List releases, newest first",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			for k, v := range map[string]string{"service": service, "env": env, "phase": phase} {
				if v != "" {
					q.Set(k, v)
				}
			}
			var page struct {
				Items []release.Release `json:"items"`
			}
			if err := r.Call(cmd.Context(), http.MethodGet, "/api/v1/releases", q, nil, &page); err != nil {
				return err
			}
			return printAs(cmd.OutOrStdout(), output, page.Items, func(w io.Writer, wide bool) { releaseTable(w, page.Items, wide) })
		},
	}
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&service, "service", "", "only this service, team/name")
	cmd.Flags().StringVar(&env, "env", "", "only releases in this environment")
	cmd.Flags().StringVar(&phase, "phase", "", "only releases in this phase")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most this many, up to 200")
	return cmd
}

func newReleaseShow(r *client.Remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one release with its environments and verdicts",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rel, err := fetch(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			return printAs(cmd.OutOrStdout(), output, rel, func(w io.Writer, wide bool) { releaseDetails(w, rel, wide) })
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func fetch(ctx context.Context, r *client.Remote, id string) (rel release.Release, err error) {
	return rel, r.Call(ctx, http.MethodGet, "/api/v1/releases/"+url.PathEscape(id), nil, nil, &rel)
}

func newReleaseWatch(r *client.Remote) *cobra.Command {
	return &cobra.Command{
		Use:   "watch ID",
		Short: "Follow a release to its end; exits 3 when it was refused",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rel, err := follow(cmd.Context(), r, args[0], cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", rel.ID, rel.Phase)
			if rel.Phase != release.Done {
				return exit{code: exitRefused, text: fmt.Sprintf("%s is %s: %s", rel.ID, rel.Phase, rel.Reason)}
			}
			return nil
		},
	}
}

// follow prints every change and returns the release at its end.
func follow(ctx context.Context, r *client.Remote, id string, progress io.Writer) (release.Release, error) {
	seen := ""
	for {
		rel, err := fetch(ctx, r, id)
		if err != nil {
			return rel, err
		}
		if now := standing(rel); now != seen {
			fmt.Fprintf(progress, "%s  %s\n", rel.Updated.Local().Format(time.TimeOnly), now)
			seen = now
		}
		if rel.Phase.Final() {
			return rel, nil
		}
		if err := nextChange(ctx, r, id); err != nil {
			return rel, err
		}
	}
}

// nextChange returns when the server says that the release changed, or after a while.
func nextChange(ctx context.Context, r *client.Remote, id string) error {
	wait, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	res, err := r.Send(wait, http.MethodGet, "/api/v1/stream", url.Values{"topics": {"releases"}}, nil)
	if err != nil {
		return ctx.Err()
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(io.LimitReader(res.Body, client.MaxAnswer))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && strings.Contains(data, id) {
			return nil
		}
	}
	return ctx.Err()
}

// newAct is a command that has something done to a release. What the request says beside
// the reason are flags of the same name.
func newAct(r *client.Remote, verb, short string, more ...string) *cobra.Command {
	var output string
	in := map[string]*string{"reason": new(string)}
	cmd := &cobra.Command{
		Use:   verb + " ID",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var rel release.Release
			if err := r.Call(cmd.Context(), http.MethodPost, "/api/v1/releases/"+url.PathEscape(args[0])+"/"+verb, nil, in, &rel); err != nil {
				return err
			}
			return printAs(cmd.OutOrStdout(), output, rel, func(w io.Writer, _ bool) { fmt.Fprintln(w, rel.ID, standing(rel)) })
		},
	}
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(in["reason"], "reason", "", "why, for those who read it later")
	_ = cmd.MarkFlagRequired("reason")
	says := map[string]string{"env": "the environment", "to": "the release to return to; default: the last one verified there"}
	for _, name := range more {
		in[name] = new(string)
		cmd.Flags().StringVar(in[name], name, "", says[name])
	}
	if _, ok := in["env"]; ok {
		_ = cmd.MarkFlagRequired("env")
	}
	return cmd
}

func standing(r release.Release) string {
	text := r.Phase.String()
	if r.Phase > release.Checking && r.Env() != "" {
		text += " in " + string(r.Env())
	}
	if r.Phase == release.Deploying {
		shift, _ := r.Shifting()
		text += fmt.Sprintf(" (wave %s, %s)", r.WaveName(), strings.TrimSpace(shift.Name+" "+r.Step.String()))
	}
	if r.Set != "" && (r.Phase == release.RollingBack || r.Phase == release.RolledBack) {
		text += " with the rest of set " + r.Set
	}
	if r.Hold != nil {
		text += ", held by " + r.Hold.By
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return text
}

func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "table", "table, wide, json or yaml")
}

func asJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
