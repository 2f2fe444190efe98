package inspector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/records"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/tree"
	"github.com/gobeaker/gobeaker/stores"
)

// decodeData is what the page for a pasted cookie shows. What was pasted is not in it.
type decodeData struct {
	Name     string // of the cookie that is looked for
	Steps    []step
	Tree     *tree.Node
	Masked   int
	Revealed bool
	Hash     string // of the session in the store; ""
}

// step is one of those from the header to the session.
type step struct {
	Title string
	Is    string // "good", "doubtful", "bad"
	Word  string // the same for people
	Text  string
	Facts []fact
	Notes []string
}

func (d *decodeData) good(title, text string, facts ...fact) {
	d.Steps = append(d.Steps, step{Title: title, Is: "good", Word: "good", Text: text, Facts: facts})
}

func (d *decodeData) doubtful(title, text string, facts ...fact) {
	d.Steps = append(d.Steps, step{Title: title, Is: "doubtful", Word: "doubtful", Text: text, Facts: facts})
}

func (d *decodeData) bad(title, text string, facts ...fact) {
	d.Steps = append(d.Steps, step{Title: title, Is: "bad", Word: "not good", Text: text, Facts: facts})
}

// note adds to the last step.
func (d *decodeData) note(notes ...string) {
	last := &d.Steps[len(d.Steps)-1]
	last.Notes = append(last.Notes, notes...)
}

func (i *inspector) decodePage(w http.ResponseWriter, r *http.Request, v visitor) {
	i.render(w, r, v, http.StatusOK, "decode", "Decode a cookie", decodeData{Name: i.Manager.Options().Key}, "")
}

// decode takes a pasted cookie apart. It is neither stored nor logged, nor sent back.
func (i *inspector) decode(w http.ResponseWriter, r *http.Request, v visitor) {
	if !i.form(w, r, v, "decode") {
		return
	}
	d := decodeData{Name: strings.TrimSpace(r.PostForm.Get("name")), Revealed: r.PostForm.Get("reveal") != ""}
	if d.Name == "" || d.Name != i.Manager.Options().Key && (looksSecret(d.Name) || len(d.Name) > mostText) { // pasted into the wrong field
		d.Name = i.Manager.Options().Key
	}
	text := strings.TrimSpace(r.PostForm.Get("cookie"))
	if text == "" {
		i.render(w, r, v, http.StatusUnprocessableEntity, "decode", "Decode a cookie", d, "Paste a cookie first.")
		return
	}
	ctx, stop := i.context(r)
	defer stop()
	err := i.steps(ctx, &d, text)
	outcome := ok
	switch {
	case errors.Is(err, stores.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		outcome = unavailable
	case err != nil || d.Tree == nil:
		outcome = failed
	}
	i.audit(r, v, "decode", d.Hash, outcome, "reveal", d.Revealed)
	i.render(w, r, v, http.StatusOK, "decode", "Decode a cookie", d, "")
}

// steps goes from the header to the session, as far as it gets. The error is one of the
// store; it is in the steps, too.
func (i *inspector) steps(ctx context.Context, d *decodeData, text string) error {
	c, err := inspect.ParseCookie(text, d.Name, i.keys.Signing())
	size := fact{Name: "Pasted", Text: fmt.Sprintf("%s characters", number(len(text)))}
	if err != nil {
		d.bad("Header", "There is no cookie of the name "+d.Name+" in it.", size)
		return nil
	}
	facts, what := []fact{size}, "The cookie is in it."
	switch c.Name {
	case "":
		what = "A bare value, without the name of a cookie."
	case d.Name:
		facts = append(facts, fact{Name: "Cookie", Code: c.Name})
	default: // it may be a part of a value: it is not repeated
		what = "There is one cookie in it, of another name."
	}
	d.good("Header", what, facts...)
	d.note(c.Warnings...)
	if !i.signature(d, &c) {
		return nil
	}
	if id, isID := c.SessionID(); isID {
		return i.record(ctx, d, id)
	}
	i.payload(d, &c)
	return nil
}

// signature shows the signed value and whether its signature is good. It reports whether
// there is anything behind it.
func (i *inspector) signature(d *decodeData, c *inspect.Cookie) bool {
	key := "secret"
	if i.Store == nil {
		key = "validate_key"
	}
	if !c.Plausible() {
		_, isID := c.SessionID()
		if !isID {
			d.bad("Signed value", "Beaker makes no such value: it begins with the 40 hexadecimal digits of its signature, or is base64 at least.")
			return false
		}
	}
	behind := fact{Name: "Behind it", Text: fmt.Sprintf("%s characters", number(len(c.Payload)))}
	if c.Signature == inspect.Unsigned {
		d.doubtful("Signed value", "It has no signature.", behind)
	} else {
		d.good("Signed value", "It begins with a signature: 40 hexadecimal digits, HMAC-SHA1.", behind)
	}
	switch {
	case c.SignedBy >= 0:
		by := i.keys.Signing()[c.SignedBy]
		d.good("Signature", "It is valid.", fact{Name: "Made with", Code: by.Label()})
	case c.Signature == inspect.Invalid:
		d.bad("Signature", "It is not valid: another "+key+", or another cookie than was sent. Beaker stops here; what follows is only to find out why.")
	case c.Signature == inspect.Unchecked:
		d.doubtful("Signature", "It cannot be checked: there is no "+key+" in the configuration.")
	case len(i.keys.Signing()) > 0:
		d.bad("Signature", "There is none, and there is a "+key+": Beaker does not take such a cookie.")
	default:
		d.doubtful("Signature", "There is none, and none is asked for: anybody can make such a cookie.")
	}
	return true
}

// record shows the record of a server-side session.
func (i *inspector) record(ctx context.Context, d *decodeData, id string) error {
	hash := beakerfmt.HashID(id)
	d.good("Session id", "It carries the id of a session on the server. Logs name it by its hash.", fact{Name: "Hash", Code: hash})
	if i.Store == nil {
		d.bad("Record", "The sessions are configured to be in their cookies: there is no store to look into.")
		return nil
	}
	r, there, err := i.look(ctx, id)
	switch {
	case err != nil:
		d.bad("Record", "The session store does not answer.")
		return err
	case !there:
		d.bad("Record", "There is no session of this id in the store: to Beaker it is a new one.")
		return nil
	}
	i.known.Add(hash, id)
	d.Hash = hash
	if r.Value == nil && r.Err == nil {
		d.bad("Record", "There is a record of this id, and it is not one of a session: to Beaker it is a new session.")
		return nil
	}
	if r.Value == nil {
		d.bad("Record", "There is a record, and it cannot be read: "+why(r.Err))
		return nil
	}
	d.good("Record", "There is a record in the store.", fact{Name: "Store", Text: i.place})
	if r.Is == records.Empty {
		d.bad("Payload", "There is no session in it, as a logout leaves it.")
		return nil
	}
	decoded, err := inspect.Stored(r.Value, i.codec)
	if err != nil {
		d.bad("Payload", unreadable(err))
		return nil
	}
	i.decoded(d, &decoded, decoded.StoredText(), inspect.InFile)
	if r.Err != nil {
		d.note("This server would not read it: " + why(r.Err))
	}
	return nil
}

// payload shows a session that is in its cookie.
func (i *inspector) payload(d *decodeData, c *inspect.Cookie) {
	decoded, err := inspect.Payload(c.Payload, c.SignedBy, i.codec)
	if err != nil {
		d.bad("Payload", unreadable(err))
		return
	}
	i.decoded(d, &decoded, decoded.FormText(), inspect.InCookie)
	if i.Store != nil {
		d.note("The sessions are configured to be on the server: this server would not take it.")
	}
}

// unreadable says why a payload cannot be read.
func unreadable(err error) string {
	switch {
	case errors.Is(err, beakerfmt.ErrEncrypted):
		return "It is encrypted, and there is no encrypt_key in the configuration."
	case errors.Is(err, beakerfmt.ErrDecrypt):
		return "It is encrypted, and no key opens it, in no mode of AES and with no size of nonce: other keys, or changed data."
	case inspect.IsMissing(err):
		return "There is no session in it."
	}
	return "It cannot be read: " + err.Error()
}

// decoded shows the payload and the session in it.
func (i *inspector) decoded(d *decodeData, s *inspect.Decoded, form string, where inspect.Where) {
	d.good("Payload", "It was decoded; nothing in it was executed.", decodedFacts(s, form, where)...)
	notes := s.Warnings(where, i.rules())
	node := i.tree(s, d.Revealed)
	d.Tree, d.Masked = &node, masked(&node)
	var facts []fact
	session, isDict := s.Session.(*pyvalue.Dict)
	if isDict {
		facts = append(facts, fact{Name: "Keys", Text: number(session.Len())})
		for _, t := range []struct{ name, key string }{{"Last used", "_accessed_time"}, {"Created", "_creation_time"}} {
			if at, ok := inspect.TimeOf(session, t.key); ok {
				facts = append(facts, fact{Name: t.name, Time: at})
			}
		}
	}
	if len(notes) == 0 {
		d.good("Session", "Here it is.", facts...)
		return
	}
	d.doubtful("Session", "Here it is, with something to be said about it.", facts...)
	d.note(notes...)
}
