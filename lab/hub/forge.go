package hub

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/seatrial/seatrial/lab/layout"
)

// forgeUID is nobody's: the forge refuses to run as root, and the lab leaves
// no user behind.
const forgeUID = 65534

// ForgeUser is the forge's administrator.
const ForgeUser = "seatrial"

func (h *Hub) forge(name string) string { return filepath.Join(h.root.Hub(), "forge", name) }

// PasswordFile holds the administrator's password.
func (h *Hub) PasswordFile() string { return filepath.Join(h.root.Hub(), "forge-password") }

// TokenFile holds an API token with every scope.
func (h *Hub) TokenFile() string { return filepath.Join(h.root.Hub(), "forge-token") }

func (h *Hub) forgeEnv() []string {
	return []string{"HOME=" + h.forge("home"), "USER=nobody", "GITEA_WORK_DIR=" + h.forge(""), "GOGC=50"}
}

// prepareForge writes the forge's settings, once: they hold its secrets.
func (h *Hub) prepareForge() error {
	if _, err := os.Stat(h.forge("app.ini")); err == nil {
		return nil
	}
	for _, d := range []string{"", "home", "data", "repos", "log", "custom", "tmp"} {
		if err := os.MkdirAll(h.forge(d), 0o750); err != nil {
			return err
		}
		if err := os.Chown(h.forge(d), forgeUID, forgeUID); err != nil {
			return err
		}
	}
	password, err := secret(16)
	if err != nil {
		return err
	}
	if err := os.WriteFile(h.PasswordFile(), []byte(password), 0o600); err != nil {
		return err
	}
	text, err := h.forgeConfig()
	if err != nil {
		return err
	}
	tmp := h.forge("app.ini.new")
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.Chown(tmp, forgeUID, forgeUID); err != nil {
		return err
	}
	return os.Rename(tmp, h.forge("app.ini"))
}

func secret(bytes int) (string, error) {
	b := make([]byte, bytes)
	_, err := rand.Read(b)
	return hex.EncodeToString(b), err
}

// forgeSettings wants the work folder, the address, the folder of templates and a key.
const forgeSettings = `APP_NAME = Seatrial lab
RUN_USER = nobody
RUN_MODE = prod
WORK_PATH = %[1]s

[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = 3000
DOMAIN = 127.0.0.1
ROOT_URL = http://%[2]s/
STATIC_ROOT_PATH = %[3]s
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = %[1]s/data/gitea.db
SQLITE_JOURNAL_MODE = WAL

[repository]
ROOT = %[1]s/repos
DEFAULT_BRANCH = main
DEFAULT_PUSH_CREATE_PRIVATE = false
ENABLE_PUSH_CREATE_USER = true
ENABLE_PUSH_CREATE_ORG = true

[security]
INSTALL_LOCK = true
SECRET_KEY = %[4]s
PASSWORD_HASH_ALGO = pbkdf2_v2

[oauth2]
ENABLED = false

[service]
DISABLE_REGISTRATION = true
ENABLE_NOTIFY_MAIL = false

[webhook]
ALLOWED_HOST_LIST = *
DELIVER_TIMEOUT = 5

[migrations]
ALLOW_LOCALNETWORKS = true

[picture]
DISABLE_GRAVATAR = true
ENABLE_FEDERATED_AVATAR = false

[openid]
ENABLE_OPENID_SIGNIN = false

[actions]
ENABLED = false

[packages]
ENABLED = false

[indexer]
REPO_INDEXER_ENABLED = false
ISSUE_INDEXER_TYPE = db

[cron.update_checker]
ENABLED = false

[mailer]
ENABLED = false

[session]
PROVIDER = memory

[log]
MODE = console
LEVEL = Warn
ROOT_PATH = %[1]s/log

[other]
SHOW_FOOTER_VERSION = false
`

// forgeConfig renders settings for a forge that talks to nobody outside.
func (h *Hub) forgeConfig() (string, error) {
	key, err := secret(32)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(forgeSettings, h.forge(""), layout.ForgeAddr, h.bins.GiteaShare, key), nil
}

// setUpForge makes the administrator and a token, once.
func (h *Hub) setUpForge(ctx context.Context) error {
	if _, err := os.Stat(h.TokenFile()); err == nil {
		return nil
	}
	password, err := os.ReadFile(h.PasswordFile())
	if err != nil {
		return fmt.Errorf("set up forge: %w", err)
	}
	if err := h.makeForgeUser(ctx, string(password)); err != nil {
		return fmt.Errorf("set up forge: %w", err)
	}
	token, err := makeForgeToken(ctx, string(password))
	if err != nil {
		return fmt.Errorf("set up forge: %w", err)
	}
	tmp := h.TokenFile() + ".new"
	if err := os.WriteFile(tmp, []byte(token), 0o600); err != nil {
		return fmt.Errorf("set up forge: %w", err)
	}
	return os.Rename(tmp, h.TokenFile())
}

func (h *Hub) makeForgeUser(ctx context.Context, password string) error {
	_, err := h.Machine.RunAs(ctx, forgeUID, h.forgeEnv(),
		filepath.Join(h.bins.Gitea, "gitea"), "--config", h.forge("app.ini"), "--work-path", h.forge(""),
		"admin", "user", "create", "--admin", "--username", ForgeUser, "--password", password,
		"--email", ForgeUser+"@lab.invalid", "--must-change-password=false")
	if err != nil && !strings.Contains(err.Error(), "already exists") {
		// The command line holds the password: the error must not.
		return errors.New(strings.ReplaceAll(err.Error(), password, "***"))
	}
	return nil
}

func makeForgeToken(ctx context.Context, password string) (string, error) {
	name, err := secret(4)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(map[string]any{"name": "lab-" + name, "scopes": []string{"all"}})
	if err != nil {
		return "", err
	}
	url := "http://" + layout.ForgeAddr + "/api/v1/users/" + ForgeUser + "/tokens"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(ForgeUser, password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := httpClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	var token struct {
		SHA1 string `json:"sha1"`
	}
	if err := json.Unmarshal(b, &token); err != nil || token.SHA1 == "" {
		return "", fmt.Errorf("make token: %s", resp.Status)
	}
	return token.SHA1, nil
}
