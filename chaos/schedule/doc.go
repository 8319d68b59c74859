// Package schedule runs experiments outside releases: by their cron schedule, or because a
// person asks.
//
// Start at Scheduler.Run. It never runs an experiment on a service whose slot a release
// occupies, never two on one service at once, and makes up for missed times at most once. Of
// two processes over one store one runs what is due: who creates the record.
// How a fault is injected, measured and reverted is package chaos's.
package schedule
