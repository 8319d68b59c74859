package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/secret"
)

const plain = "hunter2-long-token"

func TestNothingShowsIt(t *testing.T) {
	s := secret.Text(plain)
	nested := struct {
		Name string
		Key  secret.Text
		Map  map[string]secret.Text
	}{"x", s, map[string]secret.Text{"a": s}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("sign-in", "token", s, "nested", nested)
	asJSON, err := json.Marshal(nested)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{
		fmt.Sprint(s), fmt.Sprintf("%s %v %+v %#v %q %x %d", s, s, s, s, s, s, s),
		fmt.Sprintf("%+v %#v", nested, nested), fmt.Errorf("dial: %v", s).Error(), log.String(), string(asJSON),
	}
	hex := fmt.Sprintf("%x", plain)
	for _, out := range shown {
		if strings.Contains(out, plain) || strings.Contains(out, hex) {
			t.Errorf("the secret is in %q", out)
		}
		if !strings.Contains(out, secret.Mask) {
			t.Errorf("no mask in %q", out)
		}
	}
	if s.Reveal() != plain {
		t.Error("Reveal does not give the secret")
	}
}

func TestAbsentIsVisible(t *testing.T) {
	if got := fmt.Sprint(secret.Text("")); got != "" {
		t.Errorf("no secret prints %q", got)
	}
}

func TestIn(t *testing.T) {
	got := secret.Text(plain).In("Post https://x/?key=" + plain + ": refused")
	if got != "Post https://x/?key=***: refused" {
		t.Errorf("In = %q", got)
	}
	if got := secret.Text("").In("abc"); got != "abc" {
		t.Errorf("an absent secret changed the text to %q", got)
	}
}

func TestEqual(t *testing.T) {
	if !secret.Text(plain).Equal(plain) || secret.Text(plain).Equal("other") {
		t.Error("Equal does not compare the secret")
	}
}
