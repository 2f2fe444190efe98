package sqlstore

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// libpqOptions are the connection parameters of libpq that pgx has too.
var libpqOptions = wordsOf(`passfile service servicefile sslmode sslrootcert sslcert sslkey sslpassword sslsni
	sslnegotiation target_session_attrs krbsrvname application_name options channel_binding require_auth`)

// postgresPassedOver tune libpq's sockets or a driver of Python.
var postgresPassedOver = wordsOf(`keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout
	gssencmode sslcompression client_encoding fallback_application_name async_fallback prepared_statement_cache_size
	prepared_statement_name_func statement_cache_size command_timeout tcp_keepalive prepare_threshold use_native_unicode`)

// openPostgres translates what psycopg2 would get (SQLAlchemy's
// dialects/postgresql/_psycopg_common.py, create_connect_args).
func openPostgres(t target, o Options) (*dialect, error) {
	params, dial, err := postgresParams(t)
	if err != nil {
		return nil, err
	}
	var dsn strings.Builder
	for _, p := range params {
		fmt.Fprintf(&dsn, "%s='%s' ", p.key, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(p.value))
	}
	config, err := pgx.ParseConfig(dsn.String())
	if err != nil {
		// What pgx says of it may show the password.
		return nil, errors.New("its options, or libpq's environment or files, do not give a connection to PostgreSQL")
	}
	config.ConnectTimeout = dialTimeout(o, dial)
	// The server keeps no statements, so that pgbouncer may stand in between.
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	config.RuntimeParams["client_encoding"] = "UTF8"
	return &dialect{
		connector: stdlib.GetConnector(*config),
		examine:   examinePostgres,
		quote:     `"`,
		numbered:  true,
		begin:     "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
		passOver:  " ON CONFLICT DO NOTHING",
		returning: " RETURNING namespace",
		exact:     "namespace = ?",
		exactArgs: 1,
		accessed:  "to_char(accessed, 'YYYY-MM-DD HH24:MI:SS.US')",
		data:      "data",
		size:      "length(data)",
		clock:     "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
		layouts:   postgresLayouts,
	}, nil
}

// postgresLayouts are what SQLAlchemy makes of Beaker's columns on PostgreSQL.
var postgresLayouts = [2]string{`
	id SERIAL NOT NULL,
	namespace VARCHAR(255) NOT NULL,
	accessed TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	created TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	data BYTEA NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (namespace)`, `
	namespace VARCHAR(255) NOT NULL,
	accessed TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	created TIMESTAMP WITHOUT TIME ZONE NOT NULL,
	data BYTEA NOT NULL,
	PRIMARY KEY (namespace)`}

// dialTimeout is the option's, or the URL's, or the default.
func dialTimeout(o Options, ofURL time.Duration) time.Duration {
	switch {
	case o.DialTimeout > 0:
		return o.DialTimeout
	case ofURL > 0:
		return ofURL
	}
	return DefaultDialTimeout
}

// postgresParams are the parameters of libpq.
func postgresParams(t target) (params []option, dial time.Duration, err error) {
	set := func(key, value string) {
		if value != "" {
			params = append(params, option{key, value})
		}
	}
	user, password, database, port := t.user, t.password, t.database, t.port
	var hosts, ports []string
	if t.host != "" {
		hosts = []string{t.host}
	}
	for _, o := range t.query {
		switch {
		case o.key == "host":
			hosts, ports = appendHosts(hosts, ports, o.value)
		case o.key == "port":
			port = o.value
		case o.key == "user":
			user = o.value
		case o.key == "password":
			password = o.value
		case o.key == "dbname", o.key == "database":
			database = o.value
		case o.key == "connect_timeout", o.key == "timeout":
			if dial, err = seconds(o.value); err != nil {
				return nil, 0, fmt.Errorf("the %s of its query is not a number", o.key)
			}
		case o.key == "ssl": // asyncpg
			set("sslmode", o.value)
		case libpqOptions[o.key]:
			set(o.key, o.value)
		case !postgresPassedOver[o.key]:
			return nil, 0, unknownOption(o)
		}
	}
	if len(ports) > 0 {
		port = strings.Join(ports, ",")
	}
	set("host", strings.Join(hosts, ","))
	set("port", port)
	set("user", user)
	set("password", password)
	set("dbname", database)
	return params, dial, nil
}

// appendHosts adds a host of the query, which may be host:port, a socket's
// directory, or a list of libpq's.
func appendHosts(hosts, ports []string, value string) ([]string, []string) {
	for h := range strings.SplitSeq(value, ",") {
		host, port, err := net.SplitHostPort(h)
		if _, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || strings.HasPrefix(h, "/") {
			hosts = append(hosts, strings.Trim(h, "[]"))
			continue
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	return hosts, ports
}

// examinePostgres reads the SQLSTATE. Of the message it shows only what tells of
// names, never of values.
func examinePostgres(err error) *failure {
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		var dial *pgconn.ConnectError
		if errors.As(err, &dial) && !isTimeout(err) {
			return &failure{kind: noDial, text: "cannot connect", cause: innermost(err)}
		}
		return nil
	}
	f := &failure{kind: postgresKind(said.Code), text: "PostgreSQL: SQLSTATE " + said.Code}
	switch said.Code[:min(2, len(said.Code))] {
	case "28", "3D", "3F", "42", "53", "57", "25":
		f.text = "PostgreSQL: " + said.Message + " (SQLSTATE " + said.Code + ")"
	}
	return f
}

func postgresKind(code string) kind {
	switch code {
	case "42P01":
		return noTable
	case "3D000", "3F000":
		return missing
	case "42501", "25006":
		return denied
	case "53100":
		return full
	case "40001", "40P01":
		return again
	case "55P03":
		return busy
	case "57014":
		return slow
	case "53300", "57P03":
		return noDial
	case "57P01", "57P02", "40003":
		return lost
	case "42P07", "42710", "23505":
		return exists
	case "54000":
		return tooLong
	}
	switch {
	case strings.HasPrefix(code, "28"):
		return denied
	case strings.HasPrefix(code, "08"):
		return lost
	}
	return broken
}
