package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/seatrial/seatrial/release"
)

// API speaks to the server with a token.
type API struct {
	url   string
	token string
	http  *http.Client
}

// signIn makes a token the way a person does in the console.
func signIn(ctx context.Context, url, user, password string) (*API, error) {
	a := &API{url: url, http: &http.Client{Timeout: 2 * time.Minute}}
	req, err := a.request(ctx, http.MethodPost, "/api/v1/session", map[string]string{"user": user, "password": password})
	if err != nil {
		return nil, err
	}
	res, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("sign in: %s", res.Status)
	}
	req, err = a.request(ctx, http.MethodPost, "/api/v1/tokens", map[string]string{"name": "rig", "role": "admin"})
	if err != nil {
		return nil, err
	}
	for _, c := range res.Cookies() {
		req.AddCookie(c)
	}
	var made struct {
		Token string `json:"token"`
	}
	if err := a.do(req, &made); err != nil {
		return nil, err
	}
	a.token = made.Token
	return a, nil
}

func (a *API) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, &body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	return req, nil
}

func (a *API) do(req *http.Request, out any) error {
	res, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, res.Status, data)
	}
	if out == nil || len(data) == 0 {
		return nil
	}
	return json.Unmarshal(data, out)
}

// Call sends in and reads out.
func (a *API) Call(ctx context.Context, method, path string, in, out any) error {
	req, err := a.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	return a.do(req, out)
}

// Token is the API token, for the command line.
func (a *API) Token() string { return a.token }

// Release reads one release.
func (a *API) Release(ctx context.Context, id release.ID) (r release.Release, err error) {
	return r, a.Call(ctx, http.MethodGet, "/api/v1/releases/"+string(id), nil, &r)
}

// Await follows a release until good says so. Each change of its standing goes to see.
func (a *API) Await(ctx context.Context, id release.ID, see func(release.Release), good func(release.Release) bool) (release.Release, error) {
	return a.await(ctx, 200*time.Millisecond, id, see, good)
}

// Catch looks often enough to meet a release in a phase that lasts a tenth of a second.
func (a *API) Catch(ctx context.Context, id release.ID, good func(release.Release) bool) (release.Release, error) {
	return a.await(ctx, 10*time.Millisecond, id, nil, good)
}

func (a *API) await(ctx context.Context, every time.Duration, id release.ID, see func(release.Release), good func(release.Release) bool) (release.Release, error) {
	var last release.Release
	seen := release.Revision(0)
	err := WaitFor(ctx, fmt.Sprintf("release %s", id), every, func() (bool, error) {
		r, err := a.Release(ctx, id)
		if err != nil {
			return false, err
		}
		last = r
		if see != nil && r.Version != seen {
			see(r)
		}
		seen = r.Version
		return good(r), fmt.Errorf("it is %s in %s: %s (%s)", r.Phase, r.Env(), r.Reason, r.Hint)
	})
	return last, err
}

// AwaitEnd follows a release to its end.
func (a *API) AwaitEnd(ctx context.Context, id release.ID) (release.Release, error) {
	return a.Await(ctx, id, nil, func(r release.Release) bool { return r.Phase.Final() })
}
