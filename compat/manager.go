package compat

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/stores"
)

// Environment is what a Manager takes from outside; the zero value means the
// real clock, the system's randomness and slog.Default. The log is told what
// would otherwise look like users who were logged out for no reason: cookies
// signed with another secret, records that cannot be read, a peer that cannot
// read what we write. It is never told an id, a key or a value.
type Environment struct {
	Now    func() time.Time
	Random io.Reader
	Logger *slog.Logger
}

// Manager opens sessions. It is made once and is safe for concurrent use.
type Manager struct {
	opts    Options
	store   stores.Store
	updater stores.Updater // nil if the store has none
	locker  stores.Locker  // nil if the store has none

	secrets    [][]byte
	walk       beakerfmt.CookieWalk
	serializer beakerfmt.Serializer
	touch      time.Duration

	now    func() time.Time
	random io.Reader
	log    *slog.Logger

	badSignature notice
	oldForm      sync.Once
}

// ErrUnsupported: an option that this version cannot honour. Nothing is stored
// in a weaker way instead.
var ErrUnsupported = errors.New("not supported")

// New checks the options and returns a Manager over store.
func New(o Options, store stores.Store, env Environment) (*Manager, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("compat: new: %w", err)
	}
	if store == nil {
		return nil, errors.New("compat: new: a store is needed")
	}
	m := &Manager{
		opts:   o,
		store:  store,
		walk:   o.Peer.walk(o.LenientCookies),
		touch:  o.touchInterval(),
		now:    env.Now,
		random: env.Random,
		log:    env.Logger,
	}
	m.updater, _ = store.(stores.Updater)
	m.locker, _ = store.(stores.Locker)
	if o.Secret != "" {
		for _, s := range append([]string{o.Secret}, o.OldSecrets...) {
			m.secrets = append(m.secrets, []byte(s))
		}
	}
	if o.DataSerializer == "json" {
		m.serializer = beakerfmt.JSON
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.random == nil {
		m.random = rand.Reader
	}
	if m.log == nil {
		m.log = slog.Default()
	}
	return m, nil
}

// Options returns the options that the Manager was made with.
func (m *Manager) Options() Options { return m.opts }

// Open returns the lazy session of a request with this Cookie header (several
// header lines joined by beakerfmt.JoinCookieHeaders). It does nothing yet.
func (m *Manager) Open(cookieHeader string) *SessionObject {
	return &SessionObject{m: m, header: cookieHeader}
}

// GetByID loads a session by its id, without cookies (Beaker:
// SessionObject.get_by_id). An absent, deleted or timed-out session is
// stores.ErrNotExist. Changes to it are written by Save and Persist.
func (m *Manager) GetByID(ctx context.Context, id string) (*Session, error) {
	if !m.opts.IDs.Valid(id) {
		return nil, fmt.Errorf("compat: get by id: %w", stores.ErrInvalidID)
	}
	r, err := m.fetch(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("compat: get by id: %w", err)
	}
	if r.state != present {
		return nil, fmt.Errorf("compat: get by id: session %s: %w", beakerfmt.HashID(id), stores.ErrNotExist)
	}
	s := &Session{m: m}
	s.adopt(id, r)
	return s, nil
}

// idFromHeader returns the session id that a Cookie header carries, or "" if
// it carries none that is acceptable (Beaker: Session.__init__,
// SignedCookie.value_decode). A bad signature means no session.
func (m *Manager) idFromHeader(header string) string {
	if !m.opts.UseCookies || header == "" {
		return ""
	}
	coded, ok := m.walk.Find(header, m.opts.Key)
	if !ok {
		return ""
	}
	var id string
	if m.secrets == nil {
		id = beakerfmt.Unquote(coded)
	} else {
		payload, _, err := beakerfmt.Verify(m.secrets, coded)
		if err != nil {
			m.warnOfSignature()
			return ""
		}
		id = payload
	}
	if !m.opts.IDs.Valid(id) {
		return ""
	}
	return id
}

func (m *Manager) warnOfSignature() {
	if n, ok := m.badSignature.due(m.now()); ok {
		m.log.Warn("session cookies with a signature of another secret: their users are not logged in here; is the secret that of the Python application?",
			"cookie", m.opts.Key, "count", n)
	}
}

func (m *Manager) newID() (string, error) {
	id, err := beakerfmt.NewID(m.random)
	if err != nil {
		return "", fmt.Errorf("compat: new session id: %w", err)
	}
	return id, nil
}

// clock returns the time as Python's time.time() gives it.
func (m *Manager) clock() float64 {
	t := m.now()
	return float64(t.Unix()) + float64(t.Nanosecond())/1e9
}

func (o *Options) touchInterval() time.Duration {
	const most = time.Minute
	switch {
	case o.TouchInterval >= 0:
		return o.TouchInterval
	case o.Timeout == NoTimeout:
		return most
	}
	return min(o.Timeout/10, most)
}

// validate refuses what Beaker refuses, with its words where it has some, and
// what would end in a weaker session than the options ask for.
func (o *Options) validate() error {
	switch {
	case o.Type == "cookie":
		return fmt.Errorf("type = cookie (sessions without a store): %w", ErrUnsupported)
	case o.EncryptKey != "":
		return fmt.Errorf("encrypt_key (AES envelopes): %w", ErrUnsupported)
	case !beakerfmt.ValidCookieName(o.Key):
		return errors.New("key: not a cookie name (start from compat.Defaults)")
	case o.DataSerializer != "pickle" && o.DataSerializer != "json":
		return fmt.Errorf("Invalid value for data_serializer: %s", o.DataSerializer) //nolint:staticcheck // Beaker's words
	case o.Timeout < 0 && o.Timeout != NoTimeout:
		return errors.New("timeout: is negative")
	case o.Timeout > 0 && !o.SaveAccessedTime:
		return errors.New("timeout requires save_accessed_time")
	case o.Timeout != NoTimeout && o.TouchInterval > 0 && o.TouchInterval >= o.Timeout:
		return errors.New("touch_interval: must be shorter than timeout, or active users would be logged out")
	case o.Secret == "" && len(o.OldSecrets) > 0:
		return errors.New("secret: older secrets are given, but none to write with")
	}
	for name, v := range map[string]string{"cookie_domain": o.CookieDomain, "cookie_path": o.CookiePath, "samesite": o.SameSite} {
		if err := checkAttribute(name, v); err != nil {
			return err
		}
	}
	return nil
}

// checkAttribute refuses a cookie attribute that would break out of its place
// in the header.
func checkAttribute(name, v string) error {
	if strings.ContainsFunc(v, func(r rune) bool { return r < 0x20 || r == 0x7f || r == ';' }) {
		return fmt.Errorf("%s: has a control character or a semicolon", name)
	}
	return nil
}
