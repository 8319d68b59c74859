package kubetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	kubejson "k8s.io/apimachinery/pkg/util/json"
)

func uid(n int) types.UID { return types.UID(fmt.Sprintf("uid-%d", n)) }

// target is what a path is about.
type target struct {
	kind            Kind
	namespace, name string
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/readyz":
		fmt.Fprint(w, "ok")
		return
	case "/version":
		answer(w, http.StatusOK, map[string]any{"major": "1", "minor": "36", "gitVersion": "v1.36.4"})
		return
	}
	if s.discover(w, r.URL.Path) {
		return
	}
	t, ok := s.find(r.URL.Path)
	switch {
	case !ok:
		http.Error(w, "404 page not found", http.StatusNotFound)
	case t.name == "" && r.URL.Query().Get("watch") != "":
		s.watch(w, r, t.kind)
	case t.name == "" && r.Method != http.MethodPost:
		s.list(w, t, r.URL.Query().Get("fieldSelector"))
	default:
		s.object(w, r, t)
	}
}

// discover answers what kinds there are.
func (s *Server) discover(w http.ResponseWriter, path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch path {
	case "/api":
		answer(w, http.StatusOK, map[string]any{"kind": "APIVersions", "versions": []string{"v1"}})
		return true
	case "/apis":
		var groups []any
		seen := map[string]bool{"": true}
		for _, k := range s.kinds {
			if !seen[k.Group] {
				seen[k.Group] = true
				v := map[string]any{"groupVersion": k.gv(), "version": k.Version}
				groups = append(groups, map[string]any{"name": k.Group, "versions": []any{v}, "preferredVersion": v})
			}
		}
		answer(w, http.StatusOK, map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
		return true
	}
	gv := strings.TrimPrefix(strings.TrimPrefix(path, "/apis/"), "/api/")
	var all []any
	for _, k := range s.kinds {
		if k.gv() == gv {
			all = append(all, map[string]any{"name": k.Resource, "kind": k.Kind, "namespaced": !k.Cluster, "verbs": []string{"get", "list", "watch", "patch", "update", "delete", "create"}})
		}
	}
	if all != nil {
		answer(w, http.StatusOK, map[string]any{"kind": "APIResourceList", "groupVersion": gv, "resources": all})
	}
	return all != nil
}

// find reads /api/v1/namespaces/shop/services/web and its relatives.
func (s *Server) find(path string) (t target, ok bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	var gv string
	switch {
	case len(parts) > 2 && parts[0] == "api":
		gv, parts = parts[1], parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		gv, parts = parts[1]+"/"+parts[2], parts[3:]
	default:
		return t, false
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		t.namespace, parts = parts[1], parts[2:]
	}
	if len(parts) > 1 {
		t.name = parts[1]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kinds {
		if k.gv() == gv && k.Resource == parts[0] {
			t.kind = k
			return t, true
		}
	}
	return t, false
}

// list answers with all objects of a kind, or those whose field has a value: "a.b=c".
func (s *Server) list(w http.ResponseWriter, t target, selector string) {
	field, want, chosen := strings.Cut(selector, "=")
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []any{}
	for path, o := range s.objects {
		if has, _, _ := unstructured.NestedString(o.Object, strings.Split(field, ".")...); chosen && has != want {
			continue
		}
		if strings.HasPrefix(path, t.kind.gv()+"/"+t.kind.Resource+"/"+t.namespace) {
			items = append(items, o.Object)
		}
	}
	answer(w, http.StatusOK, map[string]any{"kind": t.kind.Kind + "List", "apiVersion": t.kind.gv(),
		"metadata": map[string]any{"resourceVersion": strconv.Itoa(first + len(s.events))}, "items": items})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, k Kind) {
	since, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	at := max(0, since-first)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	for {
		s.mu.Lock()
		news, changed := s.events[min(at, len(s.events)):], s.changed
		at = len(s.events)
		s.mu.Unlock()
		for _, e := range news {
			if e.kind == k {
				_ = json.NewEncoder(w).Encode(e)
			}
		}
		_ = out.Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

func (s *Server) object(w http.ResponseWriter, r *http.Request, t target) {
	body := &unstructured.Unstructured{}
	if r.Method == http.MethodPatch || r.Method == http.MethodPut || r.Method == http.MethodPost {
		data, err := io.ReadAll(r.Body)
		if err != nil || kubejson.Unmarshal(data, &body.Object) != nil {
			refuse(w, Refusal{http.StatusBadRequest, "BadRequest", "the body is no JSON"}, t.name)
			return
		}
		if !t.kind.Cluster {
			body.SetNamespace(t.namespace)
		}
		if t.name == "" { // it is created
			t.name = body.GetName()
		}
	}
	s.mu.Lock()
	live := s.objects[place(t.kind, t.namespace, t.name)]
	if r.Method != http.MethodGet {
		s.calls = append(s.calls, Call{r.Method, t.kind.Kind, t.name, r.URL.RawQuery})
	}
	s.mu.Unlock()
	if s.Refuse != nil && r.Method != http.MethodGet {
		about := body
		if r.Method == http.MethodDelete && live != nil {
			about = live
		}
		if no := s.Refuse(r.Method, about); no != nil {
			refuse(w, *no, t.name)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if live != nil && r.Method == http.MethodPost {
		refuse(w, Refusal{http.StatusConflict, "AlreadyExists", fmt.Sprintf("%s %q already exists", t.kind.Resource, t.name)}, t.name)
		return
	}
	if live == nil && r.Method != http.MethodPatch && r.Method != http.MethodPost {
		refuse(w, Refusal{http.StatusNotFound, "NotFound", fmt.Sprintf("%s %q not found", t.kind.Resource, t.name)}, t.name)
		return
	}
	answer(w, http.StatusOK, s.changeLocked(r, t, body, live).Object)
}

// changeLocked does what a request about one object asks for.
func (s *Server) changeLocked(r *http.Request, t target, body, live *unstructured.Unstructured) *unstructured.Unstructured {
	dry := r.URL.Query().Get("dryRun") != ""
	switch r.Method {
	case http.MethodPatch:
		if live != nil {
			body = &unstructured.Unstructured{Object: merge(live.DeepCopy().Object, body.Object)}
		}
	case http.MethodDelete:
		if len(live.GetFinalizers()) > 0 {
			now := metav1.Now()
			live.SetDeletionTimestamp(&now)
			s.tellLocked(t.kind, "MODIFIED", live)
			return live
		}
		delete(s.objects, place(t.kind, t.namespace, t.name))
		s.tellLocked(t.kind, "DELETED", live)
		return live
	case http.MethodGet:
		return live
	}
	if dry {
		return body
	}
	return s.storeLocked(t.kind, body)
}

// merge lays one object over another; lists are replaced, and null takes away.
func merge(under, over map[string]any) map[string]any {
	for k, v := range over {
		a, ok := under[k].(map[string]any)
		b, ok2 := v.(map[string]any)
		switch {
		case v == nil:
			delete(under, k)
		case ok && ok2:
			under[k] = merge(a, b)
		default:
			under[k] = v
		}
	}
	return under
}
