package web

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/auth"
)

type startRun struct {
	Name string `path:"name" maxLength:"63"`
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Sent twice within a day, the request acts once and is answered the same."`
	Body struct {
		Env     release.Env     `json:"env" minLength:"1" maxLength:"63"`
		Service release.Service `json:"service,omitempty" maxLength:"127" doc:"Left out: the experiment's own"`
		Reason  string          `json:"reason,omitempty" maxLength:"1000"`
	}
}

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
		func(ctx context.Context, in *startRun) (*body[Run], error) {
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
		func(ctx context.Context, in *PlanQuestion) (*body[Plan], error) {
			plan, err := s.parts.Experiments.Plan(ctx, *in)
			return &body[Plan]{plan}, err
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
