//go:build lab

package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"unicode/utf8"
)

// chatRobot is a WeCom group robot as strict as the vendor's: markdown up to 4,096 bytes
// of UTF-8, errors in the body of a 200.
type chatRobot struct {
	URL string

	mu   sync.Mutex // guards said and bad
	said []string
	bad  []string
}

func newRobot() *chatRobot {
	r := &chatRobot{}
	r.URL = httptest.NewServer(http.HandlerFunc(r.answer)).URL + "/cgi-bin/webhook/send?key=e2e"
	return r
}

func (r *chatRobot) answer(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	var in struct {
		Type     string `json:"msgtype"`
		Markdown struct {
			Content string `json:"content"`
		} `json:"markdown"`
	}
	err := json.Unmarshal(body, &in)
	r.mu.Lock()
	defer r.mu.Unlock()
	text := in.Markdown.Content
	if err != nil || req.Method != http.MethodPost || in.Type != "markdown" || text == "" || len(text) > 4096 || !utf8.ValidString(text) {
		r.bad = append(r.bad, string(body))
		_, _ = io.WriteString(w, `{"errcode":40058,"errmsg":"invalid"}`)
		return
	}
	r.said = append(r.said, text)
	_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
}

// heard counts messages that hold every word.
func (r *chatRobot) heard(words ...string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, text := range r.said {
		all := true
		for _, w := range words {
			all = all && strings.Contains(text, w)
		}
		if all {
			n++
		}
	}
	return n
}
