package faults

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// reader checks a value that a person wrote and says it as the spec wants it.
type reader struct {
	want string
	read func(any) (any, bool)
}

const maxText = 4096

func shown(v any) string {
	text := fmt.Sprintf("%v", v)
	if s, ok := v.(string); ok {
		text = strconv.Quote(s)
	}
	if r := []rune(text); len(r) > 60 {
		text = string(r[:59]) + "…"
	}
	return text
}

// duration is a positive duration, at most an hour.
func duration() reader { return span(time.Nanosecond, time.Hour) }

func span(least, most time.Duration) reader {
	return reader{"a duration like 100ms", func(v any) (any, bool) {
		s, ok := v.(string)
		d, err := time.ParseDuration(s)
		return s, ok && err == nil && d >= least && d <= most
	}}
}

// offset is a duration that may be negative.
func offset() reader {
	return reader{"a duration like -10m, at most a year", func(v any) (any, bool) {
		s, ok := v.(string)
		d, err := time.ParseDuration(s)
		return s, ok && err == nil && d != 0 && d.Abs() <= 366*24*time.Hour
	}}
}

// share is a percentage as Chaos Mesh writes it: text.
func share() reader {
	return reader{"a percentage from 0 to 100", func(v any) (any, bool) {
		f, ok := number(v)
		return strconv.FormatFloat(f, 'f', -1, 64), ok && f >= 0 && f <= 100
	}}
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case float64:
		return n, !math.IsNaN(n)
	case string:
		f, err := strconv.ParseFloat(strings.TrimSuffix(n, "%"), 64)
		return f, err == nil && !math.IsNaN(f)
	}
	return 0, false
}

// whole is a whole number; it may have come through JSON.
func whole(least, most int64) reader {
	return reader{fmt.Sprintf("a whole number from %d to %d", least, most), func(v any) (any, bool) {
		if _, text := v.(string); text {
			return nil, false
		}
		f, ok := number(v)
		return int64(f), ok && f == math.Trunc(f) && f >= float64(least) && f <= float64(most)
	}}
}

// within is a duration between two.
func within(least, most time.Duration) reader {
	r := span(least, most)
	r.want = fmt.Sprintf("a duration from %s to %s", least, most)
	return r
}

// What programs may be told: a mark on the pod has to hold them.
const (
	maxArgs     = 32
	maxArgBytes = 4096
)

// program is a program with its arguments, as the kernel gets them: no shell reads them,
// and a number would not be what was written (0644 is 420).
func program(what string) reader {
	return reader{`a list of text (numbers in quotes): ` + what, func(v any) (any, bool) {
		in, ok := v.([]any)
		if !ok || len(in) == 0 || len(in) > maxArgs {
			return nil, false
		}
		out, size := make([]string, 0, len(in)), 0
		for i, element := range in {
			arg, ok := element.(string)
			if size += len(arg); !ok || i == 0 && arg == "" || strings.ContainsRune(arg, 0) || size > maxArgBytes {
				return nil, false
			}
			out = append(out, arg)
		}
		return out, true
	}}
}

func oneOf(words ...string) reader {
	return reader{"one of " + strings.Join(words, ", "), func(v any) (any, bool) {
		for _, w := range words {
			if v == w {
				return w, true
			}
		}
		return nil, false
	}}
}

func text(want string) reader {
	return reader{want, func(v any) (any, bool) {
		s, ok := v.(string)
		return s, ok && s != "" && len(s) <= maxText && !strings.ContainsRune(s, 0)
	}}
}

// encoded is text that the API keeps as bytes.
func encoded() reader {
	return reader{"text", func(v any) (any, bool) {
		s, ok := v.(string)
		return base64.StdEncoding.EncodeToString([]byte(s)), ok && len(s) <= maxText
	}}
}

// matching is text of a pattern.
func matching(want, pattern string) reader {
	re := regexp.MustCompile(pattern)
	return reader{want, func(v any) (any, bool) {
		s, ok := v.(string)
		return s, ok && re.MatchString(s)
	}}
}

const maxList = 50

// list is a list of things, never an empty one.
func list(of reader) reader {
	return reader{"a list, each " + of.want, func(v any) (any, bool) {
		in, ok := v.([]any)
		if !ok || len(in) == 0 || len(in) > maxList {
			return nil, false
		}
		out := make([]any, 0, len(in))
		for _, element := range in {
			value, ok := of.read(element)
			if !ok {
				return nil, false
			}
			out = append(out, value)
		}
		return out, true
	}}
}

// pairs is a map of text, never an empty one.
func pairs(key, value *regexp.Regexp, want string) reader {
	return reader{want, func(v any) (any, bool) {
		in, ok := v.(map[string]any)
		if !ok || len(in) == 0 || len(in) > maxList {
			return nil, false
		}
		for k, element := range in {
			s, ok := element.(string)
			if !ok || !key.MatchString(k) || !value.MatchString(s) {
				return nil, false
			}
		}
		return in, true
	}}
}

func labels() reader {
	return pairs(regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`),
		regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`), "labels like {app: etcd}, at least one")
}

func headers() reader {
	return pairs(regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$"), regexp.MustCompile(`^[ -~]{0,1000}$`), "headers like {X-Slow: yes}, at least one")
}

// listed turns a map into the list of pairs that patches are written as.
func listed(of reader) reader {
	return reader{of.want, func(v any) (any, bool) {
		value, ok := of.read(v)
		if !ok {
			return nil, false
		}
		in := value.(map[string]any)
		out := make([]any, 0, len(in))
		for _, k := range sortedKeys(in) {
			out = append(out, []any{k, in[k]})
		}
		return out, true
	}}
}

// frames turns names of functions into a call chain.
func frames() reader {
	names := list(matching("a function of the kernel", `^[A-Za-z_][A-Za-z0-9_.]{0,100}$`))
	return reader{names.want, func(v any) (any, bool) {
		value, ok := names.read(v)
		if !ok {
			return nil, false
		}
		var out []any
		for _, name := range value.([]any) {
			out = append(out, map[string]any{"funcname": name})
		}
		return out, true
	}}
}

// outside is an address, a network or a name outside of the cluster; never one of the
// machine itself.
func outside() reader {
	name := regexp.MustCompile(`^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z][-a-z0-9]*[a-z0-9]$`)
	return reader{"an address, a network or a host name", func(v any) (any, bool) {
		s, ok := v.(string)
		if !ok || len(s) > 253 {
			return nil, false
		}
		if a, err := netip.ParseAddr(s); err == nil {
			return s, a.Zone() == ""
		}
		if _, err := netip.ParsePrefix(s); err == nil {
			return s, true
		}
		return s, name.MatchString(s)
	}}
}
