package trial

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/mesh"
	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/lab"
	"github.com/seatrial/seatrial/release"
)

const (
	namespace = "bench-trial"
	apps      = 5 // each has a fault at the same time
	times     = 2 // each kind of fault, one after the other
	replicas  = 2
	harmful   = 5 * time.Second // that a fault is left active: kubelets need a moment to notice it
	debian    = "198.18.0.1:5000/library/debian:bookworm-slim"
	perl      = `use IO::Socket::INET; $SIG{TERM}=sub{exit 0}; my $s=IO::Socket::INET->new(LocalPort=>8080,Listen=>128,ReuseAddr=>1) or die $!; while(my $c=$s->accept){ close $c }`
)

// shore is a real cluster of the lab with Chaos Mesh.
type shore struct {
	*mesh.Mesh
	lab, name string

	mu   sync.Mutex // guards took
	took map[string][]float64
}

// kubeconfig is the file of the cluster of the running lab.
func kubeconfig(c Config) (string, error) {
	env, err := lab.Load("")
	if err != nil {
		return "", err
	}
	for _, cluster := range env.Clusters {
		if cluster.Name == c.Cluster {
			return cluster.Kubeconfig, nil
		}
	}
	return "", fmt.Errorf("the lab has no cluster %s: bin/lab up %s", c.Cluster, c.Cluster)
}

func reach(c Config) (*shore, error) {
	file, err := kubeconfig(c)
	if err != nil {
		return nil, err
	}
	k, err := kube.Admin(file, c.Cluster)
	if err != nil {
		return nil, err
	}
	return &shore{Mesh: &mesh.Mesh{Clusters: func(string) (*kube.Cluster, error) { return k, nil }},
		lab: filepath.Join(c.Bin, "lab"), name: c.Cluster, took: map[string][]float64{}}, nil
}

func (s *shore) kubectl(ctx context.Context, stdin string, args ...string) error {
	cmd := exec.CommandContext(ctx, s.lab, append([]string{"kubectl", s.name}, args...)...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return nil
}

func (s *shore) deploy(ctx context.Context) error {
	items := []string{fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, namespace)}
	for i := range apps {
		items = append(items, fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":%[1]q,"namespace":%[2]q},"spec":{"replicas":%[3]d,"selector":{"matchLabels":{"app":%[1]q}},
"template":{"metadata":{"labels":{"app":%[1]q}},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"web","image":%[4]q,"command":["perl","-e",%[5]q],
"readinessProbe":{"tcpSocket":{"port":8080},"periodSeconds":1,"failureThreshold":3}}]}}}}`, app(i), namespace, replicas, debian, perl))
	}
	if err := s.kubectl(ctx, `{"apiVersion":"v1","kind":"List","items":[`+strings.Join(items, ",")+`]}`, "apply", "-f", "-"); err != nil {
		return err
	}
	for i := range apps {
		if err := s.kubectl(ctx, "", "-n", namespace, "rollout", "status", "deployment/"+app(i), "--timeout=180s"); err != nil {
			return err
		}
	}
	return nil
}

func app(i int) string { return fmt.Sprintf("web-%d", i) }

// abort breaks an app, aborts when the fault has been active for a while, and notes how long it takes
// until the engine says that the app is whole again.
func (s *shore) abort(ctx context.Context, app string, f release.Fault) error {
	f.Namespace, f.Duration, f.Selector = namespace, release.Duration(time.Minute), release.Selector{MatchLabels: map[string]string{"app": app}}
	engine := &chaos.Engine{Provider: s, Finder: s, Measure: unmeasured, Now: time.Now}
	subject := chaos.Subject{
		Service: release.Service("bench/" + app), Env: "staging", Cluster: s.name, Namespaces: []string{namespace}, Observe: 40 * time.Second,
		Baseline: []release.Evidence{{Gate: "slo", Claim: "without the fault", Holds: true, Facts: map[string]string{"slo": app, "outcome": release.Passed.String()}}},
		Experiment: release.Experiment{Meta: release.Meta{Name: f.Action}, Spec: release.ExperimentSpec{
			Fault: f, Limits: release.Limits{MinReady: replicas, MaxPercent: 100}}},
	}
	var t release.Trial
	var active, aborted time.Time
	for {
		next, v, err := engine.Step(ctx, subject, t)
		if err != nil {
			return err
		}
		t = next
		wait := v.After()
		switch report := chaos.Progress(t); {
		case active.IsZero() && report.State == "Measuring":
			active, wait = time.Now(), harmful
		case aborted.IsZero() && report.State == "Measuring" && time.Since(active) >= harmful:
			aborted, wait = time.Now(), 0
			t = chaos.Abort(t, f.Action, "the bench says so", aborted)
		case !aborted.IsZero() && t.Fault != nil && !t.Fault.Recovered.IsZero():
			s.mu.Lock()
			s.took[f.Kind] = append(s.took[f.Kind], time.Since(aborted).Seconds())
			s.mu.Unlock()
			return nil
		case report.Ended:
			return fmt.Errorf("%s of %s ended before it was recovered from: %s", f.Action, app, v.Reason())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// recoveries measures on a real cluster how long an abort takes.
func recoveries(ctx context.Context, c Config, say io.Writer) (figure.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	s, err := reach(c)
	if err != nil {
		return figure.Report{}, err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := s.kubectl(end, "", "delete", "namespace", namespace, "--wait=false", "--ignore-not-found"); err != nil {
			fmt.Fprintln(say, err)
		}
	}()
	if err := s.deploy(ctx); err != nil {
		return figure.Report{}, err
	}
	for range times {
		for _, f := range []release.Fault{{Kind: "PodChaos", Action: "pod-failure"}, {Kind: "NetworkChaos", Action: "partition", With: map[string]any{"direction": "to"}}} {
			var all errgroup.Group
			for i := range apps {
				all.Go(func() error { return s.abort(ctx, app(i), f) })
			}
			if err := all.Wait(); err != nil {
				return figure.Report{}, err
			}
			fmt.Fprintf(say, "%s: %.1f\n", f.Action, s.took[f.Kind])
		}
	}
	pods, network := s.took["PodChaos"], s.took["NetworkChaos"]
	both := slices.Concat(pods, network)
	return figure.Report{
		Notes: []string{fmt.Sprintf("%d aborts of pod-failure and %d of partition by the real Chaos Mesh, %d at once; until the engine says that the pods are whole, 3 s of which it watches that they stay so", len(pods), len(network), apps)},
		Figures: []figure.Figure{
			figure.Of("abort to recovered, pod-failure, median", figure.Median(pods), "s"),
			figure.Of("abort to recovered, partition, median", figure.Median(network), "s"),
			figure.Of("abort to recovered, both, p95", figure.Percentile(both, 0.95), "s").AtMost(15),
			figure.Of("abort to recovered, both, the longest", slices.Max(both), "s"),
		},
	}, nil
}
