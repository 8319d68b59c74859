package connections

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/internal/secret"
)

type postgresServer struct {
	conn *pgx.Conn
	a    Account
}

// Postgres opens a PostgreSQL. The account has to have CREATEROLE, with ADMIN on the
// application's role from version 16 on, and pg_signal_backend.
func Postgres(ctx context.Context, dsn secret.Text, a Account) (Server, error) {
	cfg, err := pgx.ParseConfig(dsn.Reveal())
	if err != nil {
		return nil, errors.New("the secret is not an address like postgres://user:password@host:5432/database") // the cause may show it
	}
	cfg.ConnectTimeout = callLimit
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &postgresServer{conn, a}, nil
}

// Close leaves the database.
func (s *postgresServer) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	_ = s.conn.Close(ctx)
}

// Limit refuses superusers: the database never counts their connections.
func (s *postgresServer) Limit(ctx context.Context) (string, error) {
	var limit int
	var super, me bool
	err := s.conn.QueryRow(ctx, "SELECT rolconnlimit, rolsuper, rolname = session_user FROM pg_roles WHERE rolname = $1", s.a.User).Scan(&limit, &super, &me)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", nil
	case err != nil:
		return "", err
	case me:
		return "", &Unfit{"it is the user of the secret's address: it would lock itself out"}
	case super:
		return "", &Unfit{"it is a superuser, whose connections PostgreSQL does not limit"}
	}
	return strconv.Itoa(limit), nil
}

// SetLimit changes the role.
func (s *postgresServer) SetLimit(ctx context.Context, limit string) error {
	n, err := strconv.Atoi(limit)
	if err != nil {
		return err
	}
	_, err = s.conn.Exec(ctx, fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT %d", pgx.Identifier{s.a.User}.Sanitize(), n))
	return refused(err)
}

// refused tells an account without the rights from a database that does not answer.
func refused(err error) error {
	const insufficient = "42501"
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == insufficient {
		return &chaos.CannotInject{Cluster: "the database", Cause: e.Message, Final: true}
	}
	return err
}

const ofUser = "FROM pg_stat_activity WHERE usename = $1 AND backend_type = 'client backend'"

// Count is of clients, not of what the database runs for itself.
func (s *postgresServer) Count(ctx context.Context) (n int, err error) {
	err = s.conn.QueryRow(ctx, "SELECT count(*) "+ofUser, s.a.User).Scan(&n)
	return n, err
}

// Trim ends the youngest: all count, whenever they were opened.
func (s *postgresServer) Trim(ctx context.Context, limit int) error {
	_, err := s.conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM (SELECT pid "+ofUser+" ORDER BY backend_start, pid OFFSET $2) AS surplus", s.a.User, limit)
	return refused(err)
}

// Bounds: -1 is no limit.
func (s *postgresServer) Bounds(limit string, n int) bool {
	is, err := strconv.Atoi(limit)
	return err == nil && is >= 0 && is <= n
}
