package kube

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

const (
	answerFresh = 30 * time.Second
	maxAnswer   = 4 << 20
)

// answers remembers what a cluster said about the kinds of a group and version. The engine
// asks for each kind of each sync, which would double the requests of a small one.
type answers struct {
	mu    sync.Mutex // guards known
	known map[string]answer
}

type answer struct {
	at     time.Time
	header http.Header
	body   []byte
}

func (a *answers) get(path string) (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	got, ok := a.known[path]
	return got, ok && time.Since(got.at) < answerFresh
}

func (a *answers) put(path string, got answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known = map[string]answer{}
	}
	a.known[path] = got
}

func (a *answers) forget(gv schema.GroupVersion) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.known, "/api/"+gv.Version)
	delete(a.known, "/apis/"+gv.Group+"/"+gv.Version)
}

// EngineConfig is for the engine's calls: each has a deadline, and kinds are asked for once.
func (c *Cluster) EngineConfig() *rest.Config {
	cfg := c.Config()
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return remembering{next, &c.kinds.answers} })
	return cfg
}

// remembering answers questions about kinds from memory.
type remembering struct {
	next    http.RoundTripper
	answers *answers
}

// RoundTrip sends everything else on.
func (r remembering) RoundTrip(req *http.Request) (*http.Response, error) {
	path := req.URL.Path
	if i := strings.Index(path, "/api"); i > 0 {
		path = path[i:] // behind a proxy
	}
	if req.Method != http.MethodGet || !onlyTimeout(req.URL.Query()) || !aboutKinds(path) {
		return r.next.RoundTrip(req)
	}
	got, ok := r.answers.get(path)
	if !ok {
		res, err := r.next.RoundTrip(req)
		if err != nil || res.StatusCode != http.StatusOK {
			return res, err
		}
		body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		_ = res.Body.Close()
		if err != nil {
			return nil, err
		}
		got = shorter(answer{time.Now(), res.Header, body})
		r.answers.put(path, got)
	}
	return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: got.header.Clone(),
		Body: io.NopCloser(bytes.NewReader(got.body)), ContentLength: int64(len(got.body)), Request: req}, nil
}

// shorter leaves out subresources and what nobody reads of a list of kinds, and writes it
// in the form that is quickest to read: the engine does so for each object of each sync.
func shorter(got answer) answer {
	var list metav1.APIResourceList
	if json.Unmarshal(got.body, &list) != nil {
		return got
	}
	short := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: list.GroupVersion}
	for _, r := range list.APIResources {
		if !hasSlash(r.Name) {
			short.APIResources = append(short.APIResources, metav1.APIResource{Name: r.Name, Namespaced: r.Namespaced, Group: r.Group, Version: r.Version, Kind: r.Kind, Verbs: r.Verbs})
		}
	}
	var body bytes.Buffer
	if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(&short, &body); err != nil {
		return got
	}
	got.header = got.header.Clone()
	got.header.Set("Content-Type", runtime.ContentTypeProtobuf)
	got.header.Del("Content-Length")
	got.body = body.Bytes()
	return got
}

// onlyTimeout says that nothing is asked for but how long an answer may take, as a client
// with a deadline does in every call.
func onlyTimeout(query url.Values) bool {
	return len(query) == 0 || len(query) == 1 && query.Has("timeout")
}

// aboutKinds knows /api/v1 and /apis/GROUP/VERSION.
func aboutKinds(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	return len(parts) == 2 && parts[0] == "api" || len(parts) == 3 && parts[0] == "apis"
}
