//go:build lab

package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos/connections/mariadbtest"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/e2e/rig"
)

// desk stands for the ticket vendor, which cannot be reached from here.
var desk = newDesk()

// paymentPort is where the nightly programme's database listens: the server is told
// before it starts, as an operator would.
const paymentPort = 8493

// secrets are the addresses that examples/chaos/nightly asks an operator for.
func secrets() map[string]string {
	return map[string]string{
		"SEATRIAL_SECRET_NIGHT_WATCH":      robot.URL,
		"SEATRIAL_SECRET_TICKETS":          desk.URL,
		"SEATRIAL_SECRET_PAYMENT_DB_ADMIN": fmt.Sprintf("chaos:pw@tcp(127.0.0.1:%d)/", paymentPort),
	}
}

// etcdPods are three pods with the label that the programme asks for.
const etcdPods = `apiVersion: apps/v1
kind: Deployment
metadata: {name: etcd, namespace: pay}
spec:
  replicas: 3
  selector: {matchLabels: {app: etcd}}
  template:
    metadata: {labels: {app: etcd}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - {name: etcd, image: "%s", securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
`

// compressed is the nightly programme with a night of three minutes.
var compressed = strings.NewReplacer(
	`cron: "0 2 * * *", timeZone`, `cron: "0 */3 * * * *", timeZone`,
	`cron: "10 2 * * *", timeZone`, `cron: "0 1-59/3 * * * *", timeZone`,
	`cron: "20 2 * * *", timeZone`, `cron: "0 2-59/3 * * * *", timeZone`,
	"duration: 2m", "duration: 20s", "observe: 90s", "observe: 12s")

func nightly(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", "chaos", "nightly", file))
	check(t, err)
	return string(text)
}

func TestTheNightlyProgrammeEndsInChatAndInOneTicket(t *testing.T) {
	t.Parallel()
	ctx := within(t, 20*time.Minute)
	db := must(mariadbtest.Start(ctx, paymentPort,
		"CREATE USER 'payment'@'%' IDENTIFIED BY 'payment'", "CREATE USER 'chaos'@'%' IDENTIFIED BY 'pw'",
		"GRANT SELECT ON mysql.user TO 'chaos'@'%'", "GRANT CREATE USER, PROCESS, CONNECTION ADMIN ON *.* TO 'chaos'@'%'"))(t)
	t.Cleanup(db.Stop)
	s := add(t, ctx, "pay/payment")
	begin(t, ctx, s)
	pods := filepath.Join(t.TempDir(), "etcd.yaml")
	check(t, os.WriteFile(pods, fmt.Appendf(nil, etcdPods, must(s.Image(ctx, "staging"))(t)[0]), 0o600))
	must(stage.Kubectl(ctx, "staging", "apply", "-f", pods))(t)
	must(stage.Kubectl(ctx, "staging", "-n", "pay", "rollout", "status", "deployment/etcd", "--timeout=3m"))(t)
	t.Cleanup(func() {
		_, _ = stage.Kubectl(context.WithoutCancel(ctx), "staging", "delete", "--wait=false", "-f", pods)
	})
	client := work(t, must(db.As("payment", "payment"))(t))

	project := must(stage.PlatformFile("projects/pay-payment.yaml"))(t)
	channels := strings.Replace(nightly(t, "channels/people.yaml"), `, quiet: {from: "22:00", until: "08:00", timeZone: Asia/Shanghai}`, "", 1)
	_, channels, _ = strings.Cut(channels, "\n---\n") // the first is the platform's own
	check(t, stage.Platform(ctx, "channels/people.yaml", channels, "platform: a robot and a ticket desk"))
	check(t, stage.Platform(ctx, "projects/pay-payment.yaml", strings.Replace(project, "chat]", "night-watch, tickets]", 1), "platform: tell them"))
	programme := compressed.Replace(nightly(t, "experiments/nightly.yaml"))
	check(t, stage.Platform(ctx, "experiments/nightly.yaml", programme, "platform: the nightly programme"))
	t.Cleanup(func() {
		check(t, stage.Platform(context.WithoutCancel(ctx), "experiments/nightly.yaml", "", "platform: sleep well"))
	})

	delay := ran(t, ctx, "slow-etcd", schedule.Invalid)
	if !strings.Contains(delay.Message, "cannot inject") {
		t.Errorf("a kernel without netem: %s", delay.Message)
	}
	ran(t, ctx, "one-payment-pod-down", schedule.Passed)
	few := ran(t, ctx, "two-connections", schedule.Passed)
	if client.starved.Load() == 0 {
		t.Errorf("two connections starved nobody; served %d", client.served.Load())
	}
	if n := must(db.Limit(ctx, "payment"))(t); n != 0 {
		t.Errorf("after %+v the limit is %d", few.Fault, n)
	}
	for _, name := range []string{"slow-etcd", "one-payment-pod-down", "two-connections"} {
		check(t, rig.WaitFor(ctx, name+" in chat", time.Second, func() (bool, error) { return robot.heard(name, "pay/payment") > 0, nil }))
	}

	// Every pod at once is more than the service can take.
	all := strings.NewReplacer("mode: one", "mode: all", "maxTargets: 1, maxPercent: 50", "maxTargets: 3, maxPercent: 100", `"0 1-59/3 * * * *"`, `"*/30 * * * * *"`).Replace(part(programme, "one-payment-pod-down"))
	check(t, stage.Platform(ctx, "experiments/nightly.yaml", all, "platform: all pods at once"))
	ran(t, ctx, "one-payment-pod-down", schedule.Failed)
	check(t, rig.WaitFor(ctx, "a ticket", time.Second, func() (bool, error) {
		issues, _ := desk.open()
		return len(issues) > 0, nil
	}))
	ran(t, ctx, "one-payment-pod-down", schedule.Failed)
	issues, bad := desk.open()
	if len(issues) != 1 || len(bad) > 0 || !strings.Contains(issues[0].Summary+issues[0].Text, "pay/payment") || !strings.Contains(issues[0].Text, "runs failed in the last 7 days") {
		t.Errorf("tickets %+v, refused %v", issues, bad)
	}
	if len(robot.bad) > 0 {
		t.Errorf("the robot refused %v", robot.bad)
	}
}

// part is one document of several, by its name.
func part(text, name string) string {
	for doc := range strings.SplitSeq(text, "\n---\n") {
		if strings.Contains(doc, "name: "+name+"}") {
			return doc
		}
	}
	return ""
}

// ran waits for a scheduled run that began after now and ended so.
func ran(t *testing.T, ctx context.Context, name, state string) (found schedule.Run) {
	t.Helper()
	began := time.Now()
	var page struct {
		Items []schedule.Run `json:"items"`
	}
	err := rig.WaitFor(ctx, name+" to end "+state, time.Second, func() (bool, error) {
		if err := stage.API.Call(ctx, http.MethodGet, "/api/v1/experiments/runs?name="+name, nil, &page); err != nil {
			return false, err
		}
		said := ""
		for _, r := range page.Items {
			if r.State == state && r.Trigger == "schedule" && r.Ended.After(began) && !strings.HasPrefix(r.Message, "skipped: ") {
				found = r
				return true, nil
			}
			said += fmt.Sprintf("\n  %s %s %s %+v", r.ID, r.State, r.Message, r.Verdict)
		}
		return false, fmt.Errorf("its runs: %s", said)
	})
	check(t, err)
	return found
}

// application is six workers that each want a connection to their database all the time.
type application struct{ served, starved atomic.Int64 }

func work(t *testing.T, db *sql.DB) *application {
	ctx, stop := context.WithCancel(t.Context())
	a, workers := &application{}, sync.WaitGroup{}
	for range 6 {
		workers.Go(func() {
			for ctx.Err() == nil {
				a.once(ctx, db)
			}
		})
	}
	t.Cleanup(func() { stop(); workers.Wait(); _ = db.Close() })
	return a
}

// once works for a second on a connection of its own.
func (a *application) once(ctx context.Context, db *sql.DB) {
	pause := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	c, err := db.Conn(ctx)
	if err != nil {
		if ctx.Err() == nil {
			a.starved.Add(1)
		}
		pause(200 * time.Millisecond)
		return
	}
	defer c.Close()
	for range 10 {
		if _, err := c.ExecContext(ctx, "DO 1"); err != nil {
			return
		}
		a.served.Add(1)
		pause(100 * time.Millisecond)
	}
}
