package slo_test

import (
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/source"
)

func TestEqualQuestionsAtOnceAreOneQuery(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "1000", "total": "1000"})
	g := gate(t, p.URL, begin.Add(time.Minute), availability())
	var all sync.WaitGroup
	for range 50 { // releases that are looked at in the same second
		all.Go(func() {
			if _, v, err := g.Check(t.Context(), "", deployed("a")); err != nil || v.Outcome() != release.Passed {
				t.Errorf("%v %v", v.Outcome(), err)
			}
		})
	}
	all.Wait()
	if got := p.questions(); len(got) != 2 {
		t.Errorf("%d queries for two expressions: %v", len(got), got)
	}
}

func TestAFailedQuestionIsAskedAgain(t *testing.T) {
	p := newPrometheus(t, map[string]string{"up": "1"})
	client, err := source.New(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := client.Ask(t.Context(), "x", "broken", begin); err == nil {
			t.Fatal("no error")
		}
	}
	if got := p.questions(); len(got) != 2 {
		t.Errorf("asked %v, want the failed question twice", got)
	}
}
