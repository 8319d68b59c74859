package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/lab/layout"
	"github.com/seatrial/seatrial/lab/load"
)

func (a *app) loadCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "load", Short: "Choose which services get a steady load"}
	cmd.AddCommand(a.loadSetCommand(), &cobra.Command{
		Use: "list", Short: "Print the load as JSON", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			all, err := load.Read(layout.Root(a.root))
			if err != nil {
				return err
			}
			enc := json.NewEncoder(a.out)
			enc.SetIndent("", "  ")
			return enc.Encode(all)
		},
	}, &cobra.Command{
		Use: "remove TEAM/NAME", Short: "Stop the load on a service", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return load.Remove(layout.Root(a.root), args[0]) },
	})
	return cmd
}

func (a *app) loadSetCommand() *cobra.Command {
	var w load.Wish
	cmd := &cobra.Command{
		Use: "set TEAM/NAME", Short: "Send load to a service, in every cluster unless told otherwise", Args: cobra.ExactArgs(1),
		Example: "  lab load set shop/web --namespace shop --name web --rps 50",
		RunE: func(_ *cobra.Command, args []string) error {
			w.Service = args[0]
			return load.Set(layout.Root(a.root), w)
		},
	}
	f := cmd.Flags()
	f.StringVar(&w.Namespace, "namespace", "", "of the Kubernetes Service (default: the team)")
	f.StringVar(&w.Name, "name", "", "of the Kubernetes Service (default: the name)")
	f.StringSliceVar(&w.Clusters, "cluster", nil, "only in these clusters")
	f.IntVar(&w.Port, "port", 80, "of the Kubernetes Service")
	f.StringVar(&w.Path, "path", "/", "to ask for")
	f.StringVar(&w.Host, "host", "", "header (default: the service's DNS name)")
	f.Float64Var(&w.RPS, "rps", load.DefaultRPS, "requests a second, in each cluster")
	return cmd
}

// generatorCommand is what the hub runs.
func (a *app) generatorCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use: "_load", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			g := &load.Generator{Root: layout.Root(a.root), Metrics: load.NewMetrics()}
			return g.Run(cmd.Context(), listen)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", layout.LoadAddr, "address of the counters")
	return cmd
}
