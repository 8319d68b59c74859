package web

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/runs"
)

type abortRun struct {
	ID   string `path:"id" maxLength:"200"`
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Sent twice within a day, the request acts once and is answered the same."`
	Body *struct {
		Reason string `json:"reason,omitempty" maxLength:"1000"`
	} `required:"false"`
}

type listRuns struct {
	Name  string `query:"name" maxLength:"63" doc:"Of the experiment"`
	After string `query:"after" maxLength:"512" doc:"The next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type runList struct {
	Items []Run  `json:"items"`
	Next  string `json:"next,omitempty" doc:"Left out on the last page"`
}

func (s *Server) experimentRoutes(api huma.API) {
	add(s, api, Route{Pattern: "GET /api/v1/experiments", Need: Reader}, "List experiments with their last runs", http.StatusOK,
		func(ctx context.Context, _ *nothingIn) (*body[list[Experiment]], error) {
			all, err := s.parts.Experiments.Experiments(ctx)
			return &body[list[Experiment]]{items(all)}, err
		})
	add(s, api, Route{Pattern: "GET /api/v1/experiments/runs", Need: Reader}, "List runs, newest first", http.StatusOK,
		func(ctx context.Context, in *listRuns) (*body[runList], error) {
			page, err := s.parts.Experiments.Runs(ctx, RunFilter{Name: in.Name, After: in.After, Limit: in.Limit})
			return &body[runList]{runList{items(page.Items).Items, page.Next}}, err
		})
	add(s, api, Route{Pattern: "POST /api/v1/experiments/{name}/run", Need: Operator}, "Run an experiment once", http.StatusAccepted,
		func(ctx context.Context, in *runs.Start) (*body[Run], error) {
			by := auth.From(ctx).Name
			run, err := s.parts.Experiments.Start(ctx, Start{Experiment: in.Name, Env: in.Body.Env, Service: in.Body.Service, By: by, Reason: in.Body.Reason})
			if err != nil {
				return nil, err
			}
			s.log.Info("act", "experiment", in.Name, "env", in.Body.Env, "by", by, "run", run.ID)
			return &body[Run]{run}, nil
		})
	add(s, api, Route{Pattern: "POST /api/v1/experiments/runs/{id}/abort", Need: Operator}, "Revert the fault and end the run", http.StatusAccepted,
		func(ctx context.Context, in *abortRun) (*body[Run], error) {
			by, reason := auth.From(ctx).Name, ""
			if in.Body != nil {
				reason = in.Body.Reason
			}
			run, err := s.parts.Experiments.Abort(ctx, in.ID, by, reason)
			if err != nil {
				return nil, err
			}
			s.log.Info("act", "run", in.ID, "by", by, "state", run.State)
			return &body[Run]{run}, nil
		})
}

// sayConsent is a word that may be bound to what was read.
type sayConsent struct{ runs.Say }

func (s *sayConsent) conditional() bool { return s.IfMatch != "" && s.IfMatch != "*" }

func (s *Server) consentRoutes(api huma.API) {
	add(s, api, Route{Pattern: "GET /api/v1/experiments/{name}/approvals", Need: Reader}, "List who has agreed to an experiment as it is now", http.StatusOK,
		func(ctx context.Context, in *runs.Read) (*runs.Answer, error) {
			now, err := s.parts.Consents.Approvals(ctx, in.Question, in.Schedule)
			return runs.Answered(now), err
		})
	say := func(act, summary string, keep func(context.Context, runs.Word) (runs.Approvals, error)) {
		add(s, api, Route{Pattern: "POST /api/v1/experiments/{name}/" + act, Need: Operator}, summary, http.StatusOK,
			func(ctx context.Context, in *sayConsent) (*runs.Answer, error) {
				w := in.Word(auth.From(ctx).Name)
				now, err := keep(ctx, w)
				s.log.Info("act", "experiment", w.Name, "env", w.Env, "act", act, "schedule", w.Schedule, "by", w.By, "reason", w.Reason, "content", now.Digest, "error", err)
				return runs.Answered(now), err
			})
	}
	say("approve", "Agree to one run of an experiment, or to its schedule", s.parts.Consents.Approve)
	say("withdraw", "Take back what one has agreed to", s.parts.Consents.Withdraw)
}

type stopChaos struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Sent twice within a day, the request acts once and is answered the same."`
	Body struct {
		Stopped bool   `json:"stopped"`
		Reason  string `json:"reason" minLength:"1" maxLength:"400" doc:"For whoever wonders why nothing is broken"`
	}
}

func (s *Server) chaosRoutes(api huma.API) {
	state := func(ctx context.Context) *body[Stop] {
		why := s.parts.Switch.State(ctx)
		return &body[Stop]{Stop{Stopped: why != "", Why: why}}
	}
	add(s, api, Route{Pattern: "GET /api/v1/experiments/{name}/plan", Need: Reader}, "Say what a run would hit now, and break nothing", http.StatusOK,
		func(ctx context.Context, in *runs.Question) (*body[runs.Plan], error) {
			plan, err := s.parts.Experiments.Plan(ctx, *in, auth.From(ctx).Name)
			return &body[runs.Plan]{plan}, err
		})
	add(s, api, Route{Pattern: "GET /api/v1/chaos", Need: Reader}, "Say whether things may be broken on purpose", http.StatusOK,
		func(ctx context.Context, _ *nothingIn) (*body[Stop], error) { return state(ctx), nil })
	add(s, api, Route{Pattern: "POST /api/v1/chaos", Need: Operator}, "Stop all that is broken on purpose, everywhere, or let it go on", http.StatusOK,
		func(ctx context.Context, in *stopChaos) (*body[Stop], error) {
			by := auth.From(ctx).Name
			s.log.Info("kill switch", "stopped", in.Body.Stopped, "by", by, "reason", in.Body.Reason)
			var err error
			if in.Body.Stopped {
				err = s.parts.Switch.Stop(ctx, by, in.Body.Reason)
			} else {
				err = s.parts.Switch.Resume(ctx)
			}
			return state(ctx), err
		})
}

// invalid makes an error the caller's own.
func invalid(err error) error { return fmt.Errorf("%w: %w", ErrInvalid, err) }
