package preview

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/release"
)

// Limits of a comment, in bytes; forges take 65,536 characters.
const (
	maxComment = 60_000
	maxObject  = 4_000
	maxReason  = 1_000
)

// placeholder is the digest of an image that will only be built.
var placeholder = release.Digest("sha256:" + strings.Repeat("0", 64))

// Report is what a change would do.
type Report struct {
	Service      release.Service
	Commit       release.Commit
	Link         string // to the release on the console
	Environments []Environment
}

// Environment is one of those that the change would go to.
type Environment struct {
	Name    release.Env
	Problem string   // it cannot be rendered, or not be asked about
	Refused string   // by its policies; empty: they hold
	Targets []Target // in the order of its waves
}

// Target is one cluster.
type Target struct {
	Cluster string
	Problem string
	Objects []live.ObjectDiff
}

// Marker is what a comment of ours about a service begins with; it does not show.
func Marker(s release.Service) string { return "<!-- seatrial: preview of " + string(s) + " -->" }

// page is a comment that is never longer than a forge takes.
type page struct {
	strings.Builder
	left int // blocks that did not fit
}

// add writes a block, or none of it.
func (p *page) add(format string, args ...any) {
	block := fmt.Sprintf(format, args...)
	if p.Len()+len(block) > maxComment {
		p.left++
		return
	}
	p.WriteString(block)
}

// Text is a report as the Markdown of a comment. What comes from outside cannot break out of
// its place, mention anybody or command us, and there is never more of it than a forge takes.
func Text(r Report) string {
	var b page
	b.add("%s\n### What this change would do: %s at `%s`\n\n", Marker(r.Service), r.Service, r.Commit.Short())
	b.add("Nothing was deployed. The image is built anew after the merge; it stands here as `%s`. [Build](%s)\n", standIn, r.Link)
	for _, e := range r.Environments {
		environment(&b, e)
	}
	if b.left > 0 {
		fmt.Fprintf(&b, "\n%d parts are left out: they are more than a comment holds. `seatrial render` shows the manifests whole.\n", b.left)
	}
	return b.String()
}

func environment(b *page, e Environment) {
	b.add("\n#### %s\n\n", e.Name)
	switch {
	case e.Problem != "":
		b.add("It cannot be said: %s\n", quoted(e.Problem))
		return
	case e.Refused != "":
		b.add("**It would be refused**: %s\n", quoted(e.Refused))
	default:
		b.add("Its policies hold; signatures are checked when there is an image.\n")
	}
	if len(e.Targets) == 0 {
		b.add("\nIt selects no cluster.\n")
		return
	}
	b.add("\n| cluster | created | changed | deleted |\n|---|---:|---:|---:|\n")
	for _, t := range e.Targets {
		b.add("%s", row(t))
	}
	for _, g := range alike(e.Targets) {
		for _, o := range g.objects {
			b.add("%s", object(g.clusters, o))
		}
	}
}

func row(t Target) string {
	if t.Problem != "" {
		return fmt.Sprintf("| %s | %s | | |\n", t.Cluster, quoted(t.Problem))
	}
	n := map[live.Act]int{}
	for _, o := range t.Objects {
		n[o.Act]++
	}
	return fmt.Sprintf("| %s | %d | %d | %s |\n", t.Cluster, n[live.Creates], n[live.Changes], deletions(n))
}

func deletions(n map[live.Act]int) string {
	if n[live.Waits] > 0 {
		return fmt.Sprintf("%d, and %d wait for approval", n[live.Deletes], n[live.Waits])
	}
	return fmt.Sprint(n[live.Deletes])
}

// group are clusters on which the same would happen.
type group struct {
	clusters string
	objects  []live.ObjectDiff
}

func alike(targets []Target) []group {
	var out []group
	at := map[string]int{}
	for _, t := range targets {
		if len(t.Objects) == 0 {
			continue
		}
		key := fmt.Sprint(t.Objects)
		if i, ok := at[key]; ok {
			out[i].clusters += ", " + t.Cluster
			continue
		}
		at[key] = len(out)
		out = append(out, group{t.Cluster, t.Objects})
	}
	return out
}

func object(clusters string, o live.ObjectDiff) string {
	name := plain(o.Kind + "/" + o.Name)
	if o.Namespace != "" {
		name += " in " + plain(o.Namespace)
	}
	done := map[live.Act]string{live.Creates: "created", live.Changes: "changed", live.Deletes: "deleted", live.Waits: "kept until somebody approves its deletion"}[o.Act]
	body := ""
	if o.Text != "" {
		text := cut(harmless(strings.ReplaceAll(o.Text, string(placeholder), standIn)), maxObject, "\n… the rest of this object is left out")
		fence := fenceFor(text)
		body = fmt.Sprintf("%sdiff\n%s\n%s\n", fence, strings.TrimRight(text, "\n"), fence)
	}
	return fmt.Sprintf("\n<details><summary>%s is %s (%s)</summary>\n\n%s\n</details>\n", name, done, clusters, body)
}

// standIn is how the image that is not there yet reads.
const standIn = "sha256:(new)"

var run = regexp.MustCompile("`{3,}")

// fenceFor is longer than every run of backticks in a text.
func fenceFor(text string) string {
	n := 3
	for _, r := range run.FindAllString(text, -1) {
		n = max(n, len(r)+1)
	}
	return strings.Repeat("`", n)
}

// quoted is text from elsewhere as one span of code.
func quoted(s string) string {
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), string(placeholder), standIn)
	s = strings.NewReplacer("`", "'", "|", "¦").Replace(harmless(s))
	return "`" + cut(s, maxReason, "…") + "`"
}

// harmless takes the command out of a text: the comment is written by an account that may
// be trusted to give it.
func harmless(s string) string { return strings.ReplaceAll(s, "/ok-to-test", "/ok to test") }

var odd = regexp.MustCompile(`[^A-Za-z0-9./_: -]`)

func plain(s string) string { return odd.ReplaceAllString(s, "?") }

// cut bounds a text in bytes, between two characters, and says so.
func cut(s string, most int, note string) string {
	if len(s) <= most {
		return s
	}
	s = s[:most-len(note)]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + note
}
