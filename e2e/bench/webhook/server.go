package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/web/hooks"
)

const (
	repo = "shop/web"
	key  = "a-benchmark-secret-of-32-chars-00"
)

// body is a push of about size bytes as Gitea writes it.
func body(size int) []byte {
	const commit = "3f2a91c07d0b8b5b6a1c0f0e9a7d6c5b4a392817"
	person := map[string]any{"id": 7, "login": "lin.yu", "full_name": "Lin Yu", "email": "lin.yu@shop.example", "avatar_url": "http://127.0.0.1:3000/avatars/7"}
	one := map[string]any{"id": commit, "message": "shop: sell better rope\n\nThe old one broke.\n", "url": "http://127.0.0.1:3000/shop/web/commit/" + commit,
		"author": person, "committer": person, "timestamp": "2026-01-02T03:04:05+08:00", "added": []string{}, "removed": []string{}, "modified": []string{"main.go", "price.go"}}
	push := map[string]any{"ref": "refs/heads/main", "before": strings.Repeat("1", 40), "after": commit, "compare_url": "http://127.0.0.1:3000/shop/web/compare/a...b",
		"total_commits": 1, "head_commit": one, "pusher": person, "sender": person,
		"repository": map[string]any{"id": 1, "owner": person, "name": "web", "full_name": repo, "default_branch": "main", "clone_url": "http://127.0.0.1:3000/shop/web.git"}}
	var commits []any
	for {
		push["commits"] = commits
		text, _ := json.Marshal(push) // maps of strings and numbers always can
		if len(text) >= size {
			return text
		}
		commits = append(commits, one)
	}
}

func sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// intake keeps a push as the server does: the push and its delivery id in one
// transaction, on disk before it answers.
func intake(kv store.KV) hooks.Intake {
	pushes := shelf.PushQueue{KV: kv}
	return func(ctx context.Context, p forge.Push) (bool, error) {
		return pushes.Add(ctx, pipeline.Push{Delivery: string(p.Forge) + "-" + p.Delivery, Repo: p.Repo, Ref: p.Ref, Pusher: p.Pusher, At: time.Now().UTC()})
	}
}

// ours is the receiver with the store behind it.
func ours(kv store.KV) (http.Handler, error) {
	known := func(_ forge.Kind, name string) bool { return name == repo }
	receiver, err := hooks.New(hooks.Config{Secrets: map[forge.Kind][]secret.Text{forge.Gitea: {key}}}, known, intake(kv),
		func(forge.Kind, string) {}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /hooks/gitea", receiver.Handler(forge.Gitea))
	return mux, nil
}

// bare reads the body and answers, and nothing else.
func bare() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hooks/gitea", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

// serve serves a handler on loopback until stop is called.
func serve(ctx context.Context, h http.Handler) (address string, stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	return l.Addr().String(), func() { server.Close(); <-ended }, nil
}
