package sqlstore

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// target is a SQLAlchemy URL, taken apart. What is absent is "".
type target struct {
	name     string // "postgresql+psycopg2"
	user     string
	password string
	host     string
	port     string // digits
	database string
	query    []option
}

// option is an entry of the query, in the order of the URL.
type option struct{ key, value string }

// urlPattern is what SQLAlchemy 1.4 and 2.0 match (sqlalchemy/engine/url.py). RE2
// prefers what Python's matcher prefers.
var urlPattern = regexp.MustCompile(`^([\w+]+)://` +
	`(?:([^:/]*)(?::([^@]*))?@)?` + // user, password
	`(?:(?:\[([^/?]+)\]|([^/:?]+))?(?::([^/?]*))?)?` + // address of IPv6, other host, port
	`(?:/([^?]*))?` + // database
	`(?:\?(.*))?`) // query

// errURL does not show the URL, for it may hold a password.
var errURL = errors.New("is no SQLAlchemy url: it must be like dialect+driver://user:password@host:port/database")

// parseURL takes a URL apart as SQLAlchemy's make_url does. User and password are
// unquoted, where a plus is a plus; in the query it is a space; host and database stand
// as they are.
func parseURL(text string) (target, error) {
	m := urlPattern.FindStringSubmatch(text)
	if m == nil {
		return target{}, errURL
	}
	t := target{name: m[1], user: m[2], password: m[3], host: m[4] + m[5], port: m[6], database: m[7]}
	if at := strings.LastIndexByte(t.host, '@'); at >= 0 && m[3] != "" {
		// SQLAlchemy 1.3 takes the password up to the last @, and no host has one.
		t.password += "@" + t.host[:at]
		t.host = t.host[at+1:]
	}
	if t.port != "" {
		n, err := strconv.ParseUint(t.port, 10, 16)
		if err != nil {
			return target{}, errors.New("the port is not a number up to 65535; a : or / or @ of the password must be quoted, as %3A, %2F, %40")
		}
		t.port = strconv.FormatUint(n, 10)
	}
	var ok1, ok2, ok3 bool
	t.user, ok1 = unquote(t.user, false)
	t.password, ok2 = unquote(t.password, false)
	t.query, ok3 = parseQuery(m[8])
	if !ok1 || !ok2 || !ok3 {
		return target{}, errors.New("what it quotes by % is not UTF-8")
	}
	return t, nil
}

// parseQuery is urllib's parse_qsl: fields without a value are dropped.
func parseQuery(text string) (query []option, utf8 bool) {
	for field := range strings.SplitSeq(text, "&") {
		key, value, _ := strings.Cut(field, "=")
		if value == "" {
			continue
		}
		k, ok1 := unquote(key, true)
		v, ok2 := unquote(value, true)
		if !ok1 || !ok2 {
			return nil, false
		}
		query = append(query, option{k, v})
	}
	return query, true
}

// unquote is urllib's unquote, or unquote_plus: what is no %XX stays as it is.
func unquote(s string, plus bool) (text string, isUTF8 bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' && plus {
			c = ' '
		}
		if c == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				c = byte(n)
				i += 2
			}
		}
		b.WriteByte(c)
	}
	return b.String(), utf8.ValidString(b.String())
}

// ErrUnsupported: there is no support for the kind of database that the URL names.
var ErrUnsupported = errors.New("no support for this kind of database")

// family is a kind of database.
type family uint8

const (
	postgresFamily family = iota + 1
	mysqlFamily
	sqliteFamily
)

// drivers are the dialects of SQLAlchemy that are served, with those of its drivers
// that reach the same servers in the same way.
var drivers = map[string]struct {
	family family
	names  string
}{
	"postgresql": {postgresFamily, "psycopg2 psycopg2cffi psycopg psycopg_async pg8000 asyncpg pygresql pypostgresql"},
	"postgres":   {postgresFamily, "psycopg2 psycopg2cffi pg8000 pygresql pypostgresql"}, // up to SQLAlchemy 1.3
	"mysql":      {mysqlFamily, "mysqldb pymysql mysqlconnector cymysql oursql mariadbconnector aiomysql asyncmy"},
	"mariadb":    {mysqlFamily, "mysqldb pymysql mysqlconnector cymysql mariadbconnector aiomysql asyncmy"},
	"sqlite":     {sqliteFamily, "pysqlite aiosqlite"},
}

// family tells which kind of database the URL names.
func (t target) family() (family, error) {
	name, driver, named := strings.Cut(t.name, "+")
	d, ok := drivers[name]
	if !ok {
		return 0, fmt.Errorf("%w: %s: PostgreSQL, MySQL, MariaDB and SQLite are supported; move the Python side to one of these or to another session type first", ErrUnsupported, name)
	}
	if named && !strings.Contains(" "+d.names+" ", " "+driver+" ") {
		return 0, fmt.Errorf("%w: %s by way of %s: of its drivers these are known: %s", ErrUnsupported, name, driver, d.names)
	}
	return d.family, nil
}

// words is a set of names.
type words map[string]bool

func wordsOf(list string) words {
	w := words{}
	for _, name := range strings.Fields(list) {
		w[name] = true
	}
	return w
}

// unknownOption is the error for an option of the query. It may be the end of a password
// that has both an @ and a ? in it; that is not shown.
func unknownOption(o option) error {
	if strings.Contains(o.key+o.value, "@") {
		return errors.New("an option of its query is not known here; an @ of the password must be quoted, as %40")
	}
	return fmt.Errorf("the option %q of its query is not known here", o.key)
}
