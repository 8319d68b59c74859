package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify/wire"
	"github.com/seatrial/seatrial/release"
)

// Status sets a commit's status on the forge.
type Status func(ctx context.Context, e release.Event) error

// sender delivers messages of one channel. With more than one it sends a digest.
type sender interface {
	send(ctx context.Context, messages []Message) error
}

const maxWeCom = 4096 // bytes of markdown

func (w wecom) send(ctx context.Context, messages []Message) error {
	language := w.channels[messages[0].Channel].Spec.Language
	text := digest(messages, language, maxWeCom)
	if len(messages) == 1 {
		text = wire.Cut(markdown(messages[0].Event, language, w.console), maxWeCom)
	}
	message := object{"msgtype": "markdown", "markdown": object{"content": text}}
	answer, err := wire.Do(ctx, w.client, wire.Request{Address: w.address, Body: body(message)})
	if err != nil {
		return err
	}
	return said(answer, "errcode", "errmsg", weComCodes, w.address)
}

// weComCodes: the status is 200 whatever happened.
var weComCodes = map[int]meaning{
	45009: {limited: true, after: time.Minute}, // over 20 messages a minute
	40058: {permanent: true},                   // a part of the message is too long or wrong
	93000: {permanent: true, hint: "add a robot to the group and put its address into the secret"},
}

// Headers of a webhook. The signature is "v1=" and the hex of HMAC-SHA256 over
// ID "." Timestamp "." body with the channel's key.
const (
	HeaderID        = "X-Seatrial-Id"
	HeaderTimestamp = "X-Seatrial-Timestamp" // seconds since 1970
	HeaderEvent     = "X-Seatrial-Event"
	HeaderSignature = "X-Seatrial-Signature"
)

// Sign is the signature that a receiver has to find, over the body as it came. It should
// compare in constant time and refuse timestamps older than a few minutes.
func Sign(key secret.Text, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// webhook posts the JSON of an event.
type webhook struct {
	client  *http.Client
	address secret.Text
	key     secret.Text
	now     func() time.Time
}

func (w webhook) send(ctx context.Context, messages []Message) error {
	for _, m := range messages {
		body, err := json.Marshal(m.Event)
		if err != nil {
			return err
		}
		timestamp := strconv.FormatInt(w.now().Unix(), 10)
		h := http.Header{}
		h.Set(HeaderID, m.ID)
		h.Set(HeaderTimestamp, timestamp)
		h.Set(HeaderEvent, string(m.Event.Kind))
		h.Set(HeaderSignature, Sign(w.key, m.ID, timestamp, body))
		if _, err := wire.Do(ctx, w.client, wire.Request{Address: w.address, Body: body, Header: h}); err != nil {
			return err
		}
	}
	return nil
}

// status tells the forge.
type status struct{ set Status }

func (s status) send(ctx context.Context, messages []Message) error {
	for _, m := range messages {
		if err := s.set(ctx, m.Event); err != nil {
			return err
		}
	}
	return nil
}
