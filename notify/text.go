package notify

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seatrial/seatrial/release"
)

// words are what a language calls things.
type words struct {
	kinds                       map[release.EventKind]string
	in, env, reason, hint, open string
	events, more                string // formats with a number
}

func wordsOf(language string) words {
	if language == "zh" {
		return words{
			kinds: map[release.EventKind]string{
				release.EventPhase: "进入新阶段", release.EventVerified: "验证通过", release.EventFailed: "失败", release.EventRolledBack: "已回滚",
				release.EventHeld: "需要人工处理", release.EventBreach: "SLO 不达标", release.EventRecovered: "SLO 已恢复",
				release.EventExperiment: "实验已结束", release.EventDrift: "配置漂移已修复",
				release.EventCaughtUp: "集群已跟上", release.EventWithdrawn: "已从集群撤出",
			},
			in: "%s（%s）", env: "环境", reason: "原因", hint: "建议", open: "打开控制台", events: "%d 条通知", more: "另有 %d 条",
		}
	}
	return words{
		kinds: map[release.EventKind]string{
			release.EventPhase: "moved on", release.EventVerified: "verified", release.EventFailed: "failed", release.EventRolledBack: "rolled back",
			release.EventHeld: "needs a person", release.EventBreach: "SLO breached", release.EventRecovered: "SLO recovered",
			release.EventExperiment: "experiment finished", release.EventDrift: "drift healed",
			release.EventCaughtUp: "cluster caught up", release.EventWithdrawn: "withdrawn from a cluster",
		},
		in: "%s in %s", env: "environment", reason: "reason", hint: "next step", open: "open the console", events: "%d events", more: "and %d more",
	}
}

// colour is the word WeCom has for good, bad and everything else.
func colour(kind release.EventKind) string {
	switch kind {
	case release.EventVerified, release.EventRecovered:
		return "info"
	case release.EventFailed, release.EventRolledBack, release.EventHeld, release.EventBreach:
		return "warning"
	}
	return "comment"
}

// headline is one line about an event. English is the event's own sentence; another
// language is put together from its fields.
func headline(e release.Event, language string) string {
	if line := plainText(e.Subject, 400); line != "" && (language != "zh" || e.Service == "") {
		return line
	}
	w := wordsOf(language)
	what := w.kinds[e.Kind]
	if what == "" {
		what = string(e.Kind)
	}
	if e.Kind == release.EventPhase {
		what = e.Phase.String()
	}
	line := fmt.Sprintf("%s %s %s", e.Service, e.Commit.Short(), what)
	if e.Env != "" {
		line = fmt.Sprintf(w.in, line, e.Env)
	}
	return plainText(line, 400)
}

// markdown is one event in full. Its parts are cut one by one, so that no cut leaves
// half a tag behind.
func markdown(e release.Event, language, console string) string {
	w := wordsOf(language)
	var b strings.Builder
	fmt.Fprintf(&b, "## <font color=\"%s\">%s</font>", colour(e.Kind), headline(e, language))
	field := func(name, value string, limit int) {
		if value = plainText(value, limit); value != "" {
			fmt.Fprintf(&b, "\n> %s: %s", name, value)
		}
	}
	field(w.env, string(e.Env), 100)
	field(w.reason, e.Reason, 2000)
	field(w.hint, e.Hint, 600)
	if link := linkTo(e, console); link != "" {
		fmt.Fprintf(&b, "\n[%s](%s)", w.open, link)
	}
	return b.String()
}

// digest is many events in one message of at most limit bytes, the newest first.
func digest(messages []Message, language string, limit int) string {
	w := wordsOf(language)
	text := "## " + fmt.Sprintf(w.events, len(messages))
	for i := range messages {
		e := messages[len(messages)-1-i].Event
		line := fmt.Sprintf("\n> <font color=\"%s\">%s</font>", colour(e.Kind), headline(e, language))
		rest := "\n> " + fmt.Sprintf(w.more, len(messages)-i)
		if len(text)+len(line)+len(rest) > limit {
			return text + rest
		}
		text += line
	}
	return text
}

func linkTo(e release.Event, console string) string {
	if console == "" || e.Release == "" {
		return ""
	}
	return strings.TrimSuffix(console, "/") + "/releases/" + string(e.Release)
}

// plainText makes text from outside harmless in a chat: one line, no tags, so that a
// commit message mentions nobody, and at most limit bytes.
func plainText(s string, limit int) string {
	s = strings.NewReplacer("<", "‹", ">", "›", "[", "(", "]", ")").Replace(oneLine(s))
	return cut(s, limit)
}

func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r):
			return ' '
		case r == utf8.RuneError: // what JSON makes of bytes that are no text
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return strings.Join(strings.Fields(s), " ")
}

// cut shortens to limit bytes between two characters and marks the cut.
func cut(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:max(end, 0)] + mark
}
