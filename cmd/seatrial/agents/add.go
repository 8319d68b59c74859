package agents

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

func newAdd(file *string) *cobra.Command {
	var name, kubeconfig string
	var c kube.RobotConfig
	cmd := &cobra.Command{
		Use:   "add CONTEXT",
		Short: "Make a service account on the cluster of a kubeconfig's context, and keep its token for the server",
		Long: "Make a service account on the cluster of a kubeconfig's context, with the rights to manage the kinds that services usually have, and no more.\n" +
			"Its token goes to the server's credentials folder; the Cluster for the platform repo is printed.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := settings.Read(*file)
			if err != nil {
				return err
			}
			if name == "" {
				name = args[0]
			}
			if !release.ValidName(name) {
				return fmt.Errorf("cluster %q: not a name; give it one with --name", name)
			}
			admin, err := kube.Admin(kubeconfig, args[0])
			if err != nil {
				return err
			}
			robot, err := admin.MakeRobot(cmd.Context(), c)
			if err != nil {
				return fmt.Errorf("make the service account: %w", err)
			}
			path, err := keepToken(set.Clusters.Credentials, name, robot)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "service account %s/%s made; its token is in %s\nput this into the platform repo:\n", kube.RobotNamespace, kube.RobotName, path)
			_, err = fmt.Fprint(cmd.OutOrStdout(), clusterOf(name, robot))
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the cluster's name in the platform repo (default: the context)")
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "with an administrator's context (default $KUBECONFIG or ~/.kube/config)")
	cmd.Flags().StringSliceVar(&c.Also, "also", nil, "more kinds to manage, like databases.db.dev")
	cmd.Flags().StringSliceVar(&c.Exec, "exec-in", nil, "namespaces in which experiments of kind Exec may run programs in pods")
	cmd.Flags().DurationVar(&c.Patience, "wait", 30*time.Second, "for the cluster to make the token")
	return cmd
}

// keepToken writes the token for the server's user only.
func keepToken(dir, name string, r kube.Robot) (path string, err error) {
	path = filepath.Join(dir, name+".token")
	if _, err := os.Stat(filepath.Join(dir, name+".kubeconfig")); err == nil {
		return "", fmt.Errorf("%s has a kubeconfig already: remove it first, or choose another --name", name)
	}
	if err := secret.Keep(path, []byte(r.Token.Reveal()+"\n")); err != nil {
		return "", fmt.Errorf("keep the token: %w", err)
	}
	return path, nil
}

// clusterOf is the document for the platform repo.
func clusterOf(name string, r kube.Robot) string {
	text := fmt.Sprintf("apiVersion: seatrial.dev/v1\nkind: Cluster\nmetadata: {name: %s, labels: {}}\nspec:\n  server: %s\n", name, r.Server)
	if r.CA == "" {
		return text
	}
	return text + "  ca: |\n    " + strings.Join(strings.Split(strings.TrimSpace(r.CA), "\n"), "\n    ") + "\n"
}
