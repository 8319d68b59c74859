package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/builds"
)

type readBuild struct {
	ID release.ID `path:"id" maxLength:"160" example:"shop.web.3f2a91c07d0b"`
}

type readSBOM struct {
	ID       release.ID `path:"id" maxLength:"160" example:"shop.web.3f2a91c07d0b"`
	Platform string     `query:"platform" maxLength:"63" doc:"Left out: the first" example:"linux/arm64"`
	Query    string     `query:"q" maxLength:"200" doc:"Words that are all in name, version, purl, licence or type"`
	After    int        `query:"after" minimum:"0" doc:"The next of the page before"`
	Limit    int        `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type readDocument struct {
	ID       release.ID `path:"id" maxLength:"160" example:"shop.web.3f2a91c07d0b"`
	Platform string     `query:"platform" maxLength:"63" doc:"Left out: the first" example:"linux/arm64"`
	Version  string     `query:"version" maxLength:"16" doc:"Of CycloneDX: 1.5 or 1.6; left out: 1.6, as it is signed" example:"1.5"`
}

type document struct {
	Type string `header:"Content-Type"`
	Body []byte
}

type readLog struct {
	ID    release.ID `path:"id" maxLength:"160" example:"shop.web.3f2a91c07d0b"`
	From  int        `query:"from" minimum:"0" doc:"First line wanted"`
	Limit int        `query:"limit" minimum:"1" maximum:"5000" default:"1000"`
}

type searchLog struct {
	ID    release.ID `path:"id" maxLength:"160" example:"shop.web.3f2a91c07d0b"`
	Query string     `query:"q" required:"true" minLength:"1" maxLength:"200" doc:"A text that is in the line or the name of its step, in whichever letter case"`
	After int64      `query:"after" minimum:"0" doc:"The after of the answer before"`
	Limit int        `query:"limit" minimum:"1" maximum:"1000" default:"200"`
}

func (s *Server) logRoutes(api huma.API) {
	add(s, api, Route{Pattern: "GET /api/v1/releases/{id}/log", Need: Reader}, "Read the build log", http.StatusOK,
		func(ctx context.Context, in *readLog) (*body[builds.LogPage], error) {
			page, err := s.parts.Logs.Log(ctx, in.ID, in.From, in.Limit)
			if page.Lines == nil {
				page.Lines = []builds.LogLine{}
			}
			return &body[builds.LogPage]{page}, err
		})
	add(s, api, Route{Pattern: "GET /api/v1/releases/{id}/log/search", Need: Reader}, "Search the build log", http.StatusOK,
		func(ctx context.Context, in *searchLog) (*body[builds.LogMatches], error) {
			found, err := s.parts.Logs.Search(ctx, in.ID, builds.LogQuery{Text: in.Query, After: in.After, Limit: in.Limit})
			return &body[builds.LogMatches]{found}, err
		})
}

func (s *Server) buildRoutes(api huma.API) {
	add(s, api, Route{Pattern: "GET /api/v1/releases/{id}/build", Need: Reader}, "Read what was built, how and why", http.StatusOK,
		func(ctx context.Context, in *readBuild) (*body[builds.Build], error) {
			b, err := s.parts.Builds.Build(ctx, in.ID)
			return &body[builds.Build]{b}, err
		})
	add(s, api, Route{Pattern: "GET /api/v1/releases/{id}/sbom", Need: Reader}, "List what is in an image", http.StatusOK,
		func(ctx context.Context, in *readSBOM) (*body[builds.Components], error) {
			page, err := s.parts.Builds.Components(ctx, in.ID, builds.Filter{Platform: in.Platform, Query: in.Query, After: in.After, Limit: in.Limit})
			return &body[builds.Components]{page}, err
		})
	add(s, api, Route{Pattern: "GET /api/v1/releases/{id}/sbom/document", Need: Reader}, "Read the SBOM of an image as a whole", http.StatusOK,
		func(ctx context.Context, in *readDocument) (*document, error) {
			raw, err := s.parts.Builds.SBOM(ctx, in.ID, in.Platform, in.Version)
			return &document{"application/vnd.cyclonedx+json", raw}, err
		})
}
