package details_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/deployer/live/details"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func at(minutes int) metav1.Time {
	return metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

const pod = `
apiVersion: v1
kind: Pod
metadata: {name: web, deletionTimestamp: "2026-11-27T12:00:00Z", finalizers: [example.com/backup]}
spec:
  initContainers: [{name: migrate}, {name: proxy, restartPolicy: Always}]
  containers: [{name: web, env: [{name: PASSWORD, value: hunter2}]}, {name: late}]
  ephemeralContainers: [{name: debug}]
status:
  phase: Running
  conditions: [{type: Ready, status: "False", reason: ContainersNotReady, message: "not ready: [web]", lastTransitionTime: "2026-11-27T12:00:00Z"}, {type: Odd, status: "True"}, {status: "True"}]
  initContainerStatuses:
  - {name: proxy, ready: true, state: {running: {startedAt: "2026-11-27T12:00:00Z"}}}
  - {name: migrate, state: {terminated: {exitCode: 0, reason: Completed, finishedAt: "2026-11-27T12:00:00Z"}}}
  containerStatuses:
  - name: web
    restartCount: 5
    state: {waiting: {reason: CrashLoopBackOff, message: back-off 40s}}
    lastState: {terminated: {exitCode: 137, signal: 9, reason: OOMKilled, message: out of memory, finishedAt: "2026-11-27T12:00:00Z"}}
  ephemeralContainerStatuses: [{name: debug, state: {running: {startedAt: "2026-11-27T12:00:00Z"}}}]
`

func TestAPodIsExplainedByItsContainersInTheirOrder(t *testing.T) {
	zero := int32(0)
	got := details.Of(parse(t, pod), nil)
	want := details.Details{
		Phase: "Running", Deleting: got.Deleting, Finalizers: []string{"example.com/backup"},
		Conditions: []details.Condition{{Type: "Ready", Status: "False", Reason: "ContainersNotReady", Message: "not ready: [web]", Since: noon}, {Type: "Odd", Status: "True"}},
		Containers: []details.Container{
			{Role: details.Init, Name: "migrate", State: "Terminated", Reason: "Completed", Exit: &zero},
			{Role: details.Sidecar, Name: "proxy", State: "Running", Ready: true},
			{Role: details.Main, Name: "web", State: "Waiting", Reason: "CrashLoopBackOff", Message: "back-off 40s", Restarts: 5,
				Last: &details.Ending{Exit: 137, Signal: 9, Reason: "OOMKilled", Message: "out of memory"}},
			{Role: details.Main, Name: "late"},
			{Role: details.Ephemeral, Name: "debug", State: "Running"},
		},
	}
	for i, c := range got.Containers { // where a time is read, it is noon
		timed := c.State == "Running" || c.State == "Terminated"
		if timed != c.Since.Equal(noon) || c.Last != nil && !c.Last.At.Equal(noon) {
			t.Errorf("%s: %v, %+v", c.Name, c.Since, c.Last)
		}
		if got.Containers[i].Since = (time.Time{}); c.Last != nil {
			c.Last.At = time.Time{}
		}
	}
	if !got.Deleting.Equal(noon) || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, "hunter2") || strings.Contains(text, "PASSWORD") {
		t.Errorf("it shows the environment: %s", text)
	}
}

func TestWhatASecretHoldsIsNotShown(t *testing.T) {
	for _, kind := range []string{"Secret", "ConfigMap"} {
		o := parse(t, "apiVersion: v1\nkind: "+kind+"\nmetadata: {name: s, annotations: {a: hunter2}}\ndata: {key: hunter2}\nstatus: {message: hunter2, conditions: [{type: A, status: hunter2}]}\n")
		got := details.Of(o, []corev1.Event{{Reason: "Seen", LastTimestamp: at(0)}})
		text, err := json.Marshal(got)
		if err != nil || strings.Contains(string(text), "hunter2") || len(got.Events) != 1 {
			t.Errorf("%s: %s, %v", kind, text, err)
		}
	}
}

func TestEventsAreCountedBothWays(t *testing.T) {
	micro := func(m int) metav1.MicroTime { return metav1.NewMicroTime(at(m).Time) }
	for _, c := range []struct {
		name        string
		event       corev1.Event
		count       int32
		first, last int
		from        string
	}{
		{"count", corev1.Event{Count: 23, FirstTimestamp: at(1), LastTimestamp: at(9), Source: corev1.EventSource{Component: "kubelet"}}, 23, 1, 9, "kubelet"},
		{"a series", corev1.Event{EventTime: micro(2), Series: &corev1.EventSeries{Count: 7, LastObservedTime: micro(8)}, ReportingController: "scheduler"}, 7, 2, 8, "scheduler"},
		{"a single one of the new kind", corev1.Event{EventTime: micro(3)}, 1, 3, 3, ""},
		{"no time but that of the object", corev1.Event{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(4)}}, 1, 4, 4, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := details.Of(parse(t, "apiVersion: v1\nkind: Pod\n"), []corev1.Event{c.event}).Events[0]
			if got.Count != c.count || !got.First.Equal(at(c.first).Time) || !got.Last.Equal(at(c.last).Time) || got.From != c.from {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestTheNewestEventsStayAndTextsAreCutBetweenLetters(t *testing.T) {
	var all []corev1.Event
	for i := range details.MaxEvents + 3 {
		all = append(all, corev1.Event{Reason: fmt.Sprint(i), LastTimestamp: at(i), Message: strings.Repeat("海", 1000) + "\xff"})
	}
	got := details.Of(parse(t, "apiVersion: v1\nkind: Pod\nstatus: {message: \""+strings.Repeat("é", 3000)+"\"}\n"), all)
	if len(got.Events) != details.MaxEvents || got.Left != 3 || got.Events[0].Reason != fmt.Sprint(details.MaxEvents+2) || got.Events[49].Reason != "3" {
		t.Errorf("%d events, %d left, %s to %s", len(got.Events), got.Left, got.Events[0].Reason, got.Events[len(got.Events)-1].Reason)
	}
	for _, text := range []string{got.Message, got.Events[0].Message} {
		if !utf8.ValidString(text) || len(text) > details.MaxText+len("…") || !strings.HasSuffix(text, "…") || strings.ContainsRune(text, utf8.RuneError) {
			t.Errorf("%d bytes: %q", len(text), text[len(text)-12:])
		}
	}
}

func TestStatusThatIsNoneIsPassedOver(t *testing.T) {
	for _, status := range []string{"status: broken", "status: {conditions: many}", "status: {conditions: [1, {type: 2}]}", "status: {phase: {a: b}, containerStatuses: 3}"} {
		if got := details.Of(parse(t, "apiVersion: v1\nkind: Pod\n"+status+"\n"), nil); !reflect.DeepEqual(got, details.Details{}) {
			t.Errorf("%s: %+v", status, got)
		}
	}
}
