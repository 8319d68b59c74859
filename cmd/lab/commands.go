package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/lab"
	"github.com/seatrial/seatrial/lab/deps"
	"github.com/seatrial/seatrial/lab/layout"
)

func (a *app) upCommand() *cobra.Command {
	var index int
	var labels map[string]string
	var chaos, gateway, only, bare bool
	cmd := &cobra.Command{
		Use:   "up [CLUSTER...]",
		Short: "Boot the lab, or what is missing of it",
		Long: `Boot the shared services and the named clusters; with no name staging,
prod-canary and prod-main. What runs already is left alone. A name that is not
one of the three makes a cluster of its own; --only boots just the named
clusters and the registry.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			l, err := a.lab()
			if err != nil {
				return err
			}
			clusters, err := choose(names, l.Clusters(), index, labels, kind{chaos, bare})
			if err != nil {
				return err
			}
			for i := range clusters {
				clusters[i].Gateway = clusters[i].Gateway || gateway
			}
			if only && len(names) == 0 {
				return errors.New("--only needs the name of a cluster")
			}
			return l.Up(cmd.Context(), lab.UpOptions{Clusters: clusters, Only: only})
		},
	}
	f := cmd.Flags()
	f.IntVar(&index, "index", 0, "address index of a new cluster, 1 to 60 (0: the next free one)")
	f.StringToStringVar(&labels, "label", nil, "label of a new cluster, key=value")
	f.BoolVar(&chaos, "chaos", false, "run Chaos Mesh in the named clusters (staging has it anyway)")
	f.BoolVar(&gateway, "gateway", false, "run Traefik as the gateway of the named clusters")
	f.BoolVar(&bare, "bare", false, "make new clusters without a node: etcd, API server and controllers")
	f.BoolVar(&only, "only", false, "leave the shared services alone, except the registry")
	return cmd
}

// kind is what a new cluster has more, or less, than others.
type kind struct{ chaos, bare bool }

// choose turns names into clusters: known ones as they are, new ones from the flags.
func choose(names []string, existing []layout.Cluster, index int, labels map[string]string, k kind) ([]layout.Cluster, error) {
	if index != 0 && len(names) != 1 {
		return nil, errors.New("--index needs exactly one cluster")
	}
	if len(names) == 0 {
		for _, c := range layout.Defaults() {
			names = append(names, c.Name)
		}
	}
	known := slices.Concat(existing, layout.Defaults())
	var all []layout.Cluster
	for _, name := range names {
		i := slices.IndexFunc(known, func(c layout.Cluster) bool { return c.Name == name })
		if i >= 0 {
			c := known[i]
			if index != 0 && index != c.Index || len(labels) > 0 && !maps.Equal(labels, c.Labels) {
				return nil, fmt.Errorf("cluster %s has index %d and labels %v already: down it first", name, c.Index, c.Labels)
			}
			c.Chaos = c.Chaos || k.chaos
			all = append(all, c)
			continue
		}
		c := layout.Cluster{Name: name, Index: index, Labels: labels, Chaos: k.chaos, Bare: k.bare}
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		if index == 0 {
			var err error
			if c.Index, err = layout.FreeIndex(slices.Concat(known, all)); err != nil {
				return nil, err
			}
		}
		all = append(all, c)
	}
	return all, nil
}

func (a *app) downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down [CLUSTER...]",
		Short: "Remove the named clusters, or the whole lab",
		RunE: func(cmd *cobra.Command, names []string) error {
			l, err := a.lab()
			if err != nil {
				return err
			}
			if err := l.Down(cmd.Context(), names...); err != nil {
				return err
			}
			a.say("down")
			return nil
		},
	}
}

func (a *app) statusCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "status", Short: "Show what runs, since when and with how much memory", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := a.lab()
			if err != nil {
				return err
			}
			parts := l.Status(cmd.Context())
			if output == "json" {
				return json.NewEncoder(a.out).Encode(parts)
			}
			a.printStatus(parts)
			if lacks := deps.Lacks(cmd.Context()); len(lacks) > 0 {
				fmt.Fprintf(a.out, "\nthis kernel lacks %s: faults made of them cannot be injected\n", strings.Join(lacks, ", "))
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func (a *app) printStatus(parts []lab.Part) {
	w := tabwriter.NewWriter(a.out, 2, 8, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintln(w, "PART\tPROGRAM\tSTATE\tSINCE\tMEMORY\tADDRESS")
	for _, p := range parts {
		for _, s := range p.Programs {
			state, since, mem := "stopped", "", ""
			if s.Exit != "" {
				state = s.Exit
			}
			if s.Running {
				state, since, mem = "running", s.Started.Format("15:04:05"), fmt.Sprintf("%d MiB", s.RSSKiB>>10)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, s.Name, state, since, mem, p.Address)
		}
	}
}

func (a *app) logsCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "logs [CLUSTER/]COMPONENT", Short: "Print a component's log; without a cluster one of the hub", Args: cobra.ExactArgs(1),
		Example: "  lab logs buildkitd\n  lab logs staging/kubelet -f",
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.lab()
			if err != nil {
				return err
			}
			file, err := l.LogFile(args[0])
			if err != nil {
				return err
			}
			argv := []string{"-n", "200", file}
			if follow {
				argv = append([]string{"-F"}, argv...)
			}
			return a.pass(cmd, "tail", argv...)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing")
	return cmd
}

// pass runs another program in our place.
func (a *app) pass(cmd *cobra.Command, name string, args ...string) error {
	c := exec.CommandContext(cmd.Context(), name, args...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, a.out, a.err
	return c.Run()
}

func (a *app) kubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use: "kubectl CLUSTER ARGS...", Short: "Run kubectl against a cluster", Args: cobra.MinimumNArgs(1),
		DisableFlagParsing: true, Aliases: []string{"k"},
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.lab()
			if err != nil {
				return err
			}
			file := l.Root.Kubeconfig(args[0])
			if _, err := os.Stat(file); err != nil {
				return fmt.Errorf("no cluster %q: %w", args[0], err)
			}
			return a.pass(cmd, l.Kubectl(), append([]string{"--kubeconfig", file}, args[1:]...)...)
		},
	}
}

func (a *app) startCommand() *cobra.Command {
	return &cobra.Command{
		Use: "start CLUSTER|hub COMPONENT", Short: "Start one component and wait until it is of use", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.lab()
			if err != nil {
				return err
			}
			return l.Start(cmd.Context(), args[0], args[1])
		},
	}
}

func (a *app) stopCommand() *cobra.Command {
	var kill bool
	cmd := &cobra.Command{
		Use: "stop CLUSTER|hub COMPONENT", Short: "Stop one component; it stays stopped until start or up", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.lab()
			if err != nil {
				return err
			}
			return l.Stop(cmd.Context(), args[0], args[1], kill)
		},
	}
	cmd.Flags().BoolVar(&kill, "kill", false, "kill -9 at once")
	return cmd
}

func (a *app) envCommand() *cobra.Command {
	return &cobra.Command{
		Use: "env", Short: "Print where everything is, as JSON", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			e, err := lab.Load(a.root)
			if err != nil {
				return err
			}
			enc := json.NewEncoder(a.out)
			enc.SetIndent("", "  ")
			return enc.Encode(e)
		},
	}
}

func (a *app) buildCommand() *cobra.Command {
	var prune bool
	cmd := &cobra.Command{
		Use: "build [FAMILY...]", Short: "Build the programs that the cache lacks",
		RunE: func(cmd *cobra.Command, names []string) error {
			l, err := a.lab()
			if err != nil {
				return err
			}
			if err := l.Build(cmd.Context(), names...); err != nil {
				return err
			}
			if prune {
				return l.Prune()
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&prune, "prune", false, "remove what this checkout no longer uses")
	return cmd
}

func (a *app) toolCommand() *cobra.Command {
	return &cobra.Command{
		Use: "tool NAME", Short: "Build a tool that tests compare with, cosign, ko or syft, and print where it is", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.lab()
			if err != nil {
				return err
			}
			path, err := l.Tool(cmd.Context(), args[0])
			if err == nil {
				_, err = fmt.Fprintln(a.out, path)
			}
			return err
		},
	}
}

func (a *app) depsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "deps", Short: "Install the Debian packages that are missing", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := deps.Install(cmd.Context(), a.err); err != nil {
				return err
			}
			for _, p := range deps.Check() {
				a.say("%s (%s)", p.What, p.Hint)
			}
			return nil
		},
	}
}
