package autoscale_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/deployer/autoscale"
)

// unknown stands for CPU that is not known, and away for no sight at all.
const (
	unknown = -1
	away    = -2
)

// times are so many sights of one load, 15 s apart.
type times struct{ n, percent int }

func sight(at time.Time, percent int) autoscale.Sight {
	s := autoscale.Sight{At: at, Replicas: 3, Before: 3, Max: 10}
	if percent != unknown {
		s.Load = autoscale.Load{Known: true, Percent: percent, Target: 70}
	}
	return s
}

// story plays sights and lists what happened when: "Hot@5m0s".
func story(t *testing.T, r autoscale.Rule, parts ...times) string {
	t.Helper()
	var told []string
	e, now := autoscale.Episode{}, noon
	for _, p := range parts {
		for range p.n {
			if p.percent != away {
				var c autoscale.Change
				e, c = autoscale.Next(restarted(t, e), r, sight(now, p.percent))
				switch c {
				case autoscale.Hot, autoscale.Calm, autoscale.Gone, autoscale.Forgotten:
					told = append(told, fmt.Sprintf("%v@%v", c, now.Sub(noon)))
				}
				if !e.Ended.IsZero() {
					e = autoscale.Episode{}
				}
			}
			now = now.Add(15 * time.Second)
		}
	}
	return strings.Join(told, " ")
}

// restarted is an episode as another process reads it from the store.
func restarted(t *testing.T, e autoscale.Episode) autoscale.Episode {
	t.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var out autoscale.Episode
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFiveMinutesOverAreToldOnce(t *testing.T) {
	usual := autoscale.Usual()
	for _, c := range []struct {
		name  string
		rule  autoscale.Rule
		parts []times
		want  string
	}{
		{"over for five minutes, told once, however long it lasts", usual, []times{{400, 86}}, "Hot@5m0s"},
		{"one sight too few", usual, []times{{20, 99}, {1, 80}}, "Forgotten@5m0s"},
		{"85 is not over 85", usual, []times{{400, 85}}, ""},
		{"flapping is not for five minutes", usual, []times{{19, 140}, {1, 85}, {19, 140}, {1, 85}, {19, 140}}, "Forgotten@4m45s Forgotten@9m45s"},
		{"its end is told after five minutes below, once", usual, []times{{30, 90}, {100, 40}}, "Hot@5m0s Calm@12m30s"},
		{"a moment over begins the wait for its end anew, and tells nothing", usual, []times{{30, 90}, {19, 40}, {1, 90}, {21, 40}, {9, 40}}, "Hot@5m0s Calm@17m30s"},
		{"hot again is told again", usual, []times{{21, 90}, {21, 40}, {21, 90}}, "Hot@5m0s Calm@10m15s Hot@15m30s"},
		{"a minute without numbers is neither over nor under", usual, []times{{10, 90}, {4, unknown}, {10, 90}}, "Hot@5m0s"},
		{"two minutes without numbers are a gap: what was before is forgotten", usual, []times{{10, 90}, {8, unknown}, {20, 90}, {1, 90}}, "Forgotten@4m0s Hot@9m30s"},
		{"two minutes without a look are a gap", usual, []times{{10, 90}, {8, away}, {20, 90}, {1, 90}}, "Hot@9m30s"},
		{"after a gap that hides the end nothing is told of it", usual, []times{{10, 90}, {8, away}, {40, 40}}, "Forgotten@4m30s"},
		{"a server that is away for a minute goes on", usual, []times{{10, 90}, {4, away}, {10, 90}}, "Hot@5m0s"},
		{"no numbers while it is hot end nothing", usual, []times{{30, 90}, {100, unknown}, {30, 40}}, "Hot@5m0s Calm@37m30s"},
		{"a gap is no calm", usual, []times{{30, 90}, {10, 40}, {40, away}, {30, 40}}, "Hot@5m0s Calm@25m0s"},
		{"numbers that never come", usual, []times{{400, unknown}}, ""},
		{"another share and another time", autoscale.Rule{Over: 120, For: 10 * time.Minute}, []times{{100, 119}, {45, 121}}, "Hot@35m0s"},
		{"off", autoscale.Rule{Over: 85, For: time.Minute, Off: true}, []times{{100, 200}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := story(t, c.rule, c.parts...); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestNoticesTurnedOffEndAnEpisode(t *testing.T) {
	off := autoscale.Rule{Over: 85, For: 5 * time.Minute, Off: true}
	young, _ := autoscale.Next(autoscale.Episode{}, autoscale.Usual(), sight(noon, 90))
	if _, c := autoscale.Next(young, off, sight(noon.Add(time.Minute), 90)); c != autoscale.Forgotten {
		t.Errorf("nobody was told of it: %v", c)
	}
	if e, c := autoscale.Next(hot(t), off, sight(noon.Add(time.Hour), 90)); c != autoscale.Gone || e.Ended.IsZero() {
		t.Errorf("people were told of it: %v", c)
	}
}

func TestALookThatWasOvertakenChangesNothing(t *testing.T) {
	e := hot(t)
	if after, c := autoscale.Next(e, autoscale.Usual(), sight(e.Last, 10)); c != autoscale.Same || !after.Below.IsZero() {
		t.Errorf("%v %+v", c, after)
	}
}

// hot is an episode of which people were told at 12:05.
func hot(t *testing.T) autoscale.Episode {
	t.Helper()
	e := autoscale.Episode{Cluster: "prod-1", Namespace: "shop-prod", Name: "web", Service: "shop/web", Env: "prod"}
	var c autoscale.Change
	for i := range 21 {
		e, c = autoscale.Next(e, autoscale.Usual(), sight(noon.Add(time.Duration(i)*15*time.Second), 90))
	}
	if c != autoscale.Hot {
		t.Fatal(c)
	}
	return e
}

// TestWhatIsToldIsTrue plays random loads and looks back whether what was told is so.
func TestWhatIsToldIsTrue(t *testing.T) {
	const maxGap = 90 * time.Second
	r := autoscale.Rule{Over: 85, For: 2 * time.Minute}
	told := 0
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		var seen []autoscale.Sight // that knew the CPU
		e, now, isHot := autoscale.Episode{}, noon, false
		for range 400 {
			now = now.Add(time.Duration(1+random.IntN(20)) * time.Second)
			if random.IntN(40) == 0 {
				now = now.Add(time.Duration(random.IntN(200)) * time.Second)
			}
			percent := 80 + random.IntN(7)
			if stretch := now.Sub(noon) / (5 * time.Minute); stretch%2 == 1 { // now and then it stays high
				percent = 86 + random.IntN(100)
			}
			if random.IntN(10) == 0 {
				percent = unknown
			}
			s := sight(now, percent)
			var c autoscale.Change
			e, c = autoscale.Next(restarted(t, e), r, s)
			if s.Load.Known {
				seen = append(seen, s)
			}
			over, for2m := stretch(seen, r, maxGap)
			switch {
			case c == autoscale.Hot && (isHot || !over || !for2m), c == autoscale.Calm && (!isHot || over || !for2m):
				t.Fatalf("seed %d: %v at %v", seed, c, now.Sub(noon))
			case !isHot && s.Load.Known && over && for2m && c != autoscale.Hot:
				t.Fatalf("seed %d: over for two minutes at %v and %v", seed, now.Sub(noon), c)
			case isHot && s.Load.Known && !over && for2m && c != autoscale.Calm:
				t.Fatalf("seed %d: below for two minutes at %v and %v", seed, now.Sub(noon), c)
			}
			switch c {
			case autoscale.Hot:
				isHot, told = true, told+1
			case autoscale.Calm:
				isHot = false
			}
			if !e.Ended.IsZero() {
				e = autoscale.Episode{}
			}
		}
	}
	if told < 300 {
		t.Errorf("only %d episodes in all stories", told)
	}
}

// stretch is whether the newest sight is over, and whether all of the rule's time before it
// was like that, without a gap.
func stretch(seen []autoscale.Sight, r autoscale.Rule, maxGap time.Duration) (over, whole bool) {
	if len(seen) == 0 {
		return false, false
	}
	last := seen[len(seen)-1]
	over = last.Load.Percent > r.Over
	for i := len(seen) - 1; i >= 0; i-- {
		if seen[i].Load.Percent > r.Over != over || i < len(seen)-1 && seen[i+1].At.Sub(seen[i].At) > maxGap {
			return over, false
		}
		if last.At.Sub(seen[i].At) >= r.For {
			return over, true
		}
	}
	return over, false
}

func TestEveryChangeHasAWord(t *testing.T) {
	words := map[string]bool{}
	for c := autoscale.Unknown; c <= autoscale.Gone; c++ {
		words[c.String()] = true
	}
	if len(words) != 7 || !words["Unknown"] || !words["Gone"] {
		t.Errorf("%v", words)
	}
}
