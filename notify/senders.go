package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// The types a channel may have.
const (
	typeWeCom   = "wecom"
	typeWebhook = "webhook"
	typeStatus  = "status"
)

// Status sets a commit's status on the forge.
type Status func(ctx context.Context, e release.Event) error

// sender delivers messages of one channel. With more than one it sends a digest.
type sender interface {
	send(ctx context.Context, messages []Message) error
}

// wecom is a group robot of WeCom.
type wecom struct {
	client   *http.Client
	address  secret.Text
	channels map[string]release.Channel // for their languages: several may share an address
	console  string
}

const maxWeCom = 4096 // bytes of markdown

func (w wecom) send(ctx context.Context, messages []Message) error {
	language := w.channels[messages[0].Channel].Spec.Language
	text := digest(messages, language, maxWeCom)
	if len(messages) == 1 {
		text = cut(markdown(messages[0].Event, language, w.console), maxWeCom)
	}
	body, err := json.Marshal(map[string]any{"msgtype": "markdown", "markdown": map[string]string{"content": text}})
	if err != nil {
		return err
	}
	answer, err := post(ctx, w.client, w.address, body, nil)
	if err != nil {
		return err
	}
	var said struct {
		Code    *int   `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.Code == nil {
		return &Failure{Reason: "the answer has no errcode: is this the address of a WeCom robot?"}
	}
	return weComFailure(*said.Code, masked(w.address, cut(oneLine(said.Message), 200)))
}

// weComFailure knows what WeCom means: the status is 200 whatever happened.
func weComFailure(code int, message string) error {
	f := &Failure{Reason: fmt.Sprintf("errcode %d: %s", code, message)}
	switch code {
	case 0:
		return nil
	case 45009: // over 20 messages a minute
		f.Limited, f.After = true, time.Minute
	case 40058: // a part of the message is too long or wrong
		f.Permanent = true
	case 93000: // the robot's key is wrong, or somebody removed the robot
		f.Permanent = true
		f.Reason += ": add a robot to the group and put its address into the secret"
	}
	return f
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
		if _, err := post(ctx, w.client, w.address, body, h); err != nil {
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

// failureOf turns any error into a Failure: what we do not know is tried again.
func failureOf(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Reason: err.Error()}
}
