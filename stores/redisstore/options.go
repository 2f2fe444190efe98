package redisstore

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/stores/internal/framing"
)

// What [Options] mean where they say nothing.
const (
	DefaultMaxBytes    = framing.DefaultMaxBytes
	DefaultDialTimeout = 2 * time.Second
	DefaultTimeout     = 3 * time.Second
)

// Protocol0 is the [Options.Protocol] that stands for pickle protocol 0, the
// one of Python 2.
const Protocol0 = framing.Protocol0

const (
	defaultPort         = 6379
	defaultSentinelPort = 26379
	maxPipeline         = 512 // commands that are sent at once
)

// Options are the options of a store. URL or URLs is needed; see the package for how
// they are read.
type Options struct {
	// URL is Beaker's url of ext:redis.
	URL string
	// URLs are Beaker's urls of ext:rediscluster, taken apart at the commas. Extra
	// are the options that Beaker hands on to redis-py's RedisCluster: username,
	// password, ssl and others. As there, unknown ones are passed over.
	URLs  []string
	Extra map[string]string
	// MasterName and Sentinels (host:port) have the address of URL's server told by
	// Redis Sentinel.
	MasterName                         string
	Sentinels                          []string
	SentinelUsername, SentinelPassword string

	// TTL is the lifetime of a record from each time that it is written, in whole
	// seconds. 0 is none, and takes off one that is there. Beaker since 1.10.0: the
	// session's timeout and 120 seconds, if there is a timeout.
	TTL time.Duration
	// IDs says which ids are acceptable; no key is formed from any other.
	IDs beakerfmt.IDRule
	// Protocol is the pickle protocol of the records that are written. 0 means 2,
	// which every Python reads; see also [Protocol0].
	Protocol int
	// MaxBytes is the size of the largest record that is read or written. 0 means
	// [DefaultMaxBytes].
	MaxBytes int64
	// Limits bounds the decoding of records.
	Limits pickle.Limits
	// DialTimeout and Timeout bound how long the server may take to be reached, and
	// to take a command or answer it. 0 means the defaults. socket_connect_timeout
	// and socket_timeout of the url prevail.
	DialTimeout, Timeout time.Duration
}

// settings are Options with every default filled in.
type settings struct {
	kind               kind
	addrs              []string // several for a cluster or sentinels
	username, password string
	db                 int
	clientName         string
	maxConnections     int
	dialTimeout        time.Duration
	timeout            time.Duration
	tls                tlsSettings

	ttl      int64 // seconds; 0: none
	protocol int
	maxBytes int
	limits   pickle.Limits
}

func (o Options) settle() (settings, error) {
	c := settings{dialTimeout: o.DialTimeout, timeout: o.Timeout}
	if c.dialTimeout == 0 {
		c.dialTimeout = DefaultDialTimeout
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	c.tls.checkHostname = true
	if err := o.settleFormat(&c); err != nil {
		return settings{}, err
	}
	var err error
	switch {
	case (o.URL == "") == (len(o.URLs) == 0):
		err = errors.New("either a url or, for a cluster, urls are needed")
	case o.URL == "" && o.sentinel():
		err = errors.New("a cluster has no sentinels")
	case o.URL == "":
		err = o.settleCluster(&c)
	case len(o.Extra) > 0:
		err = errors.New("further options belong to a cluster: put them into the url")
	default:
		err = o.settleSingle(&c)
	}
	return c, err
}

func (o Options) sentinel() bool { return o.MasterName != "" || len(o.Sentinels) > 0 }

func (o Options) settleFormat(c *settings) error {
	f, err := framing.Frame{Protocol: o.Protocol, MaxBytes: o.MaxBytes, Limits: o.Limits}.Settle(math.MaxInt32)
	if err != nil {
		return err
	}
	c.protocol, c.maxBytes, c.limits = f.Protocol, int(f.MaxBytes), f.Limits
	if o.TTL < 0 || o.TTL > 0 && o.TTL < time.Second {
		return errors.New("a lifetime is one second at least")
	}
	c.ttl = int64(o.TTL / time.Second) // int(expiretime)
	if o.DialTimeout < 0 || o.Timeout < 0 {
		return errors.New("a timeout is negative")
	}
	return nil
}

func (o Options) settleSingle(c *settings) error {
	t, err := parseURL(o.URL)
	if err != nil {
		return err
	}
	if err := c.take(&t); err != nil {
		return err
	}
	if t.kind == unixPath {
		c.addrs = []string{t.path}
		if t.path == "" {
			return errors.New("the url has no path of a socket")
		}
	} else {
		c.addrs = []string{t.address()}
	}
	if !o.sentinel() {
		return nil
	}
	if o.MasterName == "" || len(o.Sentinels) == 0 || t.kind == unixPath {
		return errors.New("Sentinel needs both master_name and sentinels, and a url of redis or rediss")
	}
	c.addrs = nil
	for _, addr := range o.Sentinels {
		full, err := withPort(addr, defaultSentinelPort)
		if err != nil {
			return fmt.Errorf("sentinels: %w", err)
		}
		c.addrs = append(c.addrs, full)
	}
	return nil
}

func (o Options) settleCluster(c *settings) error {
	for i, url := range o.URLs {
		t, err := parseURL(url)
		switch {
		case err != nil:
			return err
		case t.hasDB:
			return errors.New("a url of a cluster names a database: a cluster has but one")
		case t.kind == unixPath:
			return errors.New("a cluster has no unix sockets")
		case t.host == "":
			return errors.New("a url of a cluster names no host")
		}
		c.addrs = append(c.addrs, t.address())
		if i > 0 {
			continue
		}
		if err := c.take(&t); err != nil {
			return err
		}
	}
	return c.takeExtra(o.Extra)
}

// takeExtra reads keyword arguments of RedisCluster. It drops what it does not know
// (cluster.py, cleanup_kwargs).
func (c *settings) takeExtra(extra map[string]string) error {
	t := target{kind: c.kind, username: extra["username"], password: extra["password"]}
	if ssl := extra["ssl"]; ssl != "" && pyBool(ssl) {
		t.kind = overTLS
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if value := extra[name]; value != "" && handlers[name] != nil && !slices.Contains([]string{"db", "host", "port", "path"}, name) {
			t.query = append(t.query, option{name, value})
		}
	}
	username, password := c.username, c.password
	if err := c.take(&t); err != nil {
		return err
	}
	if c.username == "" && c.password == "" {
		c.username, c.password = username, password
	}
	return nil
}

// take takes over everything of a url but the address, which it completes.
func (c *settings) take(t *target) error {
	c.kind = t.kind
	for i, o := range t.query {
		handle := handlers[o.name]
		switch {
		case slices.Contains(refusedOptions, o.name):
			return ofOption(o.name, errors.New("it is not supported"))
		case handle == nil: // by its number: a password that is not quoted may look like an option
			return fmt.Errorf("option %d of the url is none that redis-py has for it", i+1)
		case t.kind != overTLS && strings.HasPrefix(o.name, "ssl_"):
			return ofOption(o.name, errors.New("it is for rediss"))
		}
		if err := handle(c, t, o.value); err != nil {
			return ofOption(o.name, err)
		}
	}
	c.username, c.password, c.db = t.username, t.password, t.db
	if c.username != "" && c.password == "" {
		// redis-py sends AUTH with an empty password, go-redis would send none at all
		// and be the default user. Who needs no password takes any.
		c.password = "nopass"
	}
	if c.db < 0 {
		return errors.New("the number of the database is negative")
	}
	return nil
}

func (t *target) address() string {
	host, port := t.host, t.port
	if host == "" {
		host = "localhost"
	}
	if port == 0 {
		port = defaultPort
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// withPort completes host, host:port, [IPv6] or [IPv6]:port.
func withPort(addr string, port int) (string, error) {
	addr = strings.TrimSpace(addr)
	if host, p, err := net.SplitHostPort(addr); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 || host == "" {
			return "", errors.New("an address is not host:port")
		}
		return addr, nil
	}
	host := strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
	if host == "" {
		return "", errors.New("an address is not host:port")
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}
