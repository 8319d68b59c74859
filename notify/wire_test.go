package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
)

// deliverTo runs a Notifier over a real connection until its events are told or dead.
func deliverTo(t *testing.T, h http.Handler, path string, c release.Channel, events ...release.Event) []notify.Message {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	b := newBox(events...)
	n, err := notify.New(notify.Config{Inbox: b, Outbox: b, Directory: newTown(c), Console: "http://127.0.0.1:8480/", Poll: time.Millisecond,
		Secret: func(name string) secret.Text {
			if strings.HasSuffix(name, "-key") {
				return hookKey
			}
			return secret.Text(server.URL + path)
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	for b.count(notify.Sent)+b.count(notify.Dead) < len(events) && ctx.Err() == nil {
		select {
		case <-b.saved:
		case <-ctx.Done():
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return b.all()
}

const robotPath = "/cgi-bin/webhook/send?key=" + robotKey

func TestWeComOnTheWire(t *testing.T) {
	long := verified(1)
	long.Kind, long.Reason, long.Hint = release.EventRolledBack, strings.Repeat("延迟升高 \xff<@all>[x](http://evil) ", 500), strings.Repeat("检查日志 ", 500)
	long.Subject = strings.Repeat("很长的标题", 300)
	robot := &weComRobot{t: t}
	messages := deliverTo(t, robot, robotPath, channel("wecom", "ops", "en", release.EventVerified, release.EventRolledBack), verified(2), long)
	for _, m := range messages {
		if m.State != notify.Sent || m.Told.IsZero() {
			t.Errorf("message %s %s: %s", m.ID, m.State, m.Reason)
		}
	}
	texts := robot.texts()
	if len(texts) != 2 {
		t.Fatalf("%d messages", len(texts))
	}
	for _, want := range []string{"<font color=\"info\">shop/web 3f2a91c07d0b verified in staging", "> environment: staging", "> reason: every gate passed", "[open the console](http://127.0.0.1:8480/releases/shop.web.3f2a91c07d0b)"} {
		if !strings.Contains(texts[1], want) {
			t.Errorf("no %q in\n%s", want, texts[1])
		}
	}
	for _, bad := range []string{"<@", "](http://evil", "\xff"} {
		if strings.Contains(texts[0], bad) {
			t.Errorf("%q got through", bad)
		}
	}
	if n := strings.Count(texts[0], "<font"); n != strings.Count(texts[0], "</font>") || n != 1 {
		t.Errorf("a tag was cut: %.300s", texts[0])
	}
}

func TestChinese(t *testing.T) {
	for kind, want := range map[release.EventKind]string{
		release.EventVerified:   "shop/web 3f2a91c07d0b 验证通过（staging）",
		release.EventRolledBack: "shop/web 3f2a91c07d0b 已回滚（staging）",
		release.EventHeld:       "shop/web 3f2a91c07d0b 需要人工处理（staging）",
		release.EventBreach:     "shop/web 3f2a91c07d0b SLO 不达标（staging）",
	} {
		robot := &weComRobot{t: t}
		e := verified(1)
		e.Kind = kind
		deliverTo(t, robot, robotPath, channel("wecom", "ops", "zh", kind), e)
		if texts := robot.texts(); len(texts) != 1 || !strings.Contains(texts[0], want) || !strings.Contains(texts[0], "原因: every gate passed") {
			t.Errorf("%s: %q", kind, texts)
		}
	}
}

func TestChineseNamesTheExperiment(t *testing.T) {
	robot := &weComRobot{t: t}
	e := release.Event{ID: "experiment/1", Kind: release.EventExperiment, Service: "shop/web", Env: "staging", At: verified(1).At,
		About: "kill-one-pod", Result: "Passed", Subject: "experiment kill-one-pod on shop/web in staging: Passed", Reason: "recovered within 1 s"}
	deliverTo(t, robot, robotPath, channel("wecom", "ops", "zh", e.Kind), e)
	if texts := robot.texts(); len(texts) != 1 || !strings.Contains(texts[0], "shop/web kill-one-pod 实验已结束：通过（staging）") {
		t.Errorf("%q", texts)
	}
}

func TestWebhookOnTheWire(t *testing.T) {
	var mu sync.Mutex
	var got []release.Event
	h := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		head := req.Header
		if want := notify.Sign(hookKey, head.Get("X-Seatrial-Id"), head.Get("X-Seatrial-Timestamp"), body); head.Get("X-Seatrial-Signature") != want || !strings.HasPrefix(want, "v1=") || len(want) != 67 {
			t.Errorf("signature %q, want %q", head.Get("X-Seatrial-Signature"), want)
		}
		if head.Get("X-Seatrial-Event") != "release.verified" || head.Get("X-Seatrial-Id") != "e001@hook" {
			t.Errorf("headers %v", head)
		}
		var e release.Event
		if err := json.Unmarshal(body, &e); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, e)
		w.WriteHeader(http.StatusAccepted)
	})
	deliverTo(t, h, "/hook", channel("webhook", "hook", "en", release.EventVerified), verified(1))
	if len(got) != 1 || got[0].Service != "shop/web" || got[0].Commit != commitID || got[0].Phase != release.Verified {
		t.Errorf("got %+v", got)
	}
}

func TestTheSignatureCoversEverything(t *testing.T) {
	sign := notify.Sign(hookKey, "id", "1", []byte("body"))
	for name, other := range map[string]string{
		"the id": notify.Sign(hookKey, "ie", "1", []byte("body")), "the time": notify.Sign(hookKey, "id", "2", []byte("body")),
		"the body": notify.Sign(hookKey, "id", "1", []byte("bodz")), "the key": notify.Sign("other", "id", "1", []byte("body")),
	} {
		if other == sign {
			t.Errorf("%s does not change the signature", name)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/hook" {
			t.Error("followed")
		}
		http.Redirect(w, req, "/elsewhere", http.StatusFound)
	})
	m := deliverTo(t, h, "/hook", channel("webhook", "hook", "en", release.EventVerified), verified(1))[0]
	if m.State != notify.Dead || !strings.HasPrefix(m.Reason, "answered 302 Found") {
		t.Errorf("message %+v", m)
	}
}

func TestPlan(t *testing.T) {
	d := newTown(channel("wecom", "ops", "en", release.EventVerified), channel("webhook", "hook", "en", release.EventFailed), channel("status", "forge", "", release.EventVerified, release.EventBreach))
	d.project.Spec.Channels = append(d.project.Spec.Channels, "absent", "ops")
	breach := release.Event{ID: "b", Kind: release.EventBreach}
	for _, c := range []struct {
		name  string
		event release.Event
		want  string
	}{
		{"each channel that wants the kind, once", verified(1), "e001@ops e001@forge"},
		{"a commit's status needs a commit", breach, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var ids []string
			for _, m := range notify.Plan(c.event, d.project, d.channels) {
				if m.State != notify.Pending || m.Event.ID != c.event.ID {
					t.Errorf("message %+v", m)
				}
				ids = append(ids, m.ID)
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("planned %s, want %s", got, c.want)
			}
		})
	}
}

func FuzzWeComText(f *testing.F) {
	f.Add("subject", "reason <@all>", "hint", 3)
	f.Fuzz(func(t *testing.T, subject, reason, hint string, n int) {
		e := verified(1)
		e.Subject, e.Reason, e.Hint = subject, reason, hint
		messages := make([]notify.Message, 1+max(n, -n)%60)
		for i := range messages {
			messages[i].Event = e
		}
		for _, language := range []string{"en", "zh"} {
			for _, text := range []string{notify.Markdown(e, language, "https://console"), notify.Digest(messages, language, 4096)} {
				if len(text) > 4096 || !utf8.ValidString(text) || strings.Contains(text, "<@") {
					t.Fatalf("%d bytes: %q", len(text), text)
				}
			}
		}
	})
}

func ExampleSign() {
	fmt.Println(notify.Sign("key", "e1@hook", "1767225600", []byte(`{}`)))
	// Output: v1=c800f945791e1f4aa2a9b58c6ae80d000cc84733861dfaddd0d42b074e5997bf
}
