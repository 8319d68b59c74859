// Package polled answers who asks the same again and again: what has not changed is not sent
// again.
//
// Start at Answer. It never keeps an answer.
package polled

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
)

// Asked says which answer somebody has.
type Asked struct {
	IfNoneMatch string `header:"If-None-Match"`
}

// Out is an answer, or that it is still the same.
type Out[T any] struct {
	Status int
	ETag   string `header:"ETag"`
	Cache  string `header:"Cache-Control"`
	Body   *T
}

// Answer sends what was found, unless it is what the other side has.
func Answer[T any](asked Asked, found T, err error) (*Out[T], error) {
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(found)
	if err != nil {
		return nil, err
	}
	out := &Out[T]{Status: http.StatusOK, ETag: fmt.Sprintf(`"%x"`, sha256.Sum256(text)), Cache: "private, no-cache", Body: &found}
	if asked.IfNoneMatch == out.ETag {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}
