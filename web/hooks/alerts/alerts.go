// Package alerts receives what Alertmanager posts to a webhook, version 4. A delivery is
// taken only with the right bearer token, and answered only when all of it is kept.
//
// Start at Receiver.ServeHTTP. It never follows a link of an alert, and it never decides
// who is told: what is kept is somebody else's word, cut to a size.
package alerts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/web/problem"
)

// Alert is one alert of a delivery.
type Alert struct {
	Status       string            `json:"status"` // "firing" or "resolved"
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"` // of the labels
}

// Take keeps alerts and returns only when they are on disk. The same alert comes again and
// again while it is firing: a fingerprint, its start and its status say that it is the same.
type Take func(ctx context.Context, alerts []Alert) error

// Limits of a delivery.
const (
	maxBody   = 4 << 20
	maxAlerts = 1000
	minToken  = 16
	inFlight  = 8
	readTime  = 10 * time.Second
	again     = 5 * time.Second
)

// Receiver serves one route.
type Receiver struct {
	token secret.Text
	take  Take
	log   *slog.Logger
	slots chan struct{}
}

// New refuses a token that could be guessed.
func New(token secret.Text, take Take, log *slog.Logger) (*Receiver, error) {
	if len(token) < minToken {
		return nil, hint.Add(fmt.Errorf("the token of Alertmanager's webhook is shorter than %d characters", minToken), "make one with: openssl rand -hex 32")
	}
	if take == nil || log == nil {
		return nil, errors.New("alerts: take and log are needed")
	}
	return &Receiver{token: token, take: take, log: log, slots: make(chan struct{}, inFlight)}, nil
}

// ServeHTTP takes a delivery: nothing is read without the token. Alertmanager sends again
// what is answered with 5xx and drops what is answered with 4xx.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	if !ok || !r.token.Equal(token) {
		problem.Write(w, http.StatusUnauthorized, "the token is missing or wrong", "put SEATRIAL_ALERTMANAGER_TOKEN into http_config.authorization.credentials of the receiver")
		return
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	default:
		r.later(w, "too many deliveries at once")
		return
	}
	alerts, missing, status, err := read(w, req)
	if err != nil { // Alertmanager drops it for good
		r.log.Error("alerts", "refused", status, "error", err, "hint", hint.Of(err))
		problem.Write(w, status, err.Error(), hint.Of(err))
		return
	}
	if missing > 0 {
		r.log.Warn("alerts", "missing", missing, "hint", tooMany)
	}
	if err := r.take(req.Context(), alerts); err != nil {
		r.log.Error("alerts", "alerts", len(alerts), "error", err, "hint", hint.Of(err))
		r.later(w, "the alerts could not be kept")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *Receiver) later(w http.ResponseWriter, detail string) {
	problem.RetryAfter(w.Header(), again)
	problem.Write(w, http.StatusServiceUnavailable, detail, "")
}

const tooMany = "give the route in Alertmanager more labels in group_by: max_alerts leaves alerts out"

// read reads a delivery; missing are the alerts that its sender left out.
func read(w http.ResponseWriter, req *http.Request) (alerts []Alert, missing, status int, err error) {
	if kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, 0, http.StatusUnsupportedMediaType, errors.New("the content type is not application/json")
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTime)) // where the connection can
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, 0, http.StatusRequestEntityTooLarge, hint.Add(errors.New("the body is larger than 4 MiB"), tooMany)
	}
	if err != nil {
		return nil, 0, http.StatusBadRequest, errors.New("the body ended early")
	}
	alerts, missing, err = Parse(body)
	if err != nil {
		return nil, 0, http.StatusBadRequest, err
	}
	if len(alerts) > maxAlerts {
		return nil, 0, http.StatusRequestEntityTooLarge, hint.Add(fmt.Errorf("%d alerts, at most %d", len(alerts), maxAlerts), tooMany)
	}
	return alerts, missing, 0, nil
}

// Parse reads a delivery. Fields that are not known are passed over: newer senders add
// some. An alert without a fingerprint gets one of its labels; missing are those that the
// sender left out.
func Parse(body []byte) (alerts []Alert, missing int, err error) {
	var m struct {
		Version   string  `json:"version"`
		Alerts    []Alert `json:"alerts"`
		Truncated int     `json:"truncatedAlerts"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, 0, errors.New("the body is not JSON of an alert")
	}
	if m.Version != "4" {
		return nil, 0, hint.Add(errors.New("the version is not 4"), "this route is for webhook_configs of Alertmanager")
	}
	for i := range m.Alerts {
		a := &m.Alerts[i]
		if a.Status != "firing" && a.Status != "resolved" {
			return nil, 0, fmt.Errorf("alert %d is neither firing nor resolved", i)
		}
		if !wellFormed(a.Fingerprint) {
			a.Fingerprint = fingerprint(a.Labels)
		}
	}
	return m.Alerts, m.Truncated, nil
}

func wellFormed(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

func fingerprint(labels map[string]string) string {
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(h, "%q=%q,", k, labels[k])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
