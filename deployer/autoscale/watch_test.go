package autoscale_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/deployer/autoscale"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

// town is two clusters, a store and a clock.
type town struct {
	t        *testing.T
	now      time.Time
	places   []autoscale.Place
	clusters map[string][]autoscalingv2.HorizontalPodAutoscaler
	away     map[string]error
	kept     map[string]autoscale.Episode
	events   []release.Event
	fails    error
	log      bytes.Buffer
	watch    *autoscale.Watch
}

func newTown(t *testing.T) *town {
	w := &town{t: t, now: noon, clusters: map[string][]autoscalingv2.HorizontalPodAutoscaler{}, away: map[string]error{}, kept: map[string]autoscale.Episode{},
		places: []autoscale.Place{{Service: "shop/web", Env: "prod", Cluster: "prod-1", Project: "pay"}, {Service: "shop/web", Env: "prod", Cluster: "prod-2", Project: "pay"}}}
	w.restart()
	return w
}

// restart is another process over the same store.
func (w *town) restart() {
	w.watch = &autoscale.Watch{Places: func(context.Context) ([]autoscale.Place, error) { return w.places, nil }, Episodes: w, Now: func() time.Time { return w.now },
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		List: func(_ context.Context, cluster string) ([]autoscalingv2.HorizontalPodAutoscaler, error) {
			return w.clusters[cluster], w.away[cluster]
		}}
}

// Load is every episode, as JSON would have it.
func (w *town) Load(context.Context) (out []autoscale.Episode, err error) {
	for _, e := range w.kept {
		version := e.Version
		e = restarted(w.t, e)
		e.Version = version
		out = append(out, e)
	}
	return out, nil
}

// Change keeps what is at its version.
func (w *town) Change(_ context.Context, e autoscale.Episode, events ...release.Event) error {
	key := e.Cluster + "/" + e.Namespace + "/" + e.Name
	switch {
	case w.fails != nil:
		return w.fails
	case w.kept[key].Version != e.Version:
		return fmt.Errorf("%s: %w", key, release.ErrStale)
	case e.Ended.IsZero():
		e.Version++
		w.kept[key] = e
	default:
		delete(w.kept, key)
	}
	w.events = append(w.events, events...)
	return nil
}

// pass lets time go by, with a look each 15 s.
func (w *town) pass(d time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(15 * time.Second) {
		if err := w.watch.Round(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *town) told() string {
	var out []string
	for _, e := range w.events {
		out = append(out, fmt.Sprintf("%s %s %s %s", strings.TrimPrefix(string(e.Kind), "autoscaler."), e.Service, e.About, e.Project))
	}
	return strings.Join(out, ", ")
}

func TestARestartNeitherRepeatsNorForgets(t *testing.T) {
	w := newTown(t)
	w.clusters["prod-1"] = []autoscalingv2.HorizontalPodAutoscaler{scaler(cpu(whole(95)))}
	w.clusters["prod-2"] = []autoscalingv2.HorizontalPodAutoscaler{scaler(cpu(whole(40)))}
	w.pass(4 * time.Minute)
	if w.told() != "" {
		t.Fatalf("told after four minutes: %s", w.told())
	}
	w.restart()
	w.now = w.now.Add(30 * time.Second)
	w.pass(time.Minute)
	w.restart()
	w.pass(10 * time.Minute)
	if got := w.told(); got != "hot shop/web web@prod-1 pay" {
		t.Fatalf("told %q", got)
	}
	if w.events[0].Env != "prod" || len(w.kept) != 1 {
		t.Errorf("%+v, %d episodes", w.events[0], len(w.kept))
	}
	w.clusters["prod-1"] = w.clusters["prod-2"]
	w.pass(4 * time.Minute)
	w.restart()
	w.pass(2 * time.Minute)
	if got := w.told(); got != "hot shop/web web@prod-1 pay, calm shop/web web@prod-1 pay" || len(w.kept) != 0 {
		t.Errorf("told %q, %d episodes", got, len(w.kept))
	}
}

func TestWhatIsNotThereAnyMoreEndsItsEpisode(t *testing.T) {
	for name, leave := range map[string]func(*town){
		"the autoscaler is deleted":              func(w *town) { w.clusters["prod-1"] = nil },
		"the service is withdrawn":               func(w *town) { w.places = w.places[1:] },
		"its notices are turned off":             func(w *town) { w.clusters["prod-1"][0].Annotations[autoscale.Annotation] = "off" },
		"it is given to nobody":                  func(w *town) { delete(w.clusters["prod-1"][0].Annotations, "seatrial.dev/service") },
		"it is given to one that is not there":   func(w *town) { w.clusters["prod-1"][0].Annotations["seatrial.dev/service"] = "shop.cart" },
		"somebody else looks after it from then": func(w *town) { w.clusters["prod-1"][0].Labels["app.kubernetes.io/managed-by"] = "keda-operator" },
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				before time.Duration
				want   string
			}{{3 * time.Minute, ""}, {6 * time.Minute, "hot calm"}} {
				w := newTown(t)
				w.clusters["prod-1"] = []autoscalingv2.HorizontalPodAutoscaler{scaler(cpu(whole(95)))}
				w.pass(c.before)
				leave(w)
				w.pass(time.Minute)
				var kinds []string
				for _, e := range w.events {
					kinds = append(kinds, strings.TrimPrefix(string(e.Kind), "autoscaler."))
				}
				if got := strings.Join(kinds, " "); got != c.want || len(w.kept) != 0 {
					t.Errorf("after %v: told %q, %d episodes", c.before, got, len(w.kept))
				}
			}
		})
	}
}

func TestAClusterThatCannotBeAskedChangesNothingAndIsLoggedOnce(t *testing.T) {
	w := newTown(t)
	for _, c := range []string{"prod-1", "prod-2"} {
		w.clusters[c] = []autoscalingv2.HorizontalPodAutoscaler{scaler(cpu(whole(95)))}
	}
	w.away["prod-2"] = errors.New("connection refused")
	w.pass(6 * time.Minute)
	if got := w.told(); got != "hot shop/web web@prod-1 pay" {
		t.Errorf("the other cluster is watched: %q", got)
	}
	w.away["prod-1"], w.away["prod-2"] = errors.New("connection refused"), nil
	w.pass(20 * time.Minute)
	if got := w.told(); got != "hot shop/web web@prod-1 pay, hot shop/web web@prod-2 pay" || len(w.kept) != 2 {
		t.Errorf("%q, %d episodes", got, len(w.kept))
	}
	if n := strings.Count(w.log.String(), "connection refused"); n != 2 || strings.Count(w.log.String(), "in order again") != 1 {
		t.Errorf("%d warnings:\n%s", n, w.log.String())
	}
}

func TestAWrongAnnotationIsReadAsNoneAndSaid(t *testing.T) {
	w := newTown(t)
	w.clusters["prod-1"] = []autoscalingv2.HorizontalPodAutoscaler{scaler(cpu(whole(95)))}
	w.clusters["prod-1"][0].Annotations[autoscale.Annotation] = "ninety"
	w.pass(6 * time.Minute)
	if len(w.events) != 1 || !strings.Contains(w.events[0].Hint, `"ninety": want a share`) || strings.Count(w.log.String(), "ninety") != 1 {
		t.Errorf("%+v\n%s", w.events, w.log.String())
	}
}

func TestWhatCouldNotBeKeptIsToldLaterAndOnlyOnce(t *testing.T) {
	w := newTown(t)
	w.clusters["prod-1"] = []autoscalingv2.HorizontalPodAutoscaler{scaler(cpu(whole(95)))}
	w.pass(5 * time.Minute)
	w.fails = errors.New("disk is full")
	if err := w.watch.Round(t.Context()); err == nil || err.Error() != "keep the episode of web on prod-1: disk is full" {
		t.Error(err)
	}
	w.fails = nil
	w.now = w.now.Add(15 * time.Second)
	w.pass(time.Minute)
	if w.told() != "hot shop/web web@prod-1 pay" {
		t.Error(w.told())
	}
	w.fails = fmt.Errorf("autoscaler: %w", release.ErrStale)
	if err := w.watch.Round(t.Context()); err != nil {
		t.Errorf("another server was faster: %v", err)
	}
}

func TestRunLooksUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.watch.Now = time.Now
		w.clusters["prod-1"] = []autoscalingv2.HorizontalPodAutoscaler{scaler(cpu(whole(95)))}
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
		defer cancel()
		if err := w.watch.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if w.told() != "hot shop/web web@prod-1 pay" {
			t.Error(w.told())
		}
	})
}

// api answers lists of autoscalers in two pages, and writes down what was asked for.
func api(t *testing.T, status int) (autoscale.List, *[]string) {
	t.Helper()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		q := req.URL.Query()
		asked = append(asked, req.URL.Path+" "+q.Get("labelSelector")+" "+q.Get("limit")+" "+q.Get("continue"))
		list := autoscalingv2.HorizontalPodAutoscalerList{TypeMeta: metav1.TypeMeta{Kind: "HorizontalPodAutoscalerList", APIVersion: "autoscaling/v2"}, Items: []autoscalingv2.HorizontalPodAutoscaler{scaler(cpu(whole(95)))}}
		if q.Get("continue") == "" {
			list.Continue = "second"
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		var answer any = list
		if status != http.StatusOK {
			answer = metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(status), Reason: metav1.StatusReasonForbidden, Message: "no"}
		}
		_ = json.NewEncoder(rw).Encode(answer)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	text := "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: '" + server.URL + "'}}]\nusers: [{name: u, user: {token: t}}]\n"
	if err := os.WriteFile(filepath.Join(dir, "prod-1.kubeconfig"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return autoscale.From(kube.Open(dir)), &asked
}

func TestAutoscalersAreListedAPageAtATime(t *testing.T) {
	list, asked := api(t, http.StatusOK)
	all, err := list(t.Context(), "prod-1")
	if err != nil || len(all) != 2 || *all[1].Status.CurrentMetrics[0].Resource.Current.AverageUtilization != 95 {
		t.Errorf("%d %v", len(all), err)
	}
	const path = "/apis/autoscaling/v2/horizontalpodautoscalers app.kubernetes.io/managed-by=seatrial 500 "
	if got := strings.Join(*asked, ","); got != path+","+path+"second" {
		t.Error(got)
	}
	if _, err := list(t.Context(), "nowhere"); !errors.Is(err, kube.ErrNoCluster) {
		t.Error(err)
	}
}

func TestARightThatIsMissingIsNamed(t *testing.T) {
	list, _ := api(t, http.StatusForbidden)
	_, err := list(t.Context(), "prod-1")
	if err == nil || !strings.Contains(hint.Of(err), "list horizontalpodautoscalers of autoscaling in all namespaces") {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
}
