package settings_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/signing"
)

const needed = `state: state
platform: {repo: platform/config}
forge: {kind: gitea, url: "http://forge.example"}
registry: {host: registry.example}
buildkit: {addresses: ["unix:///run/buildkit/buildkitd.sock"]}
prometheus: {url: "http://prometheus.example:9090"}
clusters: {credentials: /etc/seatrial/clusters}
`

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "seatrial.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheExampleIsValidAndShowsEverySetting(t *testing.T) {
	s, err := settings.Read("../../../examples/seatrial.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shown(t, "settings", reflect.ValueOf(s))
}

// shown demands that the example gives every setting a value.
func shown(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	if v.Kind() != reflect.Struct {
		if v.IsZero() {
			t.Errorf("examples/seatrial.yaml does not show %s", name)
		}
		return
	}
	for i := range v.NumField() {
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		shown(t, name+"."+tag, v.Field(i))
	}
}

func TestDefaults(t *testing.T) {
	s, err := settings.Read(write(t, needed))
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"listen":          {s.Listen, "127.0.0.1:8480"},
		"metrics":         {s.Metrics, "127.0.0.1:8481"},
		"externalURL":     {s.ExternalURL, "http://127.0.0.1:8480"},
		"platform.branch": {s.Platform.Branch, "main"},
		"forge.user":      {s.Forge.User, "seatrial"},
		"a path":          {s.Path("logs", "a"), filepath.Join("state", "logs", "a")},
		"a repo":          {s.RepoURL("shop/web"), "http://forge.example/shop/web.git"},
		"a repo by URL":   {s.RepoURL("https://other.example/x.git"), "https://other.example/x.git"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
}

func TestSigningKeys(t *testing.T) {
	day := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, text string
		want       []signing.Source
	}{
		{name: "without keys there is one in the state folder", want: []signing.Source{{File: filepath.Join("state", "signing.key")}}},
		{name: "keys with windows, below the state folder, elsewhere, in a program and on a token",
			text: `signing: {keys: [{file: a.key, until: "2027-01-01T00:00:00Z"}, {file: /etc/b.key, from: 2027-01-01T00:00:00Z}, {program: "hsm://token/1"}, {pkcs11: {module: /m.so, token: t, label: release}}]}`,
			want: []signing.Source{
				{File: filepath.Join("state", "a.key"), Window: signing.Window{Until: day}},
				{File: "/etc/b.key", Window: signing.Window{From: day}},
				{Program: "hsm://token/1"},
				{Program: "pkcs11://token=t;object=release?module-path=/m.so"},
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := settings.Read(write(t, needed+c.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.KeySources(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"an unknown key, with what was meant", "state: state", "stat: state", `:1:1: unknown field "stat" (did you mean "state"?)`},
		{"an unknown key inside a section", "repo: platform/config", "repository: platform/config", `:2:12: unknown field "repository"`},
		{"a key twice", "state: state\n", "state: state\nstate: other\n", ":2:1"},
		{"a secret, which has no key", "{host: registry.example}", "{host: registry.example, password: x}", `unknown field "password"`},
		{"another type", "state: state", "state: [state]", ":1:8"},
		{"an alias bomb", "state: state", "state: &a [*a,*a]", "seatrial.yaml:1"},
		{"64 KiB", "state: state", "# " + strings.Repeat("x", 64<<10) + "\nstate: state", "seatrial.yaml"},
		{"a retention that keeps nothing", "state: state", "state: state\nretention: {olderThan: 24h}", "retention.keep: want at least 1"},
		{"a summary on no day", "state: state", "state: state\nsummary: {day: Monday, at: \"09:00\"}", `summary.day: "Monday": want one of sunday, monday`},
		{"a summary at no time", "state: state", "state: state\nsummary: {day: monday, at: nine}", "summary.at:"},
		{"a summary in no zone", "state: state", "state: state\nsummary: {day: monday, at: \"09:00\", timeZone: Asia/Nowhere}", "summary.time zone"},
		{"a second document", "state: state", "---\nstate: state\n---\nlisten: x", "only one is wanted"},
		{"no state folder", "state: state\n", "", "missing state"},
		{"no platform repo", "{repo: platform/config}", "{}", "missing platform.repo"},
		{"half a forge", `, url: "http://forge.example"`, "", "missing forge.url"},
		{"no registry", "registry: {host: registry.example}\n", "", "missing registry.host"},
		{"a form of signatures that is none", "state: state", "signing: {compat: old}\nstate: state", "signing.compat"},
		{"a key's window that is no time", "state: state", "signing: {keys: [{file: a.key, from: soon}]}\nstate: state", "signing.keys[0].from"},
		{"a key in two places", "state: state", "signing: {keys: [{file: a.key, pkcs11: {module: /m.so, token: t, id: \"01\"}}]}\nstate: state", "signing.keys[0]: want one of file, pkcs11 and program"},
		{"a token's key without a name", "state: state", "signing: {keys: [{pkcs11: {module: /m.so, token: t}}]}\nstate: state", "signing.keys[0]: pkcs11: want the key's label or its id"},
		{"a PIN in the file", "state: state", "signing: {keys: [{pkcs11: {module: /m.so, token: t, id: \"01\", pin: \"1\"}}]}\nstate: state", `unknown field "pin"`},
		{"a certificate that ends at once", "state: state", "state: state\nagents: {listen: \":9444\", certificates: 1m}", "agents.certificates: want at least 1h0m0s"},
		{"certificates for nobody", "state: state", "state: state\nagents: {certificates: 24h}", "agents.certificates only counts together with listen"},
		{"no Prometheus", `prometheus: {url: "http://prometheus.example:9090"}` + "\n", "", "missing prometheus.url"},
		{"a login in the open", `9090"}`, `9090", headers: {authorization: x}}`, "prometheus.headers: Authorization is a secret"},
		{"a header twice", `9090"}`, `9090", headers: {X-A: x}, secretHeaders: {X-A: y}}`, "prometheus.secretHeaders: X-A is in headers, too"},
		{"no credentials", "clusters: {credentials: /etc/seatrial/clusters}\n", "", "missing clusters.credentials"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(needed, c.from, c.to, 1)
			if text == needed {
				t.Fatal("the case changes nothing")
			}
			_, err := settings.Read(write(t, text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestEverythingThatIsMissingIsToldAtOnce(t *testing.T) {
	_, err := settings.Read(write(t, "listen: 127.0.0.1:1\n"))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, name := range []string{"state", "platform.repo", "forge.kind", "forge.url", "registry.host", "prometheus.url", "clusters.credentials"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	if !strings.Contains(hint.Of(err), "examples/seatrial.yaml") {
		t.Errorf("hint %q", hint.Of(err))
	}
}

func TestAFileThatIsNotThereNamesTheNextStep(t *testing.T) {
	_, err := settings.Read(filepath.Join(t.TempDir(), "nowhere.yaml"))
	if err == nil || !strings.Contains(hint.Of(err), "--config") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
}

func TestSecretsComeFromTheEnvironmentOnly(t *testing.T) {
	const hook, old, passphrase = "a-webhook-secret", "the-one-before", "a passphrase"
	clear := func(t *testing.T) {
		for _, name := range []string{"FORGE_TOKEN", "WEBHOOK_SECRET", "WEBHOOK_SECRET_OLD", "SIGNING_PASSPHRASE", "SIGNING_PIN", "REGISTRY_PASSWORD"} {
			t.Setenv("SEATRIAL_"+name, "")
		}
	}
	t.Run("without a webhook secret the server does not start", func(t *testing.T) {
		clear(t)
		t.Setenv("SEATRIAL_SIGNING_PASSPHRASE", passphrase)
		if _, err := settings.ReadSecrets(); err == nil || !strings.Contains(hint.Of(err), "SEATRIAL_WEBHOOK_SECRET") {
			t.Errorf("error %v, hint %q", err, hint.Of(err))
		}
	})
	t.Run("without a passphrase the server does not start", func(t *testing.T) {
		clear(t)
		t.Setenv("SEATRIAL_WEBHOOK_SECRET", hook)
		if _, err := settings.ReadSecrets(); err == nil || !strings.Contains(hint.Of(err), "SEATRIAL_SIGNING_PASSPHRASE") {
			t.Errorf("error %v, hint %q", err, hint.Of(err))
		}
	})
	t.Run("two webhook secrets hold while one is being replaced", func(t *testing.T) {
		clear(t)
		t.Setenv("SEATRIAL_WEBHOOK_SECRET", hook)
		t.Setenv("SEATRIAL_WEBHOOK_SECRET_OLD", old)
		t.Setenv("SEATRIAL_SIGNING_PASSPHRASE", passphrase)
		s, err := settings.ReadSecrets()
		if err != nil || len(s.WebhookSecrets) != 2 || s.WebhookSecrets[0].Reveal() != hook || s.WebhookSecrets[1].Reveal() != old {
			t.Errorf("secrets %v, error %v", len(s.WebhookSecrets), err)
		}
	})
	t.Run("a channel's secret is found by its name", func(t *testing.T) {
		t.Setenv("SEATRIAL_SECRET_WECOM_OPS", "https://chat.example/key")
		if got := settings.Named("wecom-ops").Reveal(); got != "https://chat.example/key" {
			t.Errorf("got %q", got)
		}
	})
}

func TestTheProgramsThatRunBuildsGetNoSecretOfOurs(t *testing.T) {
	t.Setenv("SEATRIAL_SIGNING_PIN", "1234")
	t.Setenv("NO_PROXY", "registry.example")
	env := strings.Join(settings.Public(), "\n")
	if strings.Contains(env, "SEATRIAL_") || !strings.Contains(env, "NO_PROXY=registry.example") || !strings.Contains(env, "PATH=") {
		t.Errorf("environment %s", env)
	}
}

func TestASummaryIsSentOnItsDayInItsZone(t *testing.T) {
	when, err := settings.Summary{Day: "monday", At: "09:30", TimeZone: "Asia/Shanghai"}.Schedule()
	if err != nil {
		t.Fatal(err)
	}
	tuesday := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	if got, want := when.Next(tuesday), time.Date(2026, 11, 30, 1, 30, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("next is %v, want %v", got, want)
	}
	if when, err := (settings.Summary{}).Schedule(); when != nil || err != nil {
		t.Errorf("left out, it is %v, %v", when, err)
	}
}
