package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/sbom"
	"github.com/seatrial/seatrial/cmd/seatrial/builds"
	"github.com/seatrial/seatrial/cmd/seatrial/registries"
	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/git/folder"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

const (
	maxPipeline = 1 << 20 // of .seatrial.yaml; the parser has its own bound, and says so
	maxRecords  = 300     // of builds that are remembered
	builderID   = "https://seatrial.dev/builder/folder"
)

// works are the parts that build one folder.
type works struct {
	o        Options
	to       oci.Ref
	folder   *folder.Snapshot
	dir      string // of this run alone
	registry *oci.Registry
	logs     *logs.Book
	builder  *builder.Builder
	verifier *signing.Verifier // nil: nothing is signed
	built    bool              // and not proved
}

func newWorks(o Options, to oci.Ref, taken *folder.Snapshot) (_ *works, err error) {
	w := &works{o: o, to: to, folder: taken}
	records := filepath.Join(o.State, "builds")
	if err := os.MkdirAll(records, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of builds: %w", err)
	}
	if w.dir, err = os.MkdirTemp(o.State, "run-"); err != nil {
		return nil, fmt.Errorf("make the folder of a build: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.registry, err = registries.Open(o.PlainHTTP, o.hosts(to)...); err != nil {
		return nil, err
	}
	if w.logs, err = logs.Open(filepath.Join(w.dir, "logs"), logs.Config{}); err != nil {
		return nil, err
	}
	if w.verifier, err = w.verifying(); err != nil {
		return nil, err
	}
	w.builder, err = builder.New(builder.Config{
		Addresses: o.BuildKit, Mirrors: o.Mirrors, Folder: &builder.Folder{Repository: to.Repository}, ID: builderID, Version: o.Version, State: records,
	}, builder.Parts{
		Checkout: w.checkout, Registry: w.registry, Logs: w.logs, SecretOf: secretOf,
		Pipeline: func(context.Context, release.Release) (release.Pipeline, error) { return w.pipeline() },
		Tree:     w.tree, Verify: w.verify,
	})
	return w, err
}

// hosts are the registries that are asked.
func (o Options) hosts(to oci.Ref) []string {
	out := []string{to.Host()}
	for _, m := range o.Mirrors {
		host, _, _ := strings.Cut(m, "/")
		out = append(out, host)
	}
	return out
}

func (w *works) close() error {
	var err error
	if w.logs != nil {
		err = w.logs.Close()
	}
	return errors.Join(err, os.RemoveAll(w.dir), prune(filepath.Join(w.o.State, "builds")))
}

// prune forgets the oldest records; what still leads to one leads nowhere then, which
// costs a build.
func prune(records string) error {
	entries, err := os.ReadDir(records)
	if err != nil {
		return fmt.Errorf("forget old builds: %w", err)
	}
	age := map[string]time.Time{}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ".json") {
			age[e.Name()] = info.ModTime()
		}
	}
	if len(age) <= maxRecords {
		return nil
	}
	names := make([]string, 0, len(age))
	for name := range age {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(age[b].Compare(age[a]), cmp.Compare(a, b)) })
	for _, name := range names[maxRecords:] {
		if err := os.Remove(filepath.Join(records, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget old builds: %w", err)
		}
	}
	return nil
}

// checkout gives the builder exactly what the folder's id stands for.
func (w *works) checkout(ctx context.Context, _ release.Release) (tree fs.FS, committed time.Time, done func() error, err error) {
	w.built = true
	tree, err = w.folder.Files(ctx, git.Limits{Files: 200_000, Bytes: 4 << 30})
	return tree, folder.Time, func() error { return nil }, err
}

func (w *works) tree(_ context.Context, _ release.Release, path string) (string, error) {
	id, err := w.folder.ObjectID(path)
	if errors.Is(err, git.ErrNoFile) {
		return "", nil
	}
	return id, err
}

// secretOf takes what builds mount from the environment, as the server does.
func secretOf(_ release.Release, name string) (secret.Text, bool, error) {
	value := settings.Named(name)
	if value == "" {
		return "", false, hint.Add(errors.New("it has no value"), "set "+platform.SecretVariable(name))
	}
	return value, true, nil
}

// verifying reads the public half of the key.
func (w *works) verifying() (*signing.Verifier, error) {
	if w.o.Key == "" {
		return nil, nil
	}
	if w.to.Repository == "" {
		return nil, hint.Add(errors.New("--key: nothing is pushed that could be signed"), "say where with --push")
	}
	public, err := signing.ReadPublicKey(strings.TrimSuffix(w.o.Key, filepath.Ext(w.o.Key)) + ".pub")
	if err != nil {
		return nil, hint.Add(fmt.Errorf("--key: %w", err), "the public half lies beside the key, with the ending .pub")
	}
	return signing.NewVerifier(w.registry, public)
}

// verify holds an image to the key. Without one there is nothing to hold it to but the
// digest in our own record.
func (w *works) verify(ctx context.Context, r release.Release) ([]string, error) {
	if w.verifier == nil {
		return nil, nil
	}
	return builds.Sources{Verifier: func() *signing.Verifier { return w.verifier }, Builder: builderID}.Verify(ctx, r)
}

// sign signs what was built; what was proved has been signed.
func (w *works) sign(ctx context.Context, r release.Release) error {
	if w.verifier == nil || !w.built {
		return nil
	}
	keys, err := signing.OpenRing(ctx, settings.Env("SEATRIAL_SIGNING_PASSPHRASE"), time.Now(), signing.Source{File: w.o.Key})
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find our own program: %w", err)
	}
	boms, err := sbom.New(sbom.Config{Exec: self, State: filepath.Join(w.o.State, "sboms")}, w.registry.Fetch)
	if err != nil {
		return err
	}
	signer, err := signing.NewSigner(signing.Config{Keys: keys, Registry: w.registry, Builder: builderID, SBOM: boms.Generate, Provenance: w.builder.Provenance})
	if err != nil {
		return err
	}
	_, v, err := signer.Sign(ctx, "sign", r)
	if err == nil && v.Outcome() != release.Passed {
		err = hint.Add(fmt.Errorf("sign %s: %s", r.Artifact.Reference(), v.Reason()), v.Hint())
	}
	return err
}
