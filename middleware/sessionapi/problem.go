package sessionapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores"
)

// problemBase and the name of a kind make the type of a problem, which is stable, and the
// address of its paragraph in the documentation.
const problemBase = "https://github.com/gobeaker/gobeaker/blob/main/docs/session-api.md#"

// kind is a type of problem (RFC 9457).
type kind struct {
	name   string
	status int
	title  string
}

// The types of problems.
var (
	badRequest           = kind{"bad-request", http.StatusBadRequest, "The request is not understood"}
	badCookie            = kind{"bad-cookie", http.StatusBadRequest, "The session cookie was signed with another key"}
	unauthorized         = kind{"unauthorized", http.StatusUnauthorized, "A bearer token is needed"}
	fromBrowser          = kind{"from-browser", http.StatusForbidden, "Browsers have no business here"}
	notFound             = kind{"not-found", http.StatusNotFound, "No such path"}
	noSession            = kind{"no-session", http.StatusNotFound, "The visitor has no session"}
	methodNotAllowed     = kind{"method-not-allowed", http.StatusMethodNotAllowed, "This path does not have that method"}
	inProgress           = kind{"in-progress", http.StatusConflict, "A request with this Idempotency-Key is under way"}
	sessionEnded         = kind{"session-ended", http.StatusConflict, "The session was ended by somebody else meanwhile"}
	unexpectedValue      = kind{"unexpected-value", http.StatusConflict, "The session holds something else under this key"}
	changed              = kind{"changed", http.StatusPreconditionFailed, "The session is not the one of the condition"}
	bodyTooLarge         = kind{"body-too-large", http.StatusRequestEntityTooLarge, "The body is too large"}
	sessionTooLarge      = kind{"session-too-large", http.StatusRequestEntityTooLarge, "The session would be too large"}
	unsupportedMediaType = kind{"unsupported-media-type", http.StatusUnsupportedMediaType, "The body is of another type"}
	wrongHost            = kind{"wrong-host", http.StatusMisdirectedRequest, "The request is for another host"}
	badValue             = kind{"bad-value", http.StatusUnprocessableEntity, "A value cannot be taken as it is"}
	reservedKey          = kind{"reserved-key", http.StatusUnprocessableEntity, "The key is not the services' to write"}
	notMergeable         = kind{"not-mergeable", http.StatusUnprocessableEntity, "The value there is an object of a Python class"}
	tooDeep              = kind{"too-deep", http.StatusUnprocessableEntity, "A value is nested too deeply"}
	tooManyKeys          = kind{"too-many-keys", http.StatusUnprocessableEntity, "The session would have too many keys"}
	notSerializable      = kind{"not-serializable", http.StatusUnprocessableEntity, "The sessions' serializer cannot hold a value"}
	notRepresentable     = kind{"not-representable", http.StatusUnprocessableEntity, "The session cannot be told in JSON"}
	cookieTooLong        = kind{"cookie-too-long", http.StatusUnprocessableEntity, "The session would be too long for its cookie"}
	keyReused            = kind{"key-reused", http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request"}
	internalError        = kind{"internal-error", http.StatusInternalServerError, "Something is wrong here"}
	unreadable           = kind{"unreadable", http.StatusInternalServerError, "The session cannot be read"}
	unsupported          = kind{"unsupported", http.StatusNotImplemented, "The session store cannot do that"}
	unavailable          = kind{"unavailable", http.StatusServiceUnavailable, "The session store is unavailable"}
)

// problem is an error that is answered as it is. It never holds a value of a session.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`

	Key     string    `json:"key,omitempty"`     // the path of the value that is meant
	Class   string    `json:"class,omitempty"`   // its Python class
	Size    int       `json:"size,omitempty"`    // in bytes
	Limit   int       `json:"limit,omitempty"`   // that the size, or the number, is over
	Largest []keySize `json:"largest,omitempty"` // keys of the session, the largest first

	header http.Header
}

type keySize struct {
	Key  string `json:"key"`
	Size int    `json:"size"`
}

func (k kind) problem(detail string) *problem {
	return &problem{Type: problemBase + k.name, Title: k.title, Status: k.status, Detail: detail}
}

// about is a problem with the value of one key.
func (k kind) about(key, detail string) *problem {
	p := k.problem(detail)
	p.Key = key
	return p
}

func (p *problem) Error() string { return "sessionapi: " + p.Title }

func (p *problem) answer() *answer {
	body, err := json.Marshal(p)
	if err != nil { // there is nothing in it that JSON does not hold
		body = []byte("{}")
	}
	ans := &answer{status: p.Status, header: http.Header{"Content-Type": {typeProblem}}, body: append(body, '\n')}
	for name, lines := range p.header {
		ans.header[name] = lines
	}
	return ans
}

// retryAfter is when to come again while the store is down, in seconds.
const retryAfter = "1"

// problemOf tells the client what an error means for him.
func problemOf(err error) *problem {
	var (
		p       *problem
		long    *beakerfmt.CookieTooLongError
		unknown *pyjson.UnsupportedError
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &long):
		return tooLongFor(long)
	case errors.As(err, &unknown):
		p := notSerializable.about(unknown.Path, "The sessions are stored as JSON (data_serializer).")
		p.Class = unknown.Type
		return p
	case errors.Is(err, stores.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		p := unavailable.problem("Nobody is logged out by it; try again.")
		p.header = http.Header{"Retry-After": {retryAfter}}
		return p
	case errors.Is(err, beakerfmt.ErrBadSignature):
		return badCookie.problem("")
	case errors.Is(err, stores.ErrCorrupt):
		return unreadable.problem("It is still there; gobeaker inspect tells what is wrong with it.")
	case errors.Is(err, stores.ErrTooLarge):
		return sessionTooLarge.problem("The store does not take it.")
	case errors.Is(err, middleware.ErrUnexpectedValue):
		return unexpectedValue.problem("")
	case errors.Is(err, middleware.ErrFlashTooLong):
		return cookieTooLong.problem("The message does not fit into TurboGears' cookie.")
	case errors.Is(err, middleware.ErrFlashCategory):
		return badValue.about("category", "There is no such category.")
	case errors.Is(err, taggedjson.ErrTooLarge), errors.Is(err, taggedjson.ErrCircular):
		return notRepresentable.problem("")
	case errors.Is(err, pyjson.ErrCircular), errors.Is(err, pyjson.ErrLimit), errors.Is(err, pickle.ErrUnsupported), errors.Is(err, pickle.ErrLimit):
		return notSerializable.problem("")
	case errors.Is(err, compat.ErrUnsupported):
		return unsupported.problem("")
	}
	return internalError.problem("The log has more.")
}

func tooLongFor(e *beakerfmt.CookieTooLongError) *problem {
	p := cookieTooLong.problem("")
	p.Size, p.Limit, p.Largest = e.Size, e.Limit, keySizes(e.Largest)
	return p
}

func keySizes(of []beakerfmt.KeySize) []keySize {
	var out []keySize
	for _, k := range of {
		out = append(out, keySize(k))
	}
	return out
}
