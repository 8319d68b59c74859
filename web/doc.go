// Package web is the platform's face: the HTTP API, the webhooks, the live stream, the
// sign-in and the console, which is embedded.
//
// Start at Parts, which says what web needs of the rest, then New and Server.ServeHTTP,
// which every request passes; Server.Routes lists what there is and who may use it. It
// never decides anything about a release, never reads the store itself, and never
// answers a stranger but on the routes marked Public.
package web
