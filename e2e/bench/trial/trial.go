// Package trial measures what SLOs and experiments cost: making the rules of a thousand SLOs,
// beside sloth, which makes rules of the same; a round of the watch against a Prometheus; how
// precisely two hundred schedules are kept; how soon a breach ends a fault; how soon an aborted
// fault is recovered from; and what it takes to follow five hundred faults at once.
//
// Start at Run. It never needs a running lab but for the last two of them; the others have at
// most a Prometheus of their own, which the lab has built.
package trial

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/figure"
)

// sloth is the version that is compared with.
const sloth = "github.com/slok/sloth/cmd/sloth@v0.12.0"

// Config says what is measured, and with what.
type Config struct {
	Bin   string // folder of the binary seatrial
	Sloth string // the program; empty: it is compiled into Dir
	Dir   string // of what is kept while measuring
	SLOs  int
	Runs  int // of each side

	Prometheus string // the program; empty: the one that the lab has built
	Listen     string // its address
	Cluster    string // of the running lab, with Chaos Mesh; empty: what needs it is left out
	Only       string // "rules", "round", "schedule", "abort", "recover", "track"; empty: all of them
}

// Run measures and reports.
func Run(ctx context.Context, c Config, say io.Writer) (figure.Report, error) {
	report := figure.Report{Name: "trial"}
	for _, part := range []struct {
		name    string
		measure func(context.Context, Config, io.Writer) (figure.Report, error)
	}{{"rules", rules}, {"round", evaluate}, {"schedule", precision}, {"abort", aborts}, {"recover", recoveries}, {"track", tracks}} {
		if c.Only != "" && c.Only != part.name || c.Cluster == "" && (part.name == "recover" || part.name == "track") {
			continue
		}
		r, err := part.measure(ctx, c, say)
		if err != nil {
			return figure.Report{}, fmt.Errorf("%s: %w", part.name, err)
		}
		report.Notes, report.Figures = append(report.Notes, r.Notes...), append(report.Figures, r.Figures...)
	}
	return report, nil
}

// rules compares with sloth.
func rules(ctx context.Context, c Config, say io.Writer) (figure.Report, error) {
	platform, other := filepath.Join(c.Dir, "platform"), filepath.Join(c.Dir, "sloth.yaml")
	if err := write(c, platform, other); err != nil {
		return figure.Report{}, err
	}
	if c.Sloth == "" {
		var err error
		if c.Sloth, err = compile(ctx, c.Dir); err != nil {
			return figure.Report{}, err
		}
	}
	var ours, theirs []float64
	var a, b int
	for i := range c.Runs + 1 {
		mine, rival := filepath.Join(c.Dir, "ours.rules.yaml"), filepath.Join(c.Dir, "sloth.rules.yaml")
		took, err := run(ctx, filepath.Join(c.Bin, "seatrial"), "slo", "rules", "--out", mine, platform)
		if err != nil {
			return figure.Report{}, err
		}
		against, err := run(ctx, c.Sloth, "generate", "--input", other, "--out", rival)
		if err != nil {
			return figure.Report{}, err
		}
		if a, b, err = count(mine, rival, c.SLOs); err != nil {
			return figure.Report{}, err
		}
		if i == 0 {
			continue // files and programs were not in memory
		}
		ours, theirs = append(ours, took), append(theirs, against)
		fmt.Fprintf(say, "rules for %d SLOs: %.0f ms, sloth %.0f ms\n", c.SLOs, took, against)
	}
	f := figure.Of(fmt.Sprintf("rules for %d SLOs", c.SLOs), figure.Median(ours), "ms").To("sloth generate", figure.Median(theirs)).AtMostTimes(1)
	return figure.Report{
		Notes: []string{
			fmt.Sprintf("medians of %d runs of each program, in turn, from start to end: files read, rules written", c.Runs),
			fmt.Sprintf("the same SLOs, on one cluster: ours in a file each, sloth's in one; %d rules of ours, %d of %s", a, b, sloth),
		},
		Figures: []figure.Figure{f},
	}, nil
}

// run gives the milliseconds from start to end.
func run(ctx context.Context, program string, args ...string) (float64, error) {
	begin := time.Now()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, out)
	}
	return float64(time.Since(begin).Microseconds()) / 1000, nil
}

// compile makes sloth, outside of our module.
func compile(ctx context.Context, dir string) (string, error) {
	bin, err := filepath.Abs(filepath.Join(dir, "bin"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "install", sloth)
	cmd.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install %s: %w: %s", sloth, err, out)
	}
	return filepath.Join(bin, "sloth"), nil
}

// count is how many rules each side has made. Fewer than its alerts and ratios, and it has
// not done its work.
func count(mine, rival string, slos int) (ours, theirs int, err error) {
	for file, n := range map[string]*int{mine: &ours, rival: &theirs} {
		data, err := os.ReadFile(file)
		if err != nil {
			return 0, 0, err
		}
		*n = strings.Count(string(data), "- record: ") + strings.Count(string(data), "- alert: ")
		if *n < 10*slos {
			return 0, 0, fmt.Errorf("%s has only %d rules for %d SLOs", file, *n, slos)
		}
	}
	return ours, theirs, nil
}

// write puts down a platform repo, and sloth's document of the same SLOs.
func write(c Config, platform, other string) error {
	if err := os.RemoveAll(platform); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(platform, "slos"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(platform, "platform.yaml"), []byte(place), 0o644); err != nil {
		return err
	}
	var all strings.Builder
	all.WriteString("version: prometheus/v1\nservice: shop-web\nslos:\n")
	for i := range c.SLOs {
		name := fmt.Sprintf("slo-%d", i)
		if err := os.WriteFile(filepath.Join(platform, "slos", name+".yaml"), fmt.Appendf(nil, ours, name, i, i), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&all, theirs, name, i, i)
	}
	return os.WriteFile(other, []byte(all.String()), 0o644)
}

const place = `apiVersion: seatrial.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  desiredState: {repo: platform/desired-state, branch: env/prod}
  waves: [{name: all, clusters: {matchLabels: {env: prod}}}]
---
apiVersion: seatrial.dev/v1
kind: Cluster
metadata: {name: eu-1, labels: {env: prod}}
spec: {}
---
apiVersion: seatrial.dev/v1
kind: Project
metadata: {name: shop}
spec: {team: shop, repos: [shop/web], namespaces: [shop]}
`

const ours = `apiVersion: openslo/v1
kind: SLO
metadata: {name: %s, labels: {seatrial.dev/service: shop/web}}
spec:
  service: shop-web
  budgetingMethod: Occurrences
  timeWindow: [{duration: 30d, isRolling: true}]
  indicator:
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {type: Prometheus, spec: {query: 'sum(increase(requests_total{cluster="{{.Cluster}}",route="/%d",code=~"5.."}[{{.Window}}]))'}}}
        total: {metricSource: {type: Prometheus, spec: {query: 'sum(increase(requests_total{cluster="{{.Cluster}}",route="/%d"}[{{.Window}}]))'}}}
  objectives: [{target: 0.999}]
`

const theirs = `  - name: %s
    objective: 99.9
    sli:
      events:
        error_query: 'sum(increase(requests_total{cluster="eu-1",route="/%d",code=~"5.."}[{{.window}}]))'
        total_query: 'sum(increase(requests_total{cluster="eu-1",route="/%d"}[{{.window}}]))'
    alerting:
      name: SLOErrorBudgetBurn
      page_alert: {labels: {severity: page}}
      ticket_alert: {labels: {severity: ticket}}
`
