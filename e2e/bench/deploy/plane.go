package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/e2e/bench/deploy/subject"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

// planes are control planes without nodes in a lab of the bench's own, beside whatever
// else the machine runs.
type planes struct {
	lab         string // the binary
	root        string
	credentials string // what the subject is handed
	names       []string
}

func (p *planes) do(ctx context.Context, args ...string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, p.lab, append([]string{"--root", p.root}, args...)...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("lab %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return nil
}

// up boots new control planes with the team's namespace in them.
func (p *planes) up(ctx context.Context, names ...string) error {
	if err := p.do(ctx, append([]string{"up", "--only", "--bare"}, names...)...); err != nil {
		return err
	}
	if err := os.MkdirAll(p.credentials, 0o700); err != nil {
		return err
	}
	for _, n := range names {
		p.names = append(p.names, n)
		config, err := os.ReadFile(filepath.Join(p.root, "clusters", n, "admin.kubeconfig"))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(p.credentials, n+".kubeconfig"), config, 0o600); err != nil {
			return err
		}
		c, err := p.open(n)
		if err != nil {
			return err
		}
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: subject.Team}}
		if _, err := c.Typed().CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// down removes all of them, interrupted or not.
func (p *planes) down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	p.names = nil
	return errors.Join(p.do(ctx, "down"), os.RemoveAll(p.credentials))
}

func (p *planes) open(name string) (*kube.Cluster, error) { return kube.Open(p.credentials).Get(name) }

// clusters are the planes as an operator would describe them, ten to a wave.
func (p *planes) clusters() []release.Cluster {
	var all []release.Cluster
	for i, n := range p.names {
		all = append(all, release.Cluster{Meta: release.Meta{Name: n, Labels: map[string]string{"bench": "yes", "wave": fmt.Sprintf("%02d", i/waveSize)}}})
	}
	return all
}

// shows counts the objects of a generation as the API server itself has them.
func shows(ctx context.Context, c *kube.Cluster, generation int) (int, error) {
	n := 0
	for _, k := range kinds {
		version := "v1"
		list, err := c.Dynamic().Resource(schema.GroupVersionResource{Group: k.group, Version: version, Resource: k.resource}).Namespace(subject.Team).List(ctx, metav1.ListOptions{})
		if err != nil {
			return 0, err
		}
		n += count(list.Items, fmt.Sprint(generation))
	}
	return n, nil
}

func count(all []unstructured.Unstructured, generation string) int {
	n := 0
	for _, o := range all {
		if o.GetAnnotations()["bench"] == generation {
			n++
		}
	}
	return n
}
