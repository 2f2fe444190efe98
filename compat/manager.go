package compat

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	// ReadTimeout limits the time to read a session: a Python that hangs may hold its
	// lock, and those who want to read it would wait as long as their clients do. What
	// took longer is stores.ErrUnavailable and ErrTimeout. 0: as long as the context.
	ReadTimeout time.Duration
	// Observe is told what happens to sessions, in the goroutine in which it
	// happens. It must be safe for concurrent use, and quick. nil: nobody is told.
	Observe func(Event)
}

// Manager opens sessions. It is made once and is safe for concurrent use.
type Manager struct {
	opts   Options
	home   home
	locker stores.Locker // nil if there are no locks

	signer *beakerfmt.Signer // nil: cookies are not signed
	codec  *beakerfmt.Codec
	form   beakerfmt.Form // of a new session
	era    Era
	walk   beakerfmt.CookieWalk
	touch  time.Duration

	now     func() time.Time
	random  io.Reader
	log     *slog.Logger
	observe func(Event) // may be nil

	patience time.Duration // Environment.ReadTimeout

	touches *touches

	badSignature, badForm notice
	otherMode             sync.Once
}

// ErrUnsupported: something that this kind of session cannot do.
var ErrUnsupported = errors.New("not supported")

// New checks the options and returns a Manager over store, which is nil for
// cookie-only sessions.
func New(o Options, store stores.Store, env Environment) (*Manager, error) {
	form, err := o.check()
	if err != nil {
		return nil, fmt.Errorf("compat: new: %w", err)
	}
	m := &Manager{
		opts:   o,
		form:   form,
		era:    o.Peer.Era(),
		walk:   o.Peer.walk(o.LenientCookies),
		touch:  o.touchInterval(),
		now:    env.Now,
		random: env.Random,
		log:    env.Logger,

		observe:  env.Observe,
		patience: env.ReadTimeout,
		touches:  newTouches(),
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
	m.codec = &beakerfmt.Codec{
		EncryptKeys:     keys(o.EncryptKey, o.OldEncryptKeys),
		ValidateKeys:    keys(o.ValidateKey, o.OldValidateKeys),
		Modes:           o.modes(),
		NonceBits:       form.NonceBits,
		AcceptPlaintext: o.AcceptPlaintext,
		Random:          m.random,
	}
	secrets := keys(o.Secret, o.OldSecrets)
	switch {
	case o.cookieOnly() && store != nil:
		return nil, errors.New("compat: new: type = cookie: such sessions have no store")
	case o.cookieOnly():
		m.home, secrets = inCookie{m, newSessionCache(m, nil)}, m.codec.ValidateKeys
	case store == nil:
		return nil, errors.New("compat: new: a store is needed")
	default:
		m.home = newInStore(m, store)
		m.locker, _ = stores.As[stores.Locker](store)
	}
	if secrets != nil {
		m.signer = beakerfmt.NewSigner(secrets...)
	}
	if o.EncryptKey != "" && o.Peer.Python == 0 && !o.asciiKeys() {
		m.log.Warn("encrypt_key or validate_key is not ASCII: Beaker on Python 3 cannot encrypt with it")
	}
	return m, nil
}

// keys lists a key and its predecessors; nil if there is none.
func keys(first string, old []string) [][]byte {
	if first == "" {
		return nil
	}
	all := [][]byte{[]byte(first)}
	for _, k := range old {
		all = append(all, []byte(k))
	}
	return all
}

// Options returns the options that the Manager was made with.
func (m *Manager) Options() Options { return m.opts }

// Key returns the name of the session's cookie.
func (m *Manager) Key() string { return m.opts.Key }

// Open returns the lazy session of a request with this Cookie header (several
// header lines joined by beakerfmt.JoinCookieHeaders). It does nothing yet.
func (m *Manager) Open(cookieHeader string) *SessionObject {
	return &SessionObject{m: m, header: cookieHeader}
}

// GetByID loads a session by its id, without cookies (Beaker:
// SessionObject.get_by_id). An absent, deleted or timed-out session is
// stores.ErrNotExist. Changes to it are written by Save and Persist. A cookie-only
// session cannot be had so: ErrUnsupported.
func (m *Manager) GetByID(ctx context.Context, id string) (*Session, error) {
	h, ok := m.home.(*inStore)
	if !ok {
		return nil, fmt.Errorf("compat: get by id: cookie-only sessions are with their browsers: %w", ErrUnsupported)
	}
	if !m.opts.IDs.Valid(id) {
		return nil, fmt.Errorf("compat: get by id: %w", stores.ErrInvalidID)
	}
	r, err := h.fetch(ctx, id)
	m.tellLoad(claim{}, r, err)
	if err != nil {
		return nil, fmt.Errorf("compat: get by id: %w", err)
	}
	if r.state != present {
		return nil, fmt.Errorf("compat: get by id: session %s: %w", beakerfmt.HashID(id), stores.ErrNotExist)
	}
	s := &Session{m: m}
	s.adopt(r)
	return s, nil
}

// Forget has the next Peek at the session of id read its record, although CacheTime is
// not over. It is for who writes to the store without this Manager. Safe for
// concurrent use.
func (m *Manager) Forget(id string) {
	if h, ok := m.home.(*inStore); ok && h.cache != nil {
		h.cache.forget(id)
	}
}

func (m *Manager) warnOfSignature() {
	n, ok := m.badSignature.due(m.now())
	if !ok {
		return
	}
	key := "secret"
	if m.opts.cookieOnly() {
		key = "validate_key"
	}
	m.log.Warn("session cookies with a signature of another "+key+": their users are not logged in here; is it that of the Python application?",
		"cookie", m.opts.Key, "count", n)
}

// warnOfForm tells the log of sessions that were only read and cannot be written
// as new ones are.
func (m *Manager) warnOfForm(ctx context.Context, err error) {
	if n, ok := m.badForm.due(m.now()); ok {
		m.log.WarnContext(ctx, "sessions cannot be renewed in the form of new ones: the peer may not be able to read them", "error", err, "count", n)
	}
}

// warnOfMode tells the log once of a mode of AES in which new sessions are not
// encrypted, where nobody has said which one it should be.
func (m *Manager) warnOfMode(ctx context.Context, found beakerfmt.Form) {
	guessed := m.opts.EncryptKey != "" && m.opts.Peer.IsAuto() && isDefault(m.opts.CryptoType)
	if !guessed || found.AES == beakerfmt.AESNone || found.AES == m.form.AES {
		return
	}
	m.otherMode.Do(func() {
		m.log.WarnContext(ctx, "there are sessions in another mode of AES than that of sessions that are begun in Go, which their Beaker may not be able to read; set the peer or crypto_type",
			"found", found.AES.String(), "new", m.form.AES.String())
	})
}

// warnOfLoss tells the log of a session that is given up because it cannot be read.
func (m *Manager) warnOfLoss(ctx context.Context, err error) {
	if errors.Is(err, beakerfmt.ErrBadSignature) {
		return // of that it has been told
	}
	m.log.WarnContext(ctx, "session cannot be read: a new one is made; with invalidate_corrupt off it would be an error", "error", err)
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
