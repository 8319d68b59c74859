// Package builds words how the image of a release was made, what its build printed and
// what is in it, for people and for the API.
//
// Start at Build. It never decides anything: whoever has the facts fills it in.
package builds

import (
	"encoding/json"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Build is what was built for a release, of what, and how.
type Build struct {
	Release   release.ID         `json:"release"`
	ID        string             `json:"id" doc:"Of the build that ran these steps" example:"9f2c01ab"`
	RanFor    release.ID         `json:"ranFor" doc:"The release whose build ran these steps, and whose log tells of them"`
	Failed    string             `json:"failed,omitempty" doc:"Why the last build gave no image"`
	Why       string             `json:"why,omitempty" doc:"Why it was built, or what proved it unchanged"`
	Unchanged bool               `json:"unchanged" doc:"Nothing was built: an earlier image was proved to be the same"`
	Changed   []Change           `json:"changed" doc:"Inputs that are not those of the build before"`
	Inputs    []Input            `json:"inputs" doc:"Everything the outcome depends on, but for the bases"`
	Image     string             `json:"image,omitempty" doc:"Repository and digest"`
	Tag       string             `json:"tag,omitempty"`
	Platforms []release.Platform `json:"platforms"`
	Bases     []Base             `json:"bases"`
	Committed time.Time          `json:"committed,omitzero" doc:"The time every file of the image carries"`
	Started   time.Time          `json:"started,omitzero"`
	Finished  time.Time          `json:"finished,omitzero"`
	BuildKit  string             `json:"buildkit,omitempty" doc:"Its version"`
	Plan      json.RawMessage    `json:"plan,omitempty" doc:"As the provenance states it"`
	Steps     []Step             `json:"steps"`
	LeftOut   int                `json:"leftOut,omitempty" doc:"Steps beyond those kept"`
	Attached  []Document         `json:"attached"`
}

// Change is an input that is not what it was.
type Change struct {
	Name   string `json:"name" example:"the tree of web/"`
	Before string `json:"before,omitempty" doc:"Left out: it is new"`
	After  string `json:"after,omitempty" doc:"Left out: it is gone"`
}

// Input is one thing that a build depends on.
type Input struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Base is an image that a build started from.
type Base struct {
	Name   string         `json:"name" example:"docker.io/library/golang:1.26"`
	Digest release.Digest `json:"digest"`
}

// Step is one step of a build.
type Step struct {
	Name     string    `json:"name" doc:"The same as in the log"`
	Platform string    `json:"platform,omitempty" doc:"That it works for; left out: all"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero" doc:"Left out: it was stopped"`
	Cached   bool      `json:"cached"`
	Error    string    `json:"error,omitempty"`
	LogBytes int64     `json:"logBytes" doc:"That it printed"`
}

// Document is what is attached to the image or one of its platforms, and what was found
// when it was last verified.
type Document struct {
	Subject       release.Digest `json:"subject"`
	Platform      string         `json:"platform,omitempty" doc:"Of the subject; left out: the index"`
	PredicateType string         `json:"predicateType" example:"https://slsa.dev/provenance/v1"`
	Digest        release.Digest `json:"digest" doc:"Of the attached manifest"`
	Key           string         `json:"key,omitempty" doc:"The id of the key that signed it"`
	Verified      bool           `json:"verified"`
	At            time.Time      `json:"at,omitzero" doc:"When it was verified"`
	Detail        string         `json:"detail,omitempty"`
}

// Filter selects components of one platform of an image.
type Filter struct {
	Platform string // "linux/arm64"
	Query    string // words that are all in name, version, purl, licence or type
	After    int    // how many of them to pass over
	Limit    int    // 1 to 200
}

// Components is a page of what is in one platform of an image.
type Components struct {
	Platform release.Platform `json:"platform"`
	Items    []Component      `json:"items"`
	Total    int              `json:"total" doc:"On this platform"`
	Matches  int              `json:"matches" doc:"Of these, the ones that the question selects"`
	Next     int              `json:"next,omitempty" doc:"What to send as after; left out on the last page"`
}

// Component is one thing in an image.
type Component struct {
	Name     string   `json:"name"`
	Version  string   `json:"version,omitempty"`
	PURL     string   `json:"purl,omitempty"`
	Type     string   `json:"type" example:"library"`
	Licences []string `json:"licences"`
}

// LogLine is a line of a build log.
type LogLine struct {
	N      int       `json:"n" doc:"Line number, from 0"`
	At     time.Time `json:"at"`
	Step   string    `json:"step" doc:"The step that printed it; empty: the build itself"`
	Stream string    `json:"stream" doc:"step, stdout, stderr, note or end"`
	Text   string    `json:"text"`
}

// LogPage is a part of a log.
type LogPage struct {
	Lines []LogLine `json:"lines"`
	Next  int       `json:"next" doc:"What to ask for next"`
	Done  bool      `json:"done" doc:"No line will follow"`
}

// LogQuery searches a log.
type LogQuery struct {
	Text  string // as it stands, in whichever letter case, in a line or the name of its step
	After int64  // LogMatches.After of the answer before
	Limit int    // 1 to 1000
}

// LogMatches are lines that a search found.
type LogMatches struct {
	Lines []LogLine `json:"lines"`
	After int64     `json:"after,omitempty" doc:"What to send as after to look further, also when no line was found here; left out when all that was written so far has been looked at"`
}
