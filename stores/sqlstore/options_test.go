package sqlstore

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/stores"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want string // in the error; "" for none
	}{
		{"no url", Options{}, "sa.url is required"},
		{"sa.url", Options{Options: map[string]string{"sa.url": "sqlite://"}}, ""},
		{"url first", Options{URL: "sqlite://", Options: map[string]string{"sa.url": "nonsense"}}, ""},
		{"not a url", Options{URL: "localhost"}, "is no SQLAlchemy url"},
		{"postgres of 1.3", Options{URL: "postgres://u@h/d"}, ""},
		{"asyncpg", Options{URL: "postgresql+asyncpg://u@h/d?ssl=require&command_timeout=3"}, ""},
		{"sockets", Options{URL: "postgresql+psycopg2://u:sekrit@/d?host=/run/a&host=/run/b"}, ""},
		{"hosts", Options{URL: "postgresql://u:sekrit@/d?host=a:1&host=b:2&target_session_attrs=read-write"}, ""},
		{"keepalives", Options{URL: "postgresql://h/d?keepalives=1&keepalives_idle=3&connect_timeout=9&application_name=a+b"}, ""},
		{"a quote in the password", Options{URL: `postgresql://u:p'\%27x@h/d`}, ""},
		{"bad sslmode", Options{URL: "postgresql://u:sekrit@h/d?sslmode=never"}, "do not give a connection"},
		{"bad connect_timeout", Options{URL: "postgresql://u:sekrit@h/d?connect_timeout=soon"}, "connect_timeout"},
		{"unknown to libpq", Options{URL: "postgresql://u:sekrit@h/d?sslcrl=x"}, `"sslcrl"`},
		{"end of a password", Options{URL: "postgresql://u:p@rd?sek=rit@h/d"}, "must be quoted"},
		{"mysql", Options{URL: "mysql+pymysql://u:sekrit@h:3307/d?charset=utf8mb4&connect_timeout=4&read_timeout=5"}, ""},
		{"mariadb", Options{URL: "mariadb+mariadbconnector://u:sekrit@h/d"}, ""},
		{"mysql socket", Options{URL: "mysql+mysqldb://u:sekrit@/d?unix_socket=/run/mysqld/mysqld.sock&use_unicode=1"}, ""},
		{"mysql ssl", Options{URL: "mysql://u:sekrit@h/d?ssl_ca=/none/such.pem"}, "no certificate"},
		{"mysql key", Options{URL: "mysql://u:sekrit@h/d?ssl_cert=/none/such.pem"}, "ssl_cert"},
		{"mysql option file", Options{URL: "mysql://h/d?read_default_file=/etc/my.cnf"}, "not read"},
		{"mysql ssl_mode", Options{URL: "mysql://h/d?ssl_mode=SOMETIMES"}, "ssl_mode"},
		{"unknown to MySQL", Options{URL: "mysql://u:sekrit@h/d?what=x"}, `"what"`},
		{"sqlite host", Options{URL: "sqlite://s.db"}, "no host"},
		{"sqlite options", Options{URL: "sqlite:///s.db?timeout=20&check_same_thread=False"}, ""},
		{"unknown to SQLite", Options{URL: "sqlite:///s.db?mode=ro"}, `"mode"`},
		{"a pragma", Options{URL: "sqlite:///file:s.db?uri=true&_pragma=x"}, `"_pragma"`},
		{"oracle", Options{URL: "oracle+cx_oracle://u:sekrit@h/d"}, "oracle: PostgreSQL, MySQL, MariaDB and SQLite are supported"},
		{"mssql", Options{URL: "mssql+pyodbc://u:sekrit@h/d"}, "no support"},
		{"odbc", Options{URL: "mysql+pyodbc://u:sekrit@dsn"}, "pyodbc"},
		{"sqlcipher", Options{URL: "sqlite+pysqlcipher://:sekrit@/s.db"}, "pysqlcipher"},
		{"pool", Options{URL: "sqlite://", Options: map[string]string{"sa.pool_size": "x"}}, "sa.pool_size is not a number"},
		{"echo", Options{URL: "sqlite://", Options: map[string]string{"sa.echo": "true", "sa.pool_pre_ping": "true", "encoding": "utf-8"}}, ""},
		{"connect_args", Options{URL: "sqlite://", Options: map[string]string{"sa.connect_args": "{}"}}, "in the query of the url"},
		{"unknown to SQLAlchemy", Options{URL: "sqlite://", Options: map[string]string{"sa.poolsize": "3"}}, "sa.poolsize"},
		{"protocol", Options{URL: "sqlite://", Protocol: 6}, "protocol"},
		{"size", Options{URL: "sqlite://", MaxBytes: -1}, "size limit"},
		{"timeout", Options{URL: "sqlite://", Timeout: -1}, "timeout"},
		{"table", Options{URL: "sqlite://", Table: "a\x00b"}, "name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := New(c.o)
			if c.want == "" {
				require.NoError(t, err)
				require.NoError(t, s.Close())
				return
			}
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "sek")
			require.True(t, strings.HasPrefix(err.Error(), "sqlstore: options: "))
		})
	}
	_, err := New(Options{URL: "oracle://u@h/d"})
	require.ErrorIs(t, err, ErrUnsupported)
}

func TestPool(t *testing.T) {
	for _, c := range []struct {
		options map[string]string
		want    pool
	}{
		{nil, pool{idle: 5, open: 15, wait: time.Second}},
		{map[string]string{"sa.pool_size": "20", "sa.max_overflow": "0"}, pool{idle: 20, open: 20, wait: time.Second}},
		{map[string]string{"sa.pool_size": "0"}, pool{idle: 5, wait: time.Second}},
		{map[string]string{"max_overflow": "-1", "pool_recycle": "-1"}, pool{idle: 5, wait: time.Second}},
		{map[string]string{"sa.pool_recycle": "3600", "sa.pool_timeout": "7.5"}, pool{idle: 5, open: 15, wait: 7500 * time.Millisecond, recycle: time.Hour}},
	} {
		got, err := engineOptions(c.options, time.Second)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%v", c.options)
	}
}

func TestPostgresParams(t *testing.T) {
	for url, want := range map[string]string{
		"postgresql://u:p%40q@h:5433/d":                        "host=h port=5433 user=u password=p@q dbname=d",
		"postgresql://u@h/d?host=a:1&host=b:2":                 "host=h,a,b port=1,2 user=u dbname=d",
		"postgresql:///d?host=/run/x&port=5433&user=v":         "host=/run/x port=5433 user=v dbname=d",
		"postgresql://[::1]:5/d?sslmode=require&options=-cx=1": "sslmode=require options=-cx=1 host=::1 port=5 dbname=d",
		"postgresql:///d?host=[::1]:7":                         "host=::1 port=7 dbname=d",
		"postgresql://":                                        "",
	} {
		target, err := parseURL(url)
		require.NoError(t, err)
		params, _, err := postgresParams(target)
		require.NoError(t, err)
		var got []string
		for _, p := range params {
			got = append(got, p.key+"="+p.value)
		}
		require.Equal(t, want, strings.Join(got, " "), url)
	}
}

func TestMySQLTLS(t *testing.T) {
	for query, check := range map[string]func(c *tls.Config) bool{
		"charset=utf8":                          func(c *tls.Config) bool { return c == nil },
		"ssl_disabled=true":                     func(c *tls.Config) bool { return c == nil },
		"ssl_mode=REQUIRED":                     func(c *tls.Config) bool { return c.InsecureSkipVerify && c.VerifyConnection == nil },
		"ssl_mode=VERIFY_CA":                    func(c *tls.Config) bool { return c.VerifyConnection != nil },
		"ssl_mode=VERIFY_IDENTITY":              func(c *tls.Config) bool { return !c.InsecureSkipVerify },
		"ssl_verify_cert=true":                  func(c *tls.Config) bool { return !c.InsecureSkipVerify },
		"ssl_check_hostname=true":               func(c *tls.Config) bool { return !c.InsecureSkipVerify },
		"ssl=true&ssl_check_hostname=false":     func(c *tls.Config) bool { return c.InsecureSkipVerify },
		"ssl_verify_cert=1&ssl_check_hostname=": func(c *tls.Config) bool { return !c.InsecureSkipVerify },
	} {
		target, err := parseURL("mysql://h/d?" + query)
		require.NoError(t, err)
		c := mysql.NewConfig()
		_, err = mysqlQuery(target.query, c, new([]string))
		require.NoError(t, err)
		require.True(t, check(c.TLS), query)
	}
}

func TestSQLiteName(t *testing.T) {
	here, err := filepath.Abs(".")
	require.NoError(t, err)
	for url, want := range map[string]string{
		"sqlite://":                 "file::memory:",
		"sqlite:///":                "file::memory:",
		"sqlite:///:memory:":        "file::memory:",
		"sqlite:///s.db":            "file://" + here + "/s.db",
		"sqlite:////var/a b%41#.db": "file:///var/a%20b%2541%23.db",
		"sqlite:///file:s.db?uri=true&mode=ro&cache=a+b": "file:s.db?mode=ro&cache=a+b",
		"sqlite:////s.db?uri=1":                          "file:///s.db",
	} {
		target, err := parseURL(url)
		require.NoError(t, err)
		name, _, _, err := sqliteName(target, strings.Contains(url, "uri="))
		require.NoError(t, err)
		require.Equal(t, want, name, url)
	}
}

// TestDiagnose: what each failure means, and that no server's words on values get out.
func TestDiagnose(t *testing.T) {
	const id = "1e4c684fb206494191440c2cc28cbc22"
	state := func(code string) error {
		return fmt.Errorf("x: %w", &pgconn.PgError{Code: code, Message: "about names", Detail: "Key (namespace)=(" + id + ")"})
	}
	number := func(n uint16) error { return &mysql.MySQLError{Number: n, Message: "Duplicate entry '" + id + "'"} }
	postgres, maria := &dialect{examine: examinePostgres}, &dialect{examine: examineMySQL}
	timeout := &net.OpError{Op: "read", Err: context.DeadlineExceeded}
	for _, c := range []struct {
		d       *dialect
		err     error
		write   bool
		is, not []error
	}{
		{postgres, state("28P01"), true, []error{stores.ErrAccess}, []error{stores.ErrUncertain}},
		{postgres, state("3D000"), true, []error{stores.ErrMissing}, []error{stores.ErrUncertain}},
		{postgres, state("42P01"), true, []error{stores.ErrMissing}, nil},
		{postgres, state("42501"), true, []error{stores.ErrAccess}, nil},
		{postgres, state("25006"), true, []error{stores.ErrAccess}, nil},
		{postgres, state("53100"), true, []error{stores.ErrFull}, []error{stores.ErrUncertain}},
		{postgres, state("57014"), true, []error{stores.ErrTimeout}, []error{stores.ErrUncertain}},
		{postgres, state("57P01"), true, []error{stores.ErrUncertain}, nil},
		{postgres, state("57P01"), false, nil, []error{stores.ErrUncertain}},
		{postgres, state("XX000"), true, nil, []error{stores.ErrUncertain, stores.ErrAccess}},
		{postgres, state(""), true, nil, nil},
		{maria, number(1045), true, []error{stores.ErrAccess}, nil},
		{maria, number(1142), true, []error{stores.ErrAccess}, nil},
		{maria, number(1049), true, []error{stores.ErrMissing}, nil},
		{maria, number(1146), true, []error{stores.ErrMissing}, nil},
		{maria, number(1021), true, []error{stores.ErrFull}, nil},
		{maria, number(1114), true, []error{stores.ErrFull}, nil},
		{maria, number(1205), true, []error{stores.ErrTimeout}, []error{stores.ErrUncertain}},
		{maria, number(1053), true, []error{stores.ErrUncertain}, nil},
		{maria, number(1062), true, nil, []error{stores.ErrUncertain}},
		{maria, mysql.ErrPktTooLarge, true, []error{stores.ErrTooLarge}, []error{stores.ErrUncertain}},
		{maria, mysql.ErrInvalidConn, true, []error{stores.ErrUncertain}, nil},
		{maria, driver.ErrBadConn, true, nil, []error{stores.ErrUncertain}},
		{maria, io.ErrUnexpectedEOF, true, []error{stores.ErrUncertain, io.ErrUnexpectedEOF}, []error{stores.ErrTimeout}},
		{postgres, timeout, true, []error{stores.ErrUncertain, stores.ErrTimeout}, nil},
		{postgres, timeout, false, []error{stores.ErrTimeout}, []error{stores.ErrUncertain}},
		{postgres, syscall.ECONNRESET, true, []error{stores.ErrUncertain, syscall.ECONNRESET}, nil},
		{postgres, errors.New(id), true, []error{stores.ErrUncertain}, nil},
	} {
		s := &Store{dialect: c.d}
		m := reading
		if c.write {
			m = writing
		}
		err := failed("put", id, s.judge(t.Context(), t.Context(), m, c.err))
		for _, want := range c.is {
			require.ErrorIs(t, err, want, "%v", c.err)
		}
		for _, not := range c.not {
			require.NotErrorIs(t, err, not, "%v", c.err)
		}
		require.Equal(t, !errors.Is(err, stores.ErrTooLarge), errors.Is(err, stores.ErrUnavailable))
		if !errors.Is(err, stores.ErrAccess) && !errors.Is(err, stores.ErrMissing) && !errors.Is(err, stores.ErrFull) {
			require.NotContains(t, err.Error(), id)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := failed("put", id, (&Store{dialect: postgres}).judge(ctx, ctx, writing, errors.New("gone")))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, stores.ErrUncertain)
	require.NotErrorIs(t, err, stores.ErrUnavailable)
}

// FuzzParseURL: no URL panics; what is read can be put together again, and is read the
// same.
func FuzzParseURL(f *testing.F) {
	for n, url := range grid() {
		if n%97 == 0 {
			f.Add(url)
		}
	}
	quote := strings.NewReplacer("%", "%25", ":", "%3A", "/", "%2F", "@", "%40", "?", "%3F")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 500 {
			return
		}
		got, err := parseURL(text)
		if err != nil || strings.ContainsAny(got.host+got.database, "[]@") {
			return
		}
		again := got.name + "://"
		if got.user != "" || got.password != "" {
			again += quote.Replace(got.user) + ":" + quote.Replace(got.password) + "@"
		}
		if strings.Contains(got.host, ":") {
			again += "[" + got.host + "]"
		} else {
			again += got.host
		}
		if got.port != "" {
			again += ":" + got.port
		}
		again += "/" + got.database
		twice, err := parseURL(again)
		require.NoError(t, err)
		got.query = nil
		twice.query = nil
		require.Equal(t, got, twice, "%q", again)
	})
}
