// Package validation holds the command that checks configuration before it is pushed.
//
// Start at New. It needs no server and never asks one.
package validation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/world"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/pipeline/spec"
)

// New is the command "config".
func New() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check configuration"}
	var platformDir string
	validate := &cobra.Command{
		Use:   "validate PATH…",
		Short: "Check platform repos and .seatrial.yaml files without a server",
		Long: "A folder with a .seatrial.yaml is an application's repo, any other folder a platform repo.\n" +
			"With --platform an application's file is also checked against that platform's environments and projects.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var all []error
			for _, path := range args {
				what, err := validate(path, platformDir)
				if err != nil {
					all = append(all, err)
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: ok (%s)\n", path, what)
			}
			return errors.Join(all...)
		},
	}
	validate.Flags().StringVar(&platformDir, "platform", "", "folder of the platform repo to check applications against")
	cmd.AddCommand(validate)
	return cmd
}

// validate checks one path and says what it was.
func validate(path, platformDir string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", hint.Add(fmt.Errorf("validate: %w", err), "name a folder or a .seatrial.yaml")
	}
	if !info.IsDir() {
		return "application", validateApplication(path, platformDir)
	}
	if file := filepath.Join(path, spec.Name); exists(file) {
		return "application", validateApplication(file, platformDir)
	}
	tree, err := readPlatform(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("platform: %d environments, %d clusters, %d projects, %d experiments, %d SLOs, %d policies",
		len(tree.Environments), len(tree.Clusters), len(tree.Projects), len(tree.Experiments), len(tree.SLOs), len(tree.Policies)), nil
}

func exists(file string) bool { _, err := os.Stat(file); return err == nil }

func readPlatform(dir string) (platform.Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return platform.Tree{}, fmt.Errorf("validate: %w", err)
	}
	defer root.Close()
	return world.Check(root.FS())
}

func validateApplication(path, platformDir string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	file, err := spec.Read(path, data)
	if err != nil || platformDir == "" {
		return err
	}
	tree, err := readPlatform(platformDir)
	if err != nil {
		return err
	}
	for _, p := range tree.Projects {
		if p.Spec.Team == file.Pipeline.Meta.Team {
			return file.Check(tree.Environments, p)
		}
	}
	return fmt.Errorf("%s: no project of the platform belongs to team %q", path, file.Service().Team())
}
