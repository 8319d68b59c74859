// Package kubetest is a small API server in memory: enough of one to apply, list, watch
// and delete objects of any kind over HTTP.
//
// Start at New. It never judges an object, runs nothing and never stands in for the lab:
// what only a real server does – defaults, conflicts, garbage collection – is tested there.
package kubetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Kind is one that the server serves.
type Kind struct {
	Group, Version, Kind, Resource string
	Cluster                        bool // its objects live in no namespace
}

func (k Kind) gv() string { return strings.TrimPrefix(k.Group+"/"+k.Version, "/") }

// Call is one request about an object.
type Call struct {
	Method, Kind, Name string
	Query              string
}

// Refusal is an answer other than success.
type Refusal struct {
	Code            int
	Reason, Message string
}

// Server is the server. Its functions may be set before the first request.
type Server struct {
	URL string

	// Refuse may refuse a change before it is made.
	Refuse func(method string, o *unstructured.Unstructured) *Refusal

	mu      sync.Mutex // guards what follows
	kinds   []Kind
	objects map[string]*unstructured.Unstructured // by path
	events  []event
	calls   []Call
	changed chan struct{} // closed at each event
}

// first is the version before anything happened; clients take 0 for "any".
const first = 1000

type event struct {
	kind   Kind
	Type   string         `json:"type"`
	Object map[string]any `json:"object"`
}

// New starts a server that serves some built-in kinds and more, until the test ends.
func New(t testing.TB, more ...Kind) *Server {
	t.Helper()
	s := &Server{objects: map[string]*unstructured.Unstructured{}, changed: make(chan struct{}), kinds: append([]Kind{
		{"", "v1", "ConfigMap", "configmaps", false}, {"", "v1", "Secret", "secrets", false}, {"", "v1", "Service", "services", false},
		{"", "v1", "ServiceAccount", "serviceaccounts", false}, {"", "v1", "Pod", "pods", false}, {"", "v1", "Namespace", "namespaces", true},
		{"apps", "v1", "Deployment", "deployments", false}, {"apps", "v1", "ReplicaSet", "replicasets", false},
		{"batch", "v1", "Job", "jobs", false}, {"networking.k8s.io", "v1", "Ingress", "ingresses", false},
		{"apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", true},
	}, more...)}
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	s.URL = web.URL
	return s
}

// Credentials writes a kubeconfig file for the server into a folder.
func (s *Server) Credentials(t testing.TB, dir, name string) {
	t.Helper()
	text := "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: '" + s.URL + "'}}]\nusers: [{name: u, user: {token: t}}]\n"
	if err := os.WriteFile(filepath.Join(dir, name+".kubeconfig"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Calls lists the changes that were asked for since the last time.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.calls
	s.calls = nil
	return all
}

// Get is an object as it is; nil when it is not there.
func (s *Server) Get(kind, namespace, name string) *unstructured.Unstructured {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kinds {
		if o := s.objects[place(k, namespace, name)]; k.Kind == kind && o != nil {
			return o.DeepCopy()
		}
	}
	return nil
}

// Put stores an object as it is, like somebody with kubectl.
func (s *Server) Put(o *unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kinds {
		if k.Kind == o.GetKind() && k.gv() == o.GetAPIVersion() {
			s.storeLocked(k, o.DeepCopy())
		}
	}
}

// Serve adds a kind, or takes one away with all its objects.
func (s *Server) Serve(k Kind, served bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serveLocked(k, served)
}

func (s *Server) serveLocked(k Kind, served bool) {
	s.kinds = slices.DeleteFunc(s.kinds, func(other Kind) bool { return other == k })
	if served {
		s.kinds = append(s.kinds, k)
		return
	}
	maps.DeleteFunc(s.objects, func(path string, _ *unstructured.Unstructured) bool {
		return strings.HasPrefix(path, k.gv()+"/"+k.Resource+"/")
	})
}

func place(k Kind, namespace, name string) string {
	if k.Cluster {
		namespace = ""
	}
	return k.gv() + "/" + k.Resource + "/" + namespace + "/" + name
}

func (s *Server) storeLocked(k Kind, o *unstructured.Unstructured) *unstructured.Unstructured {
	path := place(k, o.GetNamespace(), o.GetName())
	kind, before := "ADDED", s.objects[path]
	if before != nil {
		kind = "MODIFIED"
		o.SetUID(before.GetUID())
		o.SetGeneration(before.GetGeneration())
	}
	if o.GetUID() == "" {
		o.SetUID(uid(len(s.events)))
	}
	if before == nil || fmt.Sprint(before.Object["spec"]) != fmt.Sprint(o.Object["spec"]) {
		o.SetGeneration(o.GetGeneration() + 1)
	}
	s.objects[path] = o
	s.tellLocked(k, kind, o)
	s.defineLocked(o)
	return o
}

// defineLocked serves the kind of a definition, and says so in its status.
func (s *Server) defineLocked(o *unstructured.Unstructured) {
	if o.GetKind() != "CustomResourceDefinition" {
		return
	}
	field := func(names ...string) string {
		v, _, _ := unstructured.NestedString(o.Object, append([]string{"spec"}, names...)...)
		return v
	}
	_ = unstructured.SetNestedSlice(o.Object, []any{map[string]any{"type": "Established", "status": "True"}}, "status", "conditions")
	s.serveLocked(Kind{field("group"), "v1", field("names", "kind"), field("names", "plural"), field("scope") == "Cluster"}, true)
}

func (s *Server) tellLocked(k Kind, kind string, o *unstructured.Unstructured) {
	o.SetResourceVersion(strconv.Itoa(first + len(s.events) + 1))
	s.events = append(s.events, event{k, kind, o.DeepCopy().Object})
	close(s.changed)
	s.changed = make(chan struct{})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, r Refusal, name string) {
	answer(w, r.Code, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": r.Code, "reason": r.Reason, "message": r.Message, "details": map[string]any{"name": name}})
}
