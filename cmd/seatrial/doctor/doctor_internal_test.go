package doctor

import (
	"context"
	"testing"

	"github.com/seatrial/seatrial/internal/secret"
)

func TestASecretWithoutAValueIsAWarningThatNamesItsVariable(t *testing.T) {
	known := func(name string) secret.Text {
		return map[string]secret.Text{"npm-token": "hunter2hunter2"}[name]
	}
	names := []string{"npm-token", "wecom-ops"}
	report, bad := examine(t.Context(), []examination{
		{"one missing", func(context.Context) (string, error) { return "", unset(names, known) }},
		{"none missing", func(context.Context) (string, error) { return "", unset(names[:1], known) }},
	})
	if bad != 0 || report[0].State != "WARN" || report[0].Remedy != "set SEATRIAL_SECRET_WECOM_OPS" || report[1].State != "OK" {
		t.Errorf("%d bad: %+v", bad, report)
	}
}
