package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/drift"
	"github.com/seatrial/seatrial/web/polled"
	"github.com/seatrial/seatrial/web/problem"
)

type readBoard struct {
	Project string `query:"project" maxLength:"63"`
	Query   string `query:"q" maxLength:"200" doc:"In the service's name"`
}

type readPlace struct {
	Service release.Service `query:"service" required:"true" maxLength:"127" example:"shop/web"`
	Env     release.Env     `query:"env" required:"true" maxLength:"63" example:"prod"`
}

type holdPlace struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Sent twice within a day, the request acts once and is answered the same."`
	Body struct {
		Service release.Service `json:"service" maxLength:"127" example:"shop/web"`
		Env     release.Env     `json:"env" maxLength:"63" example:"prod"`
		Reason  string          `json:"reason" minLength:"1" maxLength:"1000" doc:"Shown to whoever waits"`
	}
}

type readTree struct {
	drift.Spot
	polled.Asked
}

type readObject struct {
	drift.ObjectQuestion
	polled.Asked
}

func (s *Server) fleetRoutes(api huma.API) {
	add(s, api, Route{Pattern: "GET /api/v1/drift", Need: Reader}, "Show how targets differ from the revision they are on, or from another", http.StatusOK,
		func(ctx context.Context, in *drift.Question) (*body[list[drift.Comparison]], error) {
			all, err := s.parts.Fleet.Drift(ctx, *in)
			return &body[list[drift.Comparison]]{items(all)}, err
		})
	add(s, api, Route{Pattern: "GET /api/v1/tree", Need: Reader}, "Show what a service has on a cluster, and what that owns", http.StatusOK,
		func(ctx context.Context, in *readTree) (*polled.Out[drift.Tree], error) {
			t, err := s.parts.Fleet.Resources(ctx, in.Spot)
			return polled.Answer(in.Asked, t, err)
		})
	add(s, api, Route{Pattern: "GET /api/v1/tree/object", Need: Reader}, "Show what explains the state of an object of the tree", http.StatusOK,
		func(ctx context.Context, in *readObject) (*polled.Out[drift.Object], error) {
			o, err := s.parts.Fleet.Object(ctx, in.ObjectQuestion)
			return polled.Answer(in.Asked, o, err)
		})
	add(s, api, Route{Pattern: "GET /api/v1/place", Need: Reader}, "Show where a service is in an environment, wave by wave, and what it could return to", http.StatusOK,
		func(ctx context.Context, in *readPlace) (*body[drift.Place], error) {
			p, err := s.parts.Fleet.Place(ctx, in.Service, in.Env)
			return &body[drift.Place]{p}, err
		})
	addHold(s, api, "hold", "Let no release of a service enter an environment, and no next wave begin, until it is freed", true)
	addHold(s, api, "free", "Take the hold off a service in an environment", false)
	add(s, api, Route{Pattern: "GET /api/v1/board", Need: Reader}, "Every service in every environment", http.StatusOK,
		func(ctx context.Context, in *readBoard) (*body[Board], error) {
			b, err := s.parts.Fleet.Board(ctx)
			if err != nil {
				return nil, err
			}
			return &body[Board]{b.only(in.Project, in.Query)}, nil
		})
	add(s, api, Route{Pattern: "GET /api/v1/clusters", Need: Reader}, "List clusters", http.StatusOK,
		func(ctx context.Context, _ *nothingIn) (*body[list[Cluster]], error) {
			all, err := s.parts.Fleet.Clusters(ctx)
			return &body[list[Cluster]]{items(all)}, err
		})
}

func addHold(s *Server, api huma.API, name, summary string, holds bool) {
	add(s, api, Route{Pattern: "POST /api/v1/place/" + name, Need: Operator}, summary, http.StatusOK,
		func(ctx context.Context, in *holdPlace) (*body[drift.Place], error) {
			by := auth.From(ctx).Name
			var hold *release.Hold
			if holds {
				hold = &release.Hold{By: by, Reason: in.Body.Reason, At: time.Now()}
			}
			p, err := s.parts.Fleet.Hold(ctx, in.Body.Service, in.Body.Env, hold)
			if err == nil {
				s.log.Info(name, "service", in.Body.Service, "env", in.Body.Env, "by", by, "reason", in.Body.Reason)
			}
			return &body[drift.Place]{p}, err
		})
}

// only keeps the rows of a project whose name has the text.
func (b Board) only(project, text string) Board {
	text = strings.ToLower(text)
	keep := []BoardService{}
	for _, row := range b.Services {
		if (project == "" || row.Project == project) && strings.Contains(string(row.Service), text) {
			keep = append(keep, row)
		}
	}
	b.Services = keep
	return b
}

// describeStream adds the stream to the API's description; it is served by hand.
func describeStream(api huma.API) {
	text := &huma.Schema{Type: "string"}
	refused := &huma.Response{Description: "Refused", Content: map[string]*huma.MediaType{
		problem.ContentType: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}}}
	method, path, _ := strings.Cut(streamRoute, " ")
	api.OpenAPI().AddOperation(&huma.Operation{
		Method: method, Path: path, OperationID: "getStream", Tags: []string{"stream"},
		Summary: "Changes as server-sent events",
		Description: "Events: release (a summary), slot, experiment (a run), log (lines of a build), resync (read everything again). " +
			"The id is the store's revision; the events of the revision in Last-Event-ID are sent once more. A comment every 15 s keeps the line open.",
		Parameters: []*huma.Param{
			{Name: "topics", In: "query", Required: true, Schema: text, Description: "releases, board, experiments, log:ID or log:ID@LINE, with commas"},
			{Name: "since", In: "query", Schema: text, Description: "A revision; like Last-Event-ID for a client's first connection"},
			{Name: "Last-Event-ID", In: "header", Schema: text, Description: "The last id that was seen"},
		},
		Responses: map[string]*huma.Response{
			"200":     {Description: "The stream", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: text}}},
			"default": refused,
		},
	})
}
