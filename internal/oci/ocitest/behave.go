package ocitest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seatrial/seatrial/release"
)

// Busy is what the registry says with a 429 of when to come back, as in Retry-After.
func (s *Server) Busy(after string) { s.busy.Store(&after) }

// After lets the first n requests pass and answers all others with a status. With once, it
// is one request only that is answered so.
func After(n int, status int, once bool) Break {
	var seen atomic.Int64
	return func(*http.Request) int {
		at := seen.Add(1)
		if at <= int64(n) || once && at > int64(n)+1 {
			return 0
		}
		return status
	}
}

// Login is somebody whom the registry knows, and the repositories that are theirs.
type Login struct {
	User, Password string
	Repositories   string // how they begin: "shop/"
}

// SignIn closes the registry to all but some: with tokens from a token server, which is at
// realm or at the registry itself, or else with the passwords themselves. What each uses
// of the others' is refused.
func (s *Server) SignIn(tokens bool, realm string, known ...Login) {
	if realm == "" {
		realm = "http://" + s.Host + "/token"
	}
	s.door.Store(&door{host: s.Host, tokens: tokens, realm: realm, known: known, given: map[string]Login{}})
}

// Seen is who has asked, by user, since SignIn.
func (s *Server) Seen() map[string]int {
	d := s.door.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]int{}
	for _, user := range d.seen {
		out[user]++
	}
	return out
}

// Redirect sends requests for a path elsewhere.
func (s *Server) Redirect(path, to string) {
	d := s.door.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.moved = map[string]string{path: to}
}

type door struct {
	host, realm string
	tokens      bool
	known       []Login

	mu    sync.Mutex       // guards what follows
	given map[string]Login // by token
	seen  []string
	moved map[string]string // paths
}

// lets reports whether the request may go on; otherwise it has been answered.
func (d *door) lets(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path == "/token" {
		d.token(w, r)
		return false
	}
	d.mu.Lock()
	to := d.moved[r.URL.Path]
	d.mu.Unlock()
	if to != "" {
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		return false
	}
	who, ok := d.who(r)
	if !ok {
		challenge := `Basic realm="registry"`
		if d.tokens {
			challenge = fmt.Sprintf(`Bearer realm=%q,service=%q`, d.realm, d.host)
		}
		w.Header().Set("WWW-Authenticate", challenge)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return false
	}
	repository := strings.TrimPrefix(r.URL.Path, "/v2/")
	if repository != "" && !strings.HasPrefix(repository, who.Repositories) {
		refuse(w, http.StatusForbidden, "DENIED", "not yours")
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = append(d.seen, who.User)
	return true
}

func (d *door) who(r *http.Request) (Login, bool) {
	if d.tokens {
		d.mu.Lock()
		defer d.mu.Unlock()
		who, ok := d.given[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		return who, ok
	}
	return d.basic(r)
}

func (d *door) basic(r *http.Request) (Login, bool) {
	user, password, _ := r.BasicAuth()
	for _, l := range d.known {
		if l.User == user && l.Password == password {
			return l, true
		}
	}
	return Login{}, false
}

func (d *door) token(w http.ResponseWriter, r *http.Request) {
	who, ok := d.basic(r)
	if !ok {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "wrong user or password")
		return
	}
	token := rand.Text()
	d.mu.Lock()
	d.given[token] = who
	d.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": 300})
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}

// KeepAll lets the registry refuse every delete, as one does that is set so.
func (s *Server) KeepAll(all bool) { s.kept.Store(all) }

// KeepTags lets tags stay when what they name is deleted, as on the lab's registry.
func (s *Server) KeepTags(all bool) { s.tagged.Store(all) }

// delete takes the tags of a manifest away with it, as most registries do.
func (s *Server) delete(w http.ResponseWriter, r *http.Request) {
	if s.kept.Load() {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
		return
	}
	repository, target, _ := strings.Cut(r.URL.Path, "/manifests/")
	if release.Digest(target).Valid() && !s.tagged.Load() {
		var list struct{ Tags []string }
		_ = json.Unmarshal(s.ask(http.MethodGet, repository+"/tags/list").Body.Bytes(), &list)
		for _, tag := range list.Tags {
			if at := repository + "/manifests/" + tag; s.ask(http.MethodHead, at).Header().Get("Docker-Content-Digest") == target {
				s.ask(http.MethodDelete, at)
			}
		}
	}
	s.handler.ServeHTTP(w, r)
}

func (s *Server) ask(method, path string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	s.handler.ServeHTTP(answer, httptest.NewRequest(method, path, nil))
	return answer
}
