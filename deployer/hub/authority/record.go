package authority

import (
	"encoding/json"
	"errors"
	"fmt"
	"github.com/seatrial/seatrial/internal/secret"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// record is what is kept of one cluster's agent.
type record struct {
	Invitation *invitation `json:"invitation,omitempty"`
	Serials    []string    `json:"serials,omitempty"` // of the certificates that count
	Enrolled   time.Time   `json:"enrolled,omitzero"`
}

type invitation struct {
	Hash    []byte    `json:"hash"`
	Expires time.Time `json:"expires"`
}

// cached is a record as its file was.
type cached struct {
	record record
	at     time.Time
	size   int64
}

// lock keeps others, also in other processes, from changing the folder.
func (a *Authority) lock() (unlock func(), err error) {
	f, err := os.OpenFile(a.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the agents' folder: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil // which unlocks
}

// change reads a record, changes it and writes it, alone. An error changes nothing.
func (a *Authority) change(cluster string, do func(*record) error) error {
	unlock, err := a.lock()
	if err != nil {
		return err
	}
	defer unlock()
	r, err := a.fresh(cluster)
	if err != nil {
		return err
	}
	if err := do(&r); err != nil {
		return err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := secret.Keep(a.file(cluster), data); err != nil {
		return fmt.Errorf("keep what is known of the agent of %s: %w", cluster, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.known, cluster)
	return nil
}

func (a *Authority) file(cluster string) string {
	return filepath.Join(a.cfg.Dir, "clusters", cluster+".json")
}

// fresh is the record as it is on disk; of a cluster that nobody knows, an empty one.
func (a *Authority) fresh(cluster string) (record, error) {
	data, err := os.ReadFile(a.file(cluster))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	var r record
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return record{}, fmt.Errorf("read what is known of the agent of %s: %w", cluster, err)
	}
	return r, nil
}

// read is the record, read again when its file has changed.
func (a *Authority) read(cluster string) (record, error) {
	info, err := os.Stat(a.file(cluster))
	if err != nil {
		return record{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, ok := a.known[cluster]; ok && c.at.Equal(info.ModTime()) && c.size == info.Size() {
		return c.record, nil
	}
	r, err := a.fresh(cluster)
	if err == nil {
		a.known[cluster] = cached{r, info.ModTime(), info.Size()}
	}
	return r, err
}

// Member is what is known of one cluster's agent, for people.
type Member struct {
	Enrolled time.Time // zero: never
	Invited  time.Time // when its token ends; zero: none is out
	Allowed  bool      // it has a certificate that is not revoked
}

// Member looks a cluster's agent up.
func (a *Authority) Member(cluster string) Member { return memberOf(a.fresh(cluster)) }

// MemberIn looks it up in a folder that is not opened: without the passphrase.
func MemberIn(dir, cluster string) Member {
	return memberOf((&Authority{cfg: Config{Dir: dir}}).fresh(cluster))
}

func memberOf(r record, err error) Member {
	if err != nil {
		return Member{}
	}
	m := Member{Enrolled: r.Enrolled, Allowed: len(r.Serials) > 0}
	if r.Invitation != nil {
		m.Invited = r.Invitation.Expires
	}
	return m
}
