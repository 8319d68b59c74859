// Package alarms makes events of Prometheus alerts, so that they are told as everything
// else is.
//
// Start at Desk.Take. It never tells anybody itself, and an alert that belongs to nobody
// is never dropped: it goes to the project of the settings.
package alarms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/rules"
	"github.com/seatrial/seatrial/web/hooks/alerts"
)

// Desk takes alerts in.
type Desk struct {
	Tell    func(ctx context.Context, events ...release.Event) error // keeps them; one that is kept stays as it is
	Project func(e release.Event) (release.Project, bool)            // that an event belongs to
	Default string                                                   // project of alerts that name none
	Now     func() time.Time
}

// Handler serves Alertmanager's webhook; nil when the settings want none.
func Handler(d Desk, token secret.Text, log *slog.Logger) (http.Handler, error) {
	if d.Default == "" {
		return nil, nil
	}
	if token == "" {
		return nil, hint.Add(errors.New("alertmanager is set and its token is not"), "set SEATRIAL_ALERTMANAGER_TOKEN, or leave alertmanager out of the settings")
	}
	r, err := alerts.New(token, d.Take, log)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Take makes an event of each alert.
func (d Desk) Take(ctx context.Context, list []alerts.Alert) error {
	var events []release.Event
	for _, a := range list {
		e := Event(a, d.Now())
		if _, ok := d.Project(e); !ok {
			e.Project = d.Default
			if _, ok := d.Project(e); !ok {
				return hint.Add(fmt.Errorf("alert %s: there is no project %s", e.Subject, d.Default), "name a Project of the platform repo under alertmanager.project")
			}
		}
		events = append(events, e)
	}
	return d.Tell(ctx, events...)
}

// Event is what an alert says. Its ID follows from the alert, so that one that is sent
// again while it is firing is told once, and so is its end.
func Event(a alerts.Alert, now time.Time) release.Event {
	e := release.Event{
		ID:   fmt.Sprintf("alert/%s/%d/%s", a.Fingerprint, a.StartsAt.Unix(), a.Status),
		Kind: release.EventAlert, At: now, Project: a.Labels["project"], Severity: severity(a.Labels["severity"]),
		Subject: cut(cmp.Or(a.Annotations["summary"], a.Annotations["message"], named(a)), 400),
		Reason:  cut(a.Annotations["description"], 4000),
	}
	if a.Status == "resolved" {
		e.Kind = release.EventAlertEnded
	}
	if names := a.Annotations[rules.Channels]; names != "" {
		e.Channels = strings.Split(cut(names, 1000), ",")
	}
	if link := a.Annotations["runbook_url"]; link != "" {
		e.Hint = cut("see "+link, 400)
	}
	service := a.Labels["service"]
	if team := a.Labels["team"]; team != "" && !strings.Contains(service, "/") {
		service = team + "/" + service
	}
	if s, err := release.ParseService(service); err == nil {
		e.Service = s
	}
	if env := cmp.Or(a.Labels["environment"], a.Labels["env"]); release.ValidName(env) {
		e.Env = release.Env(env)
	}
	return e
}

// severity is one of the four words that incidents know; what people call a page is the
// worst.
func severity(s string) string {
	switch s {
	case "critical", "error", "warning", "info":
		return s
	case "page":
		return "critical"
	case "ticket":
		return "warning"
	}
	return ""
}

func named(a alerts.Alert) string {
	name := cmp.Or(a.Labels["alertname"], "an alert")
	if i := a.Labels["instance"]; i != "" {
		name += " on " + i
	}
	return name
}

// cut keeps what the store has to hold small; characters stay whole.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
