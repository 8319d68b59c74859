package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/builder/buildkitd"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/sbom"
	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/chaos/trial"
	"github.com/seatrial/seatrial/cmd/seatrial/agents"
	"github.com/seatrial/seatrial/cmd/seatrial/alarms"
	"github.com/seatrial/seatrial/cmd/seatrial/arrivals"
	"github.com/seatrial/seatrial/cmd/seatrial/autoscalers"
	"github.com/seatrial/seatrial/cmd/seatrial/builds"
	"github.com/seatrial/seatrial/cmd/seatrial/consents"
	"github.com/seatrial/seatrial/cmd/seatrial/faults"
	"github.com/seatrial/seatrial/cmd/seatrial/rendering"
	"github.com/seatrial/seatrial/cmd/seatrial/reports"
	"github.com/seatrial/seatrial/cmd/seatrial/retention"
	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/cmd/seatrial/silences"
	"github.com/seatrial/seatrial/cmd/seatrial/views"
	"github.com/seatrial/seatrial/cmd/seatrial/world"
	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/presence"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/analysis"
	"github.com/seatrial/seatrial/slo/course"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
	"github.com/seatrial/seatrial/web"
)

// server is every part of the platform, introduced to those it works with. This file is the only place that knows them all.
type server struct {
	settings settings.Settings
	secrets  settings.Secrets
	log      *slog.Logger

	db     *bolt.DB
	book   *store.Book
	repos  *git.Repos
	world  *world.World
	pushes shelf.PushQueue

	arrivals arrivals.Forge
	intake   *pipeline.Intake
	runner   *pipeline.Runner

	keys      *signing.Ring
	registry  *oci.Registry
	logs      *logs.Book
	sources   builds.Sources
	builder   *builder.Builder
	buildkitd *buildkitd.Child // nil: it runs elsewhere
	boms      *sbom.Generator
	signer    *signing.Signer
	verifier  *signing.Verifier
	gate      *policies.Gate
	approving *policies.Approving

	renderer *render.Renderer
	near     *live.Clusters
	live     *agents.Door // every cluster, near or through its agent
	desired  *desired.Store
	rollout  *deployer.Rollout
	fleet    *deployer.Fleet
	presence *presence.Watch

	sloGate   *slo.Gate
	sloWatch  *slo.Watch
	trial     *trial.Trial
	scheduler *schedule.Scheduler
	weekly    reports.Weekly

	scaling     func(context.Context) error // tells of autoscalers whose CPU stays high
	watchFaults func(context.Context) error
	sweepNow    chan struct{} // asks for a sweep of faults that nobody owns
	branchNow   chan struct{} // asks for a look at the desired-state branches
	fence       retention.Fence
	retention   *retention.Sweeper

	forge    *forge.Client
	notifier *notify.Notifier
	web      *web.Server
}

// builderID is who the provenance says has built.
func (s *server) builderID() string { return s.settings.ExternalURL + "/builder" }

// wire makes every part in the order in which they need each other.
func wire(set settings.Settings, secrets settings.Secrets, log *slog.Logger, metrics prometheus.Registerer) (*server, error) {
	s := &server{settings: set, secrets: secrets, log: log, sweepNow: make(chan struct{}, 1), branchNow: make(chan struct{}, 1)}
	steps := []func() error{s.wireStore, s.wireGit, s.wireArtifacts, s.wireDeployer, s.wirePolicies, s.wireTrial, s.wireNotify, s.wireRunner}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	if err := errors.Join(s.wireRetention(metrics), s.wireWeb(metrics)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *server) close() error {
	var all []error
	if s.near != nil {
		s.near.Close()
	}
	if s.renderer != nil {
		s.renderer.Close()
	}
	if s.logs != nil {
		all = append(all, s.logs.Close())
	}
	if s.db != nil {
		all = append(all, s.db.Close())
	}
	return errors.Join(all...)
}

func (s *server) wireStore() (err error) {
	if err := os.MkdirAll(s.settings.State, 0o700); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	if s.db, err = bolt.Open(s.settings.Path("store.db")); err != nil {
		return err
	}
	s.book, s.pushes = store.NewBook(s.db), shelf.PushQueue{KV: s.db}
	return nil
}

func (s *server) wireGit() (err error) {
	if s.keys, err = s.settings.OpenKeys(context.Background(), s.secrets.SigningPassphrase); err != nil {
		return err
	}
	if err := s.settings.Signers(s.keys); err != nil {
		return err
	}
	if s.repos, err = s.settings.Repos(s.secrets.ForgeToken, s.keys, s.log); err != nil {
		return err
	}
	s.world = world.New(s.repos, s.settings.RepoURL(s.settings.Platform.Repo), s.settings.Platform.Branch, s.settings.Path("platform-commit"), s.log)
	api := s.settings.Forge.URL
	if settings.HostOf(api) == "github.com" {
		api = "" // its API has a host of its own
	}
	s.forge, err = forge.New(forge.Config{Kind: forge.Kind(s.settings.Forge.Kind), URL: api, Token: s.secrets.ForgeToken})
	return err
}

func (s *server) wireArtifacts() (err error) {
	s.sources = builds.Sources{Repos: s.repos, URL: s.settings.RepoURL, Builder: s.builderID(),
		Verifier: func() *signing.Verifier { return s.verifier }, Rego: func() map[string]string { return s.world.Now().Policies },
		Projects: func() map[string]release.Project { return s.world.Now().Projects }, Value: settings.Named}
	if s.registry, err = oci.New(oci.Config{Hosts: []oci.Host{s.settings.RegistryHost(s.secrets.RegistryPassword)}, Logins: s.sources.Logins}); err != nil {
		return err
	}
	if s.logs, err = logs.Open(s.settings.Path("logs"), logs.Config{}); err != nil {
		return err
	}
	addresses, err := s.buildkitAddresses()
	if err != nil {
		return err
	}
	s.builder, err = builder.New(builder.Config{
		Addresses: addresses, Mirrors: s.settings.BuildKit.Mirrors, Registry: s.settings.Registry.Host,
		ID: s.builderID(), Version: version, State: s.settings.Path("builds"),
	}, builder.Parts{
		Checkout: s.sources.Checkout, Pipeline: s.sources.Pipeline, Tree: s.sources.Tree, Verify: s.sources.Verify, Policies: s.sources.Policies,
		Registry: s.registry, Logs: s.logs, Log: s.log,
		SecretOf: s.sources.SecretOf, Secrets: func() []secret.Text { return append(s.secrets.All(), s.sources.Secrets()...) },
	})
	if err != nil {
		return err
	}
	if s.verifier, err = signing.NewVerifier(s.registry, s.keys.Public()...); err != nil {
		return err
	}
	self, err := rendering.Self()
	if err != nil {
		return err
	}
	s.renderer = render.New(render.Config{Exec: self, Spare: 20 * time.Second})
	if s.boms, err = sbom.New(sbom.Config{Exec: self, State: s.settings.Path("sboms")}, s.registry.Fetch); err != nil {
		return err
	}
	s.signer, err = signing.NewSigner(signing.Config{
		Keys: s.keys, Registry: s.registry, Builder: s.builderID(), Compat: s.settings.Signing.Compat, SBOM: s.boms.Generate, Provenance: s.builder.Provenance,
	})
	return err
}

// buildkitAddresses is where builds run: at the named buildkitds, or at one of our own.
func (s *server) buildkitAddresses() ([]string, error) {
	set := s.settings.BuildKit
	if len(set.Addresses) > 0 {
		return set.Addresses, nil
	}
	limits := buildkitd.Limits{Mirrors: set.Mirrors}
	if s.settings.Registry.PlainHTTP {
		limits.PlainHTTP = []string{s.settings.Registry.Host}
	}
	var err error
	s.buildkitd, err = buildkitd.New(buildkitd.Config{Program: set.Program, State: s.settings.Path("buildkit"), Env: settings.Public(), Limits: limits, Log: s.log})
	if err != nil {
		return nil, err
	}
	return []string{s.buildkitd.Address()}, nil
}

// kube opens the clusters that the server reaches itself.
func (s *server) kube() *kube.Clusters {
	return kube.Open(s.settings.Clusters.Credentials).Told(s.world.Access, settings.Ours()...)
}

func (s *server) wireDeployer() (err error) {
	s.near = live.New(s.kube(), live.Config{Scripts: s.world.Scripts})
	if s.live, err = agents.Open(s.settings, s.secrets.SigningPassphrase, s.world, s.near, s.book.Slots, s.healed, s.log); err != nil {
		return err
	}
	s.desired = desired.New(s.repos, s.settings.RepoURL)
	locks := &deployer.Locks{}
	s.presence = &presence.Watch{Clusters: s.world.Clusters, Reach: s.live.Reach, Log: s.log, Now: time.Now}
	s.rollout = &deployer.Rollout{Content: s.content, Strategy: s.strategy, Platform: s.world, Slot: s.book.Slot, Desired: s.desired, Live: s.live, Locks: locks, Presence: s.presence, Now: time.Now}
	s.fleet = &deployer.Fleet{Platform: s.world, Slots: s.book.Slots, Slot: s.book.Slot, Release: s.book.Release, Desired: s.desired, Live: s.live, Locks: locks, Presence: s.presence, Report: s.healed, Place: s.moved, Now: time.Now}
	return nil
}

func (s *server) scopes() rendering.Scopes {
	return rendering.Scopes{Clusters: s.world.Clusters, Reach: s.live.Reach, Away: s.presence.Away, Of: func(cluster string) render.Scope { return s.live.Scope(cluster) }}
}

func (s *server) wirePolicies() (err error) {
	if s.gate, err = policies.New(policies.Config{Always: []string{policies.SignedImages, policies.NoBarePods}, ClusterScoped: s.scopes().ClusterScoped}, s.verifyImage); err != nil {
		return err
	}
	s.approving = &policies.Approving{Rules: s.rules, Recheck: s.recheck, Approvals: shelf.Approvals{KV: s.db}, Groups: s.groups}
	return nil
}

func (s *server) wireTrial() (err error) {
	p, err := s.settings.OpenPrometheus()
	if err != nil {
		return err
	}
	slos := func(context.Context) ([]openslo.SLO, error) { return s.world.SLOs(), nil }
	s.sloGate = &slo.Gate{SLOs: slos, Prometheus: p, Now: time.Now, Log: s.log,
		Analyses:    func(context.Context) (map[string]analysis.Template, error) { return s.world.Analyses() },
		Environment: func(_ context.Context, env release.Env) (release.Environment, error) { return s.world.Must(env) }}
	s.sloWatch = &slo.Watch{SLOs: slos, Places: s.sloPlaces, Prometheus: p, Breaches: shelf.Breaches{KV: s.db}, Now: time.Now, Log: s.log, Memory: s.settings.Path("slo-pieces")}
	kinds, watch, err := faults.Kinds(context.Background(), s.kube(), settings.Named, s.db)
	if err != nil {
		return err
	}
	s.watchFaults = watch
	engine := &chaos.Engine{Provider: kinds, Finder: kinds, Measure: s.sloGate.Measure, Now: time.Now, Admit: faults.Admission(s.world.Must, s.sloGate.Budgets, time.Now),
		Stop: func() string { return chaos.Stopped(s.stopFile()) }}
	s.trial = &trial.Trial{Platform: s.world.Chaos, Engine: engine, Log: s.log, Stuck: faults.Stuck(s.book.Tell, time.Now)}
	s.scheduler = &schedule.Scheduler{Platform: s.world.Chaos, Places: s.experimentPlaces, Runs: shelf.Runs{KV: s.db}, Votes: s.votes(), Engine: engine,
		Announce: func(ctx context.Context, e release.Event) error { return s.book.Tell(ctx, e) }, StopFile: s.stopFile(), Log: s.log}
	s.scaling = autoscalers.Watch(s.sloPlaces, s.world.Agent, s.live.Hub.Autoscalers, s.kube(), s.db, s.log).Run
	when, err := s.settings.Summary.Schedule()
	s.weekly = reports.Weekly{When: when, Runs: shelf.Runs{KV: s.db}, Platform: s.world.Chaos, Project: s.world.ProjectName, Tell: s.book.Tell, Notes: s.book, Now: time.Now, Log: s.log}
	return err
}

// stopFile is the kill switch for when all else fails: while it exists, nothing is broken on purpose, and what is gets reverted.
func (s *server) stopFile() string { return s.settings.Path("stop-chaos") }

func (s *server) wireNotify() (err error) {
	outbox := shelf.Outbox{KV: s.db}
	s.notifier, err = notify.New(notify.Config{
		Inbox: outbox, Outbox: outbox, Directory: directory{s.world}, Status: s.status, Tickets: shelf.Tickets{KV: s.db}, Silences: shelf.Silences{KV: s.db}, Matters: shelf.Matters{KV: s.db}, Console: s.settings.ExternalURL, Log: s.log,
		Secret: settings.Named,
	})
	return err
}

func (s *server) wireRunner() error {
	actions := map[release.Phase]pipeline.Action{
		release.Building:  s.fence.Building(s.builder.Build),
		release.Signing:   s.signer.Sign,
		release.Checking:  s.check,
		release.Approving: pipeline.EnterTogether(s.approve, s.book.With),
		release.Deploying: pipeline.Keeping(s.deploy, s.world.Keeps),
		release.Trying:    pipeline.Keeping(s.trial.Run, s.world.Keeps),
	}
	s.runner = &pipeline.Runner{Book: s.book, Active: s.book.Active, ActiveOf: s.book.ActiveOf, Now: time.Now, Log: s.log, Actions: actions}
	actions[release.RollingBack] = s.runner.ReturnTogether(s.rollBack, s.book.With)
	for phase, act := range actions {
		actions[phase] = builds.As(act)
	}
	s.arrivals = arrivals.Forge{API: s.forge, Repos: s.repos, URL: s.settings.RepoURL, Tree: s.world.Now, Pushes: s.pushes}
	s.intake = &pipeline.Intake{Queue: s.pushes, Submit: s.runner.Submit, Project: s.world.ProjectOf, Read: s.arrivals.Read, Parse: s.arrivals.Parse,
		Pulls: s.arrivals, Road: s.runner, Log: s.log, Now: time.Now}
	return nil
}

func (s *server) wireRetention(metrics prometheus.Registerer) (err error) {
	s.retention, err = retention.New(retention.Config{
		Rule: s.settings.Retention, Book: s.book, Content: retention.FromGit(s.world.Must, s.desired), Registry: s.registry, Host: s.settings.Registry.Host, Fence: &s.fence,
		Project: s.world.ProjectName, Log: s.log, Metrics: metrics,
	})
	return err
}

func (s *server) wireWeb(metrics prometheus.Registerer) (err error) {
	known := func(_ forge.Kind, repo string) bool { return s.world.Knows(repo) }
	acts := views.Acts(s.runner, s.approving, s.groups)
	acts.Hold = s.holding(acts.Hold)
	received, err := alarms.Handler(alarms.Desk{Tell: s.book.Tell, Project: directory{s.world}.Project, Default: s.settings.Alertmanager.Project, Now: time.Now}, s.secrets.AlertToken, s.log)
	if err != nil {
		return err
	}
	s.web, err = web.New(web.Config{
		External: s.settings.ExternalURL, Version: version, Alerts: received,
		Secrets: map[forge.Kind][]secret.Text{forge.Kind(s.settings.Forge.Kind): s.secrets.WebhookSecrets},
	}, web.Parts{
		Releases: views.Releases{Book: s.book}, Acts: acts, Logs: views.Logs{Book: s.logs},
		Builds:      views.Builds{Release: s.book.Release, Report: s.builder.Report, Bill: s.boms.Generate},
		Experiments: views.Experiments{Scheduler: s.scheduler, History: shelf.Runs{KV: s.db}}, Consents: consents.Desk{Votes: s.votes(), Terms: s.scheduler.Terms}, Switch: faults.Switch{File: s.stopFile()}, Silences: silences.Desk{Shelf: shelf.Silences{KV: s.db}, Now: time.Now},
		Reports:    reports.Desk{Release: s.book.Release, Runs: shelf.Runs{KV: s.db}, Now: time.Now},
		Objectives: views.Objectives{SLOs: s.world.SLOs, States: s.sloWatch.States, Ask: &course.Recent{Asks: s.sloGate.Prometheus}, Book: s.book, Runs: shelf.Runs{KV: s.db}, Now: time.Now},
		Diary:      views.Diary{Platform: s.world.Chaos, Runs: shelf.Runs{KV: s.db}, Stopped: faults.Switch{File: s.stopFile()}.State, Now: time.Now},
		Fleet:      views.Fleet{Book: s.book, Tree: s.world.Now, Look: s.fleet.Look, Variant: s.fleet.Variant, Reach: s.live.Reach, Diff: views.Wanted(s.fleet.Want, s.live.Diff), Grown: views.Wanted(s.fleet.Want, s.live.Resources), Detail: views.Detailed(s.fleet.Want, s.live.Details)},
		Changes:    views.Changes{KV: s.db}, Vault: shelf.Vault{KV: s.db}, Known: known, Intake: s.pushed,
		Ready: func(context.Context) error { return s.world.Ready() },
	}, s.log, metrics)
	return err
}

// directory finds who wants to know of an event.
type directory struct{ *world.World }

// Project is the project an event belongs to.
func (d directory) Project(e release.Event) (release.Project, bool) {
	if p, ok := d.World.Project(e.Project); ok {
		return p, true
	}
	return d.World.ProjectOfTeam(e.Service.Team())
}
