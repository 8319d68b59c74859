package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/doctor"
)

func newDoctor() *cobra.Command {
	var file, output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything the server needs; one line of remedy for each trouble",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, bad := doctor.Examine(cmd.Context(), file)
			if err := printAs(cmd.OutOrStdout(), output, report, func(w io.Writer, _ bool) { healthTable(w, report) }); err != nil {
				return err
			}
			if bad > 0 {
				return exit{code: exitError, text: fmt.Sprintf("%d checks failed", bad)}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "config", "seatrial.yaml", "the server's settings")
	outputFlag(cmd, &output)
	return cmd
}

func healthTable(w io.Writer, report []doctor.Health) {
	fmt.Fprintln(w, "STATE\tWHAT\tDETAIL")
	for _, h := range report {
		fmt.Fprintf(w, "%s\t%s\t%s\n", h.State, h.What, h.Detail)
		if h.Remedy != "" {
			fmt.Fprintf(w, "\t\t→ %s\n", h.Remedy)
		}
	}
}
