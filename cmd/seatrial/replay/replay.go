// Package replay holds the command that judges a stored trial again, without a server.
//
// Start at New. It never asks anybody: the samples, the windows and the objectives are in the
// evidence, and so the verdict has to be the one that was given.
package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
)

// maxFile bounds a record.
const maxFile = 64 << 20

// New is the command "trial replay".
func New() *cobra.Command {
	return &cobra.Command{
		Use:   "replay FILE",
		Short: "Judge the trials of a release again, from their samples alone",
		Long: "FILE is a release as `seatrial release show ID -o json` prints it, or - for the standard input. Nothing is asked but the file. It ends\n" +
			"with 0 when every trial comes to the verdict that was recorded, whatever that is.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := cmd.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("replay: %w", err)
				}
				defer f.Close()
				in = f
			}
			return run(in, cmd.OutOrStdout())
		},
	}
}

func run(in io.Reader, out io.Writer) error {
	var r release.Release
	if err := json.NewDecoder(io.LimitReader(in, maxFile)).Decode(&r); err != nil {
		return hint.Add(fmt.Errorf("replay: read the release: %w", err), "write it with: seatrial release show ID -o json")
	}
	var wrong []error
	trials := 0
	for _, s := range r.Stages {
		if s.Trial == nil || len(s.Trial.Evidence) == 0 {
			continue
		}
		trials++
		again := chaos.Replay(*s.Trial, slo.Rejudge)
		then, given := recorded(r, s.Env)
		same := "as recorded"
		switch {
		case !given:
			same = "no verdict is recorded"
		case then.Outcome() != again.Outcome():
			same = "recorded was " + then.Outcome().String()
			wrong = append(wrong, fmt.Errorf("replay: the trial in %s comes to %s, recorded was %s", s.Env, again.Outcome(), then.Outcome()))
		}
		fmt.Fprintf(out, "%s in %s: %s (%s)\n  %s\n", r.ID, s.Env, again.Outcome(), same, again.Reason())
	}
	if trials == 0 {
		return hint.Add(fmt.Errorf("replay: release %q holds no trial with evidence", r.ID), "lists leave the evidence out: write one release with seatrial release show ID -o json")
	}
	return errors.Join(wrong...)
}

// recorded is the last verdict that was given on a trial in an environment.
func recorded(r release.Release, env release.Env) (release.Verdict, bool) {
	for _, j := range slices.Backward(r.Verdicts) {
		if j.Gate == "trial" && j.Env == env {
			return j.Verdict, true
		}
	}
	return release.Verdict{}, false
}
