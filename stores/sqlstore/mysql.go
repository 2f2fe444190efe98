package sqlstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlPassedOver tune a driver of Python. The character set is always utf8mb4.
var mysqlPassedOver = wordsOf(`charset use_unicode collation compress client_flag local_infile binary_prefix program_name
	autocommit use_pure buffered raise_on_warnings get_warnings consume_results conn_attrs defer_connect
	max_allowed_packet pool_name pool_size pool_reset_session echo no_delay`)

// openMySQL translates what MySQLdb, PyMySQL and the others would get (SQLAlchemy's
// dialects/mysql/mysqldb.py, create_connect_args).
func openMySQL(t target, o Options) (*dialect, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName = t.user, t.password, t.database
	c.Net, c.Addr = "tcp", mysqlAddress(t)
	c.Logger = &mysql.NopLogger{} // it would write to the standard error
	c.ClientFoundRows = true      // an UPDATE that changes nothing has found its row
	c.InterpolateParams = true    // one round trip in place of three
	c.MaxAllowedPacket = 0        // the server's, so that a packet beyond it is not sent
	// What does not fit is an error: nothing is ever cut off.
	init := []string{"SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"}
	dial, err := mysqlQuery(t.query, c, &init)
	if err != nil {
		return nil, err
	}
	c.Timeout = dialTimeout(o, dial)
	if c.Net == "tcp" && c.TLS == nil && c.TLSConfig == "" {
		c.TLSConfig = "preferred"
	}
	inner, err := mysql.NewConnector(c)
	if err != nil {
		return nil, errors.New("its options do not give a connection to MySQL")
	}
	connector := &mysqlConnector{Connector: inner, init: init, timeout: c.Timeout}
	return &dialect{
		connector: connector,
		noLocks:   connector.noLocks.Load,
		examine:   examineMySQL,
		quote:     "`",
		begin:     "START TRANSACTION",
		exact:     "namespace = ? AND CAST(namespace AS BINARY) = ?",
		exactArgs: 2,
		accessed:  "accessed",
		data:      "data",
		size:      "LENGTH(data)",
		clock:     "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)",
		layouts:   mysqlLayouts,
	}, nil
}

// mysqlLayouts are what SQLAlchemy makes of Beaker's columns on MySQL and MariaDB.
var mysqlLayouts = [2]string{`
	id INTEGER NOT NULL AUTO_INCREMENT,
	namespace VARCHAR(255) NOT NULL,
	accessed DATETIME NOT NULL,
	created DATETIME NOT NULL,
	data BLOB NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (namespace)`, `
	namespace VARCHAR(255) NOT NULL,
	accessed DATETIME NOT NULL,
	created DATETIME NOT NULL,
	data BLOB NOT NULL,
	PRIMARY KEY (namespace)`}

func mysqlAddress(t target) string {
	host, port := t.host, t.port
	if host == "" {
		host = "localhost"
	}
	if port == "" {
		port = "3306"
	}
	return net.JoinHostPort(host, port)
}

// mysqlQuery reads the query of the URL.
func mysqlQuery(query []option, c *mysql.Config, init *[]string) (dial time.Duration, err error) {
	var ssl mysqlTLS
	for _, o := range query {
		switch o.key {
		case "unix_socket":
			c.Net, c.Addr = "unix", o.value
		case "host", "port", "user", "passwd", "password", "db", "database":
			err = fmt.Errorf("its query names the %s, which belongs in front of it", o.key)
		case "connect_timeout", "connection_timeout":
			dial, err = seconds(o.value)
		case "read_timeout":
			c.ReadTimeout, err = seconds(o.value)
		case "write_timeout":
			c.WriteTimeout, err = seconds(o.value)
		case "init_command":
			*init = append(*init, o.value)
		case "sql_mode":
			*init = append(*init, "SET SESSION sql_mode = '"+strings.ReplaceAll(strings.ReplaceAll(o.value, `\`, ""), "'", "")+",STRICT_ALL_TABLES'")
		case "read_default_file", "read_default_group", "option_files", "default_file":
			err = fmt.Errorf("%s: option files of MySQL are not read: give user and password in the url", o.key)
		default:
			err = ssl.option(o)
		}
		if errors.Is(err, strconv.ErrSyntax) {
			err = fmt.Errorf("the %s of its query is not a number", o.key)
		}
		if err != nil {
			return 0, err
		}
	}
	c.TLS, err = ssl.config()
	if c.TLS == nil && ssl.disabled {
		c.TLSConfig = "false"
	}
	return dial, err
}

// mysqlTLS are the ssl_* options (PyMySQL's connections.py, _create_ssl_ctx).
type mysqlTLS struct {
	ca, capath, cert, key string
	wanted, disabled      bool
	noHostname, verify    bool
}

func (s *mysqlTLS) option(o option) error {
	yes := false
	switch strings.ToLower(o.value) {
	case "1", "true", "yes", "on", "y", "t":
		yes = true
	}
	switch o.key {
	case "ssl_ca":
		s.ca = o.value
	case "ssl_capath":
		s.capath = o.value
	case "ssl_cert":
		s.cert = o.value
	case "ssl_key":
		s.key = o.value
	case "ssl_check_hostname", "ssl_verify_identity":
		s.noHostname, s.verify = !yes, s.verify || yes
	case "ssl_verify_cert":
		s.verify = yes
	case "ssl_disabled":
		s.disabled = yes
		return nil
	case "ssl":
		if !yes {
			return nil
		}
	case "ssl_mode":
		return s.mode(o.value)
	default:
		if mysqlPassedOver[o.key] {
			return nil
		}
		return unknownOption(o)
	}
	s.wanted = true
	return nil
}

// mode is mysqlclient's ssl_mode.
func (s *mysqlTLS) mode(name string) error {
	switch strings.ToUpper(name) {
	case "DISABLED":
		s.disabled = true
	case "PREFERRED":
	case "REQUIRED":
		s.wanted = true
	case "VERIFY_CA":
		s.wanted, s.verify, s.noHostname = true, true, true
	case "VERIFY_IDENTITY":
		s.wanted, s.verify = true, true
	default:
		return errors.New("the ssl_mode of its query is none of MySQL's")
	}
	return nil
}

// config is nil if TLS is not asked for. As in PyMySQL the server is verified if there
// is a CA to verify it by.
func (s *mysqlTLS) config() (*tls.Config, error) {
	if !s.wanted || s.disabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	roots, err := s.roots()
	if err != nil {
		return nil, err
	}
	c.RootCAs = roots
	switch verify := roots != nil || s.verify; {
	case !verify:
		c.InsecureSkipVerify = true
	case s.noHostname:
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, roots) }
	}
	if s.cert != "" {
		key := s.key
		if key == "" {
			key = s.cert
		}
		pair, err := tls.LoadX509KeyPair(s.cert, key)
		if err != nil {
			return nil, errors.New("its ssl_cert and ssl_key cannot be read as a certificate and its key")
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func (s *mysqlTLS) roots() (*x509.CertPool, error) {
	var files []string
	if s.ca != "" {
		files = append(files, s.ca)
	}
	if s.capath != "" {
		more, _ := filepath.Glob(filepath.Join(s.capath, "*"))
		files = append(files, more...)
	}
	if len(files) == 0 {
		return nil, nil
	}
	pool, found := x509.NewCertPool(), false
	for _, name := range files {
		pem, err := os.ReadFile(name)
		found = err == nil && pool.AppendCertsFromPEM(pem) || found
	}
	if !found {
		return nil, errors.New("there is no certificate to be read in its ssl_ca or ssl_capath")
	}
	return pool, nil
}

// verifyChain verifies a server's certificate, whatever its host name.
func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server has no certificate")
	}
	between := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// mysqlConnector sets up each new connection.
type mysqlConnector struct {
	driver.Connector
	init    []string
	timeout time.Duration
	// noLocks: rows cannot be locked without the gaps between them, see logsStatements.
	noLocks atomic.Bool
}

// Connect implements [driver.Connector].
func (c *mysqlConnector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	init := c.init
	statements := logsStatements(ctx, conn)
	c.noLocks.Store(statements)
	if !statements {
		// Rows are locked, not the gaps in which others insert.
		init = append([]string{"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"}, init...)
	}
	for _, text := range init {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, text, nil); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// logsStatements reports whether the server keeps a log of statements, as MySQL up to
// 5.7.6 does by default where it keeps one: it then writes at no weaker isolation than
// REPEATABLE READ (error 1665), where to lock a row that is not there keeps all others
// from inserting theirs.
func logsStatements(ctx context.Context, conn driver.Conn) bool {
	rows, err := conn.(driver.QueryerContext).QueryContext(ctx, "SELECT IF(@@log_bin AND @@binlog_format = 'STATEMENT', 'yes', 'no')", nil)
	if err != nil {
		return false
	}
	defer func() { _ = rows.Close() }()
	values := make([]driver.Value, 1)
	if rows.Next(values) != nil {
		return false
	}
	answer, _ := values[0].([]byte)
	return string(answer) == "yes"
}

// examineMySQL reads the error number. Of the message it shows only what tells of
// names, never of values: a duplicate key is quoted in it.
func examineMySQL(err error) *failure {
	if errors.Is(err, mysql.ErrPktTooLarge) {
		return &failure{kind: tooLong, text: "MySQL: more than its max_allowed_packet"}
	}
	for _, auth := range []error{mysql.ErrNativePassword, mysql.ErrOldPassword, mysql.ErrCleartextPassword, mysql.ErrUnknownPlugin, mysql.ErrNoTLS} {
		if errors.Is(err, auth) {
			return &failure{kind: denied, text: "MySQL: " + auth.Error()}
		}
	}
	var said *mysql.MySQLError
	if !errors.As(err, &said) {
		return nil
	}
	k := mysqlKind(said.Number)
	f := &failure{kind: k, text: "MySQL: error " + strconv.Itoa(int(said.Number))}
	switch k {
	case denied, missing, noTable, full, noDial:
		f.text += ": " + said.Message
	}
	return f
}

func mysqlKind(number uint16) kind {
	switch number {
	case 1146:
		return noTable
	case 1049:
		return missing
	case 1044, 1045, 1142, 1143, 1227, 1290, 1698, 1792, 1820, 1836, 1862, 1130, 1410:
		return denied
	case 1021, 1114:
		return full
	case 1213, 1020, 1614:
		return again
	case 1205:
		return busy
	case 3024, 1969, 1028:
		return slow
	case 1040, 1203, 1226, 1129:
		return noDial
	case 1053, 1317, 1927, 1077, 1079, 1152, 1158, 1159, 1160, 1161:
		return lost
	case 1050, 1062, 1586:
		return exists
	case 1406, 1153, 1264:
		return tooLong
	}
	return broken
}
