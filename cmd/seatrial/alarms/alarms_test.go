package alarms_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/alarms"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
	"github.com/seatrial/seatrial/web/hooks/alerts"
)

var started = time.Date(2026, 11, 26, 22, 0, 0, 0, time.UTC)

func alert(status string, labels map[string]string) alerts.Alert {
	return alerts.Alert{Status: status, Labels: labels, StartsAt: started, Fingerprint: "d9bc3a5a0ea0a4f5",
		Annotations: map[string]string{"summary": "5xx over 2 %", "description": "since ten minutes", "runbook_url": "https://wiki.example/5xx"}}
}

func TestEvent(t *testing.T) {
	for _, c := range []struct {
		name   string
		labels map[string]string
		want   release.Event
	}{
		{"a service in one label", map[string]string{"service": "shop/web", "environment": "prod", "severity": "page"}, release.Event{Service: "shop/web", Env: "prod", Severity: "critical"}},
		{"a team and a service", map[string]string{"team": "shop", "service": "web", "env": "prod", "severity": "warning"}, release.Event{Service: "shop/web", Env: "prod", Severity: "warning"}},
		{"a project", map[string]string{"project": "shop"}, release.Event{Project: "shop"}},
		{"words that are no names", map[string]string{"service": "../x", "env": "A B", "severity": "awful"}, release.Event{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := alarms.Event(alert("firing", c.labels), started)
			want := c.want
			want.ID, want.Kind, want.At = "alert/d9bc3a5a0ea0a4f5/1795730400/firing", release.EventAlert, started
			want.Subject, want.Reason, want.Hint = "5xx over 2 %", "since ten minutes", "see https://wiki.example/5xx"
			if !reflect.DeepEqual(e, want) {
				t.Errorf("%+v, want %+v", e, want)
			}
		})
	}
	ours := alert("firing", nil)
	ours.Annotations = map[string]string{"seatrial_channels": "mail,on-call"}
	if e := alarms.Event(ours, started); !slices.Equal(e.Channels, []string{"mail", "on-call"}) {
		t.Errorf("an alert of our own rules goes to %v", e.Channels)
	}
	long := alert("resolved", map[string]string{"alertname": "x"})
	long.Annotations = map[string]string{"description": strings.Repeat("很长", 5000)}
	if e := alarms.Event(long, started); e.Kind != release.EventAlertEnded || e.Subject != "x" || len(e.Reason) > 4003 || !strings.HasSuffix(e.ID, "/resolved") {
		t.Errorf("%+v", e)
	}
}

func TestAnAlertThatIsSentAgainIsToldOnceAndItsEndOnce(t *testing.T) {
	kv, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kv.Close() })
	outbox := shelf.Outbox{KV: kv}
	shop := release.Project{Meta: release.Meta{Name: "shop"}, Spec: release.ProjectSpec{Channels: []string{"ops"}}}
	channels := map[string]release.Channel{"ops": {Spec: release.ChannelSpec{Type: "wecom", Events: []release.EventKind{release.EventAlert, release.EventAlertEnded}}}}
	d := alarms.Desk{Tell: store.NewBook(kv).Tell, Default: "shop", Now: func() time.Time { return started },
		Project: func(e release.Event) (release.Project, bool) { return shop, e.Project == "shop" }}
	for _, status := range []string{"firing", "firing", "resolved", "firing", "resolved"} {
		if err := d.Take(t.Context(), []alerts.Alert{alert(status, nil)}); err != nil {
			t.Fatal(err)
		}
		events, err := outbox.Events(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if err := outbox.Plan(t.Context(), e, notify.Plan(e, shop, channels)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if pending, err := outbox.Pending(t.Context(), time.Now(), 10); err != nil || len(pending) != 2 {
		t.Errorf("%d messages, %v: %+v", len(pending), err, pending)
	}
}

func TestAnAlertOfNobodyIsNotDropped(t *testing.T) {
	told := 0
	d := alarms.Desk{Default: "gone", Now: time.Now, Project: func(release.Event) (release.Project, bool) { return release.Project{}, false },
		Tell: func(_ context.Context, events ...release.Event) error { told += len(events); return nil }}
	if err := d.Take(t.Context(), []alerts.Alert{alert("firing", nil)}); err == nil || told != 0 {
		t.Errorf("taken: %v, told %d", err, told)
	}
}

func TestHandlerWantsItsToken(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if h, err := alarms.Handler(alarms.Desk{}, "", log); h != nil || err != nil {
		t.Errorf("%v, %v; want nothing served", h, err)
	}
	if _, err := alarms.Handler(alarms.Desk{Default: "shop"}, "", log); err == nil {
		t.Error("served without a token")
	}
	if h, err := alarms.Handler(alarms.Desk{Default: "shop"}, "alert-token-0123456789", log); h == nil || err != nil {
		t.Errorf("%v, %v", h, err)
	}
}
