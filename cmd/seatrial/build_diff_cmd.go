package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/registries"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
)

func newBuildDiff() *cobra.Command {
	var output string
	var plain bool
	cmd := &cobra.Command{
		Use:   "diff IMAGE IMAGE|DIGEST",
		Short: "Name the first file in which two images differ; exits 2 when they do",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, b, err := oci.ParsePair(args[0], args[1])
			if err != nil {
				return err
			}
			registry, err := registries.Open(plain, a.Host(), b.Host())
			if err != nil {
				return err
			}
			d, err := registry.Compare(cmd.Context(), a, b)
			if err != nil {
				return hint.Add(fmt.Errorf("compare %s with %s: %w", a, b, err), "for a registry without TLS say --plain-http")
			}
			if d == nil {
				_, err := fmt.Fprintln(cmd.ErrOrStderr(), "the same")
				return err
			}
			if err := printAs(cmd.OutOrStdout(), output, d, func(w io.Writer, _ bool) { fmt.Fprintln(w, d) }); err != nil {
				return err
			}
			return exit{code: exitDiffers}
		},
	}
	outputFlag(cmd, &output)
	cmd.Flags().BoolVar(&plain, "plain-http", false, "the images' registries have no TLS")
	return cmd
}
