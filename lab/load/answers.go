package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
)

// Answers are how many requests of one service's users were answered with success, and
// how many were not.
type Answers struct{ Good, Bad int }

// Since is what came after before.
func (a Answers) Since(before Answers) Answers {
	return Answers{Good: a.Good - before.Good, Bad: a.Bad - before.Bad}
}

var counter = regexp.MustCompile(`(?m)^gateway_requests_total\{service="(\S+?)",cluster="(\S+?)",code="(\d+)"\} (\d+)$`)

// Ask reads what the generator that serves its counters at addr has counted of a service
// in a cluster.
func Ask(ctx context.Context, addr, service, cluster string) (a Answers, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return a, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, fmt.Errorf("ask the load generator about %s: %w", service, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return a, fmt.Errorf("ask the load generator about %s: %s", service, res.Status)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return a, fmt.Errorf("ask the load generator about %s: %w", service, err)
	}
	for _, m := range counter.FindAllStringSubmatch(string(text), -1) {
		if m[1] != service || m[2] != cluster {
			continue
		}
		n, err := strconv.Atoi(m[4])
		if err != nil {
			return a, fmt.Errorf("ask the load generator about %s: %w", service, err)
		}
		if m[3] == "200" {
			a.Good += n
		} else {
			a.Bad += n
		}
	}
	return a, nil
}
