package autoscale_test

import (
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/deployer/autoscale"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func TestParseRule(t *testing.T) {
	usual := autoscale.Usual()
	if usual != (autoscale.Rule{Over: 85, For: 5 * time.Minute}) {
		t.Fatalf("usual %+v", usual)
	}
	for text, want := range map[string]autoscale.Rule{
		"":           usual,
		"off":        {Over: 85, For: 5 * time.Minute, Off: true},
		"90%":        {Over: 90, For: 5 * time.Minute},
		"90%/10m":    {Over: 90, For: 10 * time.Minute},
		"150%/1h30m": {Over: 150, For: 90 * time.Minute},
		"1%/60s":     {Over: 1, For: time.Minute},
	} {
		if got, err := autoscale.ParseRule(text, usual); err != nil || got != want {
			t.Errorf("%q: %+v %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"OFF", "90", "90/10m", "90%10m", "0%", "10001%", "99999%", "-5%", "90.5%", "90%/", "90%/59s", "90%/25h", "90%/m", "90%/10", "90%/10m/5", " 90%", "９０%", strings.Repeat("9", 1000)} {
		got, err := autoscale.ParseRule(text, usual)
		if err == nil || got != usual || !strings.Contains(err.Error(), autoscale.Annotation) || !strings.Contains(err.Error(), "like 90%/10m, or off") {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
}

func FuzzParseRule(f *testing.F) {
	f.Add("90%/10m")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := autoscale.ParseRule(text, autoscale.Usual())
		if r.Over < 1 || r.For < time.Minute || r.For > 24*time.Hour || err != nil && r != autoscale.Usual() {
			t.Errorf("%q: %+v %v", text, r, err)
		}
	})
}

func whole(n int32) *int32 { return &n }

func cpu(percent *int32) autoscalingv2.MetricStatus {
	return autoscalingv2.MetricStatus{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricStatus{Name: corev1.ResourceCPU, Current: autoscalingv2.MetricValueStatus{AverageUtilization: percent}}}
}

func cpuOf(container string, percent int32) autoscalingv2.MetricStatus {
	return autoscalingv2.MetricStatus{Type: autoscalingv2.ContainerResourceMetricSourceType, ContainerResource: &autoscalingv2.ContainerResourceMetricStatus{Name: corev1.ResourceCPU, Container: container,
		Current: autoscalingv2.MetricValueStatus{AverageUtilization: &percent}}}
}

func condition(kind autoscalingv2.HorizontalPodAutoscalerConditionType, status corev1.ConditionStatus, reason, message string) autoscalingv2.HorizontalPodAutoscalerCondition {
	return autoscalingv2.HorizontalPodAutoscalerCondition{Type: kind, Status: status, Reason: reason, Message: message}
}

// scaler is an autoscaler of shop/web with 3 of at most 10 replicas.
func scaler(metrics ...autoscalingv2.MetricStatus) autoscalingv2.HorizontalPodAutoscaler {
	h := autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop-prod", Name: "web",
		Labels: map[string]string{"app.kubernetes.io/managed-by": "seatrial"}, Annotations: map[string]string{"seatrial.dev/service": "shop.web"}}}
	h.Spec.MaxReplicas = 10
	h.Spec.Metrics = []autoscalingv2.MetricSpec{
		{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceMemory, Target: autoscalingv2.MetricTarget{AverageUtilization: whole(50)}}},
		{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{AverageUtilization: whole(70)}}},
		{Type: autoscalingv2.ContainerResourceMetricSourceType, ContainerResource: &autoscalingv2.ContainerResourceMetricSource{Name: corev1.ResourceCPU, Container: "app", Target: autoscalingv2.MetricTarget{AverageUtilization: whole(60)}}},
	}
	h.Status = autoscalingv2.HorizontalPodAutoscalerStatus{CurrentReplicas: 3, DesiredReplicas: 3, CurrentMetrics: metrics}
	return h
}

func TestLook(t *testing.T) {
	memory := autoscalingv2.MetricStatus{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricStatus{Name: corev1.ResourceMemory, Current: autoscalingv2.MetricValueStatus{AverageUtilization: whole(99)}}}
	able, active, limited := autoscalingv2.AbleToScale, autoscalingv2.ScalingActive, autoscalingv2.ScalingLimited
	known := autoscale.Load{Known: true, Percent: 120, Target: 70}
	for _, c := range []struct {
		name       string
		metrics    []autoscalingv2.MetricStatus
		conditions []autoscalingv2.HorizontalPodAutoscalerCondition
		want       autoscale.Sight
	}{
		{"CPU in percent of the request, which may be above 100", []autoscalingv2.MetricStatus{memory, cpu(whole(120))}, nil, autoscale.Sight{Load: known}},
		{"nobody has measured yet", nil, nil, autoscale.Sight{}},
		{"memory alone is no CPU", []autoscalingv2.MetricStatus{memory}, nil, autoscale.Sight{}},
		{"without a request, or with a target in cores, there is no share", []autoscalingv2.MetricStatus{cpu(nil)}, nil, autoscale.Sight{}},
		{"an entry of a metric that could not be asked is empty", []autoscalingv2.MetricStatus{{}, cpu(whole(120))}, nil, autoscale.Sight{Load: known}},
		{"of two, the higher counts and says what it is of", []autoscalingv2.MetricStatus{cpu(whole(50)), cpuOf("app", 91)}, nil,
			autoscale.Sight{Load: autoscale.Load{Known: true, Percent: 91, Of: "app", Target: 60}}},
		{"of two, the higher counts, whichever comes first", []autoscalingv2.MetricStatus{cpu(whole(120)), cpuOf("app", 91)}, nil, autoscale.Sight{Load: known}},
		{"numbers of before the metrics went away are stale", []autoscalingv2.MetricStatus{cpu(whole(120))},
			[]autoscalingv2.HorizontalPodAutoscalerCondition{condition(active, corev1.ConditionFalse, "FailedGetResourceMetric", "no metrics known")}, autoscale.Sight{Blocked: "no metrics known"}},
		{"numbers of before the target went away are stale", []autoscalingv2.MetricStatus{cpu(whole(120))},
			[]autoscalingv2.HorizontalPodAutoscalerCondition{condition(able, corev1.ConditionFalse, "FailedGetScale", "not found")}, autoscale.Sight{Blocked: "not found"}},
		{"where only the change is refused, they are fresh", []autoscalingv2.MetricStatus{cpu(whole(120))},
			[]autoscalingv2.HorizontalPodAutoscalerCondition{condition(able, corev1.ConditionFalse, "FailedUpdateScale", "quota")}, autoscale.Sight{Load: known, Blocked: "quota"}},
		{"it wants more than its maximum", []autoscalingv2.MetricStatus{cpu(whole(120))},
			[]autoscalingv2.HorizontalPodAutoscalerCondition{condition(limited, corev1.ConditionTrue, "TooManyReplicas", "more than the maximum"), condition(able, corev1.ConditionTrue, "SucceededRescale", "x")},
			autoscale.Sight{Load: known, AtMax: true}},
		{"it may not grow as fast as it wants", []autoscalingv2.MetricStatus{cpu(whole(120))},
			[]autoscalingv2.HorizontalPodAutoscalerCondition{condition(limited, corev1.ConditionTrue, "ScaleUpLimit", "")}, autoscale.Sight{Load: known, Slow: "ScaleUpLimit"}},
		{"its minimum does not matter", []autoscalingv2.MetricStatus{cpu(whole(120))},
			[]autoscalingv2.HorizontalPodAutoscalerCondition{condition(limited, corev1.ConditionTrue, "TooFewReplicas", "less")}, autoscale.Sight{Load: known}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := scaler(c.metrics...)
			h.Status.Conditions = c.conditions
			c.want.At, c.want.Replicas, c.want.Before, c.want.Max = noon, 3, 3, 10
			if got := autoscale.Look(h, noon); got != c.want {
				t.Errorf("%+v\nwant %+v", got, c.want)
			}
		})
	}
	long := scaler()
	long.Status.Conditions = append(long.Status.Conditions, condition(able, corev1.ConditionFalse, "FailedUpdateScale", strings.Repeat("配额", 1000)))
	if got := autoscale.Look(long, noon).Blocked; len([]rune(got)) != 301 || !strings.HasSuffix(got, "配…") && !strings.HasSuffix(got, "额…") {
		t.Errorf("a long message is cut to %d characters", len([]rune(got)))
	}
	young := scaler()
	young.Status.DesiredReplicas = 0
	if got := autoscale.Look(young, noon).Replicas; got != 3 {
		t.Errorf("one that has decided nothing yet wants %d", got)
	}
	full := scaler()
	full.Status.DesiredReplicas = 10
	if !autoscale.Look(full, noon).AtMax {
		t.Error("as many replicas as it may have are its maximum")
	}
}
