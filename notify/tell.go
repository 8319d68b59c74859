package notify

import (
	"context"
	"strings"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify/jira"
	"github.com/seatrial/seatrial/notify/mail"
	"github.com/seatrial/seatrial/notify/wire"
	"github.com/seatrial/seatrial/release"
)

// TicketStore remembers which ticket is open for what, so that a creation whose answer was
// lost is looked for before it is tried again, even by another process.
type TicketStore = jira.Memory

// letters writes e-mail.
type letters struct {
	server   mail.Server
	channels map[string]release.Channel
	console  string
}

func (l letters) send(ctx context.Context, messages []Message) error {
	return l.server.Send(ctx, l.letter(messages))
}

func (l letters) letter(messages []Message) mail.Letter {
	language := l.channels[messages[0].Channel].Spec.Language
	first := messages[0]
	letter := mail.Letter{ID: first.ID, At: first.Event.At, Subject: headline(first.Event, language), Text: paragraphs(first.Event, language, l.console)}
	if len(messages) > 1 {
		for _, m := range messages[1:] {
			letter.ID += "\n" + m.ID // another letter when there is more in it
		}
		letter.Subject = digestTitle(messages, language)
		letter.Text = digestText(messages, language, 64<<10)
	}
	return letter
}

func paragraphs(e release.Event, language, console string) string {
	lines := append([]string{headline(e, language)}, facts(e, language)...)
	if link := linkTo(e, console); link != "" {
		lines = append(lines, link)
	}
	return strings.Join(lines, "\n")
}

// tickets opens tickets and comments on them.
type tickets struct {
	site     jira.Site
	channels map[string]release.Channel
	secret   func(name string) secret.Text
	console  string
}

func (t tickets) send(ctx context.Context, messages []Message) error {
	for _, m := range messages {
		c := t.channels[m.Channel].Spec
		name, ends := Thread(m.Event)
		site := t.site
		site.Token = t.secret(c.URLSecret + "-key")
		if err := site.Tell(ctx, jira.Ticket{
			Thread: name, Message: m.ID, Ends: ends, Project: c.Jira.Project, Type: c.Jira.IssueType, Cloud: c.Jira.API == 3,
			Summary: wire.Cut(headline(m.Event, c.Language), jira.MaxSummary), Text: paragraphs(m.Event, c.Language, t.console),
		}); err != nil {
			return err
		}
	}
	return nil
}
