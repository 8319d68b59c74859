// Package wire is how messages leave: HTTP requests that are bounded in time and size,
// what their failures mean, and text that is harmless and short enough.
//
// Start at Do. It never shows an address or a key: both are secrets, and are masked in
// every failure.
package wire

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
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
	Unsure    bool          // it may have been taken all the same
	After     time.Duration // not to be tried before; 0: as usual
	Status    int           // of an HTTP answer; 0: there was none
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
	return &http.Client{
		Timeout:       sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:           NewDialer().DialContext,
			ForceAttemptHTTP2:     true,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: sendTimeout,
			MaxIdleConnsPerHost:   1,
			IdleConnTimeout:       time.Minute,
		},
	}
}

// NewDialer connects to what configuration names, except the metadata services of clouds.
func NewDialer() *net.Dialer {
	return &net.Dialer{Timeout: 5 * time.Second, Control: refuseMetadata}
}

// metadata are the services of clouds that hand out credentials and are no link-local
// address: of Alibaba, Amazon, Azure, Google, Oracle and Volcengine.
func metadata() []string {
	return []string{"100.100.100.200", "fd00:ec2::254", "168.63.129.16", "fd20:ce::254", "192.0.0.192", "100.96.0.96"}
}

func refuseMetadata(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := a.Addr().Unmap()
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || slices.Contains(metadata(), ip.WithZone("").String()) {
		return errors.New("address is link-local or a metadata service: refused")
	}
	return nil
}

// Request is one message on its way.
type Request struct {
	Method  string // default: POST
	Address secret.Text
	Body    []byte // JSON
	Header  http.Header
	Hide    []secret.Text // what else must not be seen in a failure
	Most    int64         // bytes of the answer that are read; default 64 KiB
}

// Do sends a request and returns the answer of a 2xx. Every other end is a *Failure whose
// reason shows nothing of the address.
func Do(ctx context.Context, client *http.Client, r Request) ([]byte, error) {
	hide := func(s string) string { return Masked(s, append(r.Hide, r.Address)...) }
	req, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodPost), r.Address.Reveal(), bytes.NewReader(r.Body))
	if err != nil || req.URL.Scheme != "http" && req.URL.Scheme != "https" || req.URL.Host == "" {
		return nil, &Failure{Reason: "the address is not an http or https URL", Permanent: true}
	}
	for k, v := range r.Header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "seatrial")
	resp, err := client.Do(req)
	if err != nil {
		return nil, &Failure{Reason: Cut(hide(OneLine(cause(err).Error())), 240), Unsure: !unconnected(err)}
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, cmp.Or(r.Most, maxAnswer))) // the status says it: one that breaks off says no less
	if resp.StatusCode/100 == 2 {
		return answer, nil
	}
	f := refusal(resp, answer)
	f.Reason = Cut(hide(f.Reason), 240) // hidden first: half a secret would not be found
	return nil, f
}

func refusal(resp *http.Response, answer []byte) *Failure {
	f := &Failure{
		Reason: strings.TrimSpace("answered " + resp.Status + " " + OneLine(string(answer))),
		Status: resp.StatusCode,
		After:  retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	switch s := resp.StatusCode; {
	case s == http.StatusTooManyRequests:
		f.Limited = true
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s >= 500:
		f.Unsure = true
	default:
		f.Permanent = true
	}
	return f
}

// retryAfter reads seconds or a date; nonsense is 0.
func retryAfter(s string, now time.Time) time.Duration {
	var after time.Duration
	if n, err := strconv.Atoi(s); err == nil || errors.Is(err, strconv.ErrRange) {
		after = time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(s); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), maxRetryAfter)
}

// unconnected: the request never left.
func unconnected(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// cause leaves out what net/http says about the request: it repeats the whole URL.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// Masked hides secrets in a text: each as a whole, and when it is an address those of its
// parts that are the secret: the values of its query, its password and the long steps of
// its path, as they are and as they were sent.
func Masked(text string, secrets ...secret.Text) string {
	for _, address := range secrets {
		text = address.In(text)
		u, err := url.Parse(address.Reveal())
		if err != nil {
			continue
		}
		password, _ := u.User.Password()
		parts := append(strings.Split(u.Path+"/"+u.EscapedPath(), "/"), password, u.RawQuery)
		if password != "" {
			parts = append(parts, base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
		}
		for _, values := range u.Query() {
			parts = append(parts, values...)
		}
		for pair := range strings.SplitSeq(u.RawQuery, "&") { // as they were sent
			_, value, _ := strings.Cut(pair, "=")
			parts = append(parts, value)
		}
		for _, p := range parts {
			if len(p) >= 8 {
				text = secret.Text(p).In(text)
			}
		}
	}
	return text
}
