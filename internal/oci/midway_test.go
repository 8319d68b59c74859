package oci_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
)

func TestARegistryThatFailsInTheMiddleOfAnAttachIsExplainedAndTheNextAttachWorks(t *testing.T) {
	for _, api := range []bool{true, false} {
		for status, says := range map[int]string{
			http.StatusUnauthorized: "check the user and password", http.StatusTooManyRequests: "limits requests", http.StatusInternalServerError: "registry's own log",
		} {
			t.Run(fmt.Sprintf("%d, referrers API %t", status, api), func(t *testing.T) {
				failed := 0
				for n := 0; ; n++ {
					s := ocitest.New(t, api)
					a := s.Push(t, "shop/web", "v1", "linux/amd64")
					r, err := oci.New(oci.Config{Hosts: []oci.Host{{Name: s.Host, PlainHTTP: true}}, Pause: time.Millisecond, Settle: time.Millisecond})
					if err != nil {
						t.Fatal(err)
					}
					top, err := r.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
					if err != nil {
						t.Fatal(err)
					}
					attach := func() error {
						_, err := r.Attach(t.Context(), a.Repository, oci.Attachment{Subject: top, Type: doc, Content: []byte("a document")})
						return err
					}
					s.Busy("3600")
					s.Fail(ocitest.After(n, status, false))
					err = attach()
					s.Fail(nil)
					if err == nil {
						break // it needs no more requests than these
					}
					failed++
					if !strings.Contains(hint.Of(err), says) || strings.Contains(err.Error(), "ContentLength") {
						t.Errorf("after %d requests: %v, hint %q", n, err, hint.Of(err))
					}
					if err := attach(); err != nil {
						t.Fatalf("after %d requests, again: %v", n, err)
					}
					if list, err := r.Referrers(t.Context(), a.Repository, a.Digest); err != nil || len(list) != 1 || list[0].Problem != "" {
						t.Errorf("after %d requests and again: %+v, %v", n, list, err)
					}
				}
				if failed < 5 {
					t.Errorf("it failed at %d places only", failed)
				}
			})
		}
	}
}

func TestABusyRegistryIsComeBackToWhenItAsksForIt(t *testing.T) {
	for _, c := range []struct {
		name, after string
		times       int // it is busy
		asked       int64
		ok          bool
	}{
		{name: "at once", after: "0", times: 2, asked: 3, ok: true},
		{name: "for ever", after: "0", times: 1000, asked: 3},
		{name: "in an hour: nobody waits that long", after: "3600", times: 1, asked: 1},
		{name: "at a time that has passed", after: "Wed, 21 Oct 2015 07:28:00 GMT", times: 1, asked: 2, ok: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ocitest.New(t, true)
			a := s.Push(t, "shop/web", "v1", "linux/amd64")
			r := s.Registry(t)
			top, err := r.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
			if err != nil {
				t.Fatal(err)
			}
			var asked atomic.Int64
			s.Busy(c.after)
			s.Fail(func(r *http.Request) int {
				if r.Method == http.MethodPut && asked.Add(1) <= int64(c.times) {
					return http.StatusTooManyRequests
				}
				return 0
			})
			// The body of a manifest has to be there again each time.
			err = r.Tag(t.Context(), oci.Ref{Repository: a.Repository, Tag: "v2"}, top)
			if (err == nil) != c.ok || asked.Load() != c.asked {
				t.Errorf("asked %d times: %v", asked.Load(), err)
			}
			if !c.ok && !strings.Contains(err.Error(), "429 Too Many Requests") {
				t.Error(err)
			}
		})
	}
}

func TestDeleteTakesTheTagsAwayAndIsDoneOnce(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.Push(t, "shop/web", "v1", "linux/amd64")
	s.Push(t, "shop/web", "v2", "linux/amd64")
	r := s.Registry(t)
	for range 2 {
		if err := r.Delete(t.Context(), a.Repository, a.Digest); err != nil {
			t.Fatal(err)
		}
	}
	if tags, err := r.Tags(t.Context(), a.Repository); err != nil || fmt.Sprint(tags) != "[v2]" {
		t.Errorf("%v, %v", tags, err)
	}
	if tags, err := r.Tags(t.Context(), s.Host+"/shop/nothing"); err != nil || len(tags) != 0 {
		t.Errorf("%v, %v", tags, err)
	}
	s.KeepAll(true)
	if err := r.Delete(t.Context(), a.Repository, a.Platforms[0].Digest); err == nil || !strings.Contains(hint.Of(err), "storage.delete.enabled") {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
}
