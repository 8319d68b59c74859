package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/release"
)

// printAs writes v in the wanted form.
func printAs(w io.Writer, form string, v any, table func(w io.Writer, wide bool)) error {
	switch form {
	case "json":
		return asJSON(w, v)
	case "yaml":
		data, err := yaml.Marshal(v)
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	case "table", "wide":
		columns := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
		table(columns, form == "wide")
		return columns.Flush()
	}
	return fmt.Errorf("output %q is none of table, wide, json, yaml", form)
}

func releaseTable(w io.Writer, list []release.Release, wide bool) {
	head := "RELEASE\tPHASE\tENV\tAGE\tREASON"
	if wide {
		head += "\tCOMMIT\tAUTHOR\tMESSAGE"
	}
	fmt.Fprintln(w, head)
	for _, r := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s", r.ID, r.Phase, r.Env(), age(r.Created), short(r.Reason, 60))
		if wide {
			fmt.Fprintf(w, "\t%s\t%s\t%s", r.Commit.Short(), r.Author, short(r.Message, 50))
		}
		fmt.Fprintln(w)
	}
}

func releaseDetails(w io.Writer, r release.Release, wide bool) {
	fmt.Fprintf(w, "release\t%s\nservice\t%s\ncommit\t%s %s (%s)\nstanding\t%s\n", r.ID, r.Service, r.Commit.Short(), r.Message, r.Author, standing(r))
	if p := r.Pull; p != nil {
		fmt.Fprintf(w, "pull request\t%d of %s into %s%s\n", p.Number, p.Author, p.Base, map[bool]string{true: ", from a fork"}[p.Fork])
	}
	if r.Hint != "" {
		fmt.Fprintf(w, "hint\t%s\n", r.Hint)
	}
	if r.Artifact != nil {
		fmt.Fprintf(w, "image\t%s\n", r.Artifact.Reference())
	}
	for _, s := range r.Stages {
		fmt.Fprintf(w, "\n%s\t%s\n", s.Env, stageLine(s))
		for _, wave := range s.Waves {
			for _, t := range wave.Targets {
				fmt.Fprintf(w, "  %s/%s\t%s %s\n", wave.Name, t.Cluster, strings.TrimSpace(t.Shift+" "+t.State), t.Message)
			}
		}
	}
	fmt.Fprintln(w)
	for _, j := range r.Verdicts {
		fmt.Fprintf(w, "%s\t%s\t%s\n", strings.Join(strings.Fields(string(j.Env)+" "+j.Wave+" "+j.Shift+" "+j.Gate), " "), j.Verdict.Outcome(), j.Verdict.Reason())
		if !wide {
			continue
		}
		for _, e := range j.Verdict.Evidence() {
			fmt.Fprintf(w, "  %s\t%v\t%s\n", e.Claim, e.Holds, e.Detail)
		}
	}
}

func stageLine(s release.Stage) string {
	switch {
	case !s.Returned.IsZero():
		return "rolled back " + age(s.Returned) + " ago"
	case !s.Verified.IsZero():
		return "verified " + age(s.Verified) + " ago"
	case s.Live:
		return "live, not verified"
	}
	return "not reached"
}

func age(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func short(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
