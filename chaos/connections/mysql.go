package connections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-sql-driver/mysql"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/internal/secret"
)

// mysqlServer is MySQL or MariaDB.
type mysqlServer struct {
	db *sql.DB
	a  Account
}

// MySQL opens a MySQL or a MariaDB. The account has to read mysql.user and to have CREATE
// USER, PROCESS and CONNECTION_ADMIN (MySQL) or CONNECTION ADMIN (MariaDB).
func MySQL(ctx context.Context, dsn secret.Text, a Account) (Server, error) {
	cfg, err := mysql.ParseDSN(dsn.Reveal())
	if err != nil {
		return nil, errors.New("the secret is not an address like user:password@tcp(host:3306)/") // the cause may show it
	}
	cfg.MultiStatements, cfg.AllowAllFiles, cfg.AllowFallbackToPlaintext = false, false, false
	cfg.Logger = &mysql.NopLogger{} // errors are returned
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = callLimit, callLimit, callLimit
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, errors.New("the secret is not an address that can be connected to")
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return &mysqlServer{db, a}, nil
}

// Close leaves the database.
func (s *mysqlServer) Close(context.Context) { _ = s.db.Close() }

// Limit refuses a user with several accounts: a list of connections names users only.
func (s *mysqlServer) Limit(ctx context.Context) (string, error) {
	var me string
	if err := s.db.QueryRowContext(ctx, "SELECT SUBSTRING_INDEX(USER(), '@', 1)").Scan(&me); err != nil {
		return "", err
	}
	if me == s.a.User {
		return "", &Unfit{"it is the user of the secret's address: it would lock itself out"}
	}
	rows, err := s.db.QueryContext(ctx, "SELECT Host, max_user_connections FROM mysql.user WHERE User = ?", s.a.User)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	limit, hosts := "", []string{}
	for rows.Next() {
		var host string
		var n int64
		if err := rows.Scan(&host, &n); err != nil {
			return "", err
		}
		hosts = append(hosts, host)
		if host == s.a.Host {
			limit = strconv.FormatInt(n, 10)
		}
	}
	if len(hosts) > 1 && limit != "" {
		slices.Sort(hosts)
		return "", &Unfit{fmt.Sprintf("the user has %d accounts (%v), and the database does not say which of them a connection is for", len(hosts), hosts)}
	}
	return limit, rows.Err()
}

// SetLimit changes the account, and none but it.
func (s *mysqlServer) SetLimit(ctx context.Context, limit string) error {
	n, err := strconv.Atoi(limit)
	if err != nil {
		return err
	}
	// No statement of this kind takes arguments; the names are checked by read.
	_, err = s.db.ExecContext(ctx, fmt.Sprintf("ALTER USER '%s'@'%s' WITH MAX_USER_CONNECTIONS %d", s.a.User, s.a.Host, n))
	return mayNot(err)
}

// mayNot tells an account without the rights from a database that does not answer.
func mayNot(err error) error {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok && slices.Contains([]uint16{1044, 1045, 1095, 1142, 1227, 1396}, e.Number) {
		return &chaos.CannotInject{Cluster: "the database", Cause: e.Message, Final: true}
	}
	return err
}

// ids leaves out who is being refused or was ended: both are listed for a moment.
func (s *mysqlServer) ids(ctx context.Context) ([]int64, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = ? AND COMMAND NOT IN ('Connect', 'Killed')", s.a.User)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	return all, rows.Err()
}

// Count is of connections that were let in.
func (s *mysqlServer) Count(ctx context.Context) (int, error) {
	all, err := s.ids(ctx)
	return len(all), err
}

// Trim ends all of them once: what was opened while there was no limit is never counted
// against one.
func (s *mysqlServer) Trim(ctx context.Context, _ int) error {
	all, err := s.ids(ctx)
	if err != nil {
		return err
	}
	const gone = 1094
	for _, id := range all {
		_, err := s.db.ExecContext(ctx, fmt.Sprintf("KILL CONNECTION %d", id))
		if e, ok := errors.AsType[*mysql.MySQLError](err); err != nil && (!ok || e.Number != gone) {
			return mayNot(err)
		}
	}
	return nil
}

// Bounds: 0 is no limit.
func (s *mysqlServer) Bounds(limit string, n int) bool {
	is, err := strconv.Atoi(limit)
	return err == nil && is > 0 && is <= n
}
