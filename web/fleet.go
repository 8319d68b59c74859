package web

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/drift"
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

type readTree struct {
	drift.Spot
	IfNoneMatch string `header:"If-None-Match"`
}

type treeOut struct {
	Status int
	ETag   string `header:"ETag"`
	Cache  string `header:"Cache-Control"`
	Body   *drift.Tree
}

// tree is polled while somebody looks: what has not changed is not sent again.
func (s *Server) tree(ctx context.Context, in *readTree) (*treeOut, error) {
	t, err := s.parts.Fleet.Resources(ctx, in.Spot)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	out := &treeOut{Status: http.StatusOK, ETag: fmt.Sprintf(`"%x"`, sha256.Sum256(text)), Cache: "private, no-cache", Body: &t}
	if in.IfNoneMatch == out.ETag {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

func (s *Server) fleetRoutes(api huma.API) {
	add(s, api, Route{Pattern: "GET /api/v1/drift", Need: Reader}, "Show how targets differ from the revision they are on, or from another", http.StatusOK,
		func(ctx context.Context, in *drift.Question) (*body[list[drift.Comparison]], error) {
			all, err := s.parts.Fleet.Drift(ctx, *in)
			return &body[list[drift.Comparison]]{items(all)}, err
		})
	add(s, api, Route{Pattern: "GET /api/v1/tree", Need: Reader}, "Show what a service has on a cluster, and what that owns", http.StatusOK,
		s.tree)
	add(s, api, Route{Pattern: "GET /api/v1/place", Need: Reader}, "Show where a service is in an environment, wave by wave, and what it could return to", http.StatusOK,
		func(ctx context.Context, in *readPlace) (*body[drift.Place], error) {
			p, err := s.parts.Fleet.Place(ctx, in.Service, in.Env)
			return &body[drift.Place]{p}, err
		})
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
	add(s, api, Route{Pattern: "GET /api/v1/slos", Need: Reader}, "List objectives and how they are doing", http.StatusOK,
		func(ctx context.Context, _ *nothingIn) (*body[list[SLO]], error) {
			all, err := s.parts.Fleet.SLOs(ctx)
			return &body[list[SLO]]{items(all)}, err
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
