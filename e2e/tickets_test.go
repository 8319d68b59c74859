//go:build lab

package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// ticketDesk is a Jira server (API 2) as strict about forms and limits as the vendor's.
type ticketDesk struct {
	URL string // with the robot's login, as the server's secret has it

	mu      sync.Mutex // guards all below
	issues  []deskIssue
	remarks []deskRemark
	bad     []string
}

type deskIssue struct{ Key, Label, Summary, Text string }

type deskRemark struct{ issue, text string }

func newDesk() *ticketDesk {
	d := &ticketDesk{}
	d.URL = strings.Replace(httptest.NewServer(http.HandlerFunc(d.answer)).URL, "http://", "http://robot:desk-token@", 1)
	return d
}

func (d *ticketDesk) answer(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	d.mu.Lock()
	defer d.mu.Unlock()
	status, answer := d.take(req, body)
	if status >= 400 {
		d.bad = append(d.bad, fmt.Sprintf("%s %s: %s", req.Method, req.URL.Path, body))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

func (d *ticketDesk) take(req *http.Request, body []byte) (int, string) {
	user, token, ok := req.BasicAuth()
	path, found := strings.CutPrefix(req.URL.Path, "/rest/api/2/")
	switch {
	case !ok || user != "robot" || token != "desk-token":
		return http.StatusUnauthorized, `{}`
	case !found || req.Method == http.MethodPost && req.Header.Get("Content-Type") != "application/json":
		return http.StatusNotFound, `{}`
	case path == "search":
		return d.search(body)
	case path == "issue":
		return d.create(body)
	case strings.HasSuffix(path, "/comment") && req.Method == http.MethodGet:
		return d.remarked(strings.TrimSuffix(strings.TrimPrefix(path, "issue/"), "/comment"), req.URL.RawQuery)
	case strings.HasSuffix(path, "/comment"):
		return d.remark(strings.TrimSuffix(strings.TrimPrefix(path, "issue/"), "/comment"), body)
	case req.Method == http.MethodGet && d.has(strings.TrimPrefix(path, "issue/")):
		return http.StatusOK, `{"fields":{"status":{"name":"Open","statusCategory":{"key":"new"}}}}`
	}
	return http.StatusNotFound, `{}`
}

var deskQuery = regexp.MustCompile(`^project = "PAY" AND labels = "(seatrial-[0-9a-f]{24})" AND statusCategory != Done`)

func (d *ticketDesk) search(body []byte) (int, string) {
	var q struct{ JQL string }
	label := deskQuery.FindStringSubmatch("")
	if json.Unmarshal(body, &q) == nil {
		label = deskQuery.FindStringSubmatch(q.JQL)
	}
	if label == nil {
		return http.StatusBadRequest, `{}`
	}
	keys := []map[string]string{}
	for _, i := range d.issues {
		if i.Label == label[1] {
			keys = append(keys, map[string]string{"key": i.Key})
		}
	}
	out, _ := json.Marshal(map[string]any{"issues": keys})
	return http.StatusOK, string(out)
}

func (d *ticketDesk) create(body []byte) (int, string) {
	var in struct {
		Fields struct {
			Project     struct{ Key string }
			Type        struct{ Name string } `json:"issuetype"`
			Summary     string
			Description string
			Labels      []string
		}
	}
	err := json.Unmarshal(body, &in)
	f := in.Fields
	if err != nil || f.Project.Key != "PAY" || f.Type.Name != "Bug" || f.Summary == "" || utf8.RuneCountInString(f.Summary) > 255 || strings.ContainsAny(f.Summary, "\r\n") ||
		f.Description == "" || utf8.RuneCountInString(f.Description) > 32767 || len(f.Labels) != 1 || strings.Contains(f.Labels[0], " ") {
		return http.StatusBadRequest, `{"errors":{"fields":"invalid"}}`
	}
	key := fmt.Sprintf("PAY-%d", len(d.issues)+1)
	d.issues = append(d.issues, deskIssue{Key: key, Label: f.Labels[0], Summary: f.Summary, Text: f.Description})
	return http.StatusCreated, fmt.Sprintf(`{"id":"1","key":%q}`, key)
}

func (d *ticketDesk) remark(key string, body []byte) (int, string) {
	var in struct{ Body string }
	if err := json.Unmarshal(body, &in); err != nil || in.Body == "" || utf8.RuneCountInString(in.Body) > 32767 || !d.has(key) {
		return http.StatusBadRequest, `{}`
	}
	d.remarks = append(d.remarks, deskRemark{key, in.Body})
	return http.StatusCreated, `{"id":"1"}`
}

func (d *ticketDesk) remarked(key, query string) (int, string) {
	if query != "orderBy=-created&maxResults=50" || !d.has(key) {
		return http.StatusBadRequest, `{}`
	}
	comments := []map[string]string{}
	for _, r := range slices.Backward(d.remarks) {
		if r.issue == key && len(comments) < 50 {
			comments = append(comments, map[string]string{"id": "1", "body": r.text})
		}
	}
	out, _ := json.Marshal(map[string]any{"comments": comments})
	return http.StatusOK, string(out)
}

func (d *ticketDesk) has(key string) bool {
	return slices.ContainsFunc(d.issues, func(i deskIssue) bool { return i.Key == key })
}

// open are the issues there are, and what was refused.
func (d *ticketDesk) open() (issues []deskIssue, bad []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.issues), slices.Clone(d.bad)
}
