package webhook

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// shot is what one run of the client is to do, and its answer.
type shot struct {
	Address     string        `json:"address"`
	Path        string        `json:"path"`
	Connections int           `json:"connections"`
	Warm        time.Duration `json:"warm"` // not counted
	For         time.Duration `json:"for"`
	Run         int           `json:"run"` // goes into the delivery ids
	Signature   string        `json:"signature"`
	Body        []byte        `json:"body"`
}

// hits is what came back within the time that counts.
type hits struct {
	Accepted int           `json:"accepted"`
	Took     time.Duration `json:"took"`
	CPU      time.Duration `json:"cpu"` // of the client, for all of the run
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
	Max      time.Duration `json:"max"`
}

// ClientCommand is the hidden subcommand that Client reads and answers: a process of its
// own, so that its memory and its runtime are not the server's.
const ClientCommand = "_webhook-client"

// Client is the process that sends: it reads a shot and writes hits.
func Client(ctx context.Context, in io.Reader, out io.Writer) error {
	runtime.GOMAXPROCS(1)
	var s shot
	if err := json.NewDecoder(in).Decode(&s); err != nil {
		return fmt.Errorf("read the shot: %w", err)
	}
	h, err := s.send(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(h)
}

// fire runs a shot in a process of its own.
func fire(ctx context.Context, s shot) (h hits, err error) {
	self, err := os.Executable()
	if err != nil {
		return h, err
	}
	in, err := json.Marshal(s)
	if err != nil {
		return h, err
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, self, ClientCommand)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &errs
	if err := cmd.Run(); err != nil {
		return h, fmt.Errorf("webhook client: %w: %s", err, strings.TrimSpace(errs.String()))
	}
	return h, json.Unmarshal(out.Bytes(), &h)
}

// send keeps every connection busy with one delivery at a time.
func (s shot) send(ctx context.Context) (hits, error) {
	began := time.Now()
	from, to := began.Add(s.Warm), began.Add(s.Warm+s.For)
	took := make([][]time.Duration, s.Connections)
	errs := make([]error, s.Connections)
	var all sync.WaitGroup
	for i := range s.Connections {
		all.Go(func() { took[i], errs[i] = s.keepSending(ctx, i, from, to) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return hits{}, err
		}
	}
	sorted := slices.Concat(took...)
	slices.Sort(sorted)
	if len(sorted) == 0 {
		return hits{}, fmt.Errorf("%s%s accepted nothing in %s", s.Address, s.Path, s.For)
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return hits{}, err
	}
	at := func(share float64) time.Duration { return sorted[int(share*float64(len(sorted)-1))] }
	return hits{Accepted: len(sorted), Took: s.For, P50: at(0.5), P99: at(0.99), Max: sorted[len(sorted)-1],
		CPU: time.Duration(usage.Utime.Nano() + usage.Stime.Nano())}, nil
}

// idLength is that of the ids that Gitea gives to deliveries.
const idLength = 36

// keepSending writes prepared bytes, in which only the delivery id changes, and reads the
// answers. It returns how long those took that came between from and to.
func (s shot) keepSending(ctx context.Context, number int, from, to time.Time) ([]time.Duration, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(to.Add(30 * time.Second)); err != nil {
		return nil, err
	}
	request, id := s.request()
	answer := make([]byte, 4096)
	var took []time.Duration
	for n := 0; ; n++ {
		stamp(id, s.Run, number, n)
		sent := time.Now()
		if !sent.Before(to) {
			return took, nil
		}
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		if err := accepted(conn, answer); err != nil {
			return nil, err
		}
		if now := time.Now(); !now.Before(from) && now.Before(to) {
			took = append(took, now.Sub(sent))
		}
	}
}

// request is a whole request, and where in it the delivery id stands.
func (s shot) request() (whole, id []byte) {
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Go-http-client/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"+
		"X-Gitea-Event: push\r\nX-Gitea-Signature: %s\r\nX-Gitea-Delivery: ", s.Path, s.Address, len(s.Body), s.Signature)
	whole = append([]byte(head), make([]byte, idLength)...)
	whole = append(append(whole, "\r\n\r\n"...), s.Body...)
	return whole, whole[len(head) : len(head)+idLength]
}

// stamp writes the id of a delivery: a UUID's form, spread as a UUID's digits are, and no
// two alike, since mixed is one to one.
func stamp(id []byte, run, connection, n int) {
	number := mixed(uint64(run)<<48 | uint64(connection)<<32 | uint64(n))
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], number)
	binary.BigEndian.PutUint64(raw[8:], mixed(number))
	at := 0
	for i, part := range [][]byte{raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]} {
		if i > 0 {
			id[at] = '-'
			at++
		}
		at += hex.Encode(id[at:], part)
	}
}

// mixed spreads a number over all 64 bits; every step can be undone.
func mixed(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// accepted reads one answer, which has to be a whole 202.
func accepted(conn net.Conn, buffer []byte) error {
	for n := 0; n < len(buffer); {
		got, err := conn.Read(buffer[n:])
		if err != nil {
			return fmt.Errorf("read an answer: %w", err)
		}
		n += got
		whole, err := complete(buffer[:n])
		if whole || err != nil {
			return err
		}
	}
	return fmt.Errorf("the answer is longer than %d bytes", len(buffer))
}

func complete(answer []byte) (bool, error) {
	head, body, ended := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !ended {
		return false, nil
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 202 ")) {
		return false, fmt.Errorf("answered %q", answer)
	}
	_, length, found := bytes.Cut(head, []byte("\r\nContent-Length: "))
	if !found {
		return false, fmt.Errorf("an answer of unknown length: %q", head)
	}
	length, _, _ = bytes.Cut(length, []byte("\r\n"))
	size, err := strconv.Atoi(string(length))
	return len(body) >= size, err
}
