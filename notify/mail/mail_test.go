package mail_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify/mail"
	"github.com/seatrial/seatrial/notify/wire"
)

const password = "a-long-password"

// relay is a mail server for one connection. It is strict: no sign-in and no letter in the
// clear unless it offers nothing else.
type relay struct {
	t        *testing.T
	implicit bool // TLS from the start
	startTLS bool // it is offered
	silent   bool // never says a word
	replies  map[string]string
	tls      *tls.Config
	letters  [][]byte
	to       []string
	signedIn bool
}

// newTLS borrows a certificate of 127.0.0.1 and example.com.
func newTLS(t *testing.T) (server, client *tls.Config) {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates}, &tls.Config{RootCAs: pool} //nolint:gosec // the client sets the least version
}

// start serves one connection; the channel is closed when it has ended.
func (r *relay) start() (port int, ended chan struct{}) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = l.Close() })
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if r.silent {
			_, _ = io.Copy(io.Discard, conn)
			return
		}
		if r.implicit {
			conn = tls.Server(conn, r.tls)
		}
		r.talk(conn, r.implicit)
	}()
	return l.Addr().(*net.TCPAddr).Port, ended
}

func (r *relay) talk(conn net.Conn, encrypted bool) {
	in := bufio.NewReader(conn)
	say := func(s string) { fmt.Fprint(conn, s+"\r\n") }
	if !r.implicit || encrypted {
		say("220 relay.example ESMTP")
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if !strings.HasSuffix(line, "\r\n") {
			r.t.Errorf("line %q", line)
		}
		line = strings.TrimSpace(line)
		verb := strings.ToUpper(strings.SplitN(line, " ", 2)[0])
		if reply := r.replies[verb]; reply != "" && (verb != "RCPT" || strings.Contains(line, "second")) {
			say(reply)
			continue
		}
		switch verb {
		case "EHLO":
			if r.startTLS && !encrypted {
				say("250-relay.example\r\n250 STARTTLS")
			} else {
				say("250-relay.example\r\n250 AUTH PLAIN")
			}
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, r.tls)
			in, encrypted = bufio.NewReader(conn), true
		case "AUTH":
			want := base64.StdEncoding.EncodeToString([]byte("\x00robot\x00" + password))
			if !encrypted || line != "AUTH PLAIN "+want {
				r.t.Errorf("encrypted %v: %s", encrypted, line)
			}
			r.signedIn = true
			say("235 ok")
		case "RCPT":
			r.to = append(r.to, line)
			say("250 ok")
		case "DATA":
			say("354 go on")
			r.letters = append(r.letters, r.data(in))
			say(r.orOK("END"))
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (r *relay) orOK(when string) string {
	if s := r.replies[when]; s != "" {
		return s
	}
	return "250 taken"
}

func (r *relay) data(in *bufio.Reader) []byte {
	var b bytes.Buffer
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			return b.Bytes()
		}
		if len(line) > 998+2 || strings.Trim(line, "\x00\r\n") != "" && !isASCII(line) {
			r.t.Errorf("line of %d bytes: %.80q", len(line), line)
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c > 126 }) < 0
}

func letter() mail.Letter {
	return mail.Letter{ID: "e1@ops", At: time.Date(2026, 11, 26, 22, 0, 0, 0, time.UTC), Subject: "商店 已回滚\r\nBcc: evil@example.com " + strings.Repeat("很长", 200),
		Text: "原因: 5xx 2.1 %\n.\nnext " + strings.Repeat("很长的一行", 500)}
}

func server(r *relay, client *tls.Config, port int) mail.Server {
	address := fmt.Sprintf("smtp://robot:%s@127.0.0.1:%d", password, port)
	if r.implicit {
		address = strings.Replace(address, "smtp:", "smtps:", 1)
	}
	return mail.Server{Address: secret.Text(address), From: "Seatrial <seatrial@example.com>", To: []string{"first@example.com", "second@example.com"}, TLS: client}
}

func TestALetterIsHandedInEncrypted(t *testing.T) {
	ours, theirs := newTLS(t)
	for name, r := range map[string]*relay{"TLS from the start": {t: t, implicit: true, tls: ours}, "STARTTLS": {t: t, startTLS: true, tls: ours}} {
		t.Run(name, func(t *testing.T) {
			port, ended := r.start()
			if err := server(r, theirs, port).Send(t.Context(), letter()); err != nil {
				t.Fatal(err)
			}
			<-ended
			if len(r.letters) != 1 || len(r.to) != 2 || !r.signedIn {
				t.Fatalf("relay %+v", r)
			}
			m, err := netmail.ReadMessage(bytes.NewReader(r.letters[0]))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			if err != nil || !strings.HasPrefix(subject, "商店 已回滚 Bcc:") || len(subject) > 200 || m.Header.Get("Bcc") != "" {
				t.Errorf("subject %q %v", subject, err)
			}
			if to, err := m.Header.AddressList("To"); err != nil || len(to) != 2 || m.Header.Get("Message-Id") == "" {
				t.Errorf("to %v %v", to, err)
			}
			text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
			if want := strings.ReplaceAll(letter().Text, "\n", "\r\n"); err != nil || strings.TrimSpace(string(text)) != want {
				t.Errorf("text %.100q, %v", text, err)
			}
		})
	}
}

func TestWhatAServerSaysIsUnderstood(t *testing.T) {
	for _, c := range []struct {
		name      string
		relay     relay
		edit      func(*mail.Server)
		permanent bool
		letters   int
		want      string
	}{
		{name: "no STARTTLS: no password leaves", permanent: true, want: "the server offers no STARTTLS"},
		{name: "a password without TLS", edit: func(s *mail.Server) { s.Address += "?tls=none" }, permanent: true, want: "a password is not sent without TLS"},
		{name: "a certificate nobody knows", relay: relay{implicit: true}, edit: func(s *mail.Server) { s.TLS = nil }, want: "mail: greeting: tls:"},
		{name: "a wrong password", relay: relay{implicit: true, replies: map[string]string{"AUTH": "535 no: " + password}}, permanent: true, want: `mail: sign in: 535 "no: ***"`},
		{name: "busy", relay: relay{implicit: true, replies: map[string]string{"MAIL": "451 later"}}, want: `mail: from seatrial@example.com: 451 "later"`},
		{name: "one is refused for good, the other gets it", relay: relay{implicit: true, replies: map[string]string{"RCPT": "550 who?"}}, permanent: true, letters: 1, want: `mail: to second@example.com: 550 "who?"`},
		{name: "one's mailbox is full, the other gets it", relay: relay{implicit: true, replies: map[string]string{"RCPT": "452 4.2.2 over quota"}}, permanent: true, letters: 1, want: `mail: to second@example.com: 452 "4.2.2 over quota"`},
		{name: "the only one's mailbox is full", relay: relay{implicit: true, replies: map[string]string{"RCPT": "452 4.2.2 over quota"}}, edit: func(s *mail.Server) { s.To = s.To[1:] }, want: `mail: to second@example.com: 452 "4.2.2 over quota"`},
		{name: "one is refused for now, nobody gets it yet", relay: relay{implicit: true, replies: map[string]string{"RCPT": "450 grey"}}, want: `mail: to second@example.com: 450 "grey"`},
		{name: "too large", relay: relay{implicit: true, replies: map[string]string{"END": "552 too large"}}, permanent: true, letters: 1, want: `mail: data: 552 "too large"`},
		{name: "an address of another kind", edit: func(s *mail.Server) { s.Address = "https://x" }, permanent: true, want: "the address is not smtp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ours, theirs := newTLS(t)
			r := &c.relay
			r.t, r.tls = t, ours
			port, _ := r.start()
			s := server(r, theirs, port)
			if c.edit != nil {
				c.edit(&s)
			}
			err := s.Send(t.Context(), letter())
			f, ok := errors.AsType[*wire.Failure](err)
			if !ok || f.Permanent != c.permanent || !strings.HasPrefix(f.Reason, c.want) || strings.Contains(f.Reason, password) {
				t.Errorf("%+v", err)
			}
			if len(r.letters) != c.letters {
				t.Errorf("%d letters", len(r.letters))
			}
		})
	}
}

func TestARelayThatNeverAnswersEnds(t *testing.T) {
	r := &relay{t: t, silent: true}
	port, ended := r.start()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s := server(r, nil, port)
	if err := s.Send(ctx, letter()); err == nil {
		t.Error("sent")
	}
	<-ended
}

func TestNamesOfPeopleAreEncoded(t *testing.T) {
	ours, theirs := newTLS(t)
	r := &relay{t: t, implicit: true, tls: ours}
	port, ended := r.start()
	s := server(r, theirs, port)
	s.From, s.To = "运维 <seatrial@example.com>", []string{"商店 <first@example.com>", "second@example.com"}
	if err := s.Send(t.Context(), letter()); err != nil {
		t.Fatal(err)
	}
	<-ended
	m, err := netmail.ReadMessage(bytes.NewReader(r.letters[0]))
	if err != nil {
		t.Fatal(err)
	}
	from, err := m.Header.AddressList("From")
	to, errTo := m.Header.AddressList("To")
	if err != nil || errTo != nil || from[0].Name != "运维" || len(to) != 2 || to[0].Name != "商店" || to[1].Address != "second@example.com" {
		t.Errorf("from %v %v, to %v %v", from, err, to, errTo)
	}
}

// Something that is no mail server, and talks without end.
func TestATalkWithoutEndIsCutOff(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := make(chan int, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		n, chunk := 0, bytes.Repeat([]byte("x"), 64<<10)
		for n < 64<<20 {
			m, err := conn.Write(chunk)
			if n += m; err != nil {
				break
			}
		}
		said <- n
	}()
	s := mail.Server{Address: secret.Text(fmt.Sprintf("smtp://127.0.0.1:%d?tls=none", l.Addr().(*net.TCPAddr).Port)), From: "a@example.com", To: []string{"b@example.com"}}
	if err := s.Send(t.Context(), letter()); err == nil {
		t.Error("sent")
	}
	if n := <-said; n >= 64<<20 {
		t.Errorf("%d bytes were read", n)
	}
}
