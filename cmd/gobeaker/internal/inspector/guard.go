package inspector

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/webpage"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// Guard keeps what has to outlive an inspector, as a reload makes a new one: the key of
// its links and forms, who is logged in, and who failed to. It ends with the process. It
// is safe for concurrent use.
type Guard struct {
	now   func() time.Time
	aead  cipher.AEAD
	forms []byte // key of the forms' tokens

	mu       sync.Mutex
	logins   *lru.Cache[[sha256.Size]byte, login]
	failures *lru.Cache[string, *rate.Limiter]
}

// login is that of a browser.
type login struct {
	user  string
	token [sha256.Size]byte // hash of the one it was made with: another one ends it
	until time.Time
}

const (
	loginTime    = 8 * time.Hour
	mostLogins   = 1000
	mostFailing  = 10_000 // clients
	failureBurst = 5
	failureEvery = 10 * time.Second
)

// NewGuard returns one with a new key. Now is the clock; nil: time.Now.
func NewGuard(now func() time.Time) *Guard {
	if now == nil {
		now = time.Now
	}
	g := &Guard{now: now, forms: make([]byte, 32)}
	key := make([]byte, 32)
	rand.Read(key) // never fails
	rand.Read(g.forms)
	block, _ := aes.NewCipher(key) // 32 bytes are AES-256
	g.aead, _ = cipher.NewGCMWithRandomNonce(block)
	g.logins, _ = lru.New[[sha256.Size]byte, login](mostLogins) // sizes are positive
	g.failures, _ = lru.New[string, *rate.Limiter](mostFailing)
	return g
}

// seal makes of v a text for a URL that only open can read, for the same purpose.
func (g *Guard) seal(purpose string, v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(g.aead.Seal(nil, nil, plain, []byte(purpose))), nil
}

// open reads what seal made, and reports whether it did.
func (g *Guard) open(purpose, text string, v any) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	plain, err := g.aead.Open(nil, nil, sealed, []byte(purpose))
	return err == nil && json.Unmarshal(plain, v) == nil
}

// formToken binds a form to the browser that it was sent to and to what it does.
func (g *Guard) formToken(browser, action string) string {
	mac := hmac.New(sha256.New, g.forms)
	mac.Write([]byte(browser + "\x00" + action))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (g *Guard) validForm(browser, action, token string) bool {
	return hmac.Equal([]byte(token), []byte(g.formToken(browser, action)))
}

// user finds the one whose token it is. It takes the same time for any token.
func user(users []User, token string) (User, bool) {
	var found User
	given, any := sha256.Sum256([]byte(token)), false
	for _, u := range users {
		if one := sha256.Sum256([]byte(u.Token)); hmac.Equal(one[:], given[:]) {
			found, any = u, true
		}
	}
	return found, any
}

// enter logs a browser in.
func (g *Guard) enter(browser string, u User) {
	g.logins.Add(sha256.Sum256([]byte(browser)), login{u.Name, sha256.Sum256([]byte(u.Token)), g.now().Add(loginTime)})
}

// leave logs a browser out.
func (g *Guard) leave(browser string) { g.logins.Remove(sha256.Sum256([]byte(browser))) }

// entered tells who is logged in with a browser. A user who has gone from the
// configuration, or has another token now, is not.
func (g *Guard) entered(browser string, users []User) (name string, ok bool) {
	l, ok := g.logins.Get(sha256.Sum256([]byte(browser)))
	if !ok || g.now().After(l.until) {
		return "", false
	}
	for _, u := range users {
		if one := sha256.Sum256([]byte(u.Token)); hmac.Equal(one[:], l.token[:]) && u.Name == l.user {
			return u.Name, true
		}
	}
	return "", false
}

// mayTry reports whether a client may present a token, after those that it got wrong.
func (g *Guard) mayTry(client string) bool { return g.failing(client).TokensAt(g.now()) >= 1 }

// wrong notes that a client presented a wrong token.
func (g *Guard) wrong(client string) { g.failing(client).AllowN(g.now(), 1) }

func (g *Guard) failing(client string) *rate.Limiter {
	if a, err := netip.ParseAddr(client); err == nil {
		client = forwarded.Customer(a).String()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l, ok := g.failures.Get(client)
	if !ok {
		l = rate.NewLimiter(rate.Every(failureEvery), failureBurst)
		g.failures.Add(client, l)
	}
	return l
}

// Bearer lets only those through who present the token of one of the users (RFC 6750).
// Without users it lets everybody through. Client is as in [Options].
func (g *Guard) Bearer(users []User, client func(*http.Request) string, next http.Handler) http.Handler {
	if len(users) == 0 {
		return next
	}
	if client == nil {
		client = peer
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := g.bearer(w, r, users, client(r)); ok {
			next.ServeHTTP(w, r)
		}
	})
}

// bearer returns the user of the token that a request presents, or answers it. Who has a
// good one is not kept waiting for what others got wrong at the same address: it is too
// long to be guessed, at any speed.
func (g *Guard) bearer(w http.ResponseWriter, r *http.Request, users []User, client string) (User, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	u, ok := user(users, strings.TrimSpace(token))
	if ok && strings.EqualFold(scheme, "Bearer") {
		return u, true
	}
	if !g.mayTry(client) {
		tooMany(w)
		return User{}, false
	}
	if token != "" {
		g.wrong(client)
	}
	webpage.Guard(w.Header())
	w.Header().Set("WWW-Authenticate", `Bearer realm="gobeaker admin"`)
	http.Error(w, "A token is needed here: Authorization: Bearer …", http.StatusUnauthorized)
	return User{}, false
}

func tooMany(w http.ResponseWriter) {
	webpage.Guard(w.Header())
	w.Header().Set("Retry-After", "10")
	http.Error(w, "Too many wrong tokens from here. Wait a little.", http.StatusTooManyRequests)
}
