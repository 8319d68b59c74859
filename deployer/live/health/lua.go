package health

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/internal/hint"
)

// What one run of a script may use.
const (
	luaTime   = 5 * time.Second
	luaSteps  = 2_000_000 // instructions
	luaStack  = 128       // calls deep
	luaText   = 1 << 20   // bytes of one string that is made by repeating
	luaValues = 64 << 10  // that are handed over at one time
)

// script is one health.lua.
type script struct {
	place
	file string
	code *lua.FunctionProto
}

func compileScript(file, text string) (script, error) {
	at, err := placeOf(file)
	if err != nil {
		return script{}, err
	}
	chunk, err := parse.Parse(strings.NewReader(text), "health/"+file)
	if err == nil {
		var code *lua.FunctionProto
		if code, err = lua.Compile(chunk, "health/"+file); err == nil {
			return script{at, file, code}, nil
		}
	}
	return script{}, hint.Add(errors.New(oneLine(err)), "it has to be Lua 5.1 that returns a table with status and message")
}

// ask runs the script with the object as obj.
func (s script) ask(o *unstructured.Unstructured) (*health.HealthStatus, error) {
	l := lua.NewState(lua.Options{SkipOpenLibs: true, CallStackSize: luaStack, RegistrySize: 1024, RegistryGrowStep: luaValues / 8, RegistryMaxSize: luaValues})
	defer l.Close()
	openLibraries(l)
	b := &budget{until: time.Now().Add(luaTime), left: luaSteps}
	l.SetContext(b)
	l.SetGlobal("obj", valueOf(l, o.Object))
	if err := l.CallByParam(lua.P{Fn: l.NewFunctionFromProto(s.code), NRet: 1, Protect: true}); err != nil {
		if b.spent {
			return nil, fmt.Errorf("health/%s: stopped after %d instructions or %s", s.file, luaSteps, luaTime)
		}
		return nil, errors.New(oneLine(err))
	}
	return opinion(s.file, l.Get(-1))
}

// opinion reads what the script returned: a table with status and message, or nothing.
func opinion(file string, v lua.LValue) (*health.HealthStatus, error) {
	if v == lua.LNil {
		return nil, nil
	}
	t, ok := v.(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("health/%s returns a %s, not a table", file, v.Type())
	}
	status := health.HealthStatusCode(lua.LVAsString(t.RawGetString("status")))
	known := []health.HealthStatusCode{health.HealthStatusHealthy, health.HealthStatusProgressing, health.HealthStatusDegraded,
		health.HealthStatusSuspended, health.HealthStatusMissing, health.HealthStatusUnknown}
	switch {
	case status == "":
		return nil, nil // an empty table, as many scripts return while there is no status
	case !slices.Contains(known, status):
		return nil, fmt.Errorf("health/%s returns the status %q, which there is not", file, status)
	}
	return &health.HealthStatus{Status: status, Message: lua.LVAsString(t.RawGetString("message"))}, nil
}

// valueOf turns JSON into Lua.
func valueOf(l *lua.LState, v any) lua.LValue {
	switch at := v.(type) {
	case map[string]any:
		t := l.CreateTable(0, len(at))
		for k, item := range at {
			t.RawSetString(k, valueOf(l, item))
		}
		return t
	case []any:
		t := l.CreateTable(len(at), 0)
		for _, item := range at {
			t.Append(valueOf(l, item))
		}
		return t
	case string:
		return lua.LString(at)
	case bool:
		return lua.LBool(at)
	case int64:
		return lua.LNumber(at)
	case float64:
		return lua.LNumber(at)
	}
	return lua.LNil
}

// openLibraries gives a script what has no effect outside of it.
func openLibraries(l *lua.LState) {
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString, lua.MathLibName: lua.OpenMath} {
		l.Push(l.NewFunction(open))
		l.Push(lua.LString(name))
		l.Call(1, 0)
	}
	for _, name := range []string{"dofile", "loadfile", "load", "loadstring", "module", "newproxy", "collectgarbage", "_printregs", "getfenv", "setfenv"} {
		l.SetGlobal(name, lua.LNil)
	}
	l.SetGlobal("print", l.NewFunction(func(*lua.LState) int { return 0 }))
	if m, ok := l.GetGlobal(lua.MathLibName).(*lua.LTable); ok {
		m.RawSetString("randomseed", l.NewFunction(func(*lua.LState) int { return 0 })) // it is the process's
	}
	if str, ok := l.GetGlobal(lua.StringLibName).(*lua.LTable); ok {
		str.RawSetString("rep", l.NewFunction(repeat))
	}
	clock := l.NewTable()
	clock.RawSetString("time", l.NewFunction(now))
	clock.RawSetString("date", l.NewFunction(date))
	l.SetGlobal(lua.OsLibName, clock)
	l.SetGlobal("require", l.NewFunction(func(l *lua.LState) int {
		if name := l.CheckString(1); name != lua.OsLibName {
			l.RaiseError("there is no module %s", name)
		}
		l.Push(clock)
		return 1
	}))
}

func repeat(l *lua.LState) int {
	s, n := l.CheckString(1), l.CheckInt(2)
	if n > 0 && len(s)*n > luaText || n > luaText {
		l.RaiseError("string.rep makes more than %d bytes", luaText)
	}
	l.Push(lua.LString(strings.Repeat(s, max(n, 0))))
	return 1
}

// now is os.time, without an argument or with a table as os.date("*t") makes it.
func now(l *lua.LState) int {
	t, ok := l.Get(1).(*lua.LTable)
	if !ok {
		l.Push(lua.LNumber(time.Now().Unix()))
		return 1
	}
	field := func(name string, otherwise int) int {
		if n, ok := t.RawGetString(name).(lua.LNumber); ok {
			return int(n)
		}
		return otherwise
	}
	at := time.Date(field("year", 1970), time.Month(field("month", 1)), field("day", 1), field("hour", 12), field("min", 0), field("sec", 0), 0, time.UTC)
	l.Push(lua.LNumber(at.Unix()))
	return 1
}

// date is os.date in UTC: "*t" gives a table, anything else RFC 3339.
func date(l *lua.LState) int {
	at := time.Now().UTC()
	if l.GetTop() > 1 {
		at = time.Unix(l.CheckInt64(2), 0).UTC()
	}
	if format := l.OptString(1, ""); strings.TrimPrefix(format, "!") != "*t" {
		l.Push(lua.LString(at.Format(time.RFC3339)))
		return 1
	}
	t := l.NewTable()
	for name, n := range map[string]int{"year": at.Year(), "month": int(at.Month()), "day": at.Day(), "hour": at.Hour(), "min": at.Minute(), "sec": at.Second(), "wday": int(at.Weekday()) + 1, "yday": at.YearDay()} {
		t.RawSetString(name, lua.LNumber(n))
	}
	l.Push(t)
	return 1
}

// budget is the context of one run: Lua asks it before every instruction.
type budget struct {
	until time.Time
	left  int
	spent bool
}

var (
	closed   = func() chan struct{} { c := make(chan struct{}); close(c); return c }()
	errSpent = errors.New("it takes too long")
)

// Deadline is when the run ends at the latest.
func (b *budget) Deadline() (time.Time, bool) { return b.until, true }

// Done counts an instruction; it is ready once too many were asked for, or the time is up.
func (b *budget) Done() <-chan struct{} {
	b.left--
	if b.left <= 0 || b.left%1024 == 0 && time.Now().After(b.until) {
		b.spent = true
	}
	if b.spent {
		return closed
	}
	return nil
}

// Err says why the run has ended.
func (b *budget) Err() error {
	if b.spent {
		return errSpent
	}
	return nil
}

// Value has none.
func (b *budget) Value(any) any { return nil }

func oneLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}
