// Package connections starves an application of database connections: its user may have
// only so many for a while, in MySQL, MariaDB or PostgreSQL.
//
// Start at Connections.Prepare, which reads the user's present limit before anything
// changes; what it found is saved with the run, Inject acts on it and Revert goes back to
// it. It never limits the user it connects as, never changes a limit that it did not set
// itself, and sends no name to a database that has a character to quote.
package connections

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// Limits of time.
const (
	callLimit   = 10 * time.Second // for all that one call says to a database
	settleLimit = 5 * time.Second  // for the user's connections to become as few as they may be
)

// Connections is the provider of chaos for faults.ConnectionPool.
type Connections struct {
	Secret   func(name string) secret.Text // the address of a database, with an account that may change users
	Variable func(name string) string      // what a secret is called where it is set, for people
	Journal  Journal
	Open     map[string]Open // by the fault's field "database"
	Now      func() time.Time
}

// Open connects to a database to change one of its users.
type Open func(ctx context.Context, dsn secret.Text, a Account) (Server, error)

// Account is the application's user.
type Account struct{ User, Host string }

// Server is a database, as far as it matters to one of its users.
type Server interface {
	// Limit is how many connections the user may have, as the database writes it; "" when
	// there is no such user. *Unfit says why this user cannot be limited.
	Limit(ctx context.Context) (string, error)
	// SetLimit changes that.
	SetLimit(ctx context.Context, limit string) error
	// Count is how many connections the user has.
	Count(ctx context.Context) (int, error)
	// Trim ends connections of the user until the limit counts for all that are left.
	Trim(ctx context.Context, limit int) error
	// Bounds reports whether a limit is at most n.
	Bounds(limit string, n int) bool
	// Close leaves the database.
	Close(ctx context.Context)
}

// Unfit says why a user cannot be limited.
type Unfit struct{ Reason string }

// Error is the reason.
func (u *Unfit) Error() string { return u.Reason }

// Journal remembers, durably, which limits are changed: a server that finds one at its
// start that no run owns puts it back.
type Journal interface {
	Keep(ctx context.Context, f chaos.Found) error
	Kept(ctx context.Context) ([]chaos.Found, error)
	Forget(ctx context.Context, run string) error
}

// before is the name under which a record keeps the limit that was.
const before = "limit"

// order is a fault's fields, read.
type order struct {
	database, dsn string
	account       Account
	wanted        int
}

var (
	userName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$`)
	hostName = regexp.MustCompile(`^[A-Za-z0-9_.:%/-]{1,60}$`)
)

func read(f release.FaultRecord) (order, error) {
	_, action, err := faults.Of(release.Fault{Kind: f.Kind, Action: f.Action})
	if err != nil {
		return order{}, err
	}
	values, err := action.Values(f.With)
	if err != nil {
		return order{}, fmt.Errorf("%s %s: %w", f.Kind, f.Action, err)
	}
	text := func(name string) string { s, _ := values[name].(string); return s }
	n, _ := values["connections"].(int64)
	o := order{database: text("database"), dsn: text("dsnSecret"), account: Account{text("user"), text("host")}, wanted: int(n)}
	if !userName.MatchString(o.account.User) || !hostName.MatchString(o.account.Host) { // again, where statements are made of them
		return order{}, fmt.Errorf("user %q@%q has characters that are never put into a statement", o.account.User, o.account.Host)
	}
	return o, nil
}

func (o order) target() string {
	if o.database == "mysql" {
		return "mysql/" + o.account.User + "@" + o.account.Host
	}
	return o.database + "/" + o.account.User
}

// open connects; whoever gets a server closes it.
func (c *Connections) open(ctx context.Context, o order) (Server, error) {
	dsn := c.Secret(o.dsn)
	if dsn == "" {
		return nil, hint.Add(fmt.Errorf("secret %s is not set", o.dsn), "set "+c.Variable(o.dsn)+" for the server to the database's address, with an account that may change users")
	}
	connect, ok := c.Open[o.database]
	if !ok {
		return nil, fmt.Errorf("database %q is not supported", o.database)
	}
	s, err := connect(ctx, dsn, o.account)
	if err != nil {
		return nil, fmt.Errorf("ask the database of secret %s: %w", o.dsn, err)
	}
	return s, nil
}

// with does something with an open database, within the limit of time.
func (c *Connections) with(ctx context.Context, f release.FaultRecord, do func(context.Context, Server, order) error) error {
	o, err := read(f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	s, err := c.open(ctx, o)
	if err != nil {
		return err
	}
	defer s.Close(context.WithoutCancel(ctx))
	if err := do(ctx, s, o); err != nil {
		return fmt.Errorf("%s: %w", o.target(), err)
	}
	return nil
}

// Prepare reads what is about to be changed, and refuses what could not be put back.
func (c *Connections) Prepare(ctx context.Context, o chaos.Order) (release.FaultRecord, error) {
	f := o.Fault
	cannot := func(format string, args ...any) error {
		return &chaos.CannotInject{Cluster: f.Cluster, Cause: fmt.Sprintf(format, args...), Final: true}
	}
	if known, err := read(f); err != nil {
		return f, cannot("%v", err)
	} else if c.Secret(known.dsn) == "" {
		return f, cannot("secret %s is not set: %s", known.dsn, c.Variable(known.dsn))
	}
	if other, err := c.taken(ctx, f); err != nil || other != "" {
		if err == nil {
			err = cannot("run %s has limited the same user already", other)
		}
		return f, err
	}
	err := c.with(ctx, f, func(ctx context.Context, s Server, o order) error {
		limit, err := s.Limit(ctx)
		unfit, is := errors.AsType[*Unfit](err)
		switch {
		case is:
			return cannot("%s: %s", o.target(), unfit.Reason)
		case err != nil:
			return err
		case limit == "":
			return cannot("the database knows no user %s", o.target())
		case s.Bounds(limit, o.wanted):
			return cannot("%s is limited to %s connections already", o.target(), limit)
		}
		f.Before, f.Targets = map[string]string{before: limit}, []string{o.target()}
		return nil
	})
	if x, ok := errors.AsType[*chaos.CannotInject](err); ok {
		return f, x
	}
	return f, err
}

// taken is the run that has limited the same user, if there is one.
func (c *Connections) taken(ctx context.Context, f release.FaultRecord) (string, error) {
	mine, err := read(f)
	if err != nil {
		return "", err
	}
	kept, err := c.Journal.Kept(ctx)
	if err != nil {
		return "", fmt.Errorf("read which limits are changed: %w", err)
	}
	for _, k := range kept {
		if other, err := read(k.Fault); err == nil && other.dsn == mine.dsn && other.account == mine.account && k.Run != f.Name {
			return k.Run, nil
		}
	}
	return "", nil
}

// Inject limits the user and ends what is above the limit.
func (c *Connections) Inject(ctx context.Context, o chaos.Order) error {
	f := o.Fault
	was, ok := f.Before[before]
	if !ok {
		return &chaos.CannotInject{Cluster: f.Cluster, Cause: "it is not known what the limit was: nothing could put it back", Final: true}
	}
	return c.with(ctx, f, func(ctx context.Context, s Server, want order) error {
		limit, err := s.Limit(ctx)
		if err != nil {
			return err
		}
		switch limit {
		case strconv.Itoa(want.wanted): // an earlier call came this far
		case was:
			found := chaos.Found{Fault: f, Run: f.Name, Release: o.Release, Until: c.Now().Add(o.Duration).UTC()}
			if err := c.Journal.Keep(ctx, found); err != nil {
				return fmt.Errorf("remember the limit of %s before it is changed: %w", was, err)
			}
			if err := s.SetLimit(ctx, strconv.Itoa(want.wanted)); err != nil {
				return err
			}
		default:
			return &chaos.CannotInject{Cluster: f.Cluster, Cause: fmt.Sprintf("somebody has changed the limit of %s from %s to %s", want.target(), was, limit), Final: true}
		}
		return settle(ctx, s, want.wanted)
	})
}

// settle ends connections until there are no more than the limit: a client may have
// connected while they were counted. Look tells when it did not come to that.
func settle(ctx context.Context, s Server, limit int) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	over := time.NewTimer(settleLimit)
	defer over.Stop()
	for {
		if err := s.Trim(ctx, limit); err != nil {
			return err
		}
		n, err := s.Count(ctx)
		if err != nil || n <= limit {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over.C:
			return nil
		case <-tick.C:
		}
	}
}

// Look asks the database itself: the fault is there as long as its limit is.
func (c *Connections) Look(ctx context.Context, f release.FaultRecord) (chaos.Sight, error) {
	sight := chaos.Sight{Seen: true, Targets: f.Targets}
	err := c.with(ctx, f, func(ctx context.Context, s Server, o order) error {
		limit, err := s.Limit(ctx)
		if err != nil {
			return err
		}
		if limit != strconv.Itoa(o.wanted) {
			sight.State = chaos.Gone
			if limit != f.Before[before] {
				sight.Message = fmt.Sprintf("somebody has changed the limit of %s to %q: it is left alone", o.target(), limit)
			}
			return nil
		}
		n, err := s.Count(ctx)
		if err != nil {
			return err
		}
		if sight.State = chaos.Injected; n > o.wanted {
			sight.State, sight.Message = chaos.Starting, fmt.Sprintf("%s has %d connections, the limit is %d", o.target(), n, o.wanted)
		}
		return nil
	})
	return sight, err
}

// Revert puts the limit back that was, unless somebody else has changed it meanwhile. More
// force would not help.
func (c *Connections) Revert(ctx context.Context, f release.FaultRecord, _ chaos.Force) error {
	was, ok := f.Before[before]
	if !ok {
		return fmt.Errorf("revert %s: it is not known what the limit was", f.Name)
	}
	err := c.with(ctx, f, func(ctx context.Context, s Server, o order) error {
		limit, err := s.Limit(ctx)
		if err != nil || limit != strconv.Itoa(o.wanted) {
			return err
		}
		if err := s.SetLimit(ctx, was); err != nil {
			return err
		}
		if limit, err = s.Limit(ctx); err == nil && limit != was {
			err = fmt.Errorf("the limit is %s after it was set to %s", limit, was)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("put the limit of %s back to %s: %w", f.Name, was, err)
	}
	if err := c.Journal.Forget(ctx, f.Name); err != nil {
		return fmt.Errorf("forget the limit of %s: %w", f.Name, err)
	}
	return nil
}

// Faults are the limits that are changed on behalf of a cluster's services.
func (c *Connections) Faults(ctx context.Context, cluster string) ([]chaos.Found, error) {
	kept, err := c.Journal.Kept(ctx)
	if err != nil {
		return nil, fmt.Errorf("read which limits are changed: %w", err)
	}
	var of []chaos.Found
	for _, k := range kept {
		if k.Fault.Cluster == cluster {
			of = append(of, k)
		}
	}
	return of, nil
}
