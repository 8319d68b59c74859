package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
)

const (
	robotKey    = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
	robotURL    = "https://chat.example/cgi-bin/webhook/send?key=" + robotKey
	hookURL     = "https://hooks.example/services/T0000/long-secret-step"
	hookKey     = "0123456789abcdef"
	commitShort = "3f2a91c07d0b"
	commitID    = release.Commit(commitShort + "8b5b6a1c0f0e9a7d6c5b4a392817")
)

// weComRobot checks what WeCom checks and answers as it does: always 200.
type weComRobot struct {
	t       testing.TB
	mu      sync.Mutex // guards all below
	taken   []string
	times   []time.Time
	limited int
}

func (r *weComRobot) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	code, message := r.judge(req)
	fmt.Fprintf(w, `{"errcode":%d,"errmsg":%q}`, code, message)
}

func (r *weComRobot) judge(req *http.Request) (int, string) {
	body, err := io.ReadAll(req.Body)
	if err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" || req.URL.Path != "/cgi-bin/webhook/send" {
		r.t.Errorf("request %s %s %v", req.Method, req.URL.Path, req.Header)
	}
	if got := req.URL.Query().Get("key"); got != robotKey {
		return 93000, "invalid webhook url, key " + got
	}
	var sent struct {
		Type     string `json:"msgtype"`
		Markdown *struct {
			Content string `json:"content"`
		} `json:"markdown"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&sent); err != nil || sent.Type != "markdown" || sent.Markdown == nil || sent.Markdown.Content == "" {
		return 40008, "invalid message type"
	}
	if c := sent.Markdown.Content; len(c) > 4096 || !utf8.ValidString(c) || strings.ContainsRune(c, utf8.RuneError) {
		return 40058, "markdown.content exceed max length 4096"
	}
	now := time.Now()
	r.times = slices.DeleteFunc(r.times, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if len(r.times) >= 20 {
		r.limited++
		return 45009, "api freq out of limit"
	}
	r.times = append(r.times, now)
	r.taken = append(r.taken, sent.Markdown.Content)
	return 0, "ok"
}

func (r *weComRobot) texts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

// direct carries requests to handlers by host, without a network, so that time in a
// synctest bubble can pass.
type direct map[string]http.Handler

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	h, ok := d[req.URL.Host]
	if !ok {
		return nil, errors.New("connection refused")
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

// box is an inbox and an outbox that keep JSON, as a store does.
type box struct {
	mu       sync.Mutex // guards all below
	events   map[string][]byte
	messages map[string][]byte
	groups   map[string]notify.Group
	down     bool
	saved    chan struct{} // one for each Save, as long as somebody reads
}

func newBox(events ...release.Event) *box {
	b := &box{events: map[string][]byte{}, messages: map[string][]byte{}, groups: map[string]notify.Group{}, saved: make(chan struct{}, 100)}
	b.tell(events...)
	return b
}

func (b *box) tell(events ...release.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range events {
		b.events[e.ID], _ = json.Marshal(e)
	}
}

func (b *box) Events(_ context.Context, limit int) ([]release.Event, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil, errors.New("disk full")
	}
	return decodeAll[release.Event](b.events, limit, func(release.Event) bool { return true }), nil
}

func (b *box) Group(_ context.Context, key string) (notify.Group, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[key]
	g.Key = key
	return g, nil
}

func (b *box) Plan(_ context.Context, e release.Event, messages []notify.Message, groups ...notify.Group) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range groups {
		if g.Version != b.groups[g.Key].Version {
			return release.ErrStale
		}
	}
	for _, g := range groups {
		g.Version++
		b.groups[g.Key] = g
	}
	delete(b.events, e.ID)
	for _, m := range messages {
		if b.messages[m.ID] == nil {
			b.messages[m.ID], _ = json.Marshal(m)
		}
	}
	return nil
}

func (b *box) Pending(_ context.Context, now time.Time, limit int) ([]notify.Message, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := map[string]int{}
	return decodeAll(b.messages, 1<<30, func(m notify.Message) bool {
		if m.State != notify.Pending || m.Due.After(now) {
			return false
		}
		of[m.Channel]++
		return of[m.Channel] <= limit
	}), nil
}

func (b *box) Save(_ context.Context, messages ...notify.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.saved <- struct{}{}:
	default:
	}
	if b.down {
		return errors.New("disk full")
	}
	if len(messages) > 50 {
		return errors.New("more than 50 in one transaction")
	}
	for _, m := range messages {
		b.messages[m.ID], _ = json.Marshal(m)
	}
	return nil
}

func (b *box) setDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

func (b *box) all() []notify.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return decodeAll(b.messages, 1<<30, func(notify.Message) bool { return true })
}

func (b *box) count(s notify.State) (n int) {
	for _, m := range b.all() {
		if m.State == s {
			n++
		}
	}
	return n
}

func decodeAll[T any](from map[string][]byte, limit int, want func(T) bool) []T {
	var all []T
	for _, raw := range from {
		var v T
		if err := json.Unmarshal(raw, &v); err == nil && want(v) && len(all) < limit {
			all = append(all, v)
		}
	}
	return all
}

// town is a directory with one project.
type town struct {
	project  release.Project
	channels map[string]release.Channel
	routes   []release.Route
}

func (d town) Routes(string) []release.Route { return d.routes }

func (d town) Project(e release.Event) (release.Project, bool) {
	return d.project, e.Project == d.project.Meta.Name
}
func (d town) Channels() map[string]release.Channel { return d.channels }

func channel(kind, name, language string, events ...release.EventKind) release.Channel {
	return release.Channel{Meta: release.Meta{Name: name}, Spec: release.ChannelSpec{Type: kind, URLSecret: name, Language: language, Events: events}}
}

func newTown(channels ...release.Channel) town {
	d := town{project: release.Project{Meta: release.Meta{Name: "shop"}}, channels: map[string]release.Channel{}}
	for _, c := range channels {
		d.channels[c.Meta.Name] = c
		d.project.Spec.Channels = append(d.project.Spec.Channels, c.Meta.Name)
	}
	return d
}

func secrets(name string) secret.Text {
	return map[string]secret.Text{"ops": robotURL, "ops-zh": robotURL, "hook": hookURL, "hook-key": hookKey, "lost": "https://chat.example/cgi-bin/webhook/send?key=removed-key-0000"}[name]
}

func verified(n int) release.Event {
	return release.Event{ID: fmt.Sprintf("e%03d", n), Kind: release.EventVerified, At: time.Now().Add(time.Duration(n) * time.Millisecond), Service: "shop/web",
		Release: "shop.web." + commitShort, Project: "shop", Repo: "shop/web", Commit: commitID, Env: "staging", Phase: release.Verified,
		Subject: fmt.Sprintf("shop/web %s verified in staging, number %d", commitShort, n), Reason: "every gate passed"}
}
