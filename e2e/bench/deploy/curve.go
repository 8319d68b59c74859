package deploy

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/seatrial/seatrial/e2e/bench/figure"
)

// point is one number of services, in seconds and MiB.
type point struct {
	services                                     int
	limit, seen, first, changed, cpu, idle, peak float64
}

func (p point) figures() []figure.Figure {
	name := func(what string) string { return fmt.Sprintf("curve, %d services, %s", p.services, what) }
	return []figure.Figure{
		figure.Of(name("bare loop until its Deployments are observed"), p.seen, "s").To("bare loop", p.limit),
		figure.Of(name("first sync"), p.first, "s").To("bare loop", p.limit),
		figure.Of(name("all changed"), p.changed, "s").To("bare loop", p.limit),
		figure.Of(name("one full reconcile, processor time"), p.idle, "s"),
		figure.Of(name("peak memory"), p.peak, "MiB"),
	}
}

// draw writes the picture of the curve and its table.
func (b *bench) draw(points []point) error {
	if b.Pictures == "" || len(points) == 0 {
		return nil
	}
	dir := filepath.Join(b.Pictures, "img")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "deploy-curve.svg"), []byte(picture(points)), 0o644); err != nil {
		return err
	}
	b.tell("the table of docs/performance.md:\n%s", table(points))
	return nil
}

// table is the curve in Markdown.
func table(points []point) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| services | bare loop | the same until observed | first sync | all changed | processor time, first sync | one full reconcile, processor time | peak memory |")
	fmt.Fprintln(&b, "|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, p := range points {
		fmt.Fprintf(&b, "| %d | %.1f s | %.1f s | %.1f s (%.1fx) | %.1f s (%.1fx) | %.1f s | %.2f s | %.0f MiB |\n",
			p.services, p.limit, p.seen, p.first, p.first/p.limit, p.changed, p.changed/p.limit, p.cpu, p.idle, p.peak)
	}
	return b.String()
}

// The picture's size and the place of its axes.
const (
	width, height              = 720, 420
	left, right, top, bottom   = 70, 150, 30, 60
	plotWidth, plotHeight      = width - left - right, height - top - bottom
	ink, grid                  = "#333", "#ddd"
	loopColour, firstColour    = "#888", "#0b6e99"
	changedColour, fontsOfText = "#c4561c", "font-family=\"sans-serif\" font-size=\"12\""
)

// picture draws seconds over services.
func picture(points []point) string {
	most, longest := 0.0, 0.0
	for _, p := range points {
		most, longest = max(most, float64(p.services)), max(longest, p.limit, p.first, p.changed)
	}
	step := nice(longest / 5)
	longest = math.Ceil(longest/step) * step
	x := func(services float64) float64 { return left + services/most*plotWidth }
	y := func(seconds float64) float64 { return top + plotHeight - seconds/longest*plotHeight }
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Seconds from a push to all observed, by number of services\">\n", width, height)
	fmt.Fprintf(&b, "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", width, height)
	for s := 0.0; s <= longest; s += step {
		fmt.Fprintf(&b, "<path d=\"M%d %.1fH%d\" stroke=\"%s\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" fill=\"%s\" %s>%g s</text>\n", left, y(s), left+plotWidth, grid, left-8, y(s)+4, ink, fontsOfText, s)
	}
	for n := 1000.0; n <= most; n += 1000 {
		fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"%s\" %s>%g</text>\n", x(n), top+plotHeight+18, ink, fontsOfText, n)
	}
	fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" fill=\"%s\" %s>services of four objects on one control plane</text>\n", left+plotWidth/2, height-14, ink, fontsOfText)
	for i, l := range []struct {
		name, colour string
		of           func(point) float64
	}{
		{"bare loop", loopColour, func(p point) float64 { return p.limit }},
		{"first sync", firstColour, func(p point) float64 { return p.first }},
		{"all changed", changedColour, func(p point) float64 { return p.changed }},
	} {
		var path strings.Builder
		for j, p := range points {
			fmt.Fprintf(&path, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[j == 0], x(float64(p.services)), y(l.of(p)))
			fmt.Fprintf(&b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x(float64(p.services)), y(l.of(p)), l.colour)
		}
		fmt.Fprintf(&b, "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", path.String(), l.colour)
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" fill=\"%s\" %s>%s</text>\n", left+plotWidth+12, top+20+20*i, l.colour, fontsOfText, l.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// nice rounds up to 1, 2 or 5 times a power of ten.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*power {
			return m * power
		}
	}
	return 10 * power
}

func notes(c Config) []string {
	return []string{
		fmt.Sprintf("Each service is a Deployment scaled to zero, a ServiceAccount, a headless Service and an Ingress, all of one namespace; ratios are of medians of %d runs, whose sides take turns, each on a new control plane (etcd, API server, controller manager; no node).", c.Runs),
		"The bare loop is 16 workers that only apply the same objects on the server's side, from memory.",
		"Measured is a process with the server's store on disk, Runner, git, rollout and healing (e2e/bench/deploy/subject), without policies, SLOs, trials, notifications and the web.",
		"A sync lasts from before the git push of one commit until every service's release has come to its end: Checking, Approving, sync, health seen at this revision, Verified, Done. Then the API server is asked whether it holds every object.",
		"The measured process is told of a push when git has taken it, as by a webhook; a full reconcile is one look of the healing at every object, the second after a change.",
		"An edit is a JSON patch of one object's spec; it is healed when the API server shows the spec as before.",
		"Peak memory is the kernel's VmHWM, the start of the program and pages of files included.",
		fmt.Sprintf("Control planes: %d services on each, waves of %d, one release per service; a dead one's API server is killed before the push.", perFleet, waveSize),
	}
}
