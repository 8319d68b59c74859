package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
)

// serveReferrers answers as the distribution specification says: a manifest's
// own artifactType counts before the media type of its config, and a query for
// one type is filtered here. The registry underneath does neither.
func (j *journal) serveReferrers(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	j.inner.ServeHTTP(rec, r)
	var index map[string]any
	repo, _, _ := strings.Cut(r.URL.Path, "/referrers/")
	want := r.URL.Query().Get("artifactType")
	if rec.Code == http.StatusOK && json.Unmarshal(rec.Body.Bytes(), &index) == nil {
		list, _ := index["manifests"].([]any)
		kept := []any{}
		for _, m := range list {
			d, ok := m.(map[string]any)
			if !ok {
				continue
			}
			if own := j.artifactType(repo, d["digest"]); own != "" {
				d["artifactType"] = own
			}
			if want == "" || want == d["artifactType"] {
				kept = append(kept, d)
			}
		}
		index["manifests"] = kept
		b, err := json.Marshal(index)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		if want != "" {
			w.Header().Set("OCI-Filters-Applied", "artifactType")
		}
		w.Write(b)
		return
	}
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}

func (j *journal) artifactType(repo string, digest any) string {
	name, ok := digest.(string)
	if !ok {
		return ""
	}
	rec := httptest.NewRecorder()
	j.inner.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, repo+"/manifests/"+name, nil))
	var m struct {
		ArtifactType string `json:"artifactType"`
	}
	if rec.Code != http.StatusOK || json.Unmarshal(rec.Body.Bytes(), &m) != nil {
		return ""
	}
	return m.ArtifactType
}
