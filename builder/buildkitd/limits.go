package buildkitd

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// machine is what buildkitd may use of the one it runs on.
type machine struct {
	processors int
	diskBytes  int64 // size of the disk that the state folder is on
}

// Limits are what operators choose.
type Limits struct {
	Parallel  int               // build steps at once; default: the processors, at least 2 and at most 16
	PlainHTTP []string          // registries that are spoken to without TLS
	Mirrors   map[string]string // "docker.io": "registry.example:5000"
}

const gb = 1_000_000_000

// text is buildkitd.toml. Frontends from images are off: they would run unseen with the
// files of a build. A fifth of the disk is for the cache.
func (l Limits) text(m machine) string {
	var out strings.Builder
	parallel := l.Parallel
	if parallel <= 0 {
		parallel = min(16, max(2, m.processors))
	}
	fmt.Fprintf(&out, "[worker.oci]\n  enabled = true\n  max-parallelism = %d\n  gc = true\n  reservedSpace = \"1GB\"\n  maxUsedSpace = \"%dGB\"\n  minFreeSpace = \"%dGB\"\n",
		parallel, max(2, m.diskBytes/5/gb), max(1, m.diskBytes/20/gb))
	out.WriteString("\n[worker.containerd]\n  enabled = false\n\n[frontend.\"gateway.v0\"]\n  enabled = false\n\n[history]\n  maxEntries = 50\n")
	hosts := map[string][]string{}
	for _, h := range l.PlainHTTP {
		hosts[h] = append(hosts[h], "  http = true\n")
	}
	for from, to := range l.Mirrors {
		hosts[from] = append(hosts[from], fmt.Sprintf("  mirrors = [%q]\n", to))
	}
	names := make([]string, 0, len(hosts))
	for h := range hosts {
		names = append(names, h)
	}
	slices.Sort(names)
	for _, h := range names {
		fmt.Fprintf(&out, "\n[registry.%q]\n%s", h, strings.Join(hosts[h], ""))
	}
	return out.String()
}

// How long to wait before the next start. One that ran for a while begins anew.
const (
	firstPause = 500 * time.Millisecond
	lastPause  = 30 * time.Second
	steadyRun  = time.Minute
)

// Failures counts the starts in a row that did not last.
func Failures(before int, ran time.Duration) int {
	if ran >= steadyRun {
		return 1
	}
	return before + 1
}

// Pause doubles with every failure in a row.
func Pause(failures int) time.Duration {
	return min(lastPause, firstPause<<min(max(failures-1, 0), 10))
}
