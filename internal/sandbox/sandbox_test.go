package sandbox_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/sandbox"
)

// TestMain lets the test binary be the child: what it is to do comes as its first line.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		if err := sandbox.Enter(os.Args[2:]); err != nil {
			fmt.Println(err)
			return
		}
		what := make([]byte, 16)
		n, _ := os.Stdin.Read(what)
		act(string(what[:n]))
		return
	}
	os.Exit(m.Run())
}

func act(what string) {
	switch what {
	case "look":
		fmt.Printf("environment %d\n", len(os.Environ()))
		_, err := os.ReadFile("/etc/passwd")
		fmt.Println("file", err)
		_, err = os.Create("/x")
		fmt.Println("write", err)
		entries, err := os.ReadDir("/")
		fmt.Println("root", len(entries), err)
		_, err = net.DialTimeout("tcp", "198.51.100.1:80", time.Second)
		fmt.Println("net", err)
		fmt.Println("run", (&exec.Cmd{Path: "/bin/true", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}).Run())
		fmt.Println("pid", os.Getpid())
	case "fill":
		var all [][]byte
		for range 1 << 20 {
			b := make([]byte, 1<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
		}
		fmt.Println(len(all))
	case "deep":
		fmt.Println(deep(0))
	case "loop":
		for i := 0; ; i++ {
			_ = i
		}
	case "fail":
		panic("on purpose")
	case "nil":
		var none *exec.Cmd
		fmt.Println(none.Path)
	case "struck": // as the runtime's collector dies when it is refused memory, now and then
		fmt.Fprint(os.Stderr, "SIGSEGV: segmentation violation\nPC=0xf027dd m=0 sigcode=1 addr=0x0\n\ngoroutine 0 gp=0x3a45460 m=0 mp=0x3a46880 [idle]:\n")
		panic("and dies of it")
	case "wait":
		_, _ = io.ReadAll(os.Stdin)
	}
}

func deep(n int) int {
	if n < 0 {
		return 0
	}
	return deep(n+1) + 1
}

// start runs the child with and without namespaces, the former where the kernel allows.
func start(t *testing.T, bare bool, what string) *sandbox.Child {
	t.Helper()
	limits := sandbox.Limits{Memory: 192 << 20, CPU: 2 * time.Minute}
	if what == "loop" {
		limits.CPU = 2 * time.Second
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c, err := sandbox.Start(sandbox.Box{Exec: self, Args: []string{"child"}, Bare: bare, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := io.WriteString(c.In, what); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAChildSeesNothingOfTheMachine(t *testing.T) {
	t.Setenv("SEATRIAL_SECRET_X", "hunter2")
	said, err := io.ReadAll(start(t, false, "look").Out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"environment 0\n", "file open /etc/passwd: no such file", "write open /x: ", "root 0 <nil>", "net dial tcp 198.51.100.1:80: connect: network is unreachable", "run fork/exec /bin/true: no such file", "pid 1\n"} {
		if !strings.Contains(string(said), want) {
			t.Errorf("%s\nlacks %q", said, want)
		}
	}
	if strings.Contains(string(said), "write <nil>") {
		t.Error("the child could write a file")
	}
}

func TestABareChildHasNoEnvironment(t *testing.T) {
	t.Setenv("SEATRIAL_SECRET_X", "hunter2")
	said, err := io.ReadAll(start(t, true, "look").Out)
	if err != nil || !strings.Contains(string(said), "environment 0\n") {
		t.Fatalf("%s, %v", said, err)
	}
}

func TestWhatAChildDiedOf(t *testing.T) {
	for _, c := range []struct{ what, want string }{
		{"fill", "over the limit of 192 MiB of memory"},
		{"deep", "over the limit of how deep calls may go"},
		{"loop", "over the limit of 2s of processor time"},
		{"fail", "the child crashed: panic: on purpose"},
		{"nil", "the child crashed: panic: runtime error: invalid memory address"},
		{"struck", "over the limit of 192 MiB of memory"},
	} {
		for _, bare := range []bool{false, true} {
			child := start(t, bare, c.what)
			_, _ = io.ReadAll(child.Out)
			err := child.Ended()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s (bare %v): %v, want %q", c.what, bare, err, c.want)
			}
			if over := strings.HasPrefix(c.want, "over"); errors.Is(err, sandbox.ErrOver) != over {
				t.Errorf("%s (bare %v): over the limit? %v", c.what, bare, err)
			}
		}
	}
}

func TestAKilledChildIsGone(t *testing.T) {
	child := start(t, false, "wait")
	child.Close()
	if err := child.Ended(); err == nil {
		t.Error("a killed child ended well")
	}
}
