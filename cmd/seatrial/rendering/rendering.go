// Package rendering holds the command that prints what would be committed to a
// desired-state branch, and the hidden one that renders for it and for the server.
//
// Start at New. It needs no server, asks no cluster and never fetches anything but charts
// that a chart depends on.
package rendering

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/registries"
	"github.com/seatrial/seatrial/cmd/seatrial/world"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/pipeline/spec"
	"github.com/seatrial/seatrial/release"
)

// ask is what the flags say.
type ask struct {
	env, service, namespace, image, platform, variant string
	params                                            map[string]string
}

// New is the command "render".
func New() *cobra.Command {
	var a ask
	cmd := &cobra.Command{
		Use:   "render [DIR]",
		Short: "Print the manifests of an environment as they would be committed",
		Long: "DIR is the root of the application's repo, by default the current folder; its .seatrial.yaml says where the manifests are.\n" +
			"A folder without one is taken for the manifests themselves. With --platform the environment's params and the project's\n" +
			"namespace are those of a platform repo on disk; --param and --namespace go above them. Nothing is fetched but charts of an OCI\n" +
			"registry that Chart.lock names and charts/ lacks, with docker's logins.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return run(cmd.Context(), dir, a, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.env, "env", "", "the environment")
	f.StringToStringVar(&a.params, "param", nil, "a param of the environment: NAME=VALUE, repeated")
	f.StringVar(&a.platform, "platform", "", "folder of the platform repo that says the environment's params")
	f.StringVar(&a.variant, "for", "", "for the clusters of this entry of the environment's paramsFor; needs --platform")
	f.StringVar(&a.image, "image", "", "NAME@sha256:… of the service's own image")
	f.StringVar(&a.service, "service", "", "TEAM/NAME (default: that of .seatrial.yaml)")
	f.StringVar(&a.namespace, "namespace", "", "for objects that name none (default: the project's first)")
	_ = cmd.MarkFlagRequired("env")
	return cmd
}

// NewChild is our own program as the child that renders.
func NewChild() *cobra.Command {
	return &cobra.Command{
		Use:                "render-child",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return render.Child(cmd.Context(), args, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// Self is our own program, to be run again as a child.
func Self() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find our own program: %w", err)
	}
	return self, nil
}

// Tell logs once in which isolation rendering happens.
func Tell(ctx context.Context, r *render.Renderer, log *slog.Logger) {
	what, err := r.Isolation(ctx)
	if err != nil {
		log.Warn("rendering", "isolation", what, "lacks", err.Error(), "hint", hint.Of(err))
		return
	}
	log.Info("rendering", "isolation", what)
}

func run(ctx context.Context, dir string, a ask, out, errs io.Writer) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return hint.Add(fmt.Errorf("render: %w", err), "name the root of the application's repo")
	}
	defer root.Close()
	o, err := a.options(root, dir)
	if err != nil {
		return err
	}
	if o.Image == "" {
		o.Image = string(o.Service) + "@sha256:" + strings.Repeat("0", 64)
		fmt.Fprintf(errs, "note: %s stands for the image that the build will make; --image puts one in\n", o.Image[:len(o.Service)+20]+"…")
	}
	self, err := Self()
	if err != nil {
		return err
	}
	o.Charts = registries.Own
	r := render.New(render.Config{Exec: self})
	defer r.Close()
	done, err := r.Render(ctx, root.FS(), o)
	if err != nil {
		return err
	}
	for _, note := range done.Notes {
		fmt.Fprintln(errs, "note:", note)
	}
	_, err = out.Write(done.YAML)
	return err
}

// options are what the application's file, the platform repo and the flags say, the last
// above all.
func (a ask) options(root *os.Root, dir string) (render.Options, error) {
	o := render.Options{Path: ".", Env: release.Env(a.env), Service: release.Service(a.service), Image: a.image, Params: map[string]string{}}
	data, err := root.ReadFile(spec.Name)
	switch {
	case err == nil:
		p, err := spec.Parse(filepath.Join(dir, spec.Name), data)
		if err != nil {
			return o, err
		}
		o.Path = p.Spec.Deploy.Manifests
		if a.service == "" {
			o.Service = release.Service(p.Meta.Team + "/" + p.Meta.Name)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return o, fmt.Errorf("render: %w", err)
	case a.service == "":
		return o, hint.Add(fmt.Errorf("render: %s has no %s, so nothing says whose manifests these are", dir, spec.Name), "name the root of the application's repo, or add --service TEAM/NAME")
	}
	if o.Service, err = release.ParseService(string(o.Service)); err != nil {
		return o, hint.Add(fmt.Errorf("render: %w", err), "add --service TEAM/NAME")
	}
	if a.platform != "" {
		if err := a.fromPlatform(&o); err != nil {
			return o, err
		}
	} else if a.variant != "" {
		return o, hint.Add(errors.New("render: --for needs the platform repo, whose environment has the entry"), "add --platform DIR")
	}
	maps.Copy(o.Params, a.params)
	if a.namespace != "" {
		o.Namespace = a.namespace
	}
	return o, nil
}

func (a ask) fromPlatform(o *render.Options) error {
	root, err := os.OpenRoot(a.platform)
	if err != nil {
		return hint.Add(fmt.Errorf("render: %w", err), "name the folder of the platform repo")
	}
	defer root.Close()
	tree, err := world.Check(root.FS())
	if err != nil {
		return err
	}
	env, ok := tree.Environment(release.Env(a.env))
	if !ok {
		return hint.Add(fmt.Errorf("render: the platform repo has no environment %q", a.env), "there is: "+strings.Join(environments(tree), ", "))
	}
	params, err := a.paramsIn(env)
	if err != nil {
		return err
	}
	maps.Copy(o.Params, params)
	for _, p := range tree.Projects {
		if p.Spec.Team == o.Service.Team() && len(p.Spec.Namespaces) > 0 {
			o.Namespace = p.Spec.Namespaces[0]
		}
	}
	return nil
}

// paramsIn are the environment's params, with those of the entry that --for names.
func (a ask) paramsIn(env release.Environment) (map[string]string, error) {
	if a.variant == "" {
		return env.Spec.Params, nil
	}
	var names []string
	for _, p := range env.Spec.ParamsFor {
		if p.Name == a.variant {
			return release.ParamsOf(env.Spec, p), nil
		}
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		names = []string{"none"}
	}
	return nil, hint.Add(fmt.Errorf("render: environment %s has no paramsFor %q", env.Meta.Name, a.variant), "there is: "+strings.Join(names, ", "))
}

func environments(tree platform.Tree) (names []string) {
	for _, e := range tree.Environments {
		names = append(names, e.Meta.Name)
	}
	return names
}
