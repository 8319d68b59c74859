package login

import "strings"

// The words of registries, containerd and our own client for what became of a request.
var (
	refusedWords = []string{
		"401 Unauthorized", "403 Forbidden", "UNAUTHORIZED", "DENIED", "insufficient_scope", "authorization failed", "access denied",
		"no basic auth credentials", "failed to authorize", "the login for", "log in to",
	}
	busyWords = []string{"429 Too Many Requests", "TOOMANYREQUESTS", "toomanyrequests"}
	illWords  = []string{"500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway"}
)

// Advice is the next step when a registry has answered a push or a pull with other than
// what was hoped for; empty when the words say nothing of an answer. What it says is never
// the fault of the commit, so trying again makes sense.
func Advice(msg string) string {
	has := func(words []string) bool {
		for _, w := range words {
			if strings.Contains(msg, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has(busyWords):
		return "the registry limits requests; the build goes on by itself. Raise its limit, or let it know who asks with a login"
	case has(refusedWords):
		return "check the login: spec.registries of the Project, else registry.user of the server's settings, and what the registry lets that user do; the build goes on by itself"
	case has(illWords):
		return "look at the registry's own log and its disk; the build goes on by itself"
	}
	return ""
}
