package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos/report"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/release"
)

func ended(service release.Service, experiment, state string, hours float64, took ...float64) schedule.Run {
	r := schedule.Run{ID: fmt.Sprint(experiment, hours), Service: service, Experiment: experiment, State: state, Ended: began.Add(time.Duration(hours * float64(time.Hour)))}
	for _, s := range took {
		ev := release.Evidence{Facts: map[string]string{"experiment": experiment, "attempt": "1", "about": "recovered"}, Holds: s >= 0, Measured: ptr(s)}
		if s < 0 {
			ev.Measured = nil
		}
		r.Trial = &release.Trial{Evidence: []release.Evidence{ev}}
	}
	return r
}

// week is seven days of three experiments.
func week() report.Summary {
	return report.Summarise([]schedule.Run{
		ended("pay/payment", "delay", schedule.Passed, 1, 2), ended("pay/payment", "delay", schedule.Failed, 25, 8), ended("pay/payment", "delay", schedule.Passed, 49, 3),
		ended("pay/payment", "kill", schedule.Failed, 2, -1), ended("pay/payment", "kill", schedule.Invalid, 26), ended("shop/web", "kill", schedule.Aborted, 3),
		ended("shop/web", "kill", schedule.Passed, 0), ended("shop/web", "kill", schedule.Passed, 7*24+1), ended("shop/web", "kill", schedule.Measuring, 5),
	}, began, began.Add(7*24*time.Hour), nil)
}

func TestASummaryCountsWhatEndedInItsTimeAndToldSomething(t *testing.T) {
	s := week()
	if got := s.Total; got.Runs != 6 || got.Passed != 2 || got.Failed != 2 || got.Invalid != 1 || got.Aborted != 1 || got.Recovered != 3 || got.Unwhole != 1 || *got.Median != 3 || *got.Worst != 8 {
		t.Errorf("total %+v", got)
	}
	if *s.Total.Rate != 0.5 || s.Total.Low < 0.15 || s.Total.Low > 0.2 || s.Total.High < 0.8 || s.Total.High > 0.85 {
		t.Errorf("rate %v in %v to %v", *s.Total.Rate, s.Total.Low, s.Total.High)
	}
	var order []string
	for _, r := range s.Rows {
		order = append(order, fmt.Sprint(r.Service, "|", r.Experiment, "|", r.Runs))
	}
	if got := strings.Join(order, " "); got != "pay/payment||5 pay/payment|delay|3 pay/payment|kill|2 shop/web||1 shop/web|kill|1" {
		t.Error(got)
	}
	web := s.Rows[3]
	if web.Rate != nil || web.Low != 0 || web.High != 1 || web.Median != nil || !strings.Contains(strings.Join(web.Cells(report.English), " "), "nothing told") {
		t.Errorf("a service of which nothing is known: %+v", web)
	}
}

func TestASummaryOfSomeServicesIsOfTheirsOnly(t *testing.T) {
	runs := []schedule.Run{ended("pay/payment", "delay", schedule.Passed, 1), ended("shop/web", "kill", schedule.Failed, 1)}
	s := report.Summarise(runs, began, began.Add(time.Hour), func(x release.Service) bool { return x.Team() == "pay" })
	if s.Total.Runs != 1 || s.Total.Failed != 0 || len(s.Rows) != 2 {
		t.Errorf("%+v", s)
	}
	if none := report.Summarise(nil, began, began, nil); none.Line(report.English) != "no run ended in this time" || len(none.Rows) != 0 {
		t.Errorf("%+v", none)
	}
}

func TestAChatIsToldOfTheWorstServicesFirst(t *testing.T) {
	var runs []schedule.Run
	for i := range 30 {
		state := schedule.Passed
		if i == 29 {
			state = schedule.Failed
		}
		runs = append(runs, ended(release.Service(fmt.Sprintf("pay/s%02d", i)), "kill", state, 1))
	}
	got := report.Summarise(runs, began, began.Add(2*time.Hour), nil).Services()
	if !strings.HasPrefix(got, "pay/s29: 1 runs, 1 failed") || !strings.HasSuffix(got, "; and 10 more services") || strings.Count(got, ";") != 20 {
		t.Error(got)
	}
}
