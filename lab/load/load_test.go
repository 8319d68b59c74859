package load_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/lab/layout"
	"github.com/seatrial/seatrial/lab/load"
)

func testRoot(t *testing.T) layout.Root {
	t.Helper()
	root := layout.Root(t.TempDir())
	if err := os.MkdirAll(filepath.Dir(root.LoadFile()), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestSetReplacesTheWishForTheSameService(t *testing.T) {
	root := testRoot(t)
	for _, rps := range []float64{10, 50} {
		if err := load.Set(root, load.Wish{Service: "shop/web", RPS: rps}); err != nil {
			t.Fatal(err)
		}
	}
	if err := load.Set(root, load.Wish{Service: "shop/api"}); err != nil {
		t.Fatal(err)
	}
	all, err := load.Read(root)
	if err != nil || len(all) != 2 {
		t.Fatalf("Read = %v, %v", all, err)
	}
	if w := all[1]; w.RPS != 50 || w.Namespace != "shop" || w.Name != "web" || w.Port != 80 || w.Path != "/" {
		t.Errorf("wish %+v", w)
	}
	if all[0].RPS != load.DefaultRPS {
		t.Errorf("rate %g, want the default", all[0].RPS)
	}
	if err := load.Remove(root, "shop/web"); err != nil {
		t.Fatal(err)
	}
	if all, _ := load.Read(root); len(all) != 1 {
		t.Errorf("%v left after Remove", all)
	}
}

func TestWishesThatAreSetAtTheSameTimeAreAllKept(t *testing.T) {
	root := testRoot(t)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for _, change := range []error{load.Set(root, load.Wish{Service: fmt.Sprintf("shop/w%d", i)}), load.Set(root, load.Wish{Service: "gone/soon"}), load.Remove(root, "gone/soon")} {
				if change != nil {
					t.Error(change)
				}
			}
		})
	}
	all.Wait()
	if kept, err := load.Read(root); err != nil || len(kept) != 20 {
		t.Errorf("%d wishes are left, want 20: %v", len(kept), err)
	}
}

func TestWishIsRefused(t *testing.T) {
	for _, tc := range []struct {
		claim, want string
		w           load.Wish
	}{
		{"a service without a team", "team/name", load.Wish{Service: "web"}},
		{"a rate that buries the machine", "rate", load.Wish{Service: "a/b", RPS: 1e6}},
		{"a negative rate", "rate", load.Wish{Service: "a/b", RPS: -1}},
		{"a path that is a URL", "path", load.Wish{Service: "a/b", Path: "http://x"}},
		{"a port that is none", "port", load.Wish{Service: "a/b", Port: 70000}},
	} {
		t.Run(tc.claim, func(t *testing.T) {
			if err := tc.w.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Validate() = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestTargetsFollowTheClusters(t *testing.T) {
	clusters := []layout.ClusterEnv{{Cluster: layout.Cluster{Name: "a"}, DNS: "1:53"}, {Cluster: layout.Cluster{Name: "b"}, DNS: "2:53"}}
	wishes := []load.Wish{{Service: "x/all", RPS: 1}, {Service: "x/one", RPS: 1, Clusters: []string{"b"}}, {Service: "x/none"}}
	var got []string
	for _, target := range load.Targets(wishes, clusters) {
		got = append(got, target.Service+"@"+target.Cluster+"/"+target.DNS)
	}
	if s := strings.Join(got, " "); s != "x/all@a/1:53 x/all@b/2:53 x/one@b/2:53" {
		t.Errorf("Targets = %s", s)
	}
}

func TestAnswersAreThoseOfOneServiceInOneCluster(t *testing.T) {
	m := load.NewMetrics()
	for _, r := range []struct {
		service, cluster string
		code             int
	}{
		{"shop/web", "staging", 200}, {"shop/web", "staging", 200}, {"shop/web", "staging", 500}, {"shop/web", "staging", 0},
		{"shop/web", "staging", 404}, {"shop/web", "prod-main", 200}, {"shop/web2", "staging", 500}, {"big-shop/web", "staging", 500},
	} {
		m.Count(r.service, r.cluster, r.code, time.Millisecond)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { m.Write(w) }))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	for _, tc := range []struct {
		claim, service, cluster string
		want                    load.Answers
	}{
		{"what is no success is bad, also without an answer", "shop/web", "staging", load.Answers{Good: 2, Bad: 3}},
		{"another cluster is another count", "shop/web", "prod-main", load.Answers{Good: 1}},
		{"a service that nobody asks has none", "shop/none", "staging", load.Answers{}},
	} {
		t.Run(tc.claim, func(t *testing.T) {
			if got, err := load.Ask(t.Context(), addr, tc.service, tc.cluster); err != nil || got != tc.want {
				t.Errorf("Ask() = %+v, %v, want %+v", got, err, tc.want)
			}
		})
	}
	before := load.Answers{Good: 1, Bad: 1}
	if got := (load.Answers{Good: 5, Bad: 2}).Since(before); got != (load.Answers{Good: 4, Bad: 1}) {
		t.Errorf("Since() = %+v", got)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	defer gone.Close()
	if _, err := load.Ask(t.Context(), strings.TrimPrefix(gone.URL, "http://"), "shop/web", "staging"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("what answers no counters is believed: %v", err)
	}
}

func TestMetricsAreWhatPrometheusExpects(t *testing.T) {
	m := load.NewMetrics()
	m.Count("shop/web", "staging", 200, 12*time.Millisecond)
	m.Count("shop/web", "staging", 200, 20*time.Millisecond) // on a border: it belongs below
	m.Count("shop/web", "staging", 0, 2*time.Second)
	var b strings.Builder
	m.Write(&b)
	for _, want := range []string{
		`gateway_requests_total{service="shop/web",cluster="staging",code="200"} 2`,
		`gateway_requests_total{service="shop/web",cluster="staging",code="0"} 1`,
		`gateway_requests_total{service="shop/web",cluster="staging",code="500"} 0`,
		`gateway_request_duration_seconds_bucket{service="shop/web",cluster="staging",le="0.01"} 0`,
		`gateway_request_duration_seconds_bucket{service="shop/web",cluster="staging",le="0.02"} 2`,
		`gateway_request_duration_seconds_bucket{service="shop/web",cluster="staging",le="1"} 2`,
		`gateway_request_duration_seconds_bucket{service="shop/web",cluster="staging",le="+Inf"} 3`,
		`gateway_request_duration_seconds_count{service="shop/web",cluster="staging"} 3`,
	} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("no line %s in\n%s", want, b.String())
		}
	}
}
