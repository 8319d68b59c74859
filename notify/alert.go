package notify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"path"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify/wire"
	"github.com/seatrial/seatrial/release"
)

// Thread names what an event is about, the same for trouble and for its end: at most one
// incident or ticket is open for it. ends: the event says that it is over.
func Thread(e release.Event) (name string, ends bool) {
	switch e.Kind {
	case release.EventBreach, release.EventRecovered:
		return path.Dir(path.Dir(e.ID)), e.Kind == release.EventRecovered // without the time and what happened then
	case release.EventAlert, release.EventAlertEnded:
		return path.Dir(path.Dir(e.ID)), e.Kind == release.EventAlertEnded
	case release.EventHot, release.EventCalm:
		return path.Dir(path.Dir(e.ID)), e.Kind == release.EventCalm
	case release.EventFailed, release.EventRolledBack, release.EventHeld, release.EventVerified:
		return "release " + string(e.Service) + " " + string(e.Env), e.Kind == release.EventVerified
	}
	return string(e.Kind) + " " + string(e.Service) + " " + string(e.Env), false
}

func threadKey(e release.Event) string {
	name, _ := Thread(e)
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:8])
}

// severity is one of PagerDuty's words, which alerts use as well.
func severity(e release.Event) string {
	if e.Severity != "" {
		return e.Severity
	}
	switch e.Kind {
	case release.EventHeld, release.EventBreach:
		return "critical"
	case release.EventAlert, release.EventHot:
		return "warning"
	case release.EventFailed, release.EventRolledBack, release.EventUnsteady:
		return "error"
	}
	return "info"
}

// alerts posts what Alertmanager's webhook posts, version 4.
type alerts struct {
	client  *http.Client
	address secret.Text
	token   secret.Text // of an Authorization header; empty: none
	console string
}

type alertGroup struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []alert           `json:"alerts"`
}

type alert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"` // zero while it is firing, as Alertmanager has it
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

func (a alerts) send(ctx context.Context, messages []Message) error {
	g := alertGroup{Version: "4", Status: "resolved", Receiver: messages[0].Channel, GroupKey: `{}:{receiver="` + messages[0].Channel + `"}`,
		GroupLabels: map[string]string{}, ExternalURL: a.console}
	for _, m := range messages {
		one := a.alert(m.Event)
		if one.Status == "firing" {
			g.Status = "firing"
		}
		g.Alerts = append(g.Alerts, one)
		g.CommonLabels, g.CommonAnnotations = common(g.CommonLabels, one.Labels), common(g.CommonAnnotations, one.Annotations)
	}
	h := http.Header{}
	if a.token != "" {
		h.Set("Authorization", "Bearer "+a.token.Reveal())
	}
	_, err := wire.Do(ctx, a.client, wire.Request{Address: a.address, Body: body(g), Header: h, Hide: []secret.Text{a.token}})
	return err
}

func (a alerts) alert(e release.Event) alert {
	name, ends := Thread(e)
	one := alert{Status: "firing", StartsAt: e.At, GeneratorURL: linkTo(e, a.console), Fingerprint: threadKey(e),
		Labels:      map[string]string{"alertname": "seatrial " + name, "severity": severity(append(troubles(e), e)[0])}, // an end's are its trouble's
		Annotations: map[string]string{"summary": wire.OneLine(e.Subject), "event": string(e.Kind)}}
	if ends {
		one.Status, one.EndsAt = "resolved", e.At
	}
	for k, v := range map[string]string{"service": string(e.Service), "environment": string(e.Env), "project": e.Project} {
		if v != "" {
			one.Labels[k] = v
		}
	}
	for k, v := range map[string]string{"description": wire.OneLine(e.Reason), "hint": wire.OneLine(e.Hint)} {
		if v != "" {
			one.Annotations[k] = v
		}
	}
	return one
}

// common is what two maps share; nothing was seen before: all of the second.
func common(seen, now map[string]string) map[string]string {
	if seen == nil {
		return maps.Clone(now)
	}
	maps.DeleteFunc(seen, func(k, v string) bool { return now[k] != v })
	return seen
}

// pager sends PagerDuty's events, version 2.
type pager struct {
	client  *http.Client
	address secret.Text
	routing secret.Text
	console string
}

const maxSummary = 1024 // characters

func (p pager) send(ctx context.Context, messages []Message) error {
	for _, m := range messages {
		if _, err := wire.Do(ctx, p.client, wire.Request{Address: p.address, Body: body(p.event(m.Event)), Hide: []secret.Text{p.routing}}); err != nil {
			return err
		}
	}
	return nil
}

func (p pager) event(e release.Event) object {
	_, ends := Thread(e)
	o := object{"routing_key": p.routing.Reveal(), "dedup_key": "seatrial-" + threadKey(e), "event_action": "resolve"}
	if ends {
		return o
	}
	o["event_action"] = "trigger"
	o["client"] = "seatrial"
	o["payload"] = object{"summary": wire.Cut(headline(e, "en"), maxSummary), "severity": severity(e), "source": cmp.Or(string(e.Service), "seatrial"),
		"timestamp": e.At.UTC().Format(time.RFC3339), "group": string(e.Env), "class": string(e.Kind),
		"custom_details": object{"reason": wire.Cut(wire.OneLine(e.Reason), 4000), "hint": wire.Cut(wire.OneLine(e.Hint), 2000), "release": string(e.Release), "commit": string(e.Commit)}}
	if link := linkTo(e, p.console); link != "" {
		o["links"] = []any{object{"href": link, "text": "open the console"}}
		o["client_url"] = link
	}
	return o
}
