package policies

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Decision is what a person said.
type Decision string

// What a person can say; the newest counts.
const (
	Approve  Decision = "approve"
	Reject   Decision = "reject"   // blocks, whatever others say and whatever changes, until withdrawn
	Withdraw Decision = "withdraw" // takes back what was said before
)

// Approval is what one person said about one content.
type Approval struct {
	Release  release.ID     `json:"release"`
	Env      release.Env    `json:"env"`
	By       string         `json:"by"`                 // one person, one name, however they signed in
	Accounts []string       `json:"accounts,omitempty"` // the person's other names: forge login, e-mail
	Groups   []string       `json:"groups,omitempty"`   // at that time
	Digest   release.Digest `json:"digest"`             // of the Content that was shown
	At       time.Time      `json:"at"`
	Decision Decision       `json:"decision"`
	Reason   string         `json:"reason,omitempty"`
}

// Approvals keeps what people said. Nothing is ever changed or removed.
type Approvals interface {
	// Approvals lists what was said about a release in an environment, oldest first.
	Approvals(ctx context.Context, id release.ID, env release.Env) ([]Approval, error)
	// Approve adds one; the same one again is not added twice.
	Approve(ctx context.Context, a Approval) error
}

// Content is what an approval is bound to: any change of it makes the approval void.
type Content struct {
	Release   release.ID     `json:"release"`
	Env       release.Env    `json:"env"`
	Artifact  release.Digest `json:"artifact"`
	Manifests release.Digest `json:"manifests"`
	Policies  release.Digest `json:"policies"` // Gate.Digest
}

// Digest names the content.
func (c Content) Digest() release.Digest {
	return digestOf("approval", string(c.Release), string(c.Env), string(c.Artifact), string(c.Manifests), string(c.Policies))
}

// digestOf names a list of strings; no two lists share a name.
func digestOf(parts ...string) release.Digest {
	text, err := json.Marshal(parts)
	if err != nil { // strings always encode
		return ""
	}
	sum := sha256.Sum256(text)
	return release.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// Decide says whether enough people agreed to exactly this content. Excluded people,
// under any of their names, do not count; what a person said last counts.
func Decide(required release.Approvals, given []Approval, content release.Digest, excluded []string) release.Verdict {
	var counted, void, rejected, ignored []string
	for _, a := range newest(given) {
		switch {
		case a.Decision == Reject:
			rejected = append(rejected, a.By+because(a.Reason))
		case a.Decision != Approve:
		case excludes(excluded, a):
			ignored = append(ignored, a.By+" (has a hand in the change)")
		case !inGroups(required.Groups, a.Groups):
			ignored = append(ignored, a.By+" (is not in "+strings.Join(required.Groups, " or ")+")")
		case a.Digest != content || content == "":
			void = append(void, a.By)
		default:
			counted = append(counted, a.By)
		}
	}
	evidence := release.Evidence{
		Gate: "approval", Claim: claim(required), Holds: len(rejected) == 0 && len(counted) >= required.Required,
		Facts: map[string]string{"content": string(content), "required": strconv.Itoa(required.Required)},
	}
	for name, people := range map[string][]string{"approved": counted, "void": void, "rejected": rejected, "ignored": ignored} {
		if len(people) > 0 {
			evidence.Facts[name] = strings.Join(people, ", ")
		}
	}
	switch {
	case len(rejected) > 0:
		return release.Wait("rejected by "+strings.Join(rejected, ", ")+": it waits until that is withdrawn", approvalPoll).With(evidence)
	case len(counted) < required.Required:
		return release.Wait(missing(required, counted, void, ignored), approvalPoll).With(evidence)
	}
	return release.Pass(evidence)
}

// approvalPoll is how often to look for approvals that nobody told us of.
const approvalPoll = 30 * time.Second

func missing(required release.Approvals, counted, void, ignored []string) string {
	text := fmt.Sprintf("%d of %d approvals", len(counted), required.Required)
	if len(required.Groups) > 0 {
		text += " of " + strings.Join(required.Groups, " or ")
	}
	if len(counted) > 0 {
		text += ", by " + strings.Join(counted, ", ")
	}
	if len(void) > 0 {
		text += "; void because the content has changed since: " + strings.Join(void, ", ")
	}
	if len(ignored) > 0 {
		text += "; not counted: " + strings.Join(ignored, ", ")
	}
	return text
}

func claim(required release.Approvals) string {
	who := "people"
	if len(required.Groups) > 0 {
		who += " of " + strings.Join(required.Groups, " or ")
	}
	return fmt.Sprintf("%d %s without a hand in the change approve exactly this content", required.Required, who)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return fmt.Sprintf(" (%q)", clip(reason, 200))
}

// newest keeps the last word of each person, in order of their names. Of two words at
// the same time the later one in the list is the last.
func newest(given []Approval) []Approval {
	last := map[string]Approval{}
	for _, a := range given {
		who := fold(a.By)
		if old, ok := last[who]; who != "" && (!ok || !a.At.Before(old.At)) {
			last[who] = a
		}
	}
	out := make([]Approval, 0, len(last))
	for _, a := range last {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Approval) int { return cmp.Compare(fold(a.By), fold(b.By)) })
	return out
}

// excludes reports whether any name of the approver is any name of an excluded person.
func excludes(excluded []string, a Approval) bool {
	mine := append([]string{a.By}, a.Accounts...)
	for _, person := range excluded {
		for _, theirs := range names(person) {
			if slices.ContainsFunc(mine, func(m string) bool { return slices.Contains(names(m), theirs) }) {
				return true
			}
		}
	}
	return false
}

// names are the ways to write one person: the whole, and of "Ann Lee <ann@example.com>"
// the name and the address too.
func names(person string) []string {
	out := []string{fold(person)}
	if parsed, err := mail.ParseAddress(person); err == nil {
		out = append(out, fold(parsed.Name), fold(parsed.Address))
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func inGroups(wanted, has []string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(g string) bool { return slices.Contains(has, g) })
}

// clip shortens text that comes from outside.
func clip(s string, most int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
