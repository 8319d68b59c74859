package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/web/calendar"
	"github.com/seatrial/seatrial/web/objectives"
)

// Objectives reads what services promise.
type Objectives interface {
	// Objectives is a page, by name.
	Objectives(ctx context.Context, f objectives.Filter) (objectives.Page, error)
	// Course is the way of one on a cluster; ErrNotFound when there is none, or it is not there.
	Course(ctx context.Context, q objectives.Question) (objectives.Course, error)
}

// Diary reads when things are broken on purpose.
type Diary interface {
	Calendar(ctx context.Context, q calendar.Question) (calendar.Calendar, error)
	// Run is one run of an experiment, or ErrNotFound.
	Run(ctx context.Context, id string) (Run, error)
}

type readRun struct {
	ID string `path:"id" maxLength:"200"`
}

var errSpan = hint.Add(errors.New("to has to be after from, by at most 43 days"), "ask for a month at a time")

func (s *Server) trialRoutes(api huma.API) {
	add(s, api, Route{Pattern: "GET /api/v1/slos", Need: Reader}, "List objectives, how they are doing and what is left of their budgets", http.StatusOK,
		func(ctx context.Context, in *objectives.Filter) (*body[objectives.Page], error) {
			page, err := s.parts.Objectives.Objectives(ctx, *in)
			return &body[objectives.Page]{page}, err
		})
	add(s, api, Route{Pattern: "GET /api/v1/slos/{name}", Need: Reader}, "Follow the budget of an objective through its window", http.StatusOK,
		func(ctx context.Context, in *objectives.Question) (*body[objectives.Course], error) {
			c, err := s.parts.Objectives.Course(ctx, *in)
			return &body[objectives.Course]{c}, err
		})
	add(s, api, Route{Pattern: "GET /api/v1/experiments/calendar", Need: Reader}, "Show when things are broken on purpose, and when they may not be", http.StatusOK,
		func(ctx context.Context, in *calendar.Question) (*body[calendar.Calendar], error) {
			if length := in.To.Sub(in.From); length <= 0 || length > calendar.Longest {
				return nil, invalid(errSpan)
			}
			c, err := s.parts.Diary.Calendar(ctx, *in)
			return &body[calendar.Calendar]{c}, err
		})
	add(s, api, Route{Pattern: "GET /api/v1/experiments/runs/{id}/record", Need: Reader}, "Read one run of an experiment with its evidence", http.StatusOK,
		func(ctx context.Context, in *readRun) (*body[Run], error) {
			r, err := s.parts.Diary.Run(ctx, in.ID)
			return &body[Run]{r}, err
		})
}
