package convert

import (
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
	"github.com/gobeaker/gobeaker/compat"
)

// ErrCannot is wrapped by errors about a value that the form asked for does not
// hold.
var ErrCannot = errors.New("cannot be converted")

// Result is what came out.
type Result struct {
	Data   []byte
	Binary bool     // it is no line of text
	Notes  []string // what is another now, for people
}

// Encode encodes what was read from where as the target asks for. The keys of the
// codec, the first ones, encrypt and sign.
func Encode(d *inspect.Decoded, where inspect.Where, t Target, codec *beakerfmt.Codec) (Result, error) {
	if t.Kind == Same {
		switch {
		case where == inspect.InCookie:
			t.Kind = Cookie
		case where == inspect.InFile || !t.Peer.IsAuto():
			t.Kind = Record
		default:
			return Result{}, fmt.Errorf("convert: %w: say with --to what the pickle is to become", ErrTarget)
		}
	}
	e := encoder{d: d, where: where, target: t, codec: *codec}
	if err := e.run(); err != nil {
		return Result{}, err
	}
	return e.out, nil
}

type encoder struct {
	d      *inspect.Decoded
	where  inspect.Where
	target Target
	codec  beakerfmt.Codec
	out    Result
}

func (e *encoder) run() (err error) {
	if err := e.forPython(); err != nil {
		return err
	}
	switch e.target.Kind {
	case BarePickle:
		e.out.Binary = true
		var proto int
		if proto, err = e.target.protocol(-1); err != nil {
			return err
		}
		e.out.Data, err = pickle.Append(nil, e.d.Session, proto)
	case JSON:
		if err := e.forJSON(e.d.Session); err != nil {
			return err
		}
		e.out.Data, err = pyjson.Append(nil, e.d.Session)
	case TaggedJSON:
		e.out.Data, err = taggedjson.Append(nil, e.d.Session, e.d.Dialect())
	case Cookie:
		err = e.cookie()
	default:
		err = e.record()
	}
	if err != nil && !errors.Is(err, ErrTarget) && !errors.Is(err, ErrCannot) {
		err = fmt.Errorf("convert: %w: %w", ErrCannot, err)
	}
	return err
}

func (e *encoder) record() error {
	session, err := e.session()
	if err != nil {
		return err
	}
	form, err := e.form()
	if err != nil {
		return err
	}
	was := -1
	if e.where == inspect.InFile {
		was = e.d.Outer.Protocol
	}
	proto, err := e.target.protocol(was)
	if err != nil {
		return err
	}
	if form.Text != beakerfmt.TextNone && form.Serializer == beakerfmt.JSON {
		if err := e.forJSON(session); err != nil {
			return err
		}
	}
	v, err := e.codec.EncodeValue(session, form)
	if err != nil {
		return err
	}
	e.out.Binary = true
	e.out.Data, err = beakerfmt.AppendContainer(nil, e.d.WithValue(v), proto)
	return err
}

func (e *encoder) cookie() error {
	session, err := e.session()
	if err != nil {
		return err
	}
	if len(e.codec.ValidateKeys) == 0 {
		return fmt.Errorf("convert: %w: a cookie is signed: give the validate_key", ErrTarget)
	}
	form, err := e.form()
	if err != nil {
		return err
	}
	if _, ok := session.GetStr("_expires"); ok { // it means nothing, and Beaker's own JSON stumbles over it
		session = session.Clone()
		session.DeleteStr("_expires")
		e.note("_expires was left out: it means nothing to who reads the cookie")
	}
	if form.Serializer == beakerfmt.JSON {
		if err := e.forJSON(session); err != nil {
			return err
		}
	}
	payload, err := e.codec.AppendPayload(nil, session, form)
	if err != nil {
		return err
	}
	e.out.Data = beakerfmt.AppendSigned(nil, e.codec.ValidateKeys[0], string(payload))
	return nil
}

func (e *encoder) session() (*pyvalue.Dict, error) {
	d, ok := e.d.Session.(*pyvalue.Dict)
	if !ok {
		return nil, fmt.Errorf("convert: %w: a session is a dict, and this is a %s", ErrCannot, pyvalue.TypeName(e.d.Session))
	}
	return d, nil
}

// form is the form of the record or the cookie: the peer's, or the one that the
// session had, with what was asked for besides.
func (e *encoder) form() (beakerfmt.Form, error) {
	t := &e.target
	o := compat.Options{Type: "file", DataSerializer: e.d.Form.Serializer.String(), CryptoType: t.CryptoType, EncryptNonceBits: t.NonceBits}
	if t.Kind == Cookie {
		o.Type = "cookie"
	}
	if t.Serializer != nil {
		o.DataSerializer = t.Serializer.String()
	}
	sealed := len(e.codec.EncryptKeys) > 0
	if t.AES != nil {
		sealed = *t.AES != beakerfmt.AESNone
	}
	if sealed {
		if len(e.codec.EncryptKeys) == 0 || len(e.codec.ValidateKeys) == 0 {
			return beakerfmt.Form{}, fmt.Errorf("convert: %w: to encrypt, give the encrypt_key and the validate_key", ErrTarget)
		}
		o.EncryptKey = string(e.codec.EncryptKeys[0])
	} else {
		e.codec.EncryptKeys = nil
	}
	f, err := e.base(&o)
	if err != nil {
		return f, fmt.Errorf("convert: %w: %w", ErrTarget, err)
	}
	switch {
	case t.AES != nil:
		f.AES = *t.AES
	case sealed && f.AES == beakerfmt.AESNone:
		return f, fmt.Errorf("convert: %w: there is an encrypt_key, and the session is not encrypted: say --encrypt with a mode, or none, or which --peer is to read it", ErrTarget)
	}
	switch {
	case f.AES == beakerfmt.AESNone:
		f.NonceBits = 0
	case f.Text == beakerfmt.TextNone:
		return f, fmt.Errorf("convert: %w: a dict that is stored as it is cannot be encrypted: use --to text, or --encrypt none", ErrTarget)
	case f.NonceBits == 0:
		f.NonceBits = t.NonceBits
	}
	if err := t.Peer.Reads(f, &o); err != nil {
		return f, fmt.Errorf("convert: %w: %w", ErrTarget, err)
	}
	return f, nil
}

// base is the form before encryption is looked at.
func (e *encoder) base(o *compat.Options) (beakerfmt.Form, error) {
	t := &e.target
	f := e.d.Form
	if !t.Peer.IsAuto() || e.where == inspect.Elsewhere {
		var err error
		if f, err = t.Peer.Form(o); err != nil {
			return f, err
		}
	}
	switch {
	case t.Kind == Dict:
		f.Text = beakerfmt.TextNone
	case (t.Kind == Text || t.Kind == Cookie || f.AES != beakerfmt.AESNone || t.AES != nil && *t.AES != beakerfmt.AESNone) && f.Text == beakerfmt.TextNone:
		f.Text = beakerfmt.TextStr
	}
	if f.Text == beakerfmt.TextNone && t.Serializer != nil && *t.Serializer == beakerfmt.JSON {
		return f, errors.New("a dict that is stored as it is cannot be JSON: use --to text")
	}
	if o.DataSerializer == "json" && f.Text != beakerfmt.TextNone {
		f.Serializer = beakerfmt.JSON
	} else {
		f.Serializer = beakerfmt.Pickle
	}
	return f, nil
}

func (e *encoder) note(text string) { e.out.Notes = append(e.out.Notes, text) }
