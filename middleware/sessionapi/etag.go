package sessionapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/beakerfmt/taggedjson"
	"github.com/gobeaker/gobeaker/compat"
)

// etag returns the tag of a session's content; see the package's documentation.
func etag(id string, v *compat.View) (string, error) {
	content := without(v, func(key string) bool { return key == accessedKey })
	told, err := canonical(content)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, []byte(id))
	mac.Write([]byte("gobeaker session API\x00"))
	mac.Write(told)
	return `"` + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18]) + `"`, nil
}

// canonical writes a value so that what Python changes by merely reading and writing it
// again makes no difference: the order of a dict of Python 2, and that Python 3 has one
// kind of text and one of int. Values that differ otherwise have different texts.
func canonical(v pyvalue.Value) ([]byte, error) {
	told, err := (&canon{nodes: 1 << 20}).append(nil, v, 0)
	if err != nil {
		return nil, fmt.Errorf("sessionapi: etag: %w", err)
	}
	return told, nil
}

// canon counts what one value may have, shared parts as often as they are met.
type canon struct{ nodes int }

// append writes a text that tells where it ends.
func (c *canon) append(dst []byte, v pyvalue.Value, depth int) ([]byte, error) {
	const deepest = 1000
	if c.nodes--; c.nodes < 0 || depth > deepest {
		return nil, taggedjson.ErrTooLarge
	}
	switch v := v.(type) {
	case *pyvalue.List:
		return c.items(append(dst, 'l'), v.Items, depth)
	case *pyvalue.Tuple:
		return c.items(append(dst, 't'), v.Items, depth)
	case *pyvalue.Dict:
		pairs := make([]pyvalue.Value, 0, 2*v.Len())
		for k, value := range v.All() {
			pairs = append(pairs, k, value)
		}
		return c.pairs(append(dst, 'd'), pairs, depth)
	case *pyvalue.Object:
		if !isKnown(v) {
			return c.object(append(dst, 'o'), v, depth)
		}
	case pyvalue.Str:
		return text(dst, string(v)), nil
	case pyvalue.Py2Str:
		if pyvalue.IsASCII(string(v)) {
			return text(dst, string(v)), nil
		}
	case *pyvalue.Int:
		if n, ok := v.Int64(); ok {
			return binary.AppendVarint(append(dst, 'i'), n), nil
		}
	}
	return taggedjson.Append(dst, v, taggedjson.Python3)
}

func text(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(append(dst, 's'), uint64(len(s))), s...)
}

func (c *canon) items(dst []byte, items []pyvalue.Value, depth int) (_ []byte, err error) {
	dst = binary.AppendUvarint(dst, uint64(len(items)))
	for _, item := range items {
		if dst, err = c.append(dst, item, depth+1); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// pairs writes keys and values in turn, in the order of their texts.
func (c *canon) pairs(dst []byte, pairs []pyvalue.Value, depth int) ([]byte, error) {
	told := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		pair, err := c.items(nil, pairs[i:i+2], depth)
		if err != nil {
			return nil, err
		}
		told = append(told, string(pair))
	}
	slices.Sort(told)
	dst = binary.AppendUvarint(dst, uint64(len(told)))
	for _, pair := range told {
		dst = append(dst, pair...)
	}
	return dst, nil
}

// object writes how an object is made. Kwargs, like a state, are a dict.
func (c *canon) object(dst []byte, o *pyvalue.Object, depth int) ([]byte, error) {
	parts := []pyvalue.Value{o.Class, o.Args}
	if o.Kwargs != nil {
		parts = append(parts, o.Kwargs)
	}
	dst, err := c.items(append(dst, byte(o.How)), parts, depth)
	for _, op := range o.Ops {
		if err != nil {
			return nil, err
		}
		dst = append(dst, '+', byte(op.Kind))
		if op.Kind == pyvalue.SetItems {
			dst, err = c.pairs(dst, op.Values, depth)
		} else {
			dst, err = c.items(dst, op.Values, depth)
		}
	}
	return append(dst, '.'), err
}

// isKnown reports whether tagged JSON has a word for an object.
func isKnown(o *pyvalue.Object) bool {
	_, _, isTime := pyvalue.AsTime(o)
	_, isDate := pyvalue.AsDate(o)
	_, isTimeOfDay := pyvalue.AsTimeOfDay(o)
	_, isTimedelta := pyvalue.AsTimedelta(o)
	_, isDecimal := pyvalue.AsDecimal(o)
	_, isUUID := pyvalue.AsUUID(o)
	return isTime || isDate || isTimeOfDay || isTimedelta || isDecimal || isUUID
}
