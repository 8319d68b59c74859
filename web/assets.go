package web

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/seatrial/seatrial/web/problem"
)

// built is the console as the front-end build left it; without one it holds .keep only,
// so that the server builds and says so.
//
//go:embed all:console/dist
var built embed.FS

// console serves the embedded files. An unknown path gets the page itself: its router
// knows what to show there.
type console struct{ files fs.FS }

func newConsole(files fs.FS) (console, error) {
	if files != nil {
		return console{files}, nil
	}
	dist, err := fs.Sub(built, "console/dist")
	return console{dist}, err
}

func (c console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		problem.Write(w, http.StatusMethodNotAllowed, "there is nothing to send here", "the API is below /api/v1")
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	hashed := strings.HasPrefix(name, "assets/")
	if b, err := fs.ReadFile(c.files, name); err == nil && name != "index.html" && !strings.HasPrefix(path.Base(name), ".") {
		cache := "public, max-age=3600"
		if hashed {
			cache = "public, max-age=31536000, immutable"
		}
		send(w, name, cache, b)
		return
	}
	if hashed { // of an older build: the page would be no script
		problem.Write(w, http.StatusNotFound, "there is no such file", "reload the page")
		return
	}
	page, err := fs.ReadFile(c.files, "index.html")
	if err != nil {
		problem.Write(w, http.StatusNotFound, "this server was built without its console", "run: make console, and build again")
		return
	}
	send(w, "index.html", "no-store", page)
}

func send(w http.ResponseWriter, name, cache string, b []byte) {
	w.Header().Set("Content-Type", mediaType(name))
	w.Header().Set("Cache-Control", cache)
	_, _ = w.Write(b) // the browser has gone
}

// mediaType does not ask the machine: its answer differs from one to the next.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".map":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	case ".webmanifest":
		return "application/manifest+json"
	}
	return "application/octet-stream"
}
