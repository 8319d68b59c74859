package hub

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Status is what doctor reads: it runs beside the server and cannot ask it.
type Status struct {
	Connection
	Noted time.Time // a connection that was not noted for a while is none
}

// noted is how long a Status counts.
const noted = 3 * statusGap

// note writes how a cluster's agent is connected; what cannot be written is not missed.
func (h *Hub) note(cluster string) {
	if h.cfg.Status == "" {
		return
	}
	data, err := json.Marshal(Status{h.Connection(cluster), h.cfg.Now().UTC()})
	if err == nil {
		err = os.MkdirAll(h.cfg.Status, 0o700)
	}
	if err == nil {
		file := statusFile(h.cfg.Status, cluster)
		if err = os.WriteFile(file+".new", data, 0o600); err == nil {
			err = os.Rename(file+".new", file)
		}
	}
	if err != nil {
		h.cfg.Log.Warn("note an agent's connection", "cluster", cluster, "error", err)
	}
}

func statusFile(dir, cluster string) string { return filepath.Join(dir, cluster+".status") }

// ReadStatus says how a cluster's agent is connected to the server that writes into dir;
// the error says since when it is not.
func ReadStatus(dir, cluster string, now time.Time) (Status, error) {
	var s Status
	data, err := os.ReadFile(statusFile(dir, cluster))
	if os.IsNotExist(err) {
		return s, fmt.Errorf("the agent of %s was never connected", cluster)
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("read how the agent of %s is connected: %w", cluster, err)
	}
	if !s.Connected || now.Sub(s.Noted) > noted {
		return s, fmt.Errorf("the agent of %s is not connected, and was last seen at %s", cluster, s.Noted.Format(time.RFC3339))
	}
	return s, nil
}
