// Package convert encodes what was read in another form: another serializer,
// another release of Beaker, encrypted or not.
package convert

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/compat"
)

// Kind says what comes out.
type Kind uint8

// The kinds.
const (
	Same       Kind = iota // what went in: a record or a cookie
	BarePickle             // the session alone, as a pickle
	JSON                   // the session alone, as Python's json.dumps writes it
	TaggedJSON             // the session alone, with its types
	Record                 // a record of the file back end
	Dict                   // a record with the dict itself in it
	Text                   // a record with a base64 text in it
	Cookie                 // the value of a signed cookie
)

// ErrTarget is wrapped by errors about what was asked for.
var ErrTarget = errors.New("bad target")

// Target says in which form something is to be encoded.
type Target struct {
	Kind     Kind
	Protocol int         // of the pickle, of a record the outer one; -1: as it is right
	Peer     compat.Peer // auto: the form in which it was, where that goes
	// Serializer and AES replace those that the session had; nil: they stay.
	Serializer *beakerfmt.Serializer
	AES        *beakerfmt.AESMode
	// Sealing is what to encrypt with: the session options' crypto_type and
	// encrypt_nonce_bits.
	CryptoType string
	NonceBits  int
}

var kinds = map[string]Kind{
	"pickle": BarePickle, "json": JSON, "tagged-json": TaggedJSON,
	"record": Record, "dict": Dict, "text": Text, "cookie": Cookie,
}

// ParseKind reads "json", "pickle" or "pickle:4"; the protocol is -1 if it is not
// named.
func ParseKind(name string) (Kind, int, error) {
	base, number, numbered := strings.Cut(name, ":")
	kind, ok := kinds[base]
	if !ok {
		return Same, -1, fmt.Errorf("convert: %w: --to %q: use pickle, json, tagged-json, record, dict, text or cookie", ErrTarget, name)
	}
	if !numbered {
		return kind, -1, nil
	}
	if len(number) != 1 || number[0] < '0' || number[0] > '5' || kind == JSON || kind == TaggedJSON || kind == Cookie {
		return kind, -1, fmt.Errorf("convert: %w: --to %q: a protocol of pickles is 0 to 5, and pickle, record, dict and text have one", ErrTarget, name)
	}
	return kind, int(number[0] - '0'), nil
}

// ParseSerializer reads "pickle" or "json".
func ParseSerializer(name string) (*beakerfmt.Serializer, error) {
	for _, s := range []beakerfmt.Serializer{beakerfmt.Pickle, beakerfmt.JSON} {
		if s.String() == name {
			return &s, nil
		}
	}
	return nil, fmt.Errorf("convert: %w: --serializer %q: use pickle or json", ErrTarget, name)
}

// ParseAES reads "none", "ctr", "gcm", "cbc" or "ecb".
func ParseAES(name string) (*beakerfmt.AESMode, error) {
	for _, m := range []beakerfmt.AESMode{beakerfmt.AESNone, beakerfmt.CTR, beakerfmt.GCM, beakerfmt.CBC, beakerfmt.ECB} {
		if m.String() == name {
			return &m, nil
		}
	}
	return nil, fmt.Errorf("convert: %w: --encrypt %q: use ctr, gcm, cbc or none (and ecb for Beaker up to 1.6.3)", ErrTarget, name)
}

// protocol is that of the pickle that comes out, given that of the one that went
// in, or -1.
func (t *Target) protocol(was int) (int, error) {
	p := t.Protocol
	switch {
	case p < 0 && (was < 0 || !t.Peer.IsAuto() || t.Kind == BarePickle):
		p = pickle.DefaultProtocol // which every Python reads
	case p < 0:
		p = was
	}
	if t.Peer.Python == 2 && p > 2 {
		return 0, fmt.Errorf("convert: %w: protocol %d: Python 2 reads pickles up to protocol 2", ErrTarget, p)
	}
	return p, nil
}
