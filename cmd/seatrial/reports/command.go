package reports

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/chaos/report"
	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
)

// maxFile bounds a record.
const maxFile = 64 << 20

// runID is how the ID of a run begins.
var runID = regexp.MustCompile(`^\d{8}T\d{6}Z\.`)

// New is the command "trial", with what else there is to a trial.
func New(r *client.Remote, more ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: "trial", Short: "Report on trials and runs, and judge stored ones again"}
	cmd.AddCommand(append(more, newReport(r), newSummary(r))...)
	return cmd
}

func newReport(r *client.Remote) *cobra.Command {
	var format, env, language string
	cmd := &cobra.Command{
		Use:   "report RELEASE|RUN|FILE",
		Short: "Write one page of a release's trial, or of a run",
		Long: "FILE is a release as `seatrial release show ID -o json` prints it, or a report in JSON, or - for the standard input; no server is asked\n" +
			"then. An HTML page is one file that runs nothing and loads nothing.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "-" {
				return offline(cmd.InOrStdin(), cmd.OutOrStdout(), env, format, language)
			}
			if f, err := os.Open(args[0]); err == nil {
				defer f.Close()
				return offline(f, cmd.OutOrStdout(), env, format, language)
			}
			path := "/api/v1/releases/" + url.PathEscape(args[0]) + "/report"
			q := url.Values{"format": {format}, "language": {language}}
			if runID.MatchString(args[0]) {
				path = "/api/v1/experiments/runs/" + url.PathEscape(args[0]) + "/report"
			} else if env != "" {
				q.Set("env", env)
			}
			return fetch(cmd, r, path, q)
		},
	}
	pageFlags(cmd, &format, &language)
	cmd.Flags().StringVar(&env, "env", "", "the environment of the trial (default: the newest)")
	return cmd
}

func newSummary(r *client.Remote) *cobra.Command {
	var format, language, since string
	cmd := &cobra.Command{
		Use:   "summary",
		Short: "Count the runs of the last days, with failure rates and how sure they are",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fetch(cmd, r, "/api/v1/experiments/summary", url.Values{"format": {format}, "language": {language}, "since": {since}})
		},
	}
	pageFlags(cmd, &format, &language)
	cmd.Flags().StringVar(&since, "since", "7d", "how far to look back, at most 31d")
	return cmd
}

func pageFlags(cmd *cobra.Command, format, language *string) {
	cmd.Flags().StringVarP(format, "output", "o", report.Markdown, "html, json or markdown")
	cmd.Flags().StringVar(language, "language", string(report.English), "en or zh, of html and markdown")
}

func offline(in io.Reader, out io.Writer, env, format, language string) error {
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if len(data) > maxFile {
		return fmt.Errorf("report: the record is larger than %d MiB", maxFile>>20)
	}
	page, err := report.Read(data, release.Env(env), slo.Rejudge)
	if err != nil {
		return hint.Add(fmt.Errorf("report: %w", err), "write the record with: seatrial release show ID -o json; lists leave the evidence out")
	}
	return page.Write(out, format, report.LanguageOf(language))
}

func fetch(cmd *cobra.Command, r *client.Remote, path string, q url.Values) error {
	res, err := r.Send(cmd.Context(), http.MethodGet, path, q, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(cmd.OutOrStdout(), io.LimitReader(res.Body, client.MaxAnswer)); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
