package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/registries"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

func newVerify() *cobra.Command {
	var keys []string
	var output, commit string
	var plain bool
	var want signing.Expect
	cmd := &cobra.Command{
		Use:   "verify IMAGE",
		Short: "Check an image's signature, SBOM and provenance without a server; exits 3 when it is refused",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			want.Commit = release.Commit(commit)
			v, err := newVerifier(args[0], keys, plain)
			if err != nil {
				return err
			}
			report, err := v.Verify(cmd.Context(), args[0], want)
			if err != nil {
				return hint.Add(fmt.Errorf("verify %s: %w", args[0], err), "could not ask; for a registry without TLS say --plain-http")
			}
			if err := printAs(cmd.OutOrStdout(), output, report, func(w io.Writer, wide bool) { reportTable(w, report, wide) }); err != nil {
				return err
			}
			if !report.OK() {
				return exit{code: exitRefused, text: fmt.Sprintf("verify %s: refused: %s", args[0], strings.Join(report.Refusals(), "; "))}
			}
			return nil
		},
	}
	outputFlag(cmd, &output)
	cmd.Flags().StringSliceVar(&keys, "key", nil, "public key file, PEM, and when it counts: FILE or FILE@FROM..UNTIL; any of several will do")
	cmd.Flags().StringVar(&commit, "commit", "", "the commit that the provenance must name")
	cmd.Flags().StringVar(&want.Source, "source", "", "the repo that the provenance must name")
	cmd.Flags().StringVar(&want.Builder, "builder", "", "the builder id that the provenance must name")
	cmd.Flags().StringSliceVar(&want.Platforms, "platform", nil, "a platform that must be there")
	cmd.Flags().StringVar(&want.Verifier, "gate", "", "ask for a verification summary, too: of the gate with this id, <externalURL>/gate of a server")
	cmd.Flags().BoolVar(&plain, "plain-http", false, "the image's registry has no TLS")
	_ = cmd.MarkFlagRequired("key")
	return cmd
}

func newVerifier(image string, files []string, plain bool) (*signing.Verifier, error) {
	host, _, _ := strings.Cut(image, "/")
	registry, err := registries.Open(plain, host)
	if err != nil {
		return nil, err
	}
	keys := make([]signing.PublicKey, 0, len(files))
	for _, f := range files {
		key, err := signing.ReadPublicKey(f)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return signing.NewVerifier(registry, keys...)
}

// reportTable prints a line per check, and with wide one per question that was asked.
func reportTable(w io.Writer, r signing.Report, wide bool) {
	result := func(ok bool) string {
		if ok {
			return "ok"
		}
		return "REFUSED"
	}
	fmt.Fprintf(w, "CHECK\tOF\tRESULT\tDETAIL\n")
	for _, c := range r.Checks {
		if !wide || len(c.Answers) == 0 {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Name, c.Platform, result(c.OK), c.Detail)
			continue
		}
		for _, a := range c.Answers {
			fmt.Fprintf(w, "%s: %s\t%s\t%s\t%s\n", c.Name, a.Question, c.Platform, result(a.OK), a.Detail)
		}
	}
}
