package signing

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

// maxSkew is how far another signer's clock may be ahead of ours.
const maxSkew = 5 * time.Minute

// finding is what one attached document turned out to be.
type finding struct {
	bundle    release.Digest // the manifest it is attached with
	legacy    bool           // a simple-signing document, no bundle
	predicate string         // only claimed, as long as it is not good
	key       PublicKey
	signed    time.Time
	content   []byte // the predicate of a summary; others are long
	answers   []Answer
}

// ask notes a question and its answer, and reports whether to go on asking.
func (f *finding) ask(question, problem, looked string) bool {
	a := Answer{Question: question, OK: problem == "", Detail: problem}
	if a.OK {
		a.Detail = looked
	}
	f.answers = append(f.answers, a)
	return a.OK
}

// good reports whether every question was asked and answered well: the content is last.
func (f finding) good() bool {
	return len(f.answers) > 0 && f.last().OK && f.last().Question == "content"
}

func (f finding) last() Answer { return f.answers[len(f.answers)-1] }

// said is every answer in one line.
func (f finding) said() string {
	var out []string
	for _, a := range f.answers[1:] { // that there is a bundle is clear
		out = append(out, a.Question+" "+a.Detail)
	}
	return strings.Join(out, "; ")
}

// examine asks a bundle, in an order in which no answer relies on what has not been
// verified: is it a bundle, by which key, about this digest, in this repository, signed
// while the key counted, of a known type, with the content such a document has to have.
func (v *Verifier) examine(f *finding, content release.Digest, raw []byte, repository string, d release.Digest, want Expect) {
	b := v.open(content, raw)
	f.predicate, f.key = b.statement.PredicateType, b.key
	if !f.ask("bundle", text(b.err), fmt.Sprintf("a sigstore bundle of %d bytes", len(raw))) {
		return
	}
	if !f.ask("key", text(b.unsigned), f.key.ID) {
		return
	}
	target, problem := b.statement.subject(repository, d)
	if !f.ask("subject", problem, string(d)) ||
		!f.ask("repository", differs("it was signed for repository %q", target.Name, repository), repository) ||
		!v.window(f, target.Annotations[signedAt], finished(b.statement)) {
		return
	}
	if names()[f.predicate] == "" {
		problem = fmt.Sprintf("%q is none that counts", f.predicate)
	}
	if !f.ask("type", problem, f.predicate) {
		return
	}
	if f.predicate == PredicateSummary {
		f.content = b.statement.Predicate
	}
	looked, problem := want.content(b.statement, repository, d)
	f.ask("content", problem, looked)
}

// subject is the target of the statement with this digest; of several the one for this
// repository.
func (s statement) subject(repository string, d release.Digest) (statementTarget, string) {
	if len(s.Subject) == 0 {
		return statementTarget{}, "it has no subject"
	}
	var found *statementTarget
	for i, t := range s.Subject {
		if t.Digest["sha256"] == d.Hex() && (found == nil || t.Name == repository) {
			found = &s.Subject[i]
		}
	}
	if found == nil {
		return statementTarget{}, "it is about another digest"
	}
	return *found, ""
}

// window compares the time at which a document says it was signed with the window of its
// key. That is the signer's own word: it keeps what was signed before a key was replaced,
// and does not stop who has stolen a key. A stolen key is taken out of the settings.
func (v *Verifier) window(f *finding, noted any, otherwise time.Time) bool {
	now, problem := v.now(), ""
	f.signed = otherwise
	if noted != nil {
		said, _ := noted.(string)
		at, err := time.Parse(time.RFC3339, said)
		if err != nil {
			problem = fmt.Sprintf("it says it was signed at %q, which is no time", fmt.Sprint(noted))
		}
		f.signed = at
	}
	if f.signed.IsZero() {
		f.signed = now // it does not say when: it is held to now
	}
	at := f.signed.UTC().Format(time.RFC3339)
	switch {
	case problem != "":
	case f.signed.After(now.Add(maxSkew)):
		problem = fmt.Sprintf("it says it was signed at %s, which is yet to come", at)
	case !f.key.Window.Holds(f.signed):
		problem = fmt.Sprintf("signed at %s, and its key %s counts %s only", at, f.key.ID, f.key.Window)
	}
	counts := "always"
	if f.key.Window != (Window{}) {
		counts = f.key.Window.String()
	}
	return f.ask("window", problem, fmt.Sprintf("signed at %s, key counts %s", at, counts))
}

// gone reports an answer of the registry: what it lists is not there or not what it
// should be. Any other error means that it could not be asked.
func gone(err error) bool {
	return errors.Is(err, oci.ErrNotFound) || errors.Is(err, oci.ErrMalformed) || errors.Is(err, oci.ErrTooLarge)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// differs is "" when got is what was wanted, else the sentence about it.
func differs(sentence, got, want string) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf(sentence, got)
}
