package policies_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
)

const shown = release.Digest("sha256:" + hexA)

// said is one vote, some minutes after eight.
func said(by string, minute int, change ...func(*policies.Approval)) policies.Approval {
	a := policies.Approval{Release: "shop.web.3f2a91c07d0b", Env: "prod", By: by, Groups: []string{"sre"}, Digest: shown,
		At: time.Date(2026, 10, 6, 8, minute, 0, 0, time.UTC), Decision: policies.Approve}
	for _, c := range change {
		c(&a)
	}
	return a
}

func as(d policies.Decision) func(*policies.Approval) {
	return func(a *policies.Approval) { a.Decision = d }
}
func of(digest release.Digest) func(*policies.Approval) {
	return func(a *policies.Approval) { a.Digest = digest }
}
func in(groups ...string) func(*policies.Approval) {
	return func(a *policies.Approval) { a.Groups = groups }
}
func also(names ...string) func(*policies.Approval) {
	return func(a *policies.Approval) { a.Accounts = names }
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name     string
		required int
		given    []policies.Approval
		content  release.Digest // default: what was shown
		excluded []string
		outcome  release.Outcome
		says     string
	}{
		{name: "nothing required passes", outcome: release.Passed},
		{name: "enough approvals pass", required: 2, given: []policies.Approval{said("ann", 0), said("bob", 1)}, outcome: release.Passed},
		{name: "too few approvals wait and say who is missing", required: 2, given: []policies.Approval{said("ann", 0)}, outcome: release.Waiting, says: "1 of 2 approvals of sre or leads, by ann"},
		{name: "one person twice is one", required: 2, given: []policies.Approval{said("ann", 0), said("ann", 1)}, outcome: release.Waiting, says: "1 of 2"},
		{name: "one person in two spellings is one", required: 2, given: []policies.Approval{said("ann", 0), said(" Ann", 1)}, outcome: release.Waiting, says: "1 of 2"},
		{name: "any change of the content makes approvals void, visibly", required: 1, given: []policies.Approval{said("ann", 0, of("sha256:"+hexB))}, outcome: release.Waiting, says: "void because the content has changed since: ann"},
		{name: "approvals of no content never count", required: 1, given: []policies.Approval{said("ann", 0, of(""))}, content: "none", outcome: release.Waiting, says: "0 of 1"},
		{name: "approving again after the change counts", required: 1, given: []policies.Approval{said("ann", 0, of("sha256:"+hexB)), said("ann", 1)}, outcome: release.Passed},
		{name: "the author does not count", required: 1, given: []policies.Approval{said("ann", 0)}, excluded: []string{"Ann"}, outcome: release.Waiting, says: "not counted: ann (has a hand in the change)"},
		{name: "the author by commit name and address does not count", required: 1, given: []policies.Approval{said("u-17", 0, also("ann@example.com"))}, excluded: []string{"Ann Lee <ANN@example.com>"}, outcome: release.Waiting, says: "has a hand"},
		{name: "another account of the author does not count", required: 1, given: []policies.Approval{said("u-17", 0, also("forge:ann"))}, excluded: []string{"forge:ann"}, outcome: release.Waiting, says: "has a hand"},
		{name: "an empty author excludes nobody", required: 1, given: []policies.Approval{said("ann", 0, also(""))}, excluded: []string{"", " "}, outcome: release.Passed},
		{name: "somebody of another group does not count", required: 1, given: []policies.Approval{said("ann", 0, in("devs"))}, outcome: release.Waiting, says: "is not in sre or leads"},
		{name: "either group counts", required: 1, given: []policies.Approval{said("ann", 0, in("leads"))}, outcome: release.Passed},
		{name: "one rejection blocks enough approvals", required: 1, given: []policies.Approval{said("ann", 0), said("bob", 1, as(policies.Reject), func(a *policies.Approval) { a.Reason = "not on\nFriday" })}, outcome: release.Waiting, says: `rejected by bob ("not on Friday")`},
		{name: "a rejection outlives a change of the content", required: 1, given: []policies.Approval{said("ann", 0), said("bob", 1, as(policies.Reject), of("sha256:"+hexB))}, outcome: release.Waiting, says: "rejected by bob"},
		{name: "a rejection blocks where nothing is required", given: []policies.Approval{said("bob", 1, as(policies.Reject))}, outcome: release.Waiting, says: "rejected by bob"},
		{name: "a rejection that was withdrawn blocks nothing", required: 1, given: []policies.Approval{said("ann", 0), said("bob", 1, as(policies.Reject)), said("bob", 2, as(policies.Withdraw))}, outcome: release.Passed},
		{name: "an approval that was withdrawn does not count", required: 1, given: []policies.Approval{said("ann", 0), said("ann", 1, as(policies.Withdraw))}, outcome: release.Waiting, says: "0 of 1"},
		{name: "the newest word counts, in whatever order they come", required: 1, given: []policies.Approval{said("ann", 5, as(policies.Withdraw)), said("ann", 1)}, outcome: release.Waiting, says: "0 of 1"},
		{name: "of two words at one time the later in the list counts", required: 1, given: []policies.Approval{said("ann", 1), said("ann", 1, as(policies.Reject))}, outcome: release.Waiting, says: "rejected"},
		{name: "a decision that is none does not count", required: 1, given: []policies.Approval{said("ann", 0, as("APPROVE"))}, outcome: release.Waiting, says: "0 of 1"},
		{name: "nobody's approval does not count", required: 1, given: []policies.Approval{said(" ", 0)}, outcome: release.Waiting, says: "0 of 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.content == "" {
				c.content = shown
			}
			v := policies.Decide(release.Approvals{Required: c.required, Groups: []string{"sre", "leads"}}, c.given, c.content, c.excluded)
			if v.Outcome() != c.outcome || !strings.Contains(v.Reason(), c.says) {
				t.Errorf("%v %q, want %v with %q", v.Outcome(), v.Reason(), c.outcome, c.says)
			}
			if e := v.Evidence(); len(e) != 1 || e[0].Gate != "approval" || e[0].Holds != (c.outcome == release.Passed) || e[0].Facts["content"] != string(c.content) {
				t.Errorf("evidence %+v", e)
			}
		})
	}
}

func TestWithoutGroupsAnybodyElseMayApprove(t *testing.T) {
	v := policies.Decide(release.Approvals{Required: 1}, []policies.Approval{said("ann", 0, in())}, shown, []string{"bob"})
	if v.Outcome() != release.Passed {
		t.Errorf("%v %q", v.Outcome(), v.Reason())
	}
}

func TestContentDigest(t *testing.T) {
	base := policies.Content{Release: "r", Env: "prod", Artifact: "a", Manifests: "m", Policies: "p"}
	seen := map[release.Digest]string{base.Digest(): "base"}
	for name, c := range map[string]policies.Content{
		"release":   {Release: "x", Env: "prod", Artifact: "a", Manifests: "m", Policies: "p"},
		"env":       {Release: "r", Env: "x", Artifact: "a", Manifests: "m", Policies: "p"},
		"artifact":  {Release: "r", Env: "prod", Artifact: "x", Manifests: "m", Policies: "p"},
		"manifests": {Release: "r", Env: "prod", Artifact: "a", Manifests: "x", Policies: "p"},
		"policies":  {Release: "r", Env: "prod", Artifact: "a", Manifests: "m", Policies: "x"},
		"shifted":   {Release: "r", Env: "prod", Artifact: "am", Manifests: "", Policies: "p"},
	} {
		d := c.Digest()
		if other, twice := seen[d]; twice || !d.Valid() {
			t.Errorf("changed %s: digest %q, as of %q", name, d, other)
		}
		seen[d] = name
	}
}

// However the votes are arranged, n approvals need n distinct people.
func FuzzDecide(f *testing.F) {
	f.Add(uint8(2), []byte{0, 1, 2, 9, 17})
	f.Fuzz(func(t *testing.T, required uint8, votes []byte) {
		people := map[string]bool{}
		var given []policies.Approval
		for i, v := range votes {
			by := fmt.Sprintf("p%d", v%8)
			decision := []policies.Decision{policies.Approve, policies.Reject, policies.Withdraw, policies.Approve}[v>>3%4]
			if decision == policies.Approve {
				people[by] = true
			}
			given = append(given, said(by, i%60, as(decision)))
		}
		v := policies.Decide(release.Approvals{Required: int(required)}, given, shown, []string{"p0"})
		delete(people, "p0")
		if v.Outcome() == release.Passed && len(people) < int(required) {
			t.Errorf("%d people passed for %d", len(people), required)
		}
	})
}
