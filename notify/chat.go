package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify/wire"
	"github.com/seatrial/seatrial/release"
)

// robot is the way into a group of people.
type robot struct {
	client   *http.Client
	address  secret.Text
	key      secret.Text                // that signs, where the group wants it
	channels map[string]release.Channel // for their languages: several may share an address
	console  string
}

type (
	wecom    robot
	feishu   robot
	dingtalk robot
	slack    robot
	teams    robot
)

// What a card says at most, in bytes. Quotes and backslashes double in JSON, so this keeps
// a card of Feishu within 20 KB and one of Teams within 28 KB.
const (
	maxTitle = 140
	maxCard  = 8000
	maxSlack = 2900 // a section has 3,000 characters
)

// card is what is said, for groups that show cards.
type card struct {
	title, text string // text has a line per fact
	good, bad   bool
	link, open  string
}

func (r robot) card(messages []Message, limit int) card {
	language := r.channels[messages[0].Channel].Spec.Language
	w := wordsOf(language)
	if len(messages) > 1 {
		return card{title: digestTitle(messages, language), text: digestText(messages, language, limit), open: w.open}
	}
	e := messages[0].Event
	tone := colour(e.Kind)
	return card{title: wire.Cut(headline(e, language), maxTitle), text: wire.Cut(strings.Join(facts(e, language), "\n"), limit),
		good: tone == "info", bad: tone == "warning", link: linkTo(e, r.console), open: w.open}
}

// body is JSON without escaped tags, whose size would be another one.
func body(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // maps of texts always encode
	return bytes.TrimSpace(b.Bytes())
}

type object = map[string]any

func (f feishu) send(ctx context.Context, messages []Message) error {
	c := robot(f).card(messages, maxCard)
	colour := "blue"
	if c.bad {
		colour = "red"
	} else if c.good {
		colour = "green"
	}
	elements := []any{object{"tag": "div", "text": object{"tag": "plain_text", "content": c.text}}}
	if c.link != "" {
		elements = append(elements, object{"tag": "action", "actions": []any{
			object{"tag": "button", "type": "default", "url": c.link, "text": object{"tag": "plain_text", "content": c.open}}}})
	}
	message := object{"msg_type": "interactive", "card": object{
		"header":   object{"template": colour, "title": object{"tag": "plain_text", "content": c.title}},
		"elements": elements,
	}}
	if f.key != "" {
		at := strconv.FormatInt(time.Now().Unix(), 10)
		message["timestamp"], message["sign"] = at, mac(at+"\n"+f.key.Reveal(), "")
	}
	answer, err := wire.Do(ctx, f.client, wire.Request{Address: f.address, Body: body(message), Hide: []secret.Text{f.key}})
	if err != nil {
		return err
	}
	return said(answer, "code", "msg", feishuCodes, f.address, f.key)
}

// mac is how robots sign. What is the key and what the message differs between them.
func mac(key, message string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(message))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

var feishuCodes = map[int]meaning{
	11232: {limited: true, after: time.Minute},
	9499:  {permanent: true, unless: "too many"},
	19001: {permanent: true, hint: "add a robot to the group and put its address into the secret"},
	19021: {permanent: true, hint: "put the robot's signing secret into NAME_KEY, and check the clock"},
	19022: {permanent: true, hint: "allow this server's address in the robot's settings"},
	19024: {permanent: true, hint: "use signing instead of keywords"},
}

// said reads the code of a body whose status says nothing.
func said(answer []byte, codeName, messageName string, known map[int]meaning, secrets ...secret.Text) error {
	var fields map[string]json.RawMessage
	var code *int
	var message string
	if json.Unmarshal(answer, &fields) == nil {
		if fields[codeName] == nil && fields["StatusCode"] != nil { // an older Feishu
			fields[codeName], fields[messageName] = fields["StatusCode"], fields["StatusMessage"]
		}
		_ = json.Unmarshal(fields[codeName], &code)
		_ = json.Unmarshal(fields[messageName], &message)
	}
	if code == nil {
		return &wire.Failure{Reason: "the answer has no " + codeName + ": is this the address of such a robot?"}
	}
	return coded(codeName, *code, wire.Cut(wire.Masked(wire.OneLine(message), secrets...), 200), known)
}

func (d dingtalk) send(ctx context.Context, messages []Message) error {
	c := robot(d).card(messages, maxCard)
	text := "### " + c.title + "\n\n" + strings.ReplaceAll(c.text, "\n", "\n\n") // one line break is none
	if c.link != "" {
		text += "\n\n[" + c.open + "](" + c.link + ")"
	}
	address := d.address
	if d.key != "" {
		at := strconv.FormatInt(time.Now().UnixMilli(), 10)
		u, err := url.Parse(address.Reveal())
		if err != nil {
			return &wire.Failure{Reason: "the address is not an http or https URL", Permanent: true}
		}
		q := u.Query()
		q.Set("timestamp", at)
		q.Set("sign", mac(d.key.Reveal(), at+"\n"+d.key.Reveal()))
		u.RawQuery = q.Encode()
		address = secret.Text(u.String())
	}
	message := object{"msgtype": "markdown", "markdown": object{"title": c.title, "text": text}}
	answer, err := wire.Do(ctx, d.client, wire.Request{Address: address, Body: body(message), Hide: []secret.Text{d.key}})
	if err != nil {
		return err
	}
	return said(answer, "errcode", "errmsg", dingTalkCodes, address, d.key)
}

var dingTalkCodes = map[int]meaning{
	130101: {limited: true, after: 10 * time.Minute}, // muted for that long
	410100: {limited: true, after: 10 * time.Minute},
	310000: {permanent: true, hint: "put the robot's signing secret into NAME_KEY, and check the clock"},
	300001: {permanent: true, hint: "add a robot to the group and put its address into the secret"},
	400101: {permanent: true, hint: "add a robot to the group and put its address into the secret"},
	400102: {permanent: true, hint: "switch the robot on"},
	400013: {permanent: true}, // the group is gone
}

func (s slack) send(ctx context.Context, messages []Message) error {
	c := robot(s).card(messages, maxSlack)
	blocks := []any{object{"type": "header", "text": object{"type": "plain_text", "text": c.title}}}
	if c.text != "" {
		blocks = append(blocks, object{"type": "section", "text": object{"type": "plain_text", "text": c.text}})
	}
	if c.link != "" {
		blocks = append(blocks, object{"type": "section", "text": object{"type": "mrkdwn", "text": "<" + c.link + "|" + c.open + ">"}})
	}
	message := object{"text": strings.ReplaceAll(c.title, "&", "&amp;"), "blocks": blocks}
	answer, err := wire.Do(ctx, s.client, wire.Request{Address: s.address, Body: body(message)})
	if err != nil {
		return err
	}
	if got := string(bytes.TrimSpace(answer)); got != "ok" {
		return &wire.Failure{Reason: "answered " + wire.Cut(wire.Masked(wire.OneLine(got), s.address), 200) + " instead of ok"}
	}
	return nil
}

func (t teams) send(ctx context.Context, messages []Message) error {
	c := robot(t).card(messages, maxCard)
	colour := "Default"
	if c.bad {
		colour = "Attention"
	} else if c.good {
		colour = "Good"
	}
	content := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
		"body": []any{
			object{"type": "TextBlock", "text": c.title, "weight": "Bolder", "size": "Medium", "color": colour, "wrap": true},
			object{"type": "TextBlock", "text": strings.ReplaceAll(c.text, "\n", "\n\n"), "wrap": true},
		}}
	if c.link != "" {
		content["actions"] = []any{object{"type": "Action.OpenUrl", "title": c.open, "url": c.link}}
	}
	message := object{"type": "message", "attachments": []any{
		object{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": content}}}
	answer, err := wire.Do(ctx, t.client, wire.Request{Address: t.address, Body: body(message)})
	if err == nil && bytes.Contains(answer, []byte("HTTP error 429")) { // a 200 that is none
		return &wire.Failure{Reason: "answered that there are too many messages", Limited: true, After: time.Minute}
	}
	return err
}
