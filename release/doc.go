// Package release holds the words of the platform: what a service, a commit, an
// artifact, an environment and a release are, which phases a release passes, what a
// verdict may say and what evidence it leaves.
//
// Start reading at Release, then Verdict. The package never does I/O and never imports
// anything but the standard library: internal/archtest holds both.
package release
