//go:build lab

// These tests boot clusters of their own on the real lab. They need root and
// built programs; run them with: go test -tags lab ./lab
package lab_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seatrial/seatrial/lab"
	"github.com/seatrial/seatrial/lab/layout"
	"github.com/seatrial/seatrial/lab/machine"
)

const (
	name  = "labtest"
	index = 59
)

var (
	program string // the lab's command, built from this checkout
	root    = layout.DefaultRoot
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "labtest")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "lab")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/lab").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build lab: %v\n%s", err, out)
		return 1
	}
	if r := os.Getenv("SEATRIAL_LAB_ROOT"); r != "" {
		root = layout.Root(r)
	}
	_, before := lab.Load(string(root))
	code := m.Run()
	// A lab that was up stays up; one that only these tests needed goes.
	args := []string{"down", name}
	if before != nil {
		args = []string{"down"}
	}
	if _, err := os.Stat(root.Cluster(name)); err == nil || before != nil {
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "clean up: %v\n%s", err, out)
			return 1
		}
	}
	return code
}

// cli runs the lab's command and returns its standard output.
func cli(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("lab %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	if args[0] == "up" || args[0] == "down" {
		t.Logf("lab %s: %.1f s\n%s", strings.Join(args, " "), time.Since(start).Seconds(), stderr.String())
	}
	return stdout.String()
}

func up(t *testing.T) { t.Helper(); cli(t, "up", "--only", "--index", strconv.Itoa(index), name) }

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return cli(t, append([]string{"kubectl", name}, args...)...)
}

// pids returns the programs of the test's cluster with their process ids.
func pids(t *testing.T) map[string]int {
	t.Helper()
	var parts []lab.Part
	if err := json.Unmarshal([]byte(cli(t, "status", "-o", "json")), &parts); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, p := range parts {
		for _, s := range p.Programs {
			if p.Name == name && s.Running {
				got[s.Name] = s.PID
			}
		}
	}
	return got
}

// leftovers lists everything that still bears the cluster's name or addresses.
func leftovers(t *testing.T) []string {
	t.Helper()
	c := layout.Cluster{Name: name, Index: index}
	var left []string
	for _, pattern := range []string{
		root.Cluster(name), "/run/netns/" + c.Machine(), "/sys/class/net/" + c.Link(), "/sys/fs/cgroup/" + c.Machine(), "/sys/fs/cgroup/*/" + c.Machine(),
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, found...)
	}
	routes, err := exec.Command("ip", "route").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range []string{c.ServiceCIDR(), c.PodCIDR(), c.HostIP()} {
		if strings.Contains(string(routes), ip) {
			left = append(left, "route "+ip)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), root.Cluster(name)) {
		left = append(left, "a mount below "+root.Cluster(name))
	}
	return append(left, processes(t)...)
}

// processes lists those whose command line names the cluster's folder.
func processes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.Contains(string(b), root.Cluster(name)) {
			left = append(left, "process "+strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return left
}

func down(t *testing.T) {
	t.Helper()
	cli(t, "down", name)
	if left := leftovers(t); len(left) > 0 {
		t.Errorf("down left behind:\n  %s", strings.Join(left, "\n  "))
	}
}

func runPod(t *testing.T, pod string) {
	t.Helper()
	kubectl(t, "run", pod, "--image="+layout.PauseImage)
	kubectl(t, "wait", "pod/"+pod, "--for=condition=Ready", "--timeout=300s")
}

func TestClusterBootsTakesPodsAndLeavesNothing(t *testing.T) {
	up(t)
	runPod(t, "first")
	before := pids(t)
	up(t)
	for program, pid := range pids(t) {
		if before[program] != pid {
			t.Errorf("a second up restarted %s", program)
		}
	}
	cli(t, "stop", name, "scheduler", "--kill")
	up(t)
	after := pids(t)
	if after["scheduler"] == 0 || after["scheduler"] == before["scheduler"] || after["apiserver"] != before["apiserver"] {
		t.Errorf("up after a dead scheduler: %v, before %v", after, before)
	}
	env, err := lab.Load(string(root))
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := env.Cluster(name); !ok || c.Index != index {
		t.Errorf("lab.json has %+v, %v", c, ok)
	}
	down(t)
	if env, err := lab.Load(string(root)); err != nil {
		t.Error(err)
	} else if _, ok := env.Cluster(name); ok {
		t.Error("lab.json still has the cluster")
	}
}

func TestAPIServerStopsAndStarts(t *testing.T) {
	up(t)
	defer down(t)
	runPod(t, "steady")
	cli(t, "stop", name, "apiserver", "--kill")
	if out, err := exec.Command(program, "kubectl", name, "get", "nodes", "--request-timeout=2s").CombinedOutput(); err == nil {
		t.Errorf("the API answers without its server: %s", out)
	}
	start := time.Now()
	cli(t, "start", name, "apiserver")
	t.Logf("API server ready again after %.1f s", time.Since(start).Seconds())
	kubectl(t, "wait", "pod/steady", "--for=condition=Ready", "--timeout=300s")
	if n := kubectl(t, "get", "pod", "steady", "-o", "jsonpath={.status.containerStatuses[0].restartCount}"); n != "0" {
		t.Errorf("the pod restarted %s times", n)
	}
	cli(t, "stop", name, "containerd", "--kill")
	cli(t, "stop", name, "kubelet", "--kill")
	cli(t, "start", name, "containerd")
	cli(t, "start", name, "kubelet")
	runPod(t, "later")
}

func TestKilledMachineIsClearedOrBootsAgain(t *testing.T) {
	up(t)
	runPod(t, "survivor")
	kill := func() {
		t.Helper()
		pid := machine.New(machine.Spec{Dir: root.Cluster(name)}).InitPID()
		if pid == 0 {
			t.Fatal("no first process")
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	kill()
	up(t) // like a node after a power cut: same state, new processes
	kubectl(t, "wait", "pod/survivor", "--for=condition=Ready", "--timeout=300s")
	kill()
	down(t)
}

func TestRegistryRestartLosesNothing(t *testing.T) {
	up(t)
	defer down(t)
	const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","annotations":{"lab":"test"}}`
	url := "http://" + layout.Registry + "/v2/labtest/kept/manifests/v1"
	if code, _ := ask(t, http.MethodPut, url, manifest); code != http.StatusCreated {
		t.Fatalf("push: %d", code)
	}
	cli(t, "stop", "hub", "registry", "--kill")
	cli(t, "start", "hub", "registry")
	if code, body := ask(t, http.MethodGet, url, ""); code != http.StatusOK || body != manifest {
		t.Errorf("after a restart: %d %s", code, body)
	}
	runPod(t, "pulled") // its image was pushed before the restart
	if code, _ := ask(t, http.MethodDelete, url, ""); code != http.StatusAccepted {
		t.Errorf("delete: %d", code)
	}
}

func TestLoadCountsAnswersAndFailures(t *testing.T) {
	if code, _ := tryAsk(http.MethodGet, "http://"+layout.LoadAddr+"/metrics"); code != http.StatusOK {
		t.Fatal("the load generator is not up: boot the whole lab first")
	}
	up(t)
	defer down(t)
	// A service that every cluster has; it answers plain HTTP with 400.
	const service = "labtest/api"
	cli(t, "load", "set", service, "--namespace", "default", "--name", "kubernetes", "--port", "443", "--rps", "20", "--cluster", name)
	defer cli(t, "load", "remove", service)
	waitCount(t, service, 400, 20)
	cli(t, "stop", name, "apiserver", "--kill")
	waitCount(t, service, 0, 20)
	cli(t, "start", name, "apiserver")
}

// waitCount waits until the generator has counted n more answers of a code.
func waitCount(t *testing.T, service string, code, n int) {
	t.Helper()
	prefix := fmt.Sprintf("gateway_requests_total{service=%q,cluster=%q,code=\"%d\"} ", service, name, code)
	first := -1
	err := machine.Poll(t.Context(), 3*time.Minute, func(context.Context) error {
		_, body := tryAsk(http.MethodGet, "http://"+layout.LoadAddr+"/metrics")
		for line := range strings.Lines(body) {
			rest, ok := strings.CutPrefix(line, prefix)
			if !ok {
				continue
			}
			count, err := strconv.Atoi(strings.TrimSpace(rest))
			if first < 0 {
				first = count
			}
			if err == nil && count >= first+n {
				return nil
			}
		}
		return fmt.Errorf("fewer than %d requests with code %d", n, code)
	})
	if err != nil {
		t.Error(err)
	}
}

func tryAsk(method, url string) (int, string) {
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		return 0, ""
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(b)
}

func ask(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
