// Package jira keeps at most one open ticket for one thing: it opens a ticket, comments on
// the one that is open, and never opens a second one.
//
// Start at Site.Tell, which reads top to bottom. Jira has no key that makes a repeated
// creation harmless, and its search shows a new ticket late, so the intent to create is
// kept before it is carried out, and a creation whose end is not known is searched for
// until the search can be believed.
package jira

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify/wire"
)

// What Jira takes, in characters.
const (
	MaxSummary     = 255
	MaxDescription = 32767
)

// maxAnswer is room for 50 comments, with what is said of their authors.
const maxAnswer = 8 << 20

// settle is how long the search may not show a new ticket.
const settle = 2 * time.Minute

// Note is what is remembered of a thread: a ticket, or the intent to create one.
type Note struct {
	Message string    `json:"message,omitempty"` // that created it, or is about to
	Issue   string    `json:"issue,omitempty"`   // "OPS-12"; empty: nobody knows yet
	At      time.Time `json:"at,omitzero"`       // of the intent
}

// Memory keeps notes; it outlives the process.
type Memory interface {
	// Recall returns the note under key; none is the zero Note.
	Recall(ctx context.Context, key string) (Note, error)
	// Keep replaces the note under key.
	Keep(ctx context.Context, key string, n Note) error
}

// Site is one Jira. Its Address may carry a user and a token; with Token, that is the
// bearer. One thread is told by one caller at a time.
type Site struct {
	Client  *http.Client
	Address secret.Text
	Token   secret.Text
	Memory  Memory
	Now     func() time.Time
}

// Ticket is what is told of a thread.
type Ticket struct {
	Thread  string // what it is about: one open ticket for each
	Message string // the same when the same is told again
	Ends    bool   // it is over: comments on what is open and opens nothing
	Project string // "OPS"
	Type    string // "Task"
	Cloud   bool   // version 3 of the API
	Summary string
	Text    string // lines
}

// Tell opens a ticket for t, or comments on the one that is open.
func (s Site) Tell(ctx context.Context, t Ticket) error {
	u, err := url.Parse(s.Address.Reveal())
	if err != nil || u.Host == "" {
		return &wire.Failure{Reason: "the address is not an http or https URL", Permanent: true}
	}
	sum := sha256.Sum256([]byte(u.Host + u.Path + "\n" + t.Project + "\n" + t.Thread))
	key := hex.EncodeToString(sum[:12])
	note, err := s.Memory.Recall(ctx, key)
	if err != nil {
		return fmt.Errorf("recall ticket: %w", err)
	}
	if note.Issue != "" {
		open, err := s.open(ctx, t, note.Issue)
		switch {
		case err != nil:
			return err
		case note.Message == t.Message:
			return nil // it is this message's, and what became of it is people's business
		case open:
			return s.comment(ctx, t, note.Issue)
		}
	}
	found, err := s.search(ctx, t, key)
	if err != nil {
		return err
	}
	if found != "" {
		ours := note.Issue == "" && note.Message == t.Message // the answer of its creation was lost
		if err := s.Memory.Keep(ctx, key, Note{Message: note.Message, Issue: found}); err != nil {
			return fmt.Errorf("remember ticket %s: %w", found, err)
		}
		if ours {
			return nil
		}
		return s.comment(ctx, t, found)
	}
	if rest := settle - s.Now().Sub(note.At); note.Issue == "" && !note.At.IsZero() && rest > 0 {
		return &wire.Failure{Reason: "a ticket may have been created, and the search does not show it yet", Limited: true, After: rest}
	}
	if t.Ends {
		return nil
	}
	return s.create(ctx, t, key)
}

// create opens a ticket. The intent is kept first: a process that dies here, or an answer
// that is lost, must not lead to a second ticket.
func (s Site) create(ctx context.Context, t Ticket, key string) error {
	if err := s.Memory.Keep(ctx, key, Note{Message: t.Message, At: s.Now()}); err != nil {
		return fmt.Errorf("remember the intent to create a ticket: %w", err)
	}
	var made struct {
		Key string `json:"key"`
	}
	err := s.call(ctx, t, http.MethodPost, "issue", map[string]any{"fields": map[string]any{
		"project": map[string]string{"key": t.Project}, "issuetype": map[string]string{"name": cmp.Or(t.Type, "Task")},
		"summary": wire.Cut(wire.OneLine(t.Summary), MaxSummary), "labels": []string{label(key)}, "description": t.rich(),
	}}, &made)
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err != nil {
		f, ok := errors.AsType[*wire.Failure](err)
		if ok && !f.Unsure { // it was surely not taken
			return errors.Join(err, s.Memory.Keep(keeping, key, Note{}))
		}
		if ok {
			f.After = max(f.After, settle)
		}
		return err
	}
	if err := s.Memory.Keep(keeping, key, Note{Message: t.Message, Issue: made.Key}); err != nil {
		return &wire.Failure{Reason: "remember ticket " + made.Key + ": " + err.Error(), After: settle}
	}
	return nil
}

func label(key string) string { return "seatrial-" + key }

// search finds the open ticket of a thread; "" is none.
func (s Site) search(ctx context.Context, t Ticket, key string) (string, error) {
	where := "search"
	if t.Cloud {
		where = "search/jql"
	}
	var found struct {
		Issues []struct {
			Key string `json:"key"`
		} `json:"issues"`
	}
	jql := fmt.Sprintf(`project = "%s" AND labels = "%s" AND statusCategory != Done ORDER BY created ASC`, t.Project, label(key))
	if err := s.call(ctx, t, http.MethodPost, where, map[string]any{"jql": jql, "maxResults": 1, "fields": []string{"status"}}, &found); err != nil || len(found.Issues) == 0 {
		return "", err
	}
	return found.Issues[0].Key, nil
}

// open asks the ticket itself, which is never late; one that is gone is not open.
func (s Site) open(ctx context.Context, t Ticket, issue string) (bool, error) {
	var is struct {
		Fields struct {
			Status struct {
				Category struct {
					Key string `json:"key"`
				} `json:"statusCategory"`
			} `json:"status"`
		} `json:"fields"`
	}
	err := s.call(ctx, t, http.MethodGet, "issue/"+url.PathEscape(issue)+"?fields=status", nil, &is)
	if f, ok := errors.AsType[*wire.Failure](err); ok && f.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil && is.Fields.Status.Category.Key != "done", err
}

// comment comments on a ticket, unless this message is there: an answer may have been lost.
func (s Site) comment(ctx context.Context, t Ticket, issue string) error {
	where := "issue/" + url.PathEscape(issue) + "/comment"
	if there, err := s.commented(ctx, t, where); err != nil || there {
		return err
	}
	said := t
	said.Text = wire.Cut(t.Text, MaxDescription-200) + "\n" + reference(t)
	return s.call(ctx, t, http.MethodPost, where, map[string]any{"body": said.rich()}, nil)
}

// reference ends a comment, so that it is known again.
func reference(t Ticket) string {
	sum := sha256.Sum256([]byte(t.Message))
	return "Seatrial " + hex.EncodeToString(sum[:6])
}

// commented looks for a message among the newest comments.
func (s Site) commented(ctx context.Context, t Ticket, where string) (bool, error) {
	var found struct {
		Comments []struct {
			Body json.RawMessage `json:"body"`
		} `json:"comments"`
	}
	err := s.call(ctx, t, http.MethodGet, where+"?orderBy=-created&maxResults=50", nil, &found)
	for _, c := range found.Comments {
		if bytes.Contains(c.Body, []byte(reference(t))) {
			return true, nil
		}
	}
	return false, err
}

// call speaks to one of the two generations of the API.
func (s Site) call(ctx context.Context, t Ticket, method, where string, in, out any) error {
	var body []byte
	if in != nil {
		var b bytes.Buffer
		if err := json.NewEncoder(&b).Encode(in); err != nil {
			return err
		}
		body = b.Bytes()
	}
	version := "2"
	if t.Cloud {
		version = "3"
	}
	header := http.Header{"Accept": {"application/json"}}
	if s.Token != "" {
		header.Set("Authorization", "Bearer "+s.Token.Reveal())
	}
	base := strings.TrimSuffix(s.Address.Reveal(), "/")
	answer, err := wire.Do(ctx, s.Client, wire.Request{Method: method, Address: secret.Text(base + "/rest/api/" + version + "/" + where), Body: body, Header: header, Hide: []secret.Text{s.Token}, Most: maxAnswer})
	if err != nil {
		if f, ok := errors.AsType[*wire.Failure](err); ok {
			f.Reason = "jira " + where + ": " + f.Reason
		}
		return err
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return &wire.Failure{Reason: "jira " + where + ": the answer is not Jira's: check the address", Unsure: true}
	}
	return nil
}

// rich is the text as the generation of the API wants it: a document, or wiki text in
// which nothing from outside has a meaning.
func (t Ticket) rich() any {
	text := wire.Cut(t.Text, MaxDescription-100)
	if !t.Cloud {
		return "{noformat}\n" + strings.NewReplacer("{", "(", "}", ")").Replace(text) + "\n{noformat}"
	}
	var paragraphs []any
	for line := range strings.Lines(text) {
		if line = wire.OneLine(line); line != "" { // an empty text is refused
			paragraphs = append(paragraphs, map[string]any{"type": "paragraph", "content": []any{map[string]string{"type": "text", "text": line}}})
		}
	}
	return map[string]any{"type": "doc", "version": 1, "content": paragraphs}
}
