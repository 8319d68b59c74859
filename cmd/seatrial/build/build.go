// Package build holds the commands about builds that need no server: build a working
// folder, see the plan of one without a Dockerfile, take it over as a Dockerfile, put a
// planned image on a newer base.
//
// Start at New, for a build at Run. It never runs anything of a folder itself, and never
// writes to a folder's repository.
package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/builder/plan"
	"github.com/seatrial/seatrial/cmd/seatrial/registries"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/pipeline/spec"
	"github.com/seatrial/seatrial/release"
)

// Print writes a value in the form that was asked for; for people it calls table.
type Print func(w io.Writer, form string, v any, table func(w io.Writer, wide bool)) error

// New is the command "build" of this version of the program with those below it, and with
// others.
func New(version string, print Print, others ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: "build", Short: "Build the image of a folder, see how it is made, compare two, and put one on a newer base"}
	cmd.AddCommand(newRun(version), newPlan(print), newEject(), newRebase(print))
	cmd.AddCommand(others...)
	return cmd
}

func newPlan(print Print) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "plan [DIR]",
		Short: "Show how the image is made of the files of a folder, and why",
		Long: "DIR is the root of the application's repo. Its .seatrial.yaml counts when there is one; a Dockerfile does not:\n" +
			"this is what would be done without it. Nothing is run, nothing is fetched.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, _, err := planOf(args)
			if err != nil {
				return err
			}
			return print(cmd.OutOrStdout(), output, p, func(w io.Writer, _ bool) { fmt.Fprint(w, plan.Words(p)) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, json or yaml")
	return cmd
}

func newEject() *cobra.Command {
	return &cobra.Command{
		Use:   "eject [DIR]",
		Short: "Print the plan as a Dockerfile that gives the same files, to go on by hand",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, build, err := planOf(args)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), plan.Dockerfile(p, build.Args))
			return err
		},
	}
}

func newRebase(print Print) *cobra.Command {
	var output, tag string
	var plain bool
	cmd := &cobra.Command{
		Use:   "rebase IMAGE",
		Short: "Put a planned image's own layers on what its base's name stands for now, in the registry",
		Long: "Nothing is built, and the image's own layers stay as they are. The result is another image, which is not signed:\n" +
			"no environment takes it. To release a service on the newer base, push a commit: its build looks the base up again.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			image, err := oci.ParseRef(args[0])
			if err != nil {
				return hint.Add(err, "name it as HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:…")
			}
			registry, err := registries.Open(plain, image.Host())
			if err != nil {
				return err
			}
			done, err := registry.Rebase(cmd.Context(), image, tag)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.ErrOrStderr(), unsigned(image, done))
			return print(cmd.OutOrStdout(), output, done, func(w io.Writer, _ bool) {
				if done.From == done.To {
					fmt.Fprintf(w, "%s is on %s@%s, there is nothing newer\n", image, done.Base, done.To)
					return
				}
				fmt.Fprintf(w, "base\t%s\nfrom\t%s\nto\t%s\nimage\t%s:%s@%s\n", done.Base, done.From, done.To, image.Repository, tag, done.Digest)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, json or yaml")
	cmd.Flags().StringVar(&tag, "tag", "", "the result's tag")
	cmd.Flags().BoolVar(&plain, "plain-http", false, "the image's registry has no TLS")
	_ = cmd.MarkFlagRequired("tag")
	return cmd
}

// unsigned says what a rebased image lacks: what was attached to the one before does not
// count for it, and whoever runs the command has neither the platform's key nor its word on
// how the image was built.
func unsigned(image oci.Ref, done oci.Rebased) string {
	if done.From == done.To {
		return "" // there is no other image
	}
	return "warning: the new image is not signed, and has neither SBOM nor provenance: no environment takes it\n" +
		"hint: to release the service on the newer base, push a commit: its build looks the base up again. To vouch for this\n" +
		"image elsewhere, run: cosign sign --key KEY " + image.Repository + "@" + string(done.Digest) + "\n"
}

// planOf plans a folder as the server would plan the same commit.
func planOf(args []string) (plan.Plan, release.BuildSpec, error) {
	dir := "."
	if len(args) == 1 {
		dir = args[0]
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return plan.Plan{}, release.BuildSpec{}, hint.Add(fmt.Errorf("plan: %w", err), "name the folder of the application")
	}
	defer root.Close()
	pipeline, err := pipelineOf(root, dir)
	if err != nil {
		return plan.Plan{}, release.BuildSpec{}, err
	}
	build := pipeline.Spec.Build
	context, err := root.OpenRoot(filepath.FromSlash(build.Context))
	if err != nil {
		return plan.Plan{}, build, hint.Add(fmt.Errorf("plan: build context %q: %w", build.Context, err), "correct spec.build.context in "+spec.Name)
	}
	defer context.Close()
	ask := plan.Ask{Name: pipeline.Meta.Name, Args: slices.Collect(maps.Keys(build.Args))}
	for _, s := range build.Secrets {
		ask.Secrets = append(ask.Secrets, s.ID)
	}
	if build.Plan != nil {
		ask.BuildPlan = *build.Plan
	}
	p, err := plan.Detect(context.FS(), ask)
	if err != nil {
		return plan.Plan{}, build, fmt.Errorf("plan %s: %w", filepath.Join(dir, build.Context), err)
	}
	return p, build, nil
}

// pipelineOf is the folder's .seatrial.yaml, or what holds without one.
func pipelineOf(root *os.Root, dir string) (release.Pipeline, error) {
	data, err := root.ReadFile(spec.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return release.Pipeline{Spec: release.PipelineSpec{Build: release.BuildSpec{Context: "."}}}, nil
	}
	if err != nil {
		return release.Pipeline{}, fmt.Errorf("plan: %w", err)
	}
	return spec.Parse(filepath.Join(dir, spec.Name), data)
}
