package web_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/auth"
)

const one = "/api/v1/releases/" + string(shopWeb)

func TestReleasesAreFilteredAndPaged(t *testing.T) {
	h := open(t, page)
	var got struct {
		Items []release.Release
		Next  string
	}
	h.ask(t, auth.Viewer, "GET", "/api/v1/releases?service=shop/api&phase=Done&limit=3", "").into(t, &got)
	if len(got.Items) != 3 || got.Next == "" {
		t.Fatalf("page one: %d, next %q", len(got.Items), got.Next)
	}
	last := got.Next
	got.Next = ""
	h.ask(t, auth.Viewer, "GET", "/api/v1/releases?service=shop/api&limit=3&after="+last, "").into(t, &got)
	if len(got.Items) != 2 || got.Next != "" {
		t.Errorf("page two: %d, next %q", len(got.Items), got.Next)
	}
	list := h.ask(t, auth.Viewer, "GET", "/api/v1/releases?q=%E4%BF%AE%E5%A4%8D", "")
	if strings.Contains(list.text, "evidence") || !strings.Contains(list.text, "availability is 91 %") {
		t.Errorf("a list shows %s", list.text)
	}
	if full := h.ask(t, auth.Viewer, "GET", one, ""); !strings.Contains(full.text, `"claim":"available"`) {
		t.Errorf("a release shows %s", full.text)
	}
	if empty := h.ask(t, auth.Viewer, "GET", "/api/v1/releases?q=nothing+like+it", ""); empty.text != "{\"items\":[]}\n" {
		t.Errorf("an empty list is %q", empty.text)
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	h := open(t, page)
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		code                     int
	}{
		{name: "a limit beyond the limit", method: "GET", path: "/api/v1/releases?limit=100000", code: 422},
		{name: "a phase nobody knows", method: "GET", path: "/api/v1/releases?phase=Flying", code: 422},
		{name: "a filter with a typo", method: "GET", path: "/api/v1/releases?sevrice=shop/web", code: 422},
		{name: "an unknown release", method: "GET", path: "/api/v1/releases/shop.web.000000000000", code: 404},
		{name: "an unknown path", method: "GET", path: "/api/v1/secrets", code: 404},
		{name: "malformed JSON", method: "POST", path: one + "/hold", body: `{"reason":`, code: 400},
		{name: "an unknown field", method: "POST", path: one + "/hold", body: `{"reason":"x","force":true}`, code: 422},
		{name: "no reason", method: "POST", path: one + "/hold", body: `{"reason":""}`, code: 422},
		{name: "no body", method: "POST", path: one + "/hold", code: 400},
		{name: "a list in place of an object", method: "POST", path: one + "/hold", body: `[]`, code: 422},
		{name: "a reason without end", method: "POST", path: one + "/hold", body: `{"reason":"` + strings.Repeat("x", 2000) + `"}`, code: 422},
		{name: "a body over the cap", method: "POST", path: one + "/hold", body: `{"reason":"` + strings.Repeat("x", 70<<10) + `"}`, code: 413},
		{name: "a form", method: "POST", path: one + "/hold", body: `reason=x`, headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, code: 415},
		{name: "no environment", method: "POST", path: one + "/rollback", body: `{"reason":"x"}`, code: 422},
		{name: "an act the state forbids", method: "POST", path: one + "/rollback", body: `{"env":"moon","reason":"x"}`, code: 409},
		{name: "If-Match of somebody else", method: "POST", path: one + "/hold", body: `{"reason":"x"}`, headers: []string{"If-Match", "W/abc"}, code: 400},
		{name: "a stale If-Match", method: "POST", path: one + "/hold", body: `{"reason":"x"}`, headers: []string{"If-Match", `"99"`}, code: 412},
		{name: "a log from before its start", method: "GET", path: one + "/log?from=-1", code: 422},
		{name: "an overlong key", method: "POST", path: one + "/hold", body: `{"reason":"x"}`, headers: []string{"Idempotency-Key", strings.Repeat("k", 300)}, code: 400},
	} {
		t.Run(fmt.Sprintf("%s is answered %d", c.name, c.code), func(t *testing.T) {
			if got := h.ask(t, auth.Operator, c.method, c.path, c.body, c.headers...); got.code != c.code {
				t.Errorf("%d %s", got.code, got.text)
			}
		})
	}
	if n := h.yard.done(); n != 0 {
		t.Errorf("%d acts were carried out", n)
	}
}

func TestRefusalsCarryTheNextStep(t *testing.T) {
	h := open(t, page)
	got := h.ask(t, auth.Operator, "POST", one+"/rollback", `{"env":"moon","reason":"x"}`)
	detail, hint := got.problem(t)
	if !strings.Contains(detail, "nothing was ever verified") || hint != "deploy something first" {
		t.Errorf("detail %q, hint %q", detail, hint)
	}
}

func TestWhatWasSentIsNotEchoed(t *testing.T) {
	h := open(t, page)
	got := h.ask(t, "", "POST", "/api/v1/session", `{"user":"admin","passwort":"hunter2-hunter2"}`)
	if got.code != 422 || strings.Contains(got.text, "hunter2") {
		t.Errorf("%d %s", got.code, got.text)
	}
}

func TestInnerErrorsStayInside(t *testing.T) {
	h := open(t, page)
	h.yard.broken = errors.New("open /var/lib/seatrial/store.db: input/output error")
	for _, path := range []string{one, "/readyz"} {
		got := h.ask(t, auth.Viewer, "GET", path, "")
		if got.code < 500 || strings.Contains(got.text, "/var/lib") {
			t.Errorf("%s: %d %s", path, got.code, got.text)
		}
	}
	if got := h.ask(t, "", "GET", "/healthz", ""); got.code != 200 {
		t.Errorf("healthz: %d", got.code)
	}
}

func TestActsNameThePerson(t *testing.T) {
	h := open(t, page)
	for _, name := range []string{"hold", "free", "retry", "rollback", "approve"} {
		body := `{"reason":"磁盘满了"}`
		if name == "rollback" || name == "approve" {
			body = `{"env":"staging","reason":"磁盘满了"}`
		}
		got := h.ask(t, auth.Operator, "POST", one+"/"+name, body)
		if got.code != 202 || got.header.Get("ETag") == "" || !strings.Contains(got.text, string(shopWeb)) {
			t.Errorf("%s: %d %v %s", name, got.code, got.header, got.text)
		}
	}
	for _, a := range h.yard.acts {
		if a.By != "token:operator" || a.Reason != "磁盘满了" || a.Release != shopWeb {
			t.Errorf("act %+v", a)
		}
	}
	h.ask(t, auth.Operator, "POST", "/api/v1/experiments/kill-one-pod/run", `{"env":"staging"}`)
	if s := h.yard.started; len(s) != 1 || s[0].By != "token:operator" || s[0].Experiment != "kill-one-pod" {
		t.Errorf("started %+v", s)
	}
	if got := h.ask(t, auth.Operator, "POST", "/api/v1/experiments/runs/r1/abort", ""); got.code != 202 {
		t.Errorf("abort without a body: %d %s", got.code, got.text)
	}
}

func TestVersionsGuardAgainstActingOnAnOldView(t *testing.T) {
	h := open(t, page)
	first := h.ask(t, auth.Viewer, "GET", one, "")
	tag := first.header.Get("ETag")
	if got := h.ask(t, auth.Viewer, "GET", one, "", "If-None-Match", tag); got.code != 304 || got.text != "" {
		t.Errorf("unchanged: %d %q", got.code, got.text)
	}
	if got := h.ask(t, auth.Operator, "POST", one+"/hold", `{"reason":"x"}`, "If-Match", tag); got.code != 202 {
		t.Fatalf("current: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Operator, "POST", one+"/hold", `{"reason":"x"}`, "If-Match", tag); got.code != 412 {
		t.Errorf("stale: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Operator, "POST", one+"/hold", `{"reason":"x"}`, "If-Match", "*"); got.code != 202 {
		t.Errorf("any: %d %s", got.code, got.text)
	}
}

func TestARepeatedRequestActsOnce(t *testing.T) {
	h := open(t, page)
	key := []string{"Idempotency-Key", "7d0b-一次"}
	first := h.ask(t, auth.Operator, "POST", one+"/hold", `{"reason":"x"}`, key...)
	second := h.ask(t, auth.Operator, "POST", one+"/hold", `{"reason":"x"}`, key...)
	if first.code != 202 || second.code != 202 || first.text != second.text || first.header.Get("ETag") != second.header.Get("ETag") {
		t.Errorf("first %d %s\nsecond %d %s", first.code, first.text, second.code, second.text)
	}
	if first.header.Get("Idempotency-Replayed") != "" || second.header.Get("Idempotency-Replayed") != "true" {
		t.Error("a replay does not say so")
	}
	for name, got := range map[string]reply{
		"another body":    h.ask(t, auth.Operator, "POST", one+"/hold", `{"reason":"y"}`, key...),
		"another act":     h.ask(t, auth.Operator, "POST", one+"/free", `{"reason":"x"}`, key...),
		"another release": h.ask(t, auth.Operator, "POST", "/api/v1/releases/shop.api.000000000000/hold", `{"reason":"x"}`, key...),
	} {
		if got.code != 422 {
			t.Errorf("%s with the same key: %d", name, got.code)
		}
	}
	if n := h.yard.done(); n != 1 {
		t.Errorf("%d acts", n)
	}
	if got := h.ask(t, auth.Admin, "POST", one+"/hold", `{"reason":"z"}`, key...); got.code != 202 {
		t.Errorf("somebody else's same key: %d", got.code)
	}
}

func TestManyAtTheSameTimeActOnce(t *testing.T) {
	h := open(t, page)
	h.yard.slow = make(chan struct{})
	var wg sync.WaitGroup
	codes := make(chan int, 16)
	for range cap(codes) {
		wg.Go(func() {
			codes <- h.ask(t, auth.Operator, "POST", one+"/hold", `{"reason":"x"}`, "Idempotency-Key", "k").code
		})
	}
	until(t, "all but one are answered", func() bool { return len(codes) == cap(codes)-1 })
	close(h.yard.slow)
	wg.Wait()
	close(codes)
	count := map[int]int{}
	for c := range codes {
		count[c]++
	}
	if count[202] != 1 || count[409] != 15 || h.yard.done() != 1 {
		t.Errorf("answers %v, %d acts", count, h.yard.done())
	}
}

func TestARequestThatBrokeCanBeTriedAgain(t *testing.T) {
	h := open(t, page)
	h.yard.broken = errors.New("disk")
	if got := h.ask(t, auth.Operator, "POST", one+"/hold", `{"reason":"x"}`, "Idempotency-Key", "k"); got.code != 500 {
		t.Fatalf("%d", got.code)
	}
	h.yard.broken = nil
	if got := h.ask(t, auth.Operator, "POST", one+"/hold", `{"reason":"x"}`, "Idempotency-Key", "k"); got.code != 202 || h.yard.done() != 1 {
		t.Errorf("%d, %d acts", got.code, h.yard.done())
	}
}

func TestASecretIsShownOnce(t *testing.T) {
	h := open(t, page)
	for path, body := range map[string]string{"/api/v1/tokens": `{"name":"ci","role":"viewer"}`, "/api/v1/users": `{"name":"li","role":"viewer"}`} {
		var made struct{ Token, Password string }
		first := h.ask(t, auth.Admin, "POST", path, body, "Idempotency-Key", path)
		if first.code != 201 {
			t.Fatalf("%s: %d %s", path, first.code, first.text)
		}
		first.into(t, &made)
		if kept := h.vault.Values(); strings.Contains(kept, made.Token+made.Password) {
			t.Errorf("%s: the secret is in the vault", path)
		}
		if again := h.ask(t, auth.Admin, "POST", path, body, "Idempotency-Key", path); again.code != 409 || strings.Contains(again.text, made.Token+made.Password) {
			t.Errorf("%s again: %d %s", path, again.code, again.text)
		}
	}
	if got := h.ask(t, auth.Admin, "POST", "/api/v1/users", `{"name":"li","role":"admin"}`); got.code != 409 {
		t.Errorf("a taken name: %d", got.code)
	}
	if got := h.ask(t, auth.Admin, "DELETE", "/api/v1/users/admin", ""); got.code != 422 {
		t.Errorf("the last administrator: %d", got.code)
	}
}

func TestSignInOverHTTP(t *testing.T) {
	h := open(t, page)
	wrong := h.ask(t, "", "POST", "/api/v1/session", `{"user":"admin","password":"wrong"}`)
	if wrong.code != 401 || wrong.header.Get("Set-Cookie") != "" {
		t.Errorf("wrong: %d %v", wrong.code, wrong.header)
	}
	in := h.ask(t, "", "POST", "/api/v1/session", fmt.Sprintf(`{"user":"admin","password":%q}`, h.password))
	var who web.Session
	in.into(t, &who)
	if in.code != 200 || who != (web.Session{User: "admin", Role: auth.Admin, Version: "v1"}) {
		t.Fatalf("%d %+v", in.code, who)
	}
	cookie, _, _ := strings.Cut(in.header.Get("Set-Cookie"), ";")
	if got := h.ask(t, "", "GET", "/api/v1/session", "", "Cookie", cookie); got.code != 200 || !strings.Contains(got.text, `"admin"`) {
		t.Errorf("with the cookie: %d %s", got.code, got.text)
	}
	out := h.ask(t, "", "DELETE", "/api/v1/session", "", "Cookie", cookie)
	if out.code != 204 || !strings.Contains(out.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("sign out: %d %v", out.code, out.header)
	}
	if got := h.ask(t, "", "GET", "/api/v1/session", "", "Cookie", cookie); got.code != 401 {
		t.Errorf("after signing out: %d", got.code)
	}
	for i := 0; i < 100 && wrong.code != http.StatusTooManyRequests; i++ { // a slow machine gets tries back meanwhile
		wrong = h.ask(t, "", "POST", "/api/v1/session", `{"user":"admin","password":"wrong"}`)
	}
	if wrong.code != http.StatusTooManyRequests || wrong.header.Get("Retry-After") == "" {
		t.Errorf("guessing on: %d %v", wrong.code, wrong.header)
	}
}

func TestTheBoardIsFiltered(t *testing.T) {
	h := open(t, page)
	for query, want := range map[string]string{"": "pay/api shop/web", "?project=pay": "pay/api", "?q=WEB": "shop/web", "?q=zzz": ""} {
		got := h.ask(t, auth.Viewer, "GET", "/api/v1/board"+query, "")
		for _, s := range []string{"pay/api", "shop/web"} {
			if strings.Contains(got.text, s) != strings.Contains(want, s) {
				t.Errorf("%q shows %s", query, got.text)
			}
		}
	}
}

func TestMissingPartsAreNamed(t *testing.T) {
	err := web.Parts{}.Validate()
	for _, want := range []string{"Releases", "Acts.Rollback", "Intake", "Vault"} {
		if err == nil || !strings.Contains(err.Error(), "part "+want+" is missing") {
			t.Errorf("%s is not named in %v", want, err)
		}
	}
}

func TestATreeIsAskedForOneClusterAndSentOnce(t *testing.T) {
	h := open(t, page)
	const ask = "/api/v1/tree?service=shop/web&env=prod"
	got := h.ask(t, auth.Viewer, "GET", ask+"&cluster=prod-main", "")
	if got.code != 200 || !strings.Contains(got.text, `"state":"Drifted"`) || !strings.Contains(got.text, `"left":3`) {
		t.Errorf("%d %s", got.code, got.text)
	}
	tag := got.header.Get("ETag")
	if again := h.ask(t, auth.Viewer, "GET", ask+"&cluster=prod-main", "", "If-None-Match", tag); tag == "" || again.code != 304 || again.text != "" {
		t.Errorf("unchanged: %q, %d %q", tag, again.code, again.text)
	}
	if got := h.ask(t, auth.Viewer, "GET", ask+"&cluster=nowhere", ""); got.code != 404 {
		t.Errorf("a cluster that it is not on: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Viewer, "GET", ask, ""); got.code != 422 {
		t.Errorf("no cluster: %d %s", got.code, got.text)
	}
}

func TestAnObjectOfATreeIsExplainedAndSentOnce(t *testing.T) {
	h := open(t, page)
	const ask = "/api/v1/tree/object?service=shop/web&env=prod&cluster=prod-main"
	got := h.ask(t, auth.Viewer, "GET", ask+"&kind=Pod&namespace=shop&name=web-1", "")
	if got.code != 200 || !strings.Contains(got.text, `"reason":"BackOff","count":41`) || !strings.Contains(got.text, `"conditions":[]`) {
		t.Errorf("%d %s", got.code, got.text)
	}
	tag := got.header.Get("ETag")
	if again := h.ask(t, auth.Viewer, "GET", ask+"&kind=Pod&namespace=shop&name=web-1", "", "If-None-Match", tag); tag == "" || again.code != 304 || again.text != "" {
		t.Errorf("unchanged: %q, %d %q", tag, again.code, again.text)
	}
	for _, c := range []struct {
		name, query string
		want        int
	}{
		{"what the tree does not have", "&kind=Secret&namespace=kube-system&name=root", 404},
		{"no name", "&kind=Pod&namespace=shop", 422},
		{"a filter with a typo", "&kind=Pod&name=web-1&namespce=shop", 422},
	} {
		if got := h.ask(t, auth.Viewer, "GET", ask+c.query, ""); got.code != c.want {
			t.Errorf("%s: %d %s", c.name, got.code, got.text)
		}
	}
	if got := h.ask(t, "", "GET", ask+"&kind=Pod&namespace=shop&name=web-1", ""); got.code != 401 {
		t.Errorf("a stranger: %d", got.code)
	}
}

func TestAPlaceIsHeldByWhoMayAct(t *testing.T) {
	h := open(t, page)
	const body = `{"service":"shop/web","env":"prod","reason":"quarter close"}`
	if got := h.ask(t, auth.Viewer, "POST", "/api/v1/place/hold", body); got.code != 403 {
		t.Errorf("a viewer: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Operator, "POST", "/api/v1/place/hold", body); got.code != 200 || !strings.Contains(got.text, `operator","reason"`) || !strings.Contains(got.text, "quarter close") {
		t.Errorf("%d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Operator, "POST", "/api/v1/place/free", body); got.code != 200 || strings.Contains(got.text, "quarter close") {
		t.Errorf("freed: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Operator, "POST", "/api/v1/place/hold", `{"service":"shop/web","env":"prod","reason":""}`); got.code != 422 {
		t.Errorf("without a reason: %d %s", got.code, got.text)
	}
}

func TestTheKillSwitchIsForOperatorsAndSaysWhy(t *testing.T) {
	h := open(t, page)
	if got := h.ask(t, auth.Viewer, "POST", "/api/v1/chaos", `{"stopped":true,"reason":"orders are lost"}`); got.code != 403 {
		t.Errorf("a viewer: %d", got.code)
	}
	if got := h.ask(t, auth.Operator, "POST", "/api/v1/chaos", `{"stopped":true,"reason":""}`); got.code != 422 {
		t.Errorf("without a reason: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Operator, "POST", "/api/v1/chaos", `{"stopped":true,"reason":"orders are lost"}`); got.code != 200 || !strings.Contains(got.text, `"stopped":true`) {
		t.Errorf("an operator: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Viewer, "GET", "/api/v1/chaos", ""); got.code != 200 || !strings.Contains(got.text, "operator: orders are lost") {
		t.Errorf("everybody reads: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Operator, "POST", "/api/v1/chaos", `{"stopped":false,"reason":"found"}`); got.code != 200 || !strings.Contains(got.text, `"stopped":false`) {
		t.Errorf("resumed: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Viewer, "GET", "/api/v1/experiments/kill/plan?env=staging", ""); got.code != 200 || !strings.Contains(got.text, `"targets":["shop/a"]`) {
		t.Errorf("a plan: %d %s", got.code, got.text)
	}
	if got := h.ask(t, auth.Viewer, "GET", "/api/v1/experiments/none/plan?env=staging", ""); got.code != 404 {
		t.Errorf("a plan of nothing: %d %s", got.code, got.text)
	}
}
