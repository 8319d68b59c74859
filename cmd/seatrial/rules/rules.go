// Package rules holds the commands that make an SLO's rules for Prometheus, and tell whether
// a Prometheus has them.
//
// Start at New. They read a platform repo on disk and never ask a server of ours.
package rules

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/world"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/rules"
)

// Print writes a value in the form that was asked for.
type Print func(w io.Writer, form string, v any, table func(w io.Writer, wide bool)) error

// New is the command "slo".
func New(print Print) *cobra.Command {
	cmd := &cobra.Command{Use: "slo", Short: "Prometheus rules of the platform's SLOs"}
	cmd.AddCommand(newRules(), newDoctor(print))
	return cmd
}

func newRules() *cobra.Command {
	var format, out string
	var clusters []string
	cmd := &cobra.Command{
		Use:   "rules [DIR]",
		Short: "Print recording and alerting rules for Prometheus",
		Long: "DIR is the root of a platform repo, by default the current folder. An SLO has rules for each cluster of the environments that its\n" +
			"service's project may use, or for those named with --cluster.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := map[string]func(io.Writer, []rules.Set) error{"prometheus": rules.Write, "operator": rules.WriteObjects}[format]
			if !ok {
				return hint.Add(fmt.Errorf("unknown format %q", format), "use --format prometheus or --format operator")
			}
			sets, err := read(args, clusters)
			if err != nil {
				return err
			}
			if out == "" {
				return write(cmd.OutOrStdout(), sets)
			}
			return replace(out, func(w io.Writer) error { return write(w, sets) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "prometheus", "prometheus (a file of rules) or operator (PrometheusRule objects)")
	f.StringVar(&out, "out", "", "write to this file instead of stdout")
	f.StringSliceVar(&clusters, "cluster", nil, "only for these clusters")
	return cmd
}

func newDoctor(print Print) *cobra.Command {
	var output, address string
	var clusters []string
	cmd := &cobra.Command{
		Use:   "doctor [DIR]",
		Short: "Ask a Prometheus whether it has the rules of every SLO, and data for them",
		Long: "Each rule that seatrial slo rules prints has to be loaded once, with the same expression, evaluated lately and without an error,\n" +
			"and what it records has to have a value. Fails when something was found.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sets, err := read(args, clusters)
			if err != nil {
				return err
			}
			found, err := rules.Inspect(cmd.Context(), address, sets, time.Now())
			if err != nil {
				return err
			}
			if err := print(cmd.OutOrStdout(), output, found, func(w io.Writer, _ bool) { Table(w, found) }); err != nil {
				return err
			}
			if len(found) > 0 {
				return hint.Add(fmt.Errorf("%d rules of SLOs are not as they should be", len(found)), "each line says what to do next")
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "the rules of %d SLOs are loaded, current and have data\n", len(sets))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "table", "table, json or yaml")
	f.StringVar(&address, "prometheus", "", "address of Prometheus: http://host:port")
	_ = cmd.MarkFlagRequired("prometheus")
	f.StringSliceVar(&clusters, "cluster", nil, "only for these clusters")
	return cmd
}

// Table writes a line for each finding, with columns between tabs.
func Table(w io.Writer, found []rules.Finding) {
	if len(found) == 0 {
		return
	}
	fmt.Fprintln(w, "GROUP\tRULE\tPROBLEM\tNEXT")
	for _, f := range found {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Group, f.Rule, strings.Join(strings.Fields(f.Problem), " "), f.Next)
	}
}

// read makes the rules of the platform repo that is named first, or here.
func read(args, only []string) ([]rules.Set, error) {
	dir := "."
	if len(args) == 1 {
		dir = args[0]
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, hint.Add(fmt.Errorf("read SLOs: %w", err), "name the root of a platform repo")
	}
	defer root.Close()
	tree, err := world.Check(root.FS())
	if err != nil {
		return nil, err
	}
	slos, err := openslo.Read(tree.SLOs)
	if err != nil {
		return nil, err
	}
	if len(slos) == 0 {
		return nil, hint.Add(fmt.Errorf("read SLOs: there is none in %s", dir), "name the root of a platform repo with openslo/v1 documents")
	}
	return Sets(tree, slos, only)
}

// Sets are the rules of the SLOs on the clusters that their services may be on. A cluster
// that is asked for has to be one of them.
func Sets(tree platform.Tree, slos []openslo.SLO, only []string) ([]rules.Set, error) {
	slices.SortFunc(slos, func(a, b openslo.SLO) int { return cmp.Compare(a.Name, b.Name) })
	var sets []rules.Set
	met := map[string]bool{}
	for _, s := range slos {
		clusters := clustersOf(tree, s.Service)
		if len(only) > 0 {
			clusters = slices.DeleteFunc(clusters, func(c string) bool { return !slices.Contains(only, c) })
		}
		for _, c := range clusters {
			met[c] = true
		}
		if len(clusters) > 0 {
			sets = append(sets, rules.Make(s, clusters))
		}
	}
	for _, c := range only {
		if !met[c] {
			return nil, hint.Add(fmt.Errorf("no service with an SLO may be on cluster %q", c), "see the platform repo's Cluster and Environment documents")
		}
	}
	if len(sets) == 0 {
		return nil, hint.Add(errors.New("no service with an SLO may be on any cluster"), "add Cluster documents whose labels an environment's waves select")
	}
	return sets, nil
}

// clustersOf are the clusters of all environments that the service's project may use.
func clustersOf(tree platform.Tree, service release.Service) []string {
	clusters := slices.Collect(maps.Values(tree.Clusters))
	var names []string
	for _, p := range tree.Projects {
		if p.Spec.Team != service.Team() {
			continue
		}
		for _, env := range tree.Environments {
			if len(p.Spec.Environments) > 0 && !slices.Contains(p.Spec.Environments, release.Env(env.Meta.Name)) {
				continue
			}
			for name, in := range release.Selected(env, clusters) {
				if in {
					names = append(names, name)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// replace writes a file whole or not at all: Prometheus may read it at any time.
func replace(file string, write func(io.Writer) error) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), ".rules-*")
	if err != nil {
		return hint.Add(fmt.Errorf("write %s: %w", file, err), "make its folder first")
	}
	defer os.Remove(temporary.Name())
	err = errors.Join(write(temporary), temporary.Chmod(0o644), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
