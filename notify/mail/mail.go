// Package mail hands a letter to a mail server, over TLS.
//
// Start at Server.Send. It never sends a password, nor a letter unless asked to, over a
// connection that is not encrypted.
package mail

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify/wire"
)

// Server is where letters are handed in.
type Server struct {
	// Address is smtps://USER:PASSWORD@HOST:465, with TLS from the start, or
	// smtp://USER:PASSWORD@HOST:587, with STARTTLS. For a relay without encryption and
	// without a password: smtp://HOST:25?tls=none.
	Address secret.Text
	From    string
	To      []string
	TLS     *tls.Config // default: the system's authorities
}

// Letter is one text.
type Letter struct {
	ID      string // the same when it is sent again: what receives it may drop it
	At      time.Time
	Subject string
	Text    string
}

const longest = 30 * time.Second

// Send hands the letter in. Its failures are *wire.Failure and show no password.
func (s Server) Send(ctx context.Context, l Letter) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	u, err := url.Parse(s.Address.Reveal())
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return &wire.Failure{Reason: "the address is not smtp://… or smtps://…", Permanent: true}
	}
	handedIn, err := s.send(ctx, u, l)
	if err == nil {
		return nil
	}
	password, _ := u.User.Password()
	return failure(err, handedIn, s.Address, secret.Text(password), secret.Text(strings.Trim(strconv.Quote(password), `"`)))
}

// send reports whether the letter was on its way when something failed.
func (s Server) send(ctx context.Context, u *url.URL, l Letter) (handedIn bool, err error) {
	c, err := s.connect(ctx, u)
	if err != nil {
		return false, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	if err := s.greet(c, u); err != nil {
		return false, err
	}
	refused, err := s.envelope(c)
	if err != nil {
		return false, err
	}
	w, err := c.Data()
	if err != nil {
		return false, fmt.Errorf("data: %w", err)
	}
	if _, err := w.Write(s.compose(l)); err != nil {
		return true, fmt.Errorf("data: %w", err)
	}
	if err := w.Close(); err != nil {
		return true, fmt.Errorf("data: %w", err)
	}
	_ = c.Quit() // it is taken: what comes now changes nothing
	if refused != nil {
		return true, handed{refused}
	}
	return true, nil
}

// handed: the letter was taken, but not for all.
type handed struct{ error }

func (h handed) Unwrap() error { return h.error }

func (s Server) config(u *url.URL) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.TLS != nil {
		c = s.TLS.Clone()
	}
	c.ServerName = u.Hostname()
	return c
}

func (s Server) connect(ctx context.Context, u *url.URL) (*smtp.Client, error) {
	port := cmp.Or(u.Port(), map[string]string{"smtp": "587", "smtps": "465"}[u.Scheme])
	conn, err := wire.NewDialer().DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	conn = &bounded{conn, maxSaid}
	if u.Scheme == "smtps" {
		conn = tls.Client(conn, s.config(u))
	}
	c, err := smtp.NewClient(conn, u.Hostname())
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("greeting: %w", err)
	}
	return c, nil
}

const maxSaid = 1 << 20

// bounded is a connection on which the other side may say so many bytes.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the server says more than a mail server does")
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// greet encrypts and signs in. A server that offers no STARTTLS gets nothing: somebody
// between may have taken the offer away.
func (s Server) greet(c *smtp.Client, u *url.URL) error {
	if err := c.Hello("seatrial"); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	password, has := u.User.Password()
	if u.Scheme == "smtp" {
		if u.Query().Get("tls") == "none" {
			if has {
				return &wire.Failure{Reason: "a password is not sent without TLS: leave out tls=none", Permanent: true}
			}
			return nil
		}
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return &wire.Failure{Reason: "the server offers no STARTTLS: use smtps://, or ?tls=none for a relay without a password", Permanent: true}
		}
		if err := c.StartTLS(s.config(u)); err != nil {
			return fmt.Errorf("starttls: %w", err)
		}
	}
	if !has {
		return nil
	}
	if err := c.Auth(smtp.PlainAuth("", u.User.Username(), password, u.Hostname())); err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	return nil
}

// envelope names who gets it. One who is refused for good, or whose mailbox is full, does not
// keep it from the others, and is the failure in the end; one who is refused for now keeps it from all, or
// the others would get it again.
func (s Server) envelope(c *smtp.Client) (refused, err error) {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return nil, &wire.Failure{Reason: "from is not an address", Permanent: true}
	}
	if err := c.Mail(from.Address); err != nil {
		return nil, fmt.Errorf("from %s: %w", from.Address, err)
	}
	taken := 0
	for _, to := range s.To {
		a, err := mail.ParseAddress(to)
		if err != nil {
			return nil, &wire.Failure{Reason: "to is not an address", Permanent: true}
		}
		err = c.Rcpt(a.Address)
		if e, ok := errors.AsType[*textproto.Error](err); ok && (e.Code >= 500 || strings.HasPrefix(e.Msg, "4.2.2")) {
			refused = errors.Join(refused, fmt.Errorf("to %s: %w", a.Address, err))
		} else if err != nil {
			return nil, fmt.Errorf("to %s: %w", a.Address, err)
		} else {
			taken++
		}
	}
	if taken == 0 {
		return nil, cmp.Or(refused, error(&wire.Failure{Reason: "nobody is named to get it", Permanent: true}))
	}
	return refused, nil
}

// compose writes the letter: every header on one line, the text in short ones.
func (s Server) compose(l Letter) []byte {
	sum := sha256.Sum256([]byte(l.ID))
	var b bytes.Buffer
	to := make([]string, len(s.To))
	for i := range s.To {
		to[i] = encoded(s.To[i])
	}
	for _, h := range [][2]string{
		{"From", encoded(s.From)}, {"To", strings.Join(to, ",\r\n ")}, {"Subject", mime.QEncoding.Encode("utf-8", wire.Cut(wire.OneLine(l.Subject), 200))},
		{"Date", l.At.Format(time.RFC1123Z)}, {"Message-ID", "<" + hex.EncodeToString(sum[:16]) + "@seatrial>"}, {"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"}, {"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"},
	} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(l.Text, "\n", "\r\n"))) // into memory
	_ = w.Close()
	return b.Bytes()
}

// encoded is an address as a header has it; names may have any characters.
func encoded(address string) string {
	a, err := mail.ParseAddress(address)
	if err != nil {
		return "" // the envelope has refused it
	}
	return a.String()
}

// failure tells what the server's code means: 4xx is for now, 5xx for good.
func failure(err error, handedIn bool, hide ...secret.Text) *wire.Failure {
	if f, ok := errors.AsType[*wire.Failure](err); ok {
		return f
	}
	f := &wire.Failure{Reason: wire.Cut(wire.Masked("mail: "+wire.OneLine(err.Error()), hide...), 240), Unsure: handedIn}
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		f.Unsure, f.Permanent = false, e.Code >= 500
		f.Limited = e.Code == 450 || e.Code == 452
	}
	if _, ok := errors.AsType[handed](err); ok {
		f.Permanent, f.Limited, f.Unsure = true, false, false // or the others would get it again
	}
	return f
}
