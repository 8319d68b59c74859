package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/git/folder"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/pipeline/spec"
	"github.com/seatrial/seatrial/release"
)

// Options are how one working folder is built.
type Options struct {
	Dir       string
	Push      string            // HOST/REPOSITORY[:TAG]; empty: the image is kept nowhere
	BuildKit  []string          // addresses of buildkitd
	Mirrors   map[string]string // where buildkitd takes a host's images from
	PlainHTTP bool              // the registry, and the mirrors, have no TLS
	Platforms []string          // instead of those in .seatrial.yaml
	Key       string            // file of the key to sign with; empty: not signed
	State     string            // folder for what is remembered from build to build
	Version   string            // of this program
}

func newRun(version string) *cobra.Command {
	o := Options{Version: version}
	var config string
	cmd := &cobra.Command{
		Use:   "run [DIR]",
		Short: "Build the image of a working folder, committed or not, unless it is known to be unchanged",
		Long: "DIR is the root of the application, by default the current folder. It is built as the server would build a commit of\n" +
			"everything in it: files that git ignores are not in the image, and the repository is not touched. With --push, an\n" +
			"image whose inputs are those of an earlier run is looked for in the registry and not built again.\n\n" +
			"The image's name, by digest, is printed on stdout. Who may push is taken from docker's configuration. No server is needed.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Dir = "."; len(args) == 1 {
				o.Dir = args[0]
			}
			if err := o.complete(config); err != nil {
				return err
			}
			image, err := Run(cmd.Context(), o, cmd.ErrOrStderr())
			if err == nil && image != "" {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), image)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Push, "push", "", "push the image to HOST/REPOSITORY[:TAG]; without it the image is kept nowhere")
	f.StringSliceVar(&o.Platforms, "platform", nil, "platforms instead of those in "+spec.Name+", whose default is this machine's")
	f.StringSliceVar(&o.BuildKit, "buildkit", nil, "address of buildkitd (default $BUILDKIT_HOST or "+defaultBuildKit+")")
	f.StringToStringVar(&o.Mirrors, "mirror", nil, "where buildkitd takes a host's images from: docker.io=registry.example:5000")
	f.BoolVar(&o.PlainHTTP, "plain-http", false, "the registry and the mirrors have no TLS")
	f.StringVar(&o.Key, "key", "", "sign with the key in this file; its passphrase is in $SEATRIAL_SIGNING_PASSPHRASE")
	f.StringVar(&o.State, "state", "", "folder for what is remembered from build to build (default: a folder of the user's cache)")
	f.StringVar(&config, "config", "", "take buildkitd, its mirrors and the registry's TLS from a server's settings")
	return cmd
}

const defaultBuildKit = "unix:///run/buildkit/buildkitd.sock"

// complete fills in what no flag says.
func (o *Options) complete(config string) error {
	if config != "" {
		s, err := settings.Read(config)
		if err != nil {
			return err
		}
		if len(o.BuildKit) == 0 {
			o.BuildKit = s.BuildKit.Addresses
		}
		if len(o.Mirrors) == 0 {
			o.Mirrors = s.BuildKit.Mirrors
		}
		o.PlainHTTP = o.PlainHTTP || s.Registry.PlainHTTP
	}
	if host := os.Getenv("BUILDKIT_HOST"); len(o.BuildKit) == 0 && host != "" {
		o.BuildKit = []string{host}
	}
	if len(o.BuildKit) == 0 {
		o.BuildKit = []string{defaultBuildKit}
	}
	if o.State == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return hint.Add(fmt.Errorf("find a folder for what is remembered: %w", err), "name one with --state")
		}
		o.State = filepath.Join(cache, "seatrial")
	}
	return nil
}

// Run builds a folder, or proves that it need not be built, and gives the image's name by
// digest; empty when it is kept nowhere. Progress goes to say.
func Run(ctx context.Context, o Options, say io.Writer) (image string, err error) {
	to, err := target(o.Push)
	if err != nil {
		return "", err
	}
	taken, err := folder.Take(ctx, o.Dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, taken.Close()) }()
	w, err := newWorks(o, to, taken)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	a, err := w.build(ctx, say)
	if err != nil || a == nil {
		return "", err
	}
	if to.Tag != "" {
		m, err := w.registry.Get(ctx, oci.Ref{Repository: a.Repository, Digest: a.Digest})
		if err == nil {
			err = w.registry.Tag(ctx, to, m)
		}
		if err != nil {
			return "", err
		}
	}
	return a.Reference(), nil
}

// target reads HOST/REPOSITORY[:TAG].
func target(push string) (oci.Ref, error) {
	if push == "" {
		return oci.Ref{}, nil
	}
	full := push
	if strings.LastIndexByte(push, ':') <= strings.LastIndexByte(push, '/') {
		full += ":latest" // only to be read
	}
	ref, err := oci.ParseRef(full)
	if err == nil && ref.Digest != "" {
		err = fmt.Errorf("image %q: a digest is what comes out", push)
	}
	if err != nil {
		return oci.Ref{}, hint.Add(fmt.Errorf("--push: %w", err), "name it as HOST/REPOSITORY or HOST/REPOSITORY:TAG")
	}
	if full != push {
		ref.Tag = ""
	}
	return ref, nil
}

// build follows the build's log while it is made.
func (w *works) build(ctx context.Context, say io.Writer) (*release.Artifact, error) {
	r, err := w.release()
	if err != nil {
		return nil, err
	}
	followed, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() { // waited for below
		defer close(done)
		_ = w.logs.Subscribe(followed, r.ID, 0, func(lines []logs.Line) error { return show(say, lines) })
	}()
	facts, verdict, err := w.builder.Build(ctx, string(r.ID)+"/"+w.to.Repository, r)
	if page, rerr := w.logs.Read(ctx, r.ID, 0, 1); rerr != nil || len(page.Lines) == 0 {
		stop() // there is nothing to follow to its end
	}
	<-done
	switch {
	case err != nil:
		return nil, err
	case verdict.Outcome() != release.Passed:
		return nil, hint.Add(fmt.Errorf("build %s: %s", w.o.Dir, verdict.Reason()), verdict.Hint())
	case facts.Artifact == nil:
		return nil, nil
	}
	r.Artifact = facts.Artifact
	return r.Artifact, w.sign(ctx, r)
}

var errEnd = errors.New("the end of the log")

func show(say io.Writer, lines []logs.Line) error {
	for _, l := range lines {
		text := l.Text
		if l.Step != "" {
			text = strings.TrimSpace(l.Step + " " + l.Text)
		}
		if _, err := fmt.Fprintln(say, text); err != nil {
			return err
		}
		if l.Stream == logs.End {
			return errEnd
		}
	}
	return nil
}

// release is the folder as the builder knows commits. Its repo is the folder's name, so
// that no gate ever takes its image for one of a repository.
func (w *works) release() (release.Release, error) {
	p, err := w.pipeline()
	if err != nil {
		return release.Release{}, err
	}
	name := w.name()
	service, err := release.ParseService(p.Meta.Team + "/" + p.Meta.Name)
	if err != nil {
		service = release.Service("local/" + name)
	}
	c := w.folder.Commit()
	return release.Release{ID: release.NewID(service, c), Service: service, Repo: "folder:" + name, Ref: "folder", Commit: c}, nil
}

// name is the folder's, as far as it can name a service.
func (w *works) name() string {
	dir, err := filepath.Abs(w.o.Dir)
	if err != nil {
		dir = w.o.Dir
	}
	clean := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(filepath.Base(dir))), "-")
	if !release.ValidName(clean) {
		return "folder"
	}
	return clean
}

// pipeline is .seatrial.yaml as it is in the folder; without one everything has its default.
func (w *works) pipeline() (release.Pipeline, error) {
	var p release.Pipeline
	data, err := w.folder.ReadFile(spec.Name, maxPipeline)
	switch {
	case errors.Is(err, git.ErrNoFile):
		p.Spec.Build.Context = "."
	case err != nil:
		return p, err
	default:
		if p, err = spec.Parse(filepath.Join(w.o.Dir, spec.Name), data); err != nil {
			return p, err
		}
	}
	if len(w.o.Platforms) > 0 {
		p.Spec.Build.Platforms = w.o.Platforms
	}
	if len(p.Spec.Build.Platforms) == 0 {
		p.Spec.Build.Platforms = []string{"linux/" + runtime.GOARCH}
	}
	return p, nil
}
