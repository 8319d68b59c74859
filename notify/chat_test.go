package notify_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
)

// service is a group's robot: judge checks a request as the real one does and answers.
type service struct {
	t     testing.TB
	path  string
	judge func(req *http.Request, body []byte) (status int, answer string)
	mu    sync.Mutex // guards all below
	taken [][]byte
	times []time.Time
}

func (s *service) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	if err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" || req.URL.Path != s.path || !utf8.Valid(body) {
		s.t.Errorf("request %s %s %v", req.Method, req.URL.Path, err)
	}
	status, answer := s.judge(req, body)
	s.taken, s.times = append(s.taken, body), append(s.times, time.Now())
	w.WriteHeader(status)
	fmt.Fprint(w, answer)
}

// strictly decodes and refuses what is not in the form.
func strictly(t testing.TB, body []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Errorf("body %.300s: %v", body, err)
	}
}

func signed(key, message string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(message))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func fresh(t testing.TB, at string, unit time.Duration) {
	t.Helper()
	n, err := strconv.ParseInt(at, 10, 64)
	if d := time.Since(time.Unix(0, n*int64(unit))); err != nil || d < -time.Minute || d > time.Hour {
		t.Errorf("timestamp %q is %v old", at, d)
	}
}

type plainText struct {
	Tag     string `json:"tag"`
	Content string `json:"content"`
}

func judgeFeishu(t testing.TB) func(*http.Request, []byte) (int, string) {
	return func(_ *http.Request, body []byte) (int, string) {
		var m struct {
			Timestamp string `json:"timestamp"`
			Sign      string `json:"sign"`
			Type      string `json:"msg_type"`
			Card      struct {
				Header struct {
					Template string    `json:"template"`
					Title    plainText `json:"title"`
				} `json:"header"`
				Elements []struct {
					Tag     string    `json:"tag"`
					Text    plainText `json:"text"`
					Actions []struct {
						Tag  string    `json:"tag"`
						Type string    `json:"type"`
						URL  string    `json:"url"`
						Text plainText `json:"text"`
					} `json:"actions"`
				} `json:"elements"`
			} `json:"card"`
		}
		strictly(t, body, &m)
		fresh(t, m.Timestamp, time.Second)
		if m.Sign != signed(m.Timestamp+"\n"+hookKey, "") {
			return 200, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`
		}
		if m.Type != "interactive" || m.Card.Header.Title.Content == "" || len(m.Card.Elements) == 0 || len(body) > 20<<10 {
			return 200, `{"code":9499,"msg":"Bad Request","data":{}}`
		}
		return 200, `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`
	}
}

func judgeDingTalk(t testing.TB) func(*http.Request, []byte) (int, string) {
	return func(req *http.Request, body []byte) (int, string) {
		var m struct {
			Type     string `json:"msgtype"`
			Markdown struct {
				Title string `json:"title"`
				Text  string `json:"text"`
			} `json:"markdown"`
		}
		strictly(t, body, &m)
		q := req.URL.Query()
		fresh(t, q.Get("timestamp"), time.Millisecond)
		if q.Get("access_token") != robotKey || q.Get("sign") != signed(hookKey, q.Get("timestamp")+"\n"+hookKey) {
			return 200, `{"errcode":310000,"errmsg":"sign not match ` + q.Get("access_token") + `"}`
		}
		if m.Type != "markdown" || m.Markdown.Title == "" || m.Markdown.Text == "" || len(body) > 20000 {
			return 200, `{"errcode":40035,"errmsg":"param error"}`
		}
		return 200, `{"errcode":0,"errmsg":"ok"}`
	}
}

func judgeSlack(t testing.TB) func(*http.Request, []byte) (int, string) {
	return func(_ *http.Request, body []byte) (int, string) {
		var m struct {
			Text   string `json:"text"`
			Blocks []struct {
				Type string `json:"type"`
				Text struct {
					Type string `json:"type"`
					Text string `json:"text"`
				} `json:"text"`
			} `json:"blocks"`
		}
		strictly(t, body, &m)
		if m.Text == "" || len(m.Blocks) == 0 || len(m.Blocks) > 50 || len(body) > 13200 {
			return 400, "invalid_payload"
		}
		for _, b := range m.Blocks {
			limit := map[string]int{"header": 150, "section": 3000}[b.Type]
			if n := utf8.RuneCountInString(b.Text.Text); n == 0 || n > limit || b.Type == "header" && b.Text.Type != "plain_text" {
				return 400, "invalid_blocks"
			}
		}
		return 200, "ok"
	}
}

func judgeTeams(t testing.TB) func(*http.Request, []byte) (int, string) {
	return func(_ *http.Request, body []byte) (int, string) {
		var m struct {
			Type        string `json:"type"`
			Attachments []struct {
				Type    string  `json:"contentType"`
				URL     *string `json:"contentUrl"`
				Content struct {
					Schema  string `json:"$schema"`
					Type    string `json:"type"`
					Version string `json:"version"`
					Body    []struct {
						Type, Text, Weight, Size, Color string
						Wrap                            bool
					} `json:"body"`
					Actions []struct{ Type, Title, URL string } `json:"actions"`
				} `json:"content"`
			} `json:"attachments"`
		}
		strictly(t, body, &m)
		if m.Type != "message" || len(m.Attachments) != 1 || m.Attachments[0].Type != "application/vnd.microsoft.card.adaptive" || len(body) > 28<<10 {
			return 400, "bad request"
		}
		if c := m.Attachments[0].Content; c.Type != "AdaptiveCard" || c.Version != "1.4" || len(c.Body) == 0 {
			return 400, "bad card"
		}
		return 202, ""
	}
}

var groups = []struct {
	kind, path, query string
	judge             func(testing.TB) func(*http.Request, []byte) (int, string)
	limit             int
	span              time.Duration
}{
	{"feishu", "/open-apis/bot/v2/hook/693a91f6-7000", "", judgeFeishu, 5, time.Second},
	{"dingtalk", "/robot/send", "?access_token=" + robotKey, judgeDingTalk, 20, time.Minute},
	{"slack", "/services/T0000/B0000/long-secret-step", "", judgeSlack, 1, time.Second},
	{"teams", "/workflows/0123456789/triggers/manual/paths/invoke", "?sig=long-signature-0", judgeTeams, 4, time.Second},
}

// nasty is as long and as odd as a commit message can be.
func nasty(n int) release.Event {
	e := verified(n)
	e.Kind = release.EventRolledBack
	e.Subject = strings.Repeat(`很长的"标题"\ & `, 300)
	e.Reason, e.Hint = strings.Repeat("延迟升高 \xff<!channel><@all>[x](http://evil) \"\\ ", 500), strings.Repeat("检查日志 & ", 500)
	return e
}

func TestGroupsOnTheWire(t *testing.T) {
	for _, g := range groups {
		t.Run(g.kind, func(t *testing.T) {
			s := &service{t: t, path: g.path, judge: g.judge(t)}
			c := channel(g.kind, "ops", "zh", release.EventVerified, release.EventRolledBack)
			for _, m := range deliverTo(t, s, g.path+g.query, c, verified(1), nasty(2)) {
				if m.State != notify.Sent {
					t.Errorf("message %s %s: %s", m.ID, m.State, m.Reason)
				}
			}
			all := string(bytes.Join(s.taken, nil))
			for _, want := range []string{"验证通过", "已回滚"} {
				if !strings.Contains(all, want) {
					t.Errorf("no %q in %s", want, all)
				}
			}
			for _, bad := range []string{"<!", "<@", "](http://evil"} {
				if strings.Contains(all, bad) {
					t.Errorf("%q got through", bad)
				}
			}
		})
	}
}

func TestABurstStaysWithinEveryRate(t *testing.T) {
	for _, g := range groups {
		t.Run(g.kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, b := &service{t: t, path: "/services/T0000/long-secret-step", judge: g.judge(t)}, newBox()
				if g.kind == "dingtalk" { // its key is in the address of the test, not of the directory
					s.judge = func(*http.Request, []byte) (int, string) { return 200, `{"errcode":0,"errmsg":"ok"}` }
				}
				for i := range 130 {
					b.tell(verified(i))
				}
				b.tell(nasty(130), nasty(131))
				run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel(g.kind, "hook", "en", release.EventVerified, release.EventRolledBack)),
					Client: &http.Client{Transport: direct{"hooks.example": s}}})
				pass(5 * time.Minute)
				if b.count(notify.Sent) != 132 || len(s.taken) > 60 {
					t.Errorf("%d sent in %d messages: %+v", b.count(notify.Sent), len(s.taken), b.all()[0])
				}
				for i := g.limit; i < len(s.times); i++ {
					if d := s.times[i].Sub(s.times[i-g.limit]); d < g.span {
						t.Fatalf("messages %d and %d within %v", i-g.limit, i, d)
					}
				}
			})
		})
	}
}

func TestCodesInBodies(t *testing.T) {
	for _, c := range []struct {
		kind, answer string
		status       int
		dead         bool
		wait         time.Duration // until the next try, at least
		reason       string
	}{
		{"feishu", `{"code":11232,"msg":"too many request"}`, 200, false, 59 * time.Second, "code 11232"},
		{"feishu", `{"code":19024,"msg":"Key Words Not Found"}`, 200, true, 0, "code 19024: Key Words Not Found: use signing"},
		{"feishu", `{"code":9499,"msg":"too many request","data":{}}`, 200, false, 59 * time.Second, "code 9499: too many request"},
		{"feishu", `{"code":9499,"msg":"Bad Request","data":{}}`, 200, true, 0, "code 9499: Bad Request"},
		{"feishu", `{"StatusCode":19001,"StatusMessage":"token invalid"}`, 200, true, 0, "code 19001: token invalid"},
		{"feishu", `{}`, 200, false, 0, "the answer has no code"},
		{"dingtalk", `{"errcode":130101,"errmsg":"send too fast"}`, 200, false, 9 * time.Minute, "errcode 130101"},
		{"dingtalk", `{"errcode":310000,"errmsg":"sign not match for long-secret-step"}`, 200, true, 0, "errcode 310000: sign not match for ***"},
		{"dingtalk", `{"errcode":-1,"errmsg":"busy"}`, 200, false, 0, "errcode -1: busy"},
		{"slack", "no_text", 200, false, 0, "answered no_text instead of ok"},
		{"slack", "channel_is_archived", 410, true, 0, "answered 410 Gone channel_is_archived"},
		{"teams", "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", 200, false, 59 * time.Second, "answered that there are too many"},
	} {
		t.Run(c.kind+" "+c.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBox(verified(1))
				h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status); fmt.Fprint(w, c.answer) })
				run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel(c.kind, "hook", "en", release.EventVerified)),
					Client: &http.Client{Transport: direct{"hooks.example": h}}})
				synctest.Wait()
				m := b.all()[0]
				if (m.State == notify.Dead) != c.dead || !strings.HasPrefix(m.Reason, c.reason) || !c.dead && time.Until(m.Due) < c.wait {
					t.Errorf("message %+v, due in %v", m, time.Until(m.Due))
				}
			})
		})
	}
}

// An older Feishu has other names for the same.
func TestAnOlderFeishuIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, asked := newBox(verified(1)), 0
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			fmt.Fprint(w, `{"Extra":null,"StatusCode":0,"StatusMessage":"success"}`)
		})
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("feishu", "hook", "en", release.EventVerified)),
			Client: &http.Client{Transport: direct{"hooks.example": h}}})
		pass(time.Hour)
		if asked != 1 || b.count(notify.Sent) != 1 {
			t.Errorf("told %d times: %+v", asked, b.all())
		}
	})
}

// breach is an SLO's trouble, and its end.
func breach(n int, ends bool) release.Event {
	e := release.Event{ID: fmt.Sprintf("slo/shop-web/east/%d/breach", 1700000000+n), Kind: release.EventBreach, At: time.Now().Add(time.Duration(n) * time.Millisecond),
		Project: "shop", Service: "shop/web", Env: "prod", Subject: "shop/web: availability is breached on east", Reason: "burns 14.5 times"}
	if ends {
		e.ID, e.Kind = strings.Replace(e.ID, "/breach", "/end", 1), release.EventRecovered
	}
	return e
}

func TestAlertmanagersShape(t *testing.T) {
	type alert struct {
		Status              string
		Labels, Annotations map[string]string
		StartsAt, EndsAt    time.Time
		GeneratorURL        string
		Fingerprint         string
	}
	type group struct {
		Version, GroupKey, Status, Receiver, ExternalURL string
		TruncatedAlerts                                  *int
		GroupLabels, CommonLabels, CommonAnnotations     map[string]string
		Alerts                                           []alert
	}
	var groups []group
	s := &service{t: t, path: "/alerts", judge: func(req *http.Request, body []byte) (int, string) {
		var g group
		strictly(t, body, &g)
		groups = append(groups, g)
		if req.Header.Get("Authorization") != "Bearer "+hookKey {
			t.Errorf("headers %v", req.Header)
		}
		return 200, ""
	}}
	deliverTo(t, s, "/alerts", channel("alertmanager", "ops", "en", release.EventBreach, release.EventRecovered), breach(1, false), breach(1, true))
	if len(groups) != 2 {
		t.Fatalf("%d groups", len(groups))
	}
	for i, g := range groups {
		if g.Version != "4" || g.GroupKey == "" || g.Receiver != "ops" || g.TruncatedAlerts == nil || g.GroupLabels == nil || len(g.Alerts) != 1 || g.CommonLabels["service"] != "shop/web" || g.Status != g.Alerts[0].Status {
			t.Errorf("group %+v", g)
		}
		if a := g.Alerts[0]; a.Status != []string{"firing", "resolved"}[i] || a.EndsAt.IsZero() != (i == 0) || a.StartsAt.IsZero() || a.Fingerprint != groups[0].Alerts[0].Fingerprint || a.Labels["alertname"] == "" {
			t.Errorf("alert %+v", a)
		}
	}
}

func TestPagerDutysEvents(t *testing.T) {
	type event struct {
		Routing string `json:"routing_key"`
		Dedup   string `json:"dedup_key"`
		Action  string `json:"event_action"`
		Client  string `json:"client"`
		URL     string `json:"client_url"`
		Links   []struct{ Href, Text string }
		Payload *struct {
			Summary, Severity, Source, Timestamp, Group, Class string
			Details                                            map[string]string `json:"custom_details"`
		}
	}
	var events []event
	s := &service{t: t, path: "/v2/enqueue", judge: func(_ *http.Request, body []byte) (int, string) {
		var e event
		strictly(t, body, &e)
		events = append(events, e)
		if e.Routing != hookKey || e.Dedup == "" || len(e.Dedup) > 255 {
			return 400, `{"status":"invalid event"}`
		}
		return 202, `{"status":"success","message":"Event processed"}`
	}}
	messages := deliverTo(t, s, "/v2/enqueue", channel("pagerduty", "ops", "en", release.EventBreach, release.EventRecovered, release.EventRolledBack, release.EventVerified),
		breach(1, false), breach(1, true), nasty(2), verified(3))
	for _, m := range messages {
		if m.State != notify.Sent {
			t.Errorf("message %s: %s", m.ID, m.Reason)
		}
	}
	if len(events) != 4 {
		t.Fatalf("%d events", len(events))
	}
	for i, want := range []string{"trigger critical", "resolve", "trigger error", "resolve"} {
		got := events[i].Action
		if p := events[i].Payload; p != nil {
			got += " " + p.Severity
			if _, err := time.Parse(time.RFC3339, p.Timestamp); err != nil || p.Summary == "" || utf8.RuneCountInString(p.Summary) > 1024 || p.Source != "shop/web" {
				t.Errorf("payload %+v", p)
			}
		}
		if got != want {
			t.Errorf("event %d is %q, want %q", i, got, want)
		}
	}
	if events[0].Dedup != events[1].Dedup || events[0].Dedup == events[2].Dedup {
		t.Errorf("keys %s %s %s", events[0].Dedup, events[1].Dedup, events[2].Dedup)
	}
}
