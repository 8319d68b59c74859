// Package git is the one door to git: it asks remotes where their branches stand, reads
// commits of applications and commits rendered content to desired-state branches.
//
// Start at Open, then Repos.Head, Repos.Tree and Repos.Files for reading, Repos.Commit for
// writing. Package folder is about folders that are in no commit.
//
// A mirror is a cache. One that only has commits alone is made anew when it has too many packs
// (trimLocked). One with branches is tidied instead (Run, package pack), from what it holds: to
// clone it anew would ask the forge for all history each thousand commits of ours, needs the
// forge to be up, indexes that history in memory, and forgets what was rewritten. First there is
// one pack more, then what it holds goes elsewhere, so that a kill in between costs disk only.
// What is in no commit is packed as well: no object of a branch's mirror is ever dropped, so a
// repo that has both applications and branches is kept with all the files that were built.
//
// It never forces a push, never follows a link out of a tree, never runs a program for
// http(s) remotes and never puts a credential into an error.
package git

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

var (
	// ErrNoRef: the remote has no such branch or tag.
	ErrNoRef = errors.New("no such ref")
	// ErrNoCommit: the remote does not have, or does not give out, that commit.
	ErrNoCommit = errors.New("no such commit")
	// ErrNoFile: the commit has no such file or folder.
	ErrNoFile = errors.New("no such file")
	// ErrTooBig: what was asked for exceeds a limit.
	ErrTooBig = errors.New("over the limit")
	// ErrUnfit: the commit holds what is never read: a link out of it, a submodule.
	ErrUnfit = errors.New("not read")
	// ErrMoved: the branch moved too often while a commit was being made.
	ErrMoved = errors.New("the branch keeps moving")
)

// Login is what a host wants to see.
type Login struct {
	User  string
	Token secret.Text
}

// Credentials finds the login for a host ("forge.example:3000"); false: none is needed.
type Credentials func(host string) (Login, bool)

// Sign makes the signature of a commit's bytes, as git keeps it in the commit.
type Sign func(ctx context.Context, commit []byte) (string, error)

// Signed reports whether a signature of ours is on a commit's bytes.
type Signed func(commit []byte, signature string) bool

// Config says how to reach remotes and what to allow them.
type Config struct {
	Dir         string // mirrors are kept below it
	Credentials Credentials
	Sign        Sign          // nil: commits are not signed
	Signed      Signed        // nil: whatever has a key of ours is ours
	Name, Email string        // of our commits; default "seatrial", "seatrial@localhost"
	AllowFile   bool          // file:// remotes, which run the git program; for tests
	Timeout     time.Duration // of one exchange with a remote; default 60s
	MaxPack     int64         // bytes that one fetch may bring; default 1 GiB
	MaxPacks    int           // of a mirror before it is made anew; default 256
	Loose       int           // loose objects of a mirror before it is tidied; default 6700
	Packs       int           // the same of packs; default 50
	Now         func() time.Time
	Log         *slog.Logger // of what went wrong in Run
}

// Repos reads and writes remotes through bare mirrors in its folder. It is safe for
// concurrent use; two callers of the same remote wait for each other.
type Repos struct {
	cfg  Config
	http *http.Client

	mu      sync.Mutex // guards mirrors
	mirrors map[string]*mirror
	tidying sync.Mutex // guards when each mirror is tidied again
}

// Open prepares the mirrors' folder.
func Open(cfg Config) (*Repos, error) {
	if cfg.Name == "" {
		cfg.Name, cfg.Email = "seatrial", "seatrial@localhost"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.MaxPack == 0 {
		cfg.MaxPack = 1 << 30
	}
	if cfg.MaxPacks == 0 {
		cfg.MaxPacks = 256
	}
	if cfg.Loose == 0 {
		cfg.Loose = 6700
	}
	if cfg.Packs == 0 {
		cfg.Packs = 50
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Credentials == nil {
		cfg.Credentials = func(string) (Login, bool) { return Login{}, false }
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of git mirrors: %w", err)
	}
	return &Repos{cfg: cfg, http: newHTTP(), mirrors: map[string]*mirror{}}, nil
}

// Info is a commit's metadata.
type Info struct {
	Commit  release.Commit
	Parents []release.Commit
	Author  string // name
	Email   string
	Time    time.Time
	Message string // all of it
	Subject string // its first line
}

// Limits bound what one reading may bring. Zero fields mean the defaults.
type Limits struct {
	Files int   // default 20000
	Bytes int64 // of all files together; default 256 MiB
	File  int64 // of one file; default 32 MiB
}

// MaxDepth is how many folders may lie within each other.
const MaxDepth = 64

// OrDefault fills in what is zero.
func (l Limits) OrDefault() Limits {
	if l.Files == 0 {
		l.Files = 20000
	}
	if l.Bytes == 0 {
		l.Bytes = 256 << 20
	}
	if l.File == 0 {
		l.File = 32 << 20
	}
	return l
}
