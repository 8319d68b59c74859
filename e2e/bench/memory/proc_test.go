package memory

import "testing"

func TestTheKernelsFiguresAreReadInMiB(t *testing.T) {
	got := parse("Name:\tseatrial\nVmHWM:\t  262144 kB\nVmRSS:\t  131072 kB\nRssAnon:\t   65536 kB\nRssFile:\t   64512 kB\nRssShmem:\t    1024 kB\n")
	if want := (memory{rss: 128, anon: 64, file: 63, peak: 256}); got != want {
		t.Errorf("read %+v, want %+v", got, want)
	}
}
