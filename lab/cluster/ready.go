package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

const readyLimit = 5 * time.Minute // a cold disk and busy cores included

// ready waits until a component does its work, not only until it runs.
func (c *Cluster) ready(ctx context.Context, name string) error {
	a, err := newAPI(c.Cluster, c.dir)
	if err != nil {
		return err
	}
	defer a.close()
	checks := map[string]func(context.Context) error{
		"etcd":       func(ctx context.Context) error { return c.checkInside(ctx, 2379) },
		"containerd": c.checkContainerd,
		"apiserver":  func(ctx context.Context) error { return a.get(ctx, "/readyz", nil) },
		"kcm": func(ctx context.Context) error {
			return a.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
		},
		"kubelet":      func(ctx context.Context) error { return c.checkNode(ctx, a) },
		"proxy":        func(ctx context.Context) error { return checkHTTP(ctx, "http://"+c.NodeIP()+":10256/livez") },
		"scheduler":    func(ctx context.Context) error { return c.checkInside(ctx, 10259) },
		"coredns":      func(ctx context.Context) error { return checkHTTP(ctx, "http://"+c.NodeIP()+":8181/ready") },
		"chaos-daemon": func(ctx context.Context) error { return checkTCP(ctx, c.NodeIP()+":31767") },
		"gateway": func(ctx context.Context) error {
			return checkHTTP(ctx, fmt.Sprintf("http://%s:%d/ping", c.NodeIP(), gatewayOps))
		},
		"chaos-controller": func(ctx context.Context) error { return c.checkInside(ctx, 9443) },
	}
	check, ok := checks[name]
	if !ok {
		return fmt.Errorf("%w: %q", ErrNoComponent, name)
	}
	return c.Machine.WaitReady(ctx, name, readyLimit, check)
}

// checkInside asks through the machine, for what listens on its loopback only.
func (c *Cluster) checkInside(ctx context.Context, port int) error {
	_, err := c.Machine.Run(ctx, "socat", "-u", "OPEN:/dev/null", fmt.Sprintf("TCP:127.0.0.1:%d,connect-timeout=1", port))
	return err
}

func (c *Cluster) checkContainerd(ctx context.Context) error {
	_, err := c.Machine.Run(ctx, filepath.Join(c.bins.Containerd, "ctr"), "-a", containerdSocket, "version")
	return err
}

// checkNode wants the node Ready, free of the taints it is born with, and said
// so by the kubelet of now: after a crash the API still holds what the one
// before it said.
func (c *Cluster) checkNode(ctx context.Context, a *api) error {
	var node struct {
		Spec struct {
			Taints []struct{ Key string }
		}
		Status struct {
			Conditions []struct {
				Type, Status      string
				LastHeartbeatTime time.Time
			}
		}
	}
	if err := a.get(ctx, "/api/v1/nodes/"+c.Node(), &node); err != nil {
		return err
	}
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("node %s has taint %s", c.Node(), node.Spec.Taints[0].Key)
	}
	started, err := c.started(ctx, "kubelet")
	if err != nil {
		return err
	}
	for _, cond := range node.Status.Conditions {
		// The API keeps whole seconds.
		if cond.Type == "Ready" && cond.Status == "True" && !cond.LastHeartbeatTime.Before(started.Truncate(time.Second)) {
			return nil
		}
	}
	return errors.New("node is not ready")
}

func (c *Cluster) started(ctx context.Context, name string) (time.Time, error) {
	programs, err := c.Machine.Status(ctx)
	if err != nil {
		return time.Time{}, err
	}
	for _, p := range programs {
		if p.Name == name {
			return p.Started, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s was not started", name)
}

func checkHTTP(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

func checkTCP(ctx context.Context, addr string) error {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}
