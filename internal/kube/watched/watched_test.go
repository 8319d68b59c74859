package watched_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
	"github.com/seatrial/seatrial/internal/kube/watched"
)

// front counts what is asked of a server, and can break its watches.
type front struct {
	*kubetest.Server
	gets, lists, watches atomic.Int64 // requests
	refuse               atomic.Int64 // the code that watches are answered with; 0: as usual
	once                 atomic.Bool  // refuse only the next one

	mu  sync.Mutex // guards cut
	cut []context.CancelFunc
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	about, watch := strings.HasSuffix(r.URL.Path, "/configmaps"), r.URL.Query().Get("watch") != ""
	switch {
	case watch:
		f.watches.Add(1)
		code := int(f.refuse.Load())
		if f.once.Load() {
			f.refuse.Store(0)
		}
		if code != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":"Expired","message":"no"}`, code)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		f.mu.Lock()
		f.cut = append(f.cut, cancel)
		f.mu.Unlock()
		r = r.WithContext(ctx)
	case about:
		f.lists.Add(1)
	case strings.Contains(r.URL.Path, "/configmaps/") && r.Method == http.MethodGet:
		f.gets.Add(1)
	}
	f.Server.ServeHTTP(w, r)
}

// breakWatches cuts those that run, and answers new ones with a code.
func (f *front) breakWatches(code int, once bool) {
	f.once.Store(once)
	f.refuse.Store(int64(code))
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, cut := range f.cut {
		cut()
	}
	f.cut = nil
}

// harbour is a server that is watched.
type harbour struct {
	*watched.Watches[string]
	t       *testing.T
	server  *front
	cluster *kube.Cluster
	ahead   atomic.Int64 // of the clock
	url     *httptest.Server
}

func open(t *testing.T) *harbour {
	t.Helper()
	t.Parallel()
	h := &harbour{t: t, server: &front{Server: kubetest.New(t)}}
	h.url = httptest.NewServer(h.server)
	t.Cleanup(func() { h.url.CloseClientConnections(); h.url.Close() })
	h.server.URL = h.url.URL
	dir := t.TempDir()
	h.server.Credentials(t, dir, "staging")
	var err error
	if h.cluster, err = kube.Open(dir).Get("staging"); err != nil {
		t.Fatal(err)
	}
	h.Watches = &watched.Watches[string]{
		Labels: "ours=true", Idle: time.Minute, Now: func() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) },
		Keep: func(o *unstructured.Unstructured) (string, error) {
			text, _, err := unstructured.NestedString(o.Object, "data", "text")
			return text, err
		},
	}
	return h
}

// run watches until the test ends, or the returned function is called.
func (h *harbour) run() (stop func()) {
	ctx, cancel := context.WithCancel(h.t.Context())
	ended := make(chan error)
	go func() { ended <- h.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	h.t.Cleanup(stop)
	h.until("it runs", func() bool { h.Shown(h.at("nothing"), &unstructured.Unstructured{}); return h.Open() == 1 })
	return stop
}

func (h *harbour) at(name string) watched.Object {
	return watched.Object{Cluster: h.cluster, Resource: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, Namespace: "shop", Name: name}
}

// put writes an object as somebody else would, and returns it as it is then.
func (h *harbour) put(name, text string, finalizers ...string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"text": text}}}
	o.SetName(name)
	o.SetNamespace("shop")
	o.SetLabels(map[string]string{"ours": "true"})
	o.SetFinalizers(finalizers)
	h.server.Put(o)
	return h.server.Get("ConfigMap", "shop", name)
}

func (h *harbour) remove(name string) {
	h.t.Helper()
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	o.SetName(name)
	o.SetNamespace("shop")
	client, err := h.cluster.Objects(o)
	if err == nil {
		err = client.Delete(h.t.Context(), name, metav1.DeleteOptions{})
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// shows waits until an object is found with a text.
func (h *harbour) shows(name, text string) {
	h.t.Helper()
	h.until(fmt.Sprintf("%s is found as %q", name, text), func() bool {
		got, ok := h.Find(h.t.Context(), h.at(name))
		return ok && got == text
	})
}

// hides waits until an object is not found.
func (h *harbour) hides(name string) {
	h.t.Helper()
	h.until(name+" is not found", func() bool { _, ok := h.Find(h.t.Context(), h.at(name)); return !ok })
}

func (h *harbour) until(what string, holds func() bool) {
	h.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			h.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func TestManyObjectsAreFollowedByOneWatchAndNobodyAsksForThem(t *testing.T) {
	h := open(t)
	h.run()
	const many = 40
	for i := range many {
		h.Shown(h.at(fmt.Sprint("o", i)), h.put(fmt.Sprint("o", i), "first"))
	}
	for i := range many {
		h.shows(fmt.Sprint("o", i), "first")
	}
	h.put("o7", "second")
	h.shows("o7", "second")
	h.shows("o8", "first")
	if gets, lists, watches := h.server.gets.Load(), h.server.lists.Load(), h.server.watches.Load(); gets != 0 || lists != 1 || watches != 1 || h.Open() != 1 {
		t.Errorf("%d GETs, %d lists, %d watches, %d open", gets, lists, watches, h.Open())
	}
}

func TestAnObjectIsNotFoundBeforeItIsAsNewAsWasShown(t *testing.T) {
	h := open(t)
	h.run()
	h.Shown(h.at("other"), h.put("other", "there"))
	h.shows("other", "there")
	ahead := h.put("one", "old")
	h.shows("one", "old")
	ahead.SetResourceVersion(fmt.Sprint(1000 + 3)) // two events have been; the next makes it so new
	h.Shown(h.at("one"), ahead)
	if got, ok := h.Find(t.Context(), h.at("one")); ok {
		t.Errorf("it is found as %q, and somebody has seen a newer one", got)
	}
	h.put("one", "new")
	h.shows("one", "new")
	unseen := h.at("made this moment")
	h.Shown(unseen, ahead)
	if _, ok := h.Find(t.Context(), unseen); ok {
		t.Error("what the watch never brought is found")
	}
}

func TestWhileAWatchIsBrokenNothingIsFound(t *testing.T) {
	h := open(t)
	h.run()
	h.Shown(h.at("one"), h.put("one", "before"))
	h.shows("one", "before")
	h.server.breakWatches(http.StatusInternalServerError, false)
	h.hides("one")
	h.put("one", "meanwhile")
	if got, ok := h.Find(t.Context(), h.at("one")); ok {
		t.Errorf("a broken watch says %q", got)
	}
	h.server.breakWatches(0, false)
	h.shows("one", "meanwhile")
}

func TestAWatchThatEndsGoesOnWhereItWas(t *testing.T) {
	h := open(t)
	h.run()
	h.Shown(h.at("one"), h.put("one", "before"))
	h.shows("one", "before")
	h.server.breakWatches(0, false)
	h.put("one", "after")
	h.shows("one", "after")
	if lists := h.server.lists.Load(); lists != 1 {
		t.Errorf("%d lists", lists)
	}
}

func TestWhatTheServerHasForgottenIsListedAnew(t *testing.T) {
	h := open(t)
	h.run()
	for _, name := range []string{"stays", "goes", "awaited"} {
		h.Shown(h.at(name), h.put(name, "before"))
		h.shows(name, "before")
	}
	h.server.breakWatches(http.StatusGone, true)
	h.put("stays", "after")
	h.remove("goes")
	h.Removed(h.at("awaited"))
	h.shows("stays", "after")
	if lists := h.server.lists.Load(); lists != 2 {
		t.Errorf("%d lists", lists)
	}
	for _, name := range []string{"goes", "awaited"} {
		if got, ok := h.Find(t.Context(), h.at(name)); ok {
			t.Errorf("%s is found as %q", name, got)
		}
	}
}

func TestWhatIsToGoIsFoundOnlyAsGoing(t *testing.T) {
	h := open(t)
	h.run()
	h.Shown(h.at("one"), h.put("one", "there", "seatrial.dev/stay"))
	h.shows("one", "there")
	h.Removed(h.at("one"))
	h.put("one", "changed", "seatrial.dev/stay") // not what was asked for
	h.put("two", "there")
	h.shows("two", "there")
	if got, ok := h.Find(t.Context(), h.at("one")); ok {
		t.Errorf("it is found as %q, and its deletion was asked for", got)
	}
	h.remove("one")
	h.shows("one", "changed")
	h.remove("two")
	h.hides("two")
	h.Forget(h.at("one"))
	h.hides("one")
}

func TestAWatchThatNobodyNeedsEnds(t *testing.T) {
	h := open(t)
	h.Idle = 200 * time.Millisecond
	h.run()
	h.Shown(h.at("one"), h.put("one", "there"))
	h.until("the watch runs", func() bool { return h.server.watches.Load() > 0 })
	h.until("the watch has ended", func() bool { return h.Open() == 0 })
	if _, ok := h.Find(t.Context(), h.at("one")); ok || h.Open() != 0 {
		t.Error("a question begins no watch, and is not answered")
	}
	h.Shown(h.at("one"), h.put("one", "there again"))
	h.shows("one", "there again")
}

func TestAfterARestartNothingIsKnownUntilItIsShown(t *testing.T) {
	h := open(t)
	stop := h.run()
	h.Shown(h.at("one"), h.put("one", "there"))
	h.shows("one", "there")
	stop()
	h.Shown(h.at("one"), h.put("one", "there"))
	if _, ok := h.Find(t.Context(), h.at("one")); ok || h.Open() != 0 {
		t.Error("what does not run knows something")
	}
	h.run()
	h.Shown(h.at("one"), h.put("one", "later"))
	h.shows("one", "later")
}

func TestAClusterThatIsAwayOrSilentIsNotBelieved(t *testing.T) {
	h := open(t)
	h.run()
	h.Shown(h.at("one"), h.put("one", "there"))
	h.shows("one", "there")
	h.ahead.Store(int64(2 * time.Minute))
	if _, ok := h.Find(t.Context(), h.at("one")); ok {
		t.Error("a watch that has said nothing for two minutes is believed")
	}
	h.put("one", "still there")
	h.shows("one", "still there")
	h.url.Config.SetKeepAlivesEnabled(false)
	h.url.Listener.Close()
	h.hides("one")
}

func TestWithoutWatchesNothingIsKnown(t *testing.T) {
	var none *watched.Watches[string]
	none.Shown(watched.Object{}, &unstructured.Unstructured{})
	none.Removed(watched.Object{})
	none.Forget(watched.Object{})
	if _, ok := none.Find(t.Context(), watched.Object{}); ok {
		t.Error("it knows something")
	}
}
