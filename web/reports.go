package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/problem"
	"github.com/seatrial/seatrial/web/reports"
)

type readTrialReport struct {
	reports.Wanted
	ID  release.ID  `path:"id" maxLength:"160" example:"shop.web.3f2a91c07d0b"`
	Env release.Env `query:"env" maxLength:"63" doc:"Left out: of the newest trial"`
}

type readRunReport struct {
	reports.Wanted
	ID string `path:"id" maxLength:"200"`
}

type readSummary struct {
	reports.Wanted
	Since string `query:"since" maxLength:"16" default:"7d" doc:"How far to look back, at most 31d"`
}

type reportOut struct {
	Type   string `header:"Content-Type"`
	Policy string `header:"Content-Security-Policy"`
	Vary   string `header:"Vary"`
	Body   []byte
}

// report answers in the format that is wanted.
func report(f reports.Wanted, write func(form reports.Form) (reports.Document, error)) (*reportOut, error) {
	format, ok := reports.Choose(f.Format, f.Accept)
	if !ok {
		return nil, problem.New(http.StatusNotAcceptable, "there is no report of that type", "ask for text/html, text/markdown or application/json")
	}
	d, err := write(reports.Form{Format: format, Language: f.Tongue()})
	return &reportOut{reports.Type(format), reports.Policy(d), "Accept, Accept-Language", d.Body}, err
}

func (s *Server) reportRoutes(api huma.API) {
	maker := s.parts.Reports
	add(s, api, Route{Pattern: "GET /api/v1/releases/{id}/report", Need: Reader}, "Read the report of a release's trial", http.StatusOK,
		func(ctx context.Context, in *readTrialReport) (*reportOut, error) {
			return report(in.Wanted, func(f reports.Form) (reports.Document, error) { return maker.Trial(ctx, in.ID, in.Env, f) })
		})
	add(s, api, Route{Pattern: "GET /api/v1/experiments/runs/{id}/report", Need: Reader}, "Read the report of a run", http.StatusOK,
		func(ctx context.Context, in *readRunReport) (*reportOut, error) {
			return report(in.Wanted, func(f reports.Form) (reports.Document, error) { return maker.Run(ctx, in.ID, f) })
		})
	add(s, api, Route{Pattern: "GET /api/v1/experiments/summary", Need: Reader}, "Count the runs of a time, with their failure rates", http.StatusOK,
		func(ctx context.Context, in *readSummary) (*reportOut, error) {
			since, err := reports.Since(in.Since)
			if err != nil {
				return nil, invalid(err)
			}
			return report(in.Wanted, func(f reports.Form) (reports.Document, error) { return maker.Summary(ctx, since, f) })
		})
}
