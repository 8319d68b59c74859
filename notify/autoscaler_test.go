package notify_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/notify/escalation"
	"github.com/seatrial/seatrial/release"
)

// autoscaler is an event of one that is hot since so many seconds after 1970.
func autoscaler(kind release.EventKind, since, result string) release.Event {
	what := strings.TrimPrefix(string(kind), "autoscaler.")
	return release.Event{ID: "autoscaler/prod-1/shop-prod/web/" + since + "/" + what, Kind: kind, At: time.Now(), Service: "shop/web", Env: "prod", About: "web@prod-1",
		Subject: "shop/web: CPU at autoscaler web on prod-1", Reason: "replicas went from 2 to 4", Result: result}
}

func TestOneAutoscalerIsOneThing(t *testing.T) {
	hot, ends := notify.Thread(autoscaler(release.EventHot, "100", ""))
	again, _ := notify.Thread(autoscaler(release.EventHot, "900", ""))
	calm, over := notify.Thread(autoscaler(release.EventCalm, "100", ""))
	if hot != "autoscaler/prod-1/shop-prod/web" || again != hot || calm != hot || ends || !over {
		t.Errorf("%q %q %q, ends %v %v", hot, again, calm, ends, over)
	}
	bad := autoscaler(release.EventHot, "100", "AtMaximum")
	bad.Severity = "error"
	for want, e := range map[string]release.Event{"warning": autoscaler(release.EventHot, "100", "Scaled"), "error": bad, "info": autoscaler(release.EventCalm, "100", "")} {
		if got := notify.Labels(e, "shop")["severity"]; got != want {
			t.Errorf("%s: %s, want %s", e.Kind, got, want)
		}
	}
}

func TestWhatAnAutoscalerDidIsSaidInBothLanguages(t *testing.T) {
	for result, zh := range map[string]string{"Scaled": "：已扩缩容", "AtMaximum": "：副本数已达上限", "Blocked": "：无法扩缩容", "Unmoved": "：未扩缩容"} {
		got := notify.Markdown(autoscaler(release.EventHot, "1", result), "zh", "")
		if !strings.Contains(got, `<font color="warning">shop/web web@prod-1 CPU 持续过高`+zh+"（prod）") || !strings.Contains(got, "原因: replicas went from 2 to 4") {
			t.Errorf("%s: %s", result, got)
		}
	}
	for result, zh := range map[string]string{"": "", "Unwatched": "：不再监测"} {
		if got := notify.Markdown(autoscaler(release.EventCalm, "1", result), "zh", ""); !strings.Contains(got, `<font color="info">shop/web web@prod-1 CPU 过高已结束`+zh+"（prod）") {
			t.Errorf("%q: %s", result, got)
		}
	}
	if got := notify.Markdown(autoscaler(release.EventHot, "1", "Scaled"), "en", ""); !strings.Contains(got, ">shop/web: CPU at autoscaler web on prod-1</font>") || !strings.Contains(got, "> reason: replicas went from 2 to 4") {
		t.Error(got)
	}
}

func TestAnAutoscalerThatStaysHotEscalates(t *testing.T) {
	for name, last := range map[string]string{"it stays hot": "it has not ended for 15m", "it is calm": "CPU 过高"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				robot, b := &weComRobot{t: t}, &book{newBox(autoscaler(release.EventHot, "1", "Scaled")), map[string]escalation.Matter{}}
				c, kinds := escalating(b, nil, robot), []release.EventKind{release.EventHot, release.EventCalm}
				d := newTown(channel("wecom", "ops", "zh", kinds...), channel("wecom", "ops-zh", "zh", kinds...))
				d.routes = []release.Route{{Matchers: []string{`kind=~"autoscaler[.].*"`, "team=shop"}, Channels: []string{"ops"}, Escalate: []release.Escalation{{After: release.Duration(15 * time.Minute), Channels: []string{"ops-zh"}}}}}
				c.Directory = d
				run(t, c)
				pass(time.Minute)
				if name == "it is calm" {
					b.tell(autoscaler(release.EventCalm, "1", ""))
				}
				pass(2 * time.Hour)
				if got := robot.texts(); len(got) != 2 || !strings.Contains(got[1], last) {
					t.Errorf("told %q", got)
				}
			})
		})
	}
}
