package trial

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	scrape  = 15 * time.Second
	history = 6*time.Hour + 30*time.Minute
)

// server is a Prometheus of the benchmark's own, that the history is written to.
type server struct {
	url string
	cmd *exec.Cmd
	out *bytes.Buffer
}

// program is the newest Prometheus that the lab has built.
func program() (string, error) {
	cache := os.Getenv("SEATRIAL_LAB_CACHE")
	if cache == "" {
		cache = "/var/cache/seatrial-lab"
	}
	all, err := filepath.Glob(filepath.Join(cache, "prometheus-*", "bin", "prometheus"))
	if err != nil || len(all) == 0 {
		return "", fmt.Errorf("no Prometheus in %s: bin/lab build prometheus", cache)
	}
	return slices.MaxFunc(all, func(a, b string) int { return age(a).Compare(age(b)) }), nil
}

func age(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// begin starts an empty server and waits until it answers.
func begin(ctx context.Context, c Config) (*server, error) {
	if c.Prometheus == "" {
		var err error
		if c.Prometheus, err = program(); err != nil {
			return nil, err
		}
	}
	dir := filepath.Join(c.Dir, "prometheus")
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "prometheus.yaml")
	if err := os.WriteFile(file, []byte("storage: {tsdb: {out_of_order_time_window: 12h}}\n"), 0o644); err != nil {
		return nil, err
	}
	s := &server{url: "http://" + c.Listen, out: &bytes.Buffer{}}
	s.cmd = exec.CommandContext(ctx, c.Prometheus, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"),
		"--web.listen-address="+c.Listen, "--web.enable-remote-write-receiver", "--log.level=error")
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if _, err := s.get(ctx, "/-/ready"); err == nil {
			return s, nil
		}
	}
	s.end()
	return nil, fmt.Errorf("%s is not ready: %s", c.Prometheus, s.out)
}

func (s *server) end() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait() // interrupted: its code says nothing
}

func (s *server) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return "", err
	}
	return answer(req)
}

func answer(req *http.Request) (string, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", req.Method, req.URL, resp.Status, body)
	}
	return string(body), err
}

// read is how many samples all queries have read so far, as the server counts them.
func (s *server) read(ctx context.Context) (float64, error) {
	text, err := s.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "prometheus_engine_query_samples_total "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("%s/metrics: no prometheus_engine_query_samples_total", s.url)
}

// fill writes the requests of n services up to end: two series each, and one request in a
// thousand fails.
func (s *server) fill(ctx context.Context, n int, end time.Time) error {
	const services = 250 // of one write
	for from := end.Add(-history); from.Before(end); from = from.Add(time.Hour) {
		to := from.Add(time.Hour)
		if to.After(end) {
			to = end
		}
		for first := 0; first < n; first += services {
			var body []byte
			for i := first; i < min(n, first+services); i++ {
				body = series(body, i, "200", 10, from, to)
				body = series(body, i, "500", 0.01, from, to)
			}
			if err := s.write(ctx, body); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *server) write(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/write", bytes.NewReader(snappy.Encode(nil, body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	_, err = answer(req)
	return err
}

// series appends one counter of a remote write: rate events a second since 2023.
func series(body []byte, service int, code string, rate float64, from, to time.Time) []byte {
	var points []point
	for at := from; at.Before(to); at = at.Add(scrape) {
		points = append(points, point{at, math.Floor(rate * float64(at.Unix()-1_700_000_000))})
	}
	return counter(body, service, code, points...)
}

// point is one sample.
type point struct {
	at    time.Time
	value float64
}

func counter(body []byte, service int, code string, points ...point) []byte {
	field := func(b []byte, n protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), value)
	}
	var one []byte
	for _, l := range [][2]string{{"__name__", "requests_total"}, {"cluster", "eu-1"}, {"code", code}, {"service", strconv.Itoa(service)}} {
		one = field(one, 1, field(field(nil, 1, []byte(l[0])), 2, []byte(l[1])))
	}
	for _, p := range points {
		sample := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), math.Float64bits(p.value))
		sample = protowire.AppendVarint(protowire.AppendTag(sample, 2, protowire.VarintType), uint64(p.at.UnixMilli()))
		one = field(one, 2, sample)
	}
	return field(body, 1, one)
}
