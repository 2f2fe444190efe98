// Package inspector is the page on the admin address: live numbers, and the sessions in
// the store. Whoever may use it can see what is in every session, and log out anybody.
//
// No id, key, cookie or value of a session is in a URL, a log line, or in what it sends,
// except for the values of a session that was asked for. Sessions are named by
// beakerfmt.HashID; what a link has to remember is sealed ([Guard]).
package inspector

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/tree"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/webpage"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/backend"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed pages/inspector.css
var pageCSS string

// Options configure [New].
type Options struct {
	Manager *compat.Manager
	Store   stores.Store // nil: sessions in their cookies
	// Mask are patterns of keys whose values are not shown, as in tree.Mask; nil:
	// tree.Secrets. The id of a cookie-only session is not shown either.
	Mask []string
	// ReadOnly leaves out what changes sessions.
	ReadOnly bool
	// Numbers returns the live numbers; nil: there are none.
	Numbers func() []Number
	// Users may use it. None: nobody is asked, for an address that only the right people
	// can reach.
	Users []User
	// Hosts are names by which browsers may call it, beside localhost and addresses. Any
	// other name may be one that somebody else has pointed here (DNS rebinding).
	Hosts []string
	// Guard outlives an Inspector; nil: one of its own.
	Guard *Guard
	// Client names who sent a request, for the audit and the limit of failed logins; nil:
	// the address of the connection.
	Client func(*http.Request) string
	// Version of the program, for the foot of the pages.
	Version string
	// Audit gets a line for each action; nil: slog.Default.
	Audit *slog.Logger
	Now   func() time.Time // nil: time.Now
}

// User is one who may use it.
type User struct {
	Name  string // for the audit
	Token string // secret; not empty
}

// Number is a live number.
type Number struct {
	Name, Help string
	Labels     string // `form="pickle"`, "" for none
	Value      float64
}

// inspector is the handler.
type inspector struct {
	Options
	base  string // the prefix with a slash at its end
	place string
	hide  func(key string) bool
	keys  inspect.Keys
	codec *beakerfmt.Codec
	pages *webpage.Set
	// known are the ids of sessions that were on a page, by their hashes: a link has the
	// hash only.
	known   *lru.Cache[string, string]
	counter counter
	mux     *http.ServeMux
}

// mostKnown bounds what is remembered: some 200 bytes each.
const mostKnown = 20_000

// New returns the page, to be mounted under prefix ("/inspector"), which requests still
// have. It is safe for concurrent use. The error is about a malformed pattern or a user
// without a token.
func New(prefix string, o Options) (http.Handler, error) {
	i := &inspector{Options: o, base: strings.TrimRight(prefix, "/") + "/", place: backend.Place(o.Manager.Options())}
	if i.Now == nil {
		i.Now = time.Now
	}
	if i.Audit == nil {
		i.Audit = slog.Default()
	}
	if i.Guard == nil {
		i.Guard = NewGuard(i.Now)
	}
	if i.Client == nil {
		i.Client = peer
	}
	for _, u := range o.Users {
		if u.Token == "" {
			return nil, fmt.Errorf("inspector: new: user %q has no token", u.Name)
		}
	}
	patterns := o.Mask
	if patterns == nil {
		patterns = tree.Secrets()
	}
	hide, err := tree.Mask(patterns)
	if err != nil {
		return nil, fmt.Errorf("inspector: new: %w", err)
	}
	i.hide = func(key string) bool { return key == "_id" || hide(key) } // a cookie-only session's own id
	i.keys = inspectKeys(o.Manager.Options())
	i.codec = i.keys.Codec(o.Manager.Options().EncryptNonceBits)
	files, err := fs.Sub(pageFiles, "pages")
	if err == nil {
		i.pages, err = webpage.New(files, pageCSS, i.funcs())
	}
	if err != nil {
		return nil, fmt.Errorf("inspector: new: %w", err)
	}
	i.known, err = lru.New[string, string](mostKnown)
	if err != nil {
		return nil, fmt.Errorf("inspector: new: %w", err)
	}
	i.routes()
	return i.admit(http.NewCrossOriginProtection()), nil
}

func (i *inspector) routes() {
	i.mux = http.NewServeMux()
	handle := func(pattern string, f func(http.ResponseWriter, *http.Request, visitor)) {
		method, path, _ := strings.Cut(pattern, " ")
		i.mux.HandleFunc(method+" "+i.base+path, func(w http.ResponseWriter, r *http.Request) { f(w, r, visitorOf(r)) })
	}
	handle("GET {$}", i.overview)
	handle("GET login", i.loginPage)
	handle("POST login", i.login)
	handle("POST logout", i.logout)
	handle("GET decode", i.decodePage)
	handle("POST decode", i.decode)
	handle("GET sessions", i.list)
	handle("POST sessions", i.search)
	handle("GET session/{hash}", i.session)
	handle("POST session/{hash}/reveal", i.reveal)
	handle("GET session/{hash}/invalidate", i.confirm)
	handle("POST session/{hash}/invalidate", i.invalidate)
	handle("GET ", func(w http.ResponseWriter, r *http.Request, v visitor) {
		if r.URL.Path+"/" == i.base {
			http.Redirect(w, r, i.base, http.StatusPermanentRedirect)
			return
		}
		i.problem(w, r, v, http.StatusNotFound, "There is no such page", "Perhaps the address was cut short.")
	})
	if i.base != "/" {
		i.mux.Handle("GET "+strings.TrimRight(i.base, "/"), http.RedirectHandler(i.base, http.StatusPermanentRedirect))
	}
}

// patience is how long a page may wait for the store.
const patience = 15 * time.Second

func (i *inspector) context(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), patience)
}

// audit writes what somebody did. Session is a hash, or "".
func (i *inspector) audit(r *http.Request, v visitor, action, session, outcome string, more ...any) {
	args := []any{"action", action, "outcome", outcome, "client", i.Client(r), "user", cmp.Or(v.user, "-")}
	if session != "" {
		args = append(args, "session", session)
	}
	level := slog.LevelInfo
	if outcome != ok {
		level = slog.LevelWarn
	}
	i.Audit.Log(r.Context(), level, "inspector", append(args, more...)...)
}

// The outcomes in the audit.
const (
	ok          = "ok"
	refused     = "refused"
	notFound    = "not found"
	unavailable = "unavailable"
	failed      = "failed"
)

// peer is the address of the connection, without the port.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return cmp.Or(strings.Trim(r.RemoteAddr, "@"), "unix")
	}
	return host
}

// storeProblem answers for an error of the store, in words that have no address in them.
// It returns the outcome for the audit.
func (i *inspector) storeProblem(w http.ResponseWriter, r *http.Request, v visitor, err error) string {
	switch {
	case errors.Is(err, stores.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		why := "It cannot be reached now."
		switch {
		case errors.Is(err, stores.ErrAccess):
			why = "It refuses access: a password, a permission, or a read-only replica."
		case errors.Is(err, stores.ErrFull):
			why = "It is full."
		case errors.Is(err, stores.ErrMissing):
			why = "Its table or directory is not there."
		case errors.Is(err, stores.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
			why = "It does not answer in time."
		}
		i.problem(w, r, v, http.StatusServiceUnavailable, "The session store does not answer", why+" Nobody is logged out by that. The log of the server has the details.")
		return unavailable
	}
	i.problem(w, r, v, http.StatusInternalServerError, "This did not work", "The log of the server has the details.")
	return failed
}

// inspectKeys are the keys of the configuration under their names.
func inspectKeys(o compat.Options) inspect.Keys {
	named := func(name, first string, old []string) (keys []inspect.Key) {
		if first != "" {
			keys = append(keys, inspect.Key{Name: name, Key: first})
		}
		for n, k := range old {
			keys = append(keys, inspect.Key{Name: fmt.Sprintf("old_%ss[%d]", name, n), Key: k})
		}
		return keys
	}
	return inspect.Keys{
		Secrets:  named("secret", o.Secret, o.OldSecrets),
		Validate: named("validate_key", o.ValidateKey, o.OldValidateKeys),
		Encrypt:  named("encrypt_key", o.EncryptKey, o.OldEncryptKeys),
	}
}
