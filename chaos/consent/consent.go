// Package consent decides whether enough people have agreed to an experiment outside of a
// release, before anything is broken.
//
// Start at Decide. It never counts an approval of another content, an older one than the
// rule lets count, one that another run has used, nor one of whoever starts the run.
package consent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// What starts a run; an approval is for one of the two.
const (
	BySchedule = "schedule"
	ByPerson   = "person"
)

// Code is the reason of a refusal in one word.
const Code = "approvals-missing"

// Robot is how names of tokens begin: a token is no person.
const Robot = "token:"

// defaultValidFor is how long an approval counts where the rule does not say.
const defaultValidFor = 7 * 24 * time.Hour

// Content is what an approval is bound to: any change of it makes the approval void.
type Content struct {
	Experiment string                 `json:"experiment"`
	Env        release.Env            `json:"env"`
	Service    release.Service        `json:"service"`
	Trigger    string                 `json:"trigger"` // BySchedule or ByPerson
	Spec       release.ExperimentSpec `json:"spec"`    // with the namespace and the labels that are hit
}

// Digest names the content; empty when it cannot be written down.
func (c Content) Digest() release.Digest {
	text, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return release.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// Decision is what a person said.
type Decision string

// What a person can say; the newest counts.
const (
	Approve  Decision = "approve"
	Withdraw Decision = "withdraw" // takes back what was said before
)

// Vote is what one person said.
type Vote struct {
	Experiment string          `json:"experiment"`
	Env        release.Env     `json:"env"`
	Service    release.Service `json:"service"`
	Trigger    string          `json:"trigger"`
	By         string          `json:"by"`
	Groups     []string        `json:"groups,omitempty"` // at that time; of somebody who is known there is at least one
	Digest     release.Digest  `json:"digest"`           // of the Content that was shown
	At         time.Time       `json:"at"`
	Decision   Decision        `json:"decision"`
	Reason     string          `json:"reason,omitempty"`
	Run        string          `json:"run,omitempty"` // the run by hand that has used it

	Version release.Revision `json:"-"`
}

// Ask is the run that somebody wants to begin.
type Ask struct {
	Content  Content
	Run      string   // of a run by hand that has begun: only the approvals that it has used count; empty: those that are not used
	Starters []string // who starts it, under all names; nobody for a schedule
}

// State says what one person's word is worth.
type State string

// The states; only Counts counts.
const (
	Counts    State = "counts"
	Void      State = "void"    // the content has changed since
	Expired   State = "expired" // it was too long ago
	Used      State = "used"    // by another run
	Withdrawn State = "withdrawn"
	Starter   State = "starter"  // who starts the run
	Outsider  State = "outsider" // in none of the groups
	NoPerson  State = "noPerson" // a token, or somebody who is not known any more
)

// Judged is a vote and what it is worth.
type Judged struct {
	Vote
	Until time.Time // it counts until then
	State State
}

// ValidFor is how long an approval counts.
func ValidFor(rule release.Consent) time.Duration {
	if rule.ValidFor == 0 {
		return defaultValidFor
	}
	return rule.ValidFor.Std()
}

// Judge is the last word of each person about a run, in the order of their names.
func Judge(rule release.Consent, votes []Vote, ask Ask, now time.Time) []Judged {
	digest := ask.Content.Digest()
	out := []Judged{}
	for _, v := range newest(votes, ask) {
		j := Judged{Vote: v, Until: v.At.Add(ValidFor(rule)), State: Counts}
		switch {
		case v.Decision != Approve:
			j.State = Withdrawn
		case strings.HasPrefix(fold(v.By), Robot) || len(v.Groups) == 0:
			j.State = NoPerson
		case slices.ContainsFunc(ask.Starters, func(s string) bool { return fold(s) == fold(v.By) }):
			j.State = Starter
		case !Member(rule, v.Groups):
			j.State = Outsider
		case v.Digest != digest || digest == "":
			j.State = Void
		case !now.Before(j.Until):
			j.State = Expired
		case v.Run != ask.Run:
			j.State = Used
		}
		out = append(out, j)
	}
	return out
}

// Member reports whether somebody of these groups may agree.
func Member(rule release.Consent, groups []string) bool {
	return len(rule.Groups) == 0 || slices.ContainsFunc(rule.Groups, func(g string) bool { return slices.Contains(groups, g) })
}

// newest is the last word of each person about the service and what starts the run. A run
// that has begun looks past approvals that are not its own.
func newest(votes []Vote, ask Ask) []Vote {
	last := map[string]Vote{}
	for _, v := range votes {
		who := fold(v.By)
		if who == "" || v.Experiment != ask.Content.Experiment || v.Env != ask.Content.Env || v.Service != ask.Content.Service || v.Trigger != ask.Content.Trigger {
			continue
		}
		if ask.Run != "" && v.Decision == Approve && v.Run != ask.Run {
			continue
		}
		if old, ok := last[who]; !ok || !v.At.Before(old.At) {
			last[who] = v
		}
	}
	out := make([]Vote, 0, len(last))
	for _, v := range last {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b Vote) int { return strings.Compare(fold(a.By), fold(b.By)) })
	return out
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// Decide says whether enough people have agreed to exactly this run, and who.
func Decide(rule release.Consent, votes []Vote, ask Ask, now time.Time) (release.Verdict, []Vote) {
	if rule.Required <= 0 {
		return release.Pass(), nil
	}
	var counted []Vote
	names := map[State][]string{}
	for _, j := range Judge(rule, votes, ask, now) {
		names[j.State] = append(names[j.State], j.By)
		if j.State == Counts {
			counted = append(counted, j.Vote)
		}
	}
	ev := release.Evidence{Gate: "consent", Claim: claim(rule), Holds: len(counted) >= rule.Required,
		Facts: map[string]string{"content": string(ask.Content.Digest()), "required": strconv.Itoa(rule.Required)}}
	for state, people := range names {
		ev.Facts[string(state)] = strings.Join(people, ", ")
	}
	if !ev.Holds {
		return release.Refuse(missing(rule, names), next(ask.Content)).Coded(Code).With(ev), nil
	}
	return release.Pass(ev), counted
}

func claim(rule release.Consent) string {
	return fmt.Sprintf("%d %s who do not start the run have agreed to exactly this experiment", rule.Required, people(rule))
}

func people(rule release.Consent) string {
	if len(rule.Groups) == 0 {
		return "people"
	}
	return "people of " + strings.Join(rule.Groups, " or ")
}

// missing says what there is instead of enough. It has no times, so that it changes only
// when what people said does.
func missing(rule release.Consent, names map[State][]string) string {
	text := fmt.Sprintf("%d of %d approvals of %s", len(names[Counts]), rule.Required, people(rule))
	for _, part := range []struct {
		state State
		words string
	}{
		{Counts, ", by %s"}, {Void, "; void because the experiment has changed since: %s"}, {Expired, "; expired: %s"}, {Used, "; used by an earlier run: %s"},
		{Withdrawn, "; withdrawn: %s"}, {Starter, "; who starts a run does not count: %s"}, {Outsider, "; in none of the groups: %s"}, {NoPerson, "; no person: %s"},
	} {
		if who := names[part.state]; len(who) > 0 {
			text += fmt.Sprintf(part.words, strings.Join(who, ", "))
		}
	}
	return text
}

// next is the command by which another person agrees.
func next(c Content) string {
	text := fmt.Sprintf("somebody else approves it: seatrial experiment approve %s --env %s", c.Experiment, c.Env)
	if c.Spec.Service == "" {
		text += " --service " + string(c.Service)
	}
	if c.Trigger == BySchedule {
		text += " --schedule"
	}
	return text
}
