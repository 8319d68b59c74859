package web

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/auth"
)

// Silences hold messages back that nobody wants to hear for a while.
type Silences interface {
	// List has those that are active and those that ended lately.
	List(ctx context.Context) ([]release.Silence, error)
	// Add silences what fits all matchers from now on.
	Add(ctx context.Context, matchers []string, length time.Duration, by, reason string) (release.Silence, error)
	// End ends one early; what it held back is told.
	End(ctx context.Context, id, by, reason string) (release.Silence, error)
}

type addSilence struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Sent twice within a day, the request acts once and is answered the same."`
	Body struct {
		Matchers []string `json:"matchers" minItems:"1" maxItems:"20" doc:"All have to hold" example:"[\"service=shop/web\"]"`
		For      string   `json:"for" doc:"How long" example:"2h"`
		Reason   string   `json:"reason" minLength:"1" maxLength:"400" doc:"For whoever wonders why it is quiet"`
	}
}

type endSilence struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Sent twice within a day, the request acts once and is answered the same."`
	ID   string `path:"id" maxLength:"40"`
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"400"`
	}
}

func (s *Server) silenceRoutes(api huma.API) {
	add(s, api, Route{Pattern: "GET /api/v1/silences", Need: Reader}, "List what is silenced, and by whom", http.StatusOK,
		func(ctx context.Context, _ *nothingIn) (*body[list[release.Silence]], error) {
			all, err := s.parts.Silences.List(ctx)
			return &body[list[release.Silence]]{list[release.Silence]{Items: all}}, err
		})
	add(s, api, Route{Pattern: "POST /api/v1/silences", Need: Operator}, "Hold messages back for a while", http.StatusCreated,
		func(ctx context.Context, in *addSilence) (*body[release.Silence], error) {
			length, err := time.ParseDuration(in.Body.For)
			if err != nil {
				return nil, invalid(err)
			}
			by := auth.From(ctx).Name
			one, err := s.parts.Silences.Add(ctx, in.Body.Matchers, length, by, in.Body.Reason)
			if err != nil {
				return nil, err
			}
			s.log.Info("silence", "id", one.ID, "matchers", one.Matchers, "until", one.Until, "by", by, "reason", in.Body.Reason)
			return &body[release.Silence]{one}, nil
		})
	add(s, api, Route{Pattern: "POST /api/v1/silences/{id}/end", Need: Operator}, "End a silence and tell what it held back", http.StatusOK,
		func(ctx context.Context, in *endSilence) (*body[release.Silence], error) {
			by := auth.From(ctx).Name
			one, err := s.parts.Silences.End(ctx, in.ID, by, in.Body.Reason)
			if err != nil {
				return nil, err
			}
			s.log.Info("silence ended", "id", one.ID, "by", by, "reason", in.Body.Reason)
			return &body[release.Silence]{one}, nil
		})
}
