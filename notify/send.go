package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
)

// Failure is a message that was not taken.
type Failure struct {
	Reason    string
	Permanent bool          // sending it again cannot help
	Limited   bool          // too many: not this message's fault
	After     time.Duration // not to be tried before; 0: as usual
}

// Error is the reason.
func (f *Failure) Error() string { return f.Reason }

const (
	sendTimeout   = 10 * time.Second
	maxAnswer     = 64 << 10
	maxRetryAfter = time.Hour
)

// NewClient is an HTTP client for addresses that come from configuration: bounded in
// time, following no redirects, and never reaching the metadata services of clouds,
// whatever a name resolves to.
func NewClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: refuseMetadata}
	return &http.Client{
		Timeout:       sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:           dialer.DialContext,
			ForceAttemptHTTP2:     true,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: sendTimeout,
			MaxIdleConnsPerHost:   1,
			IdleConnTimeout:       time.Minute,
		},
	}
}

func refuseMetadata(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := a.Addr().Unmap()
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip == netip.MustParseAddr("100.100.100.200") || ip == netip.MustParseAddr("fd00:ec2::254") {
		return errors.New("address is link-local or a metadata service: refused")
	}
	return nil
}

// post sends a body and returns the answer of a 2xx. Every other end is a *Failure whose
// reason shows nothing of the address.
func post(ctx context.Context, client *http.Client, address secret.Text, body []byte, header http.Header) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.Reveal(), bytes.NewReader(body))
	if err != nil || req.URL.Scheme != "http" && req.URL.Scheme != "https" || req.URL.Host == "" {
		return nil, &Failure{Reason: "the address is not an http or https URL", Permanent: true}
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "seatrial")
	resp, err := client.Do(req)
	if err != nil {
		return nil, &Failure{Reason: masked(address, cause(err).Error())}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &Failure{Reason: masked(address, "read answer: "+cause(err).Error())}
	}
	if resp.StatusCode/100 == 2 {
		return answer, nil
	}
	return nil, refusal(address, resp, answer)
}

func refusal(address secret.Text, resp *http.Response, answer []byte) *Failure {
	f := &Failure{
		Reason: masked(address, strings.TrimSpace("answered "+resp.Status+" "+cut(oneLine(string(answer)), 200))),
		After:  retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	switch s := resp.StatusCode; {
	case s == http.StatusTooManyRequests:
		f.Limited = true
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s >= 500:
	default:
		f.Permanent = true
	}
	return f
}

// retryAfter reads seconds or a date; nonsense is 0.
func retryAfter(s string, now time.Time) time.Duration {
	var after time.Duration
	if n, err := strconv.Atoi(s); err == nil {
		after = time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(s); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), maxRetryAfter)
}

// cause leaves out what net/http says about the request: it repeats the whole URL.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// masked hides the address and those of its parts that are the secret: the values of its
// query, its password and the long steps of its path.
func masked(address secret.Text, text string) string {
	text = address.In(text)
	u, err := url.Parse(address.Reveal())
	if err != nil {
		return text
	}
	password, _ := u.User.Password()
	parts := append(strings.Split(u.Path, "/"), password, u.RawQuery)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	for _, p := range parts {
		if len(p) >= 8 {
			text = secret.Text(p).In(text)
		}
	}
	return text
}

// noAddress is the failure of a channel whose secret is not set.
func noAddress(variable string) *Failure {
	return &Failure{Reason: fmt.Sprintf("secret %s is not set", variable)}
}
