// Package problem writes refusals the way RFC 9457 describes, with the next step for a
// person beside them. Every part of package web answers errors through it.
//
// Start at Write. It never looks inside an error: whoever calls it decides what a
// stranger may read.
package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// ContentType is the media type of every refusal.
const ContentType = "application/problem+json"

// Problem is the body of a refusal.
type Problem struct {
	Type   string  `json:"type" doc:"Kind of problem; about:blank when the status says it all." example:"about:blank"`
	Title  string  `json:"title" doc:"The status in words." example:"Conflict"`
	Status int     `json:"status" doc:"The HTTP status." example:"409"`
	Detail string  `json:"detail,omitempty" doc:"What went wrong, for a person."`
	Hint   string  `json:"hint,omitempty" doc:"What this person can do next."`
	Code   string  `json:"code,omitempty" doc:"The reason in one word, where it has one." example:"approvals-missing"`
	Errors []Field `json:"errors,omitempty" doc:"The fields that were not understood."`
}

// Field is one thing that was wrong with a request.
type Field struct {
	Location string `json:"location" doc:"Where, for example body.reason"`
	Message  string `json:"message" doc:"What is wrong there"`
}

// New is a refusal.
func New(status int, detail, hint string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Hint: hint}
}

// Error makes a Problem an error, so that a handler can return it.
func (p *Problem) Error() string { return p.Detail }

// GetStatus tells huma the status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType tells huma the media type.
func (p *Problem) ContentType(string) string { return ContentType }

// Write answers with the problem.
func (p *Problem) Write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client has gone: nothing to do
}

// Write answers with a new problem.
func Write(w http.ResponseWriter, status int, detail, hint string) {
	New(status, detail, hint).Write(w)
}

// RetryAfter sets the header, in whole seconds and at least one.
func RetryAfter(h http.Header, d time.Duration) {
	h.Set("Retry-After", strconv.Itoa(max(1, int((d+time.Second-1)/time.Second))))
}
