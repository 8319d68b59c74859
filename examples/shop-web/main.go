// Command web is the shop's front page: it answers every request with a price.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	server := &http.Server{Addr: ":8080", Handler: routes(), ReadHeaderTimeout: 5 * time.Second}
	go drain(ctx, server)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /", page)
	return mux
}

func page(w http.ResponseWriter, r *http.Request) {
	text, err := price(os.Getenv("REGION"), 1999)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "a good rope: %s\n", text)
}

// drain lets the endpoints forget this pod before it stops answering.
func drain(ctx context.Context, server *http.Server) {
	<-ctx.Done()
	time.Sleep(2 * time.Second)
	_ = server.Shutdown(context.WithoutCancel(ctx))
}
