package jira_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify/jira"
	"github.com/seatrial/seatrial/notify/wire"
)

const token = "token-of-the-robot"

// server is a Jira of one generation: strict about forms, late to find what is new.
type server struct {
	t       *testing.T
	version string
	lag     time.Duration // until the search shows a ticket
	lose    bool          // the answer of the next creation or comment is lost, though it happens
	refuse  int           // status of every creation
	mu      sync.Mutex    // guards all below
	tickets []*ticket
}

type ticket struct {
	key, label string
	done       bool
	made       time.Time
	comments   []string
	bodies     []any
}

func (s *server) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	if !s.serve(rec, req) {
		return nil, io.ErrUnexpectedEOF
	}
	return rec.Result(), nil
}

func (s *server) serve(w http.ResponseWriter, req *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user, password, ok := req.BasicAuth(); !ok || user != "robot" || password != token {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	where, ok := strings.CutPrefix(req.URL.Path, "/jira/rest/api/"+s.version+"/")
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return true
	}
	search := map[string]string{"2": "search", "3": "search/jql"}[s.version]
	key, rest, _ := strings.Cut(strings.TrimPrefix(where, "issue/"), "/")
	switch {
	case req.Method == http.MethodPost && where == search:
		s.search(w, req)
	case req.Method == http.MethodPost && where == "issue":
		return s.create(w, req)
	case req.Method == http.MethodPost && rest == "comment":
		var c struct {
			Body any `json:"body"`
		}
		s.decode(req, &c)
		t := s.find(key)
		t.comments, t.bodies = append(t.comments, s.text(c.Body)), append(t.bodies, c.Body)
		if s.lose {
			s.lose = false
			return false
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":"1"}`)
	case req.Method == http.MethodGet && rest == "comment" && req.URL.RawQuery == "orderBy=-created&maxResults=50":
		var all []map[string]any
		for _, body := range slices.Backward(s.find(key).bodies) {
			all = append(all, map[string]any{"id": "1", "body": body})
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"comments": all[:min(50, len(all))], "total": len(all)}); err != nil {
			s.t.Error(err)
		}
	case req.Method == http.MethodGet && rest == "" && req.URL.Query().Get("fields") == "status":
		s.status(w, key)
	default:
		s.t.Errorf("request %s %s", req.Method, req.URL)
		w.WriteHeader(http.StatusNotFound)
	}
	return true
}

func (s *server) decode(req *http.Request, into any) {
	d := json.NewDecoder(req.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil || req.Header.Get("Content-Type") != "application/json" {
		s.t.Errorf("%s: %v", req.URL.Path, err)
	}
}

// text checks a description or a comment as its generation does.
func (s *server) text(v any) string {
	if s.version == "2" {
		text, ok := v.(string)
		if !ok || text == "" || utf8.RuneCountInString(text) > 32767 || strings.Count(text, "{noformat}") != 2 {
			s.t.Errorf("text %.200v", v)
		}
		return text
	}
	raw, err := json.Marshal(v)
	if err != nil {
		s.t.Error(err)
	}
	var doc struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
		Content []struct {
			Type    string `json:"type"`
			Content []struct {
				Type string `json:"type"`
				Text string `json:"text"`
			} `json:"content"`
		} `json:"content"`
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil || doc.Type != "doc" || doc.Version != 1 || len(doc.Content) == 0 {
		s.t.Errorf("document %.200s: %v", raw, err)
	}
	var text string
	for _, p := range doc.Content {
		if p.Type != "paragraph" || len(p.Content) != 1 || p.Content[0].Type != "text" || p.Content[0].Text == "" {
			s.t.Errorf("paragraph %+v", p)
			continue
		}
		text += p.Content[0].Text + "\n"
	}
	return text
}

var wantedJQL = regexp.MustCompile(`^project = "OPS" AND labels = "(seatrial-[0-9a-f]{24})" AND statusCategory != Done ORDER BY created ASC$`)

func (s *server) search(w http.ResponseWriter, req *http.Request) {
	var q struct {
		JQL        string   `json:"jql"`
		MaxResults int      `json:"maxResults"`
		Fields     []string `json:"fields"`
	}
	s.decode(req, &q)
	m := wantedJQL.FindStringSubmatch(q.JQL)
	if m == nil {
		s.t.Errorf("jql %s", q.JQL)
		return
	}
	issues := []map[string]string{}
	for _, t := range s.tickets {
		if t.label == m[1] && !t.done && time.Since(t.made) >= s.lag {
			issues = append(issues, map[string]string{"key": t.key})
		}
	}
	if err := json.NewEncoder(w).Encode(map[string]any{"issues": issues}); err != nil {
		s.t.Error(err)
	}
}

func (s *server) create(w http.ResponseWriter, req *http.Request) bool {
	var c struct {
		Fields struct {
			Project     struct{ Key string }  `json:"project"`
			Type        struct{ Name string } `json:"issuetype"`
			Summary     string                `json:"summary"`
			Labels      []string              `json:"labels"`
			Description any                   `json:"description"`
		} `json:"fields"`
	}
	s.decode(req, &c)
	f := c.Fields
	if s.refuse != 0 {
		w.WriteHeader(s.refuse)
		fmt.Fprintf(w, `{"errorMessages":["no, %s"]}`, token)
		return true
	}
	if f.Project.Key != "OPS" || f.Type.Name != "Task" || f.Summary == "" || utf8.RuneCountInString(f.Summary) > 255 || strings.ContainsAny(f.Summary, "\r\n") || len(f.Labels) != 1 || strings.Contains(f.Labels[0], " ") {
		s.t.Errorf("fields %+v", f)
	}
	s.text(f.Description)
	s.tickets = append(s.tickets, &ticket{key: fmt.Sprintf("OPS-%d", len(s.tickets)+1), label: f.Labels[0], made: time.Now()})
	if s.lose {
		s.lose = false
		return false
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"id":"1","key":"OPS-%d","self":"x"}`, len(s.tickets))
	return true
}

func (s *server) find(key string) *ticket {
	for _, t := range s.tickets {
		if t.key == key {
			return t
		}
	}
	s.t.Errorf("no ticket %s", key)
	return &ticket{}
}

func (s *server) status(w http.ResponseWriter, key string) {
	category := "indeterminate"
	if s.find(key).done {
		category = "done"
	}
	fmt.Fprintf(w, `{"key":%q,"fields":{"status":{"name":"x","statusCategory":{"key":%q}}}}`, key, category)
}

// memory survives the Site, as the store does.
type memory map[string]jira.Note

func (m memory) Recall(_ context.Context, key string) (jira.Note, error) { return m[key], nil }
func (m memory) Keep(_ context.Context, key string, n jira.Note) error   { m[key] = n; return nil }

func (s *server) site(m memory) jira.Site {
	return jira.Site{Client: &http.Client{Transport: s}, Address: secret.Text("https://robot:" + token + "@jira.example/jira/"), Memory: m, Now: time.Now}
}

func (s *server) ticket(thread, message string) jira.Ticket {
	return jira.Ticket{Thread: thread, Message: message, Project: "OPS", Cloud: s.version == "3", Summary: "shop/web rolled back", Text: "shop/web rolled back\n\n{noformat}!img! reason " + message}
}

// until tells a ticket as the outbox does: again, after the time a failure asks for.
func until(t *testing.T, s jira.Site, k jira.Ticket) {
	t.Helper()
	for range 12 {
		err := s.Tell(t.Context(), k)
		if err == nil {
			return
		}
		f, ok := err.(*wire.Failure) //nolint:errorlint // nothing wraps it here
		if !ok || f.Permanent {
			t.Fatal(err)
		}
		<-time.After(max(time.Second, f.After))
	}
	t.Fatal("never told")
}

func each(t *testing.T, f func(*testing.T, *server)) {
	for _, version := range []string{"2", "3"} {
		t.Run("api "+version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, &server{t: t, version: version, lag: 30 * time.Second}) })
		})
	}
}

func TestOneOpenTicketForOneThing(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		site := s.site(memory{})
		until(t, site, s.ticket("a", "m1"))
		until(t, site, s.ticket("a", "m1")) // told again, after a crash between telling and saving
		until(t, site, s.ticket("a", "m2")) // sooner than the search can know
		until(t, site, s.ticket("b", "m3"))
		if len(s.tickets) != 2 || len(s.tickets[0].comments) != 1 || !strings.Contains(s.tickets[0].comments[0], "reason m2") {
			t.Fatalf("tickets %+v", s.tickets)
		}
		s.tickets[0].done = true
		until(t, site, s.ticket("a", "m4"))
		if len(s.tickets) != 3 {
			t.Errorf("%d tickets after one was closed", len(s.tickets))
		}
	})
}

func TestACreationWhoseAnswerIsLostIsNotRepeated(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.lose = true
		m := memory{}
		if err := s.site(m).Tell(t.Context(), s.ticket("a", "m1")); err == nil {
			t.Fatal("a lost answer is no failure")
		}
		until(t, s.site(m), s.ticket("a", "m2")) // another process, another message, at once
		until(t, s.site(m), s.ticket("a", "m1"))
		if len(s.tickets) != 1 || len(s.tickets[0].comments) == 0 {
			t.Errorf("tickets %+v", s.tickets)
		}
	})
}

func TestACommentWhoseAnswerIsLostIsNotRepeated(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		m := memory{}
		until(t, s.site(m), s.ticket("a", "m1"))
		s.lose = true
		if err := s.site(m).Tell(t.Context(), s.ticket("a", "m2")); err == nil {
			t.Fatal("a lost answer is no failure")
		}
		until(t, s.site(m), s.ticket("a", "m3"))
		until(t, s.site(m), s.ticket("a", "m2")) // another process, later
		if got := s.tickets[0].comments; len(got) != 2 {
			t.Errorf("comments %q", got)
		}
	})
}

func TestAProcessThatDiesBeforeItCreatesCreatesLater(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		m := memory{}
		s.refuse = http.StatusServiceUnavailable // it may have been taken, but was not
		if err := s.site(m).Tell(t.Context(), s.ticket("a", "m1")); err == nil {
			t.Fatal("503 is no failure")
		}
		s.refuse = 0
		until(t, s.site(m), s.ticket("a", "m1"))
		if len(s.tickets) != 1 {
			t.Errorf("%d tickets", len(s.tickets))
		}
	})
}

func TestATicketThatSomebodyElseKnowsIsUsed(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		until(t, s.site(memory{}), s.ticket("a", "m1"))
		<-time.After(time.Minute)
		until(t, s.site(memory{}), s.ticket("a", "m2")) // the store was lost
		if len(s.tickets) != 1 || len(s.tickets[0].comments) != 1 {
			t.Errorf("tickets %+v", s.tickets)
		}
	})
}

func TestGoodNewsOpensNothing(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		site, end := s.site(memory{}), s.ticket("a", "m9")
		end.Ends = true
		until(t, site, end)
		until(t, site, s.ticket("a", "m1"))
		end.Message = "m10"
		until(t, site, end)
		if len(s.tickets) != 1 || len(s.tickets[0].comments) != 1 {
			t.Errorf("tickets %+v", s.tickets)
		}
	})
}

func TestWhatIsRefusedShowsNoToken(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.refuse = http.StatusBadRequest
		m := memory{}
		err := s.site(m).Tell(t.Context(), s.ticket("a", "m1"))
		if err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "jira issue: answered 400") {
			t.Errorf("error %v", err)
		}
		s.refuse = 0
		until(t, s.site(m), s.ticket("a", "m2")) // a clear refusal leaves nothing to wait for
		if len(s.tickets) != 1 {
			t.Errorf("%d tickets", len(s.tickets))
		}
	})
}

func TestLongTextsAreCut(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		k := s.ticket("a", "m1")
		k.Summary, k.Text = strings.Repeat("标题\n", 500), strings.Repeat("很长的原因 {noformat}\n", 9000)
		until(t, s.site(memory{}), k)
	})
}

// What Jira says of a comment's author alone is two kilobytes.
func TestATicketThatPeopleHaveTalkedAboutIsCommentedOn(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		site := s.site(memory{})
		until(t, site, s.ticket("a", "m1"))
		for range 60 {
			s.tickets[0].bodies = append(s.tickets[0].bodies, strings.Repeat("people talk ", 500))
		}
		until(t, site, s.ticket("a", "m2"))
		until(t, site, s.ticket("a", "m2"))
		if len(s.tickets[0].comments) != 1 {
			t.Errorf("%d comments", len(s.tickets[0].comments))
		}
	})
}
