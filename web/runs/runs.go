// Package runs has the words of the API for runs that have not begun: what one would hit,
// and which people have agreed to it.
//
// Start at Plan and Approvals. It never decides whether a run may begin.
package runs

import (
	"context"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Question is which run is meant.
type Question struct {
	Name    string          `path:"name" maxLength:"63"`
	Env     release.Env     `query:"env" required:"true" minLength:"1" maxLength:"63"`
	Service release.Service `query:"service" maxLength:"127" doc:"Left out: the experiment's own"`
}

// Plan is what a run would hit now.
type Plan struct {
	Experiment string   `json:"experiment"`
	Cluster    string   `json:"cluster,omitempty"`
	Matching   []string `json:"matching" doc:"Pods that the selector matches, as namespace/name"`
	Targets    []string `json:"targets" doc:"Of them, what would be hit; a real run chooses anew"`
	Refused    string   `json:"refused,omitempty" doc:"Why it would not be run now, if whoever asks started it"`
	Code       string   `json:"code,omitempty" doc:"That reason in one word, where it has one" example:"approvals-missing"`
	Hint       string   `json:"hint,omitempty" doc:"What to do about it"`
}

// Desk keeps what people say about experiments.
type Desk interface {
	// Approvals is what was said about the experiment as it is now; web.ErrNotFound when
	// there is none, or the service is not in the environment.
	Approvals(ctx context.Context, q Question, schedule bool) (Approvals, error)
	// Approve, and Withdraw, keep what a person says; web.ErrRefused when it could never
	// count, web.ErrStale when the content is not the one that was shown.
	Approve(ctx context.Context, w Word) (Approvals, error)
	Withdraw(ctx context.Context, w Word) (Approvals, error)
}

// Word is what one person says about an experiment.
type Word struct {
	Question
	Schedule bool // of its schedule, instead of one run by hand
	By       string
	Reason   string
	Digest   release.Digest // of the content that was shown; empty: whatever it is now
}

// Approvals is who has agreed to an experiment as it is now.
type Approvals struct {
	Experiment string                 `json:"experiment"`
	Env        release.Env            `json:"env"`
	Service    release.Service        `json:"service"`
	Schedule   bool                   `json:"schedule" doc:"Of its schedule, instead of one run by hand"`
	Required   int                    `json:"required" doc:"How many people have to agree; 0: nobody is asked"`
	Groups     []string               `json:"groups" doc:"Of which groups; empty: of any"`
	ValidFor   string                 `json:"validFor" doc:"So long an approval counts" example:"168h0m0s"`
	Digest     release.Digest         `json:"digest" doc:"Of what an approval is bound to"`
	Spec       release.ExperimentSpec `json:"spec" doc:"What an approval is bound to, with the namespace and the labels that are hit"`
	Verdict    release.Verdict        `json:"verdict" doc:"Whether enough people have agreed; of a run by hand, whoever starts it does not count"`
	Said       []Said                 `json:"said" doc:"The last word of each person"`
}

// Said is the last word of a person.
type Said struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until" doc:"It counts until then"`
	State  string    `json:"state" enum:"counts,void,expired,used,withdrawn,starter,outsider,noPerson" doc:"Only the first counts"`
	Reason string    `json:"reason,omitempty"`
	Run    string    `json:"run,omitempty" doc:"The run that has used it"`
}

// Start is the request to begin a run.
type Start struct {
	Name string `path:"name" maxLength:"63"`
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Sent twice within a day, the request acts once and is answered the same."`
	Body struct {
		Env     release.Env     `json:"env" minLength:"1" maxLength:"63"`
		Service release.Service `json:"service,omitempty" maxLength:"127" doc:"Left out: the experiment's own"`
		Reason  string          `json:"reason,omitempty" maxLength:"1000"`
	}
}

// Read is the request for Approvals.
type Read struct {
	Question
	Schedule bool `query:"schedule" doc:"Of its schedule, instead of one run by hand"`
}

// Say is the request that keeps a Word.
type Say struct {
	Name    string `path:"name" maxLength:"63"`
	Key     string `header:"Idempotency-Key" maxLength:"255" doc:"Sent twice within a day, the request acts once and is answered the same."`
	IfMatch string `header:"If-Match" doc:"The ETag of the approvals as they were read; 412 when the experiment has changed since."`
	Body    struct {
		Env      release.Env     `json:"env" minLength:"1" maxLength:"63"`
		Service  release.Service `json:"service,omitempty" maxLength:"127" doc:"Left out: the experiment's own"`
		Schedule bool            `json:"schedule,omitempty" doc:"Of its schedule, instead of one run by hand"`
		Reason   string          `json:"reason,omitempty" maxLength:"1000"`
	}
}

// Word is what is said by somebody.
func (s *Say) Word(by string) Word {
	w := Word{Question: Question{Name: s.Name, Env: s.Body.Env, Service: s.Body.Service}, Schedule: s.Body.Schedule, By: by, Reason: s.Body.Reason}
	if s.IfMatch != "*" {
		w.Digest = release.Digest(strings.Trim(s.IfMatch, `"`))
	}
	return w
}

// Answer is the approvals with the ETag of what they are bound to.
type Answer struct {
	ETag string `header:"ETag"`
	Body Approvals
}

// Answered is the answer with some approvals.
func Answered(a Approvals) *Answer { return &Answer{`"` + string(a.Digest) + `"`, a} }
