package agents

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/memory"
	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/deployer/agent"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// NewCluster has the commands about clusters. They run on the server's machine: what they
// write is the server's own.
func NewCluster() *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "cluster", Aliases: []string{"clusters"}, Short: "Add a cluster, let its agent in, or shut it out"}
	cmd.PersistentFlags().StringVar(&file, "config", "seatrial.yaml", "the server's settings")
	cmd.AddCommand(newAdd(&file), newEnrol(&file), newRevoke(&file))
	return cmd
}

func newEnrol(file *string) *cobra.Command {
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "enrol NAME",
		Short: "Print a one-time token for a cluster's agent; the agent that it has stays until the token is used",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := settings.Read(*file)
			if err != nil {
				return err
			}
			if set.Agents.Listen == "" {
				return hint.Add(errors.New("the server lets no agent in"), `set agents: {listen: ":9444"} in `+*file+" and restart the server")
			}
			a, err := openAuthority(set, settings.Env("SEATRIAL_SIGNING_PASSPHRASE"))
			if err != nil {
				return err
			}
			token, expires, err := a.Invite(args[0], lasts)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "the token counts once, until %s; it is not kept and not shown again\n"+
				"the platform repo needs: {kind: Cluster, metadata: {name: %s}, spec: {agent: true}}\n"+
				"near the cluster: SEATRIAL_AGENT_TOKEN=... seatrial agent --server HOST%s\n", expires.Format(time.RFC3339), args[0], port(set.Agents.Listen))
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token.Reveal())
			return err
		},
	}
	cmd.Flags().DurationVar(&lasts, "for", time.Hour, "how long the token counts")
	return cmd
}

func port(listen string) string { return listen[max(0, strings.LastIndex(listen, ":")):] }

func newRevoke(file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "Refuse a cluster's agent from now on, also on its open stream",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := settings.Read(*file)
			if err != nil {
				return err
			}
			if !release.ValidName(args[0]) {
				return fmt.Errorf("cluster %q: not a name", args[0])
			}
			a, err := openAuthority(set, settings.Env("SEATRIAL_SIGNING_PASSPHRASE"))
			if err != nil {
				return err
			}
			return a.Revoke(args[0])
		},
	}
}

// where the cluster gives a pod its own credentials.
const mounted = "/var/run/secrets/kubernetes.io/serviceaccount"

// NewAgent runs an agent.
func NewAgent(version string) *cobra.Command {
	var server, state, kubeconfig, tokenFile string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Keep the cluster that it runs in, or near, for a server that cannot reach it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			entry, err := own(kubeconfig)
			if err != nil {
				return err
			}
			token, err := tokenOf(tokenFile)
			if err != nil {
				return err
			}
			kube.Quiet()
			memory.Slim()
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
			return agent.New(agent.Config{Server: server, Folder: state, Token: token, Version: version, Log: log, Now: time.Now,
				Kube: kube.Open(state).Told(func(string) kube.Entry { return entry() }, settings.Ours()...)}).Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&server, "server", "", "where the server lets agents in, HOST:PORT")
	_ = cmd.MarkFlagRequired("server") // the flag is there
	cmd.Flags().StringVar(&state, "state", "/var/lib/seatrial-agent", "a folder of its own: identity and desired state")
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "how it reaches the cluster (default: as the pod that it runs in)")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "file with the one-time token (default $SEATRIAL_AGENT_TOKEN); only needed once")
	return cmd
}

func tokenOf(file string) (secret.Text, error) {
	if file == "" {
		return settings.Env("SEATRIAL_AGENT_TOKEN"), nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil // it was deleted once it was used
	}
	if err != nil {
		return "", fmt.Errorf("read the one-time token: %w", err)
	}
	return secret.Text(strings.TrimSpace(string(data))), nil
}

// own is how the agent reaches its cluster.
func own(kubeconfig string) (func() kube.Entry, error) {
	if kubeconfig != "" {
		path, err := filepath.Abs(kubeconfig)
		return func() kube.Entry { return kube.Entry{File: path} }, err
	}
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, hint.Add(errors.New("the agent does not run in a pod"), "name its cluster with --kubeconfig")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return func() kube.Entry {
		ca, _ := os.ReadFile(filepath.Join(mounted, "ca.crt")) // without it, no connection is trusted
		return kube.Entry{Server: "https://" + host + ":" + port, CA: string(ca), File: filepath.Join(mounted, "token")}
	}, nil
}
