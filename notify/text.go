package notify

import (
	"fmt"
	"strings"

	"github.com/seatrial/seatrial/notify/wire"
	"github.com/seatrial/seatrial/release"
)

// words are what a language calls things.
type words struct {
	kinds                       map[release.EventKind]string
	results                     map[string]string // of an experiment; none: its own word
	in, env, reason, hint, open string
	events, more                string // formats with a number
}

func wordsOf(language string) words {
	if language == "zh" {
		return words{
			kinds: map[release.EventKind]string{
				release.EventPhase: "进入新阶段", release.EventVerified: "验证通过", release.EventFailed: "失败", release.EventRolledBack: "已回滚",
				release.EventHeld: "需要人工处理", release.EventBreach: "SLO 不达标", release.EventRecovered: "SLO 已恢复",
				release.EventExperiment: "实验已结束", release.EventUnsteady: "实验失败率过高", release.EventUnapproved: "实验等待批准", release.EventSummary: "实验周报", release.EventDrift: "配置漂移已修复",
				release.EventCaughtUp: "集群已跟上", release.EventWithdrawn: "已从集群撤出",
				release.EventAlert: "告警", release.EventAlertEnded: "告警已恢复",
				release.EventHot: "CPU 持续过高", release.EventCalm: "CPU 过高已结束",
			},
			results: map[string]string{"Passed": "通过", "Failed": "未通过", "Invalid": "无效", "Aborted": "已中止", "Stuck": "故障无法撤销",
				"Scaled": "已扩缩容", "AtMaximum": "副本数已达上限", "Blocked": "无法扩缩容", "Unmoved": "未扩缩容", "Unwatched": "不再监测"},
			in: "%s（%s）", env: "环境", reason: "原因", hint: "建议", open: "打开控制台", events: "%d 条通知", more: "另有 %d 条",
		}
	}
	return words{
		kinds: map[release.EventKind]string{
			release.EventPhase: "moved on", release.EventVerified: "verified", release.EventFailed: "failed", release.EventRolledBack: "rolled back",
			release.EventHeld: "needs a person", release.EventBreach: "SLO breached", release.EventRecovered: "SLO recovered",
			release.EventExperiment: "experiment finished", release.EventUnsteady: "experiments keep failing", release.EventUnapproved: "an experiment needs approvals", release.EventSummary: "experiments of the week", release.EventDrift: "drift healed",
			release.EventCaughtUp: "cluster caught up", release.EventWithdrawn: "withdrawn from a cluster",
			release.EventAlert: "alert", release.EventAlertEnded: "alert resolved",
			release.EventHot: "CPU stays high", release.EventCalm: "high CPU is over",
		},
		in: "%s in %s", env: "environment", reason: "reason", hint: "next step", open: "open the console", events: "%d events", more: "and %d more",
	}
}

// colour is the word WeCom has for good, bad and everything else.
func colour(kind release.EventKind) string {
	switch kind {
	case release.EventVerified, release.EventRecovered, release.EventAlertEnded, release.EventCalm:
		return "info"
	case release.EventFailed, release.EventRolledBack, release.EventHeld, release.EventBreach, release.EventAlert, release.EventUnsteady, release.EventHot:
		return "warning"
	}
	return "comment"
}

// headline is one line about an event. English is the event's own sentence; another
// language is put together from its fields.
func headline(e release.Event, language string) string {
	w, line := wordsOf(language), wire.Plain(e.Subject, 400)
	named := e.Kind == release.EventAlert || e.Kind == release.EventAlertEnded || e.Kind == release.EventSummary // its own words do not say what it is
	switch {
	case line == "":
	case named:
		return wire.Plain(w.kinds[e.Kind]+": "+line, 400)
	case language != "zh" || e.Service == "":
		return line
	}
	what := w.kinds[e.Kind]
	if what == "" {
		what = string(e.Kind)
	}
	if e.Kind == release.EventPhase {
		what = e.Phase.String()
	}
	if result := w.results[e.Result]; result != "" {
		what += "：" + result
	}
	line = strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", e.Service, e.Commit.Short(), e.About, what)), " ")
	if e.Env != "" {
		line = fmt.Sprintf(w.in, line, e.Env)
	}
	return wire.Plain(line, 400)
}

// facts are what is known about an event, a line each, cut one by one.
func facts(e release.Event, language string) []string {
	w := wordsOf(language)
	var lines []string
	field := func(name, value string, limit int) {
		if value = wire.Plain(value, limit); value != "" {
			lines = append(lines, name+": "+value)
		}
	}
	field(w.env, string(e.Env), 100)
	field(w.reason, e.Reason, 2000)
	field(w.hint, e.Hint, 600)
	return lines
}

// markdown is one event in full, as WeCom has it. Its parts are cut one by one, so that no
// cut leaves half a tag behind.
func markdown(e release.Event, language, console string) string {
	text := fmt.Sprintf("## <font color=\"%s\">%s</font>", colour(e.Kind), headline(e, language))
	for _, line := range facts(e, language) {
		text += "\n> " + line
	}
	if link := linkTo(e, console); link != "" {
		text += fmt.Sprintf("\n[%s](%s)", wordsOf(language).open, link)
	}
	return text
}

// digest is many events in one message of WeCom of at most limit bytes.
func digest(messages []Message, language string, limit int) string {
	title := "## " + digestTitle(messages, language)
	return title + fit(messages, language, limit-len(title), "\n> ", func(e release.Event) string {
		return fmt.Sprintf("<font color=\"%s\">%s</font>", colour(e.Kind), headline(e, language))
	})
}

// digestText is many events, a line each, of at most limit bytes.
func digestText(messages []Message, language string, limit int) string {
	return strings.TrimPrefix(fit(messages, language, limit, "\n", func(e release.Event) string { return headline(e, language) }), "\n")
}

func digestTitle(messages []Message, language string) string {
	return fmt.Sprintf(wordsOf(language).events, len(messages))
}

// fit joins lines, the newest event first, and says how many did not fit.
func fit(messages []Message, language string, limit int, start string, line func(release.Event) string) string {
	text := ""
	for i := range messages {
		next := start + line(messages[len(messages)-1-i].Event)
		rest := start + fmt.Sprintf(wordsOf(language).more, len(messages)-i)
		if len(text)+len(next)+len(rest) > limit {
			return text + rest
		}
		text += next
	}
	return text
}

func linkTo(e release.Event, console string) string {
	if console == "" || e.Release == "" {
		return ""
	}
	return strings.TrimSuffix(console, "/") + "/releases/" + string(e.Release)
}
