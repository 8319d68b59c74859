package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/auth"
)

// mutation is a request that changes something.
type mutation[T any] struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Sent twice within a day, the request acts once and is answered the same."`
	Body T
}

type readRelease struct {
	ID          release.ID `path:"id" maxLength:"160" example:"shop.web.3f2a91c07d0b"`
	IfNoneMatch string     `header:"If-None-Match"`
}

type releaseOut struct {
	Status int
	ETag   string `header:"ETag"`
	Cache  string `header:"Cache-Control"`
	Body   *release.Release
}

func answer(status int, r release.Release) *releaseOut {
	return &releaseOut{Status: status, ETag: etag(r.Version), Cache: "private, no-cache", Body: &r}
}

type listReleases struct {
	Service release.Service `query:"service" maxLength:"127" example:"shop/web"`
	Env     release.Env     `query:"env" maxLength:"63"`
	Phase   string          `query:"phase" maxLength:"32" example:"Deploying"`
	Query   string          `query:"q" maxLength:"200" doc:"In id, message, author or commit"`
	After   string          `query:"after" maxLength:"512" doc:"The next of the page before"`
	Limit   int             `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type releaseList struct {
	Items []release.Release `json:"items"`
	Next  string            `json:"next,omitempty" doc:"Left out on the last page"`
}

type readReturning struct {
	ID  release.ID  `path:"id" maxLength:"160" example:"shop.web.3f2a91c07d0b"`
	Env release.Env `query:"env" required:"true" minLength:"1" maxLength:"63"`
}

type reason struct {
	Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"Kept in the history"`
}

type reasonIn struct {
	Env    release.Env `json:"env" minLength:"1" maxLength:"63"`
	Reason string      `json:"reason" minLength:"1" maxLength:"1000" doc:"Kept in the history"`
}

type rollbackIn struct {
	Env    release.Env `json:"env" minLength:"1" maxLength:"63"`
	To     release.ID  `json:"to,omitempty" maxLength:"160" doc:"A verified release that the environment keeps; default: the last one"`
	Reason string      `json:"reason" minLength:"1" maxLength:"1000" doc:"Kept in the history"`
}

// act is a request to do something to a release.
type act[T any] struct {
	ID      release.ID `path:"id" maxLength:"160" example:"shop.web.3f2a91c07d0b"`
	Key     string     `header:"Idempotency-Key" maxLength:"255" doc:"Sent twice within a day, the request acts once and is answered the same."`
	IfMatch string     `header:"If-Match" doc:"The ETag of the release as it was read; 412 when it has moved on."`
	Body    T
}

func (a *act[T]) conditional() bool { return a.IfMatch != "" && a.IfMatch != "*" }

func (s *Server) releaseRoutes(api huma.API) {
	add(s, api, Route{Pattern: "GET /api/v1/releases", Need: Reader}, "List releases, newest first, without evidence", http.StatusOK, s.listReleases)
	add(s, api, Route{Pattern: "GET /api/v1/releases/{id}", Need: Reader}, "Read a release with its evidence", http.StatusOK,
		func(ctx context.Context, in *readRelease) (*releaseOut, error) {
			r, err := s.parts.Releases.Release(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			if in.IfNoneMatch == etag(r.Version) {
				return answer(http.StatusNotModified, r), nil
			}
			return answer(http.StatusOK, r), nil
		})

	add(s, api, Route{Pattern: "GET /api/v1/releases/{id}/returning", Need: Reader}, "List what a roll back would bring back with a release: the rest of its set", http.StatusOK,
		func(ctx context.Context, in *readReturning) (*body[releaseList], error) {
			list, err := s.parts.Releases.Returning(ctx, in.ID, in.Env)
			if err != nil {
				return nil, err
			}
			return &body[releaseList]{releaseList{Items: slimmed(list)}}, nil
		})

	acts := s.parts.Acts
	add(s, api, Route{Pattern: "POST /api/v1/releases/{id}/rollback", Need: Operator}, "Return an environment to its last verified release, or another that it keeps", http.StatusAccepted,
		func(ctx context.Context, in *act[rollbackIn]) (*releaseOut, error) {
			return s.do(ctx, acts.Rollback, in.IfMatch, Act{Release: in.ID, Env: in.Body.Env, To: in.Body.To, Reason: in.Body.Reason})
		})
	add(s, api, Route{Pattern: "POST /api/v1/releases/{id}/approve", Need: Operator}, "Approve a release for an environment", http.StatusAccepted,
		func(ctx context.Context, in *act[reasonIn]) (*releaseOut, error) {
			return s.do(ctx, acts.Approve, in.IfMatch, Act{Release: in.ID, Env: in.Body.Env, Reason: in.Body.Reason})
		})
	addAct(s, api, "hold", "Stop a release until somebody frees it", acts.Hold)
	addAct(s, api, "free", "Take the hold off a release", acts.Free)
	addAct(s, api, "retry", "Try the phase that failed again", acts.Retry)
}

func addAct(s *Server, api huma.API, name, summary string, do Do) {
	add(s, api, Route{Pattern: "POST /api/v1/releases/{id}/" + name, Need: Operator}, summary, http.StatusAccepted,
		func(ctx context.Context, in *act[reason]) (*releaseOut, error) {
			return s.do(ctx, do, in.IfMatch, Act{Release: in.ID, Reason: in.Body.Reason})
		})
}

func (s *Server) do(ctx context.Context, do Do, match string, a Act) (*releaseOut, error) {
	version, err := ifMatch(match)
	if err != nil {
		return nil, err
	}
	a.By, a.IfVersion = auth.From(ctx).Name, version
	r, err := do(ctx, a)
	if err != nil {
		return nil, err
	}
	s.log.Info("act", "release", a.Release, "env", a.Env, "by", a.By, "phase", r.Phase)
	return answer(http.StatusAccepted, r), nil
}

func (s *Server) listReleases(ctx context.Context, in *listReleases) (*body[releaseList], error) {
	f := Filter{Service: in.Service, Env: in.Env, Query: in.Query, After: in.After, Limit: in.Limit}
	if in.Phase != "" {
		phase, err := release.ParsePhase(in.Phase)
		if err != nil {
			return nil, invalid(err)
		}
		f.Phase = phase
	}
	page, err := s.parts.Releases.Releases(ctx, f)
	if err != nil {
		return nil, err
	}
	return &body[releaseList]{releaseList{Items: slimmed(page.Items), Next: page.Next}}, nil
}

func slimmed(list []release.Release) []release.Release {
	out := make([]release.Release, len(list))
	for i, r := range list {
		out[i] = slim(r)
	}
	return out
}
