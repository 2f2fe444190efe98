package beakerfmt

import (
	"fmt"

	"github.com/gobeaker/gobeaker/beakerfmt/pickle"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// SessionKey is the key of a container under which the session stands.
const SessionKey = "session"

// DecodeContainer decodes what the file back end (and the SQL ones) keeps for
// one id: a pickled dict of which the session is the value of [SessionKey].
// Other keys belong to others and are to be kept.
//
// Data that is no pickle, among it none at all, is [ErrCorrupt]. A pickle of
// anything but a dict is [ErrNoSession]: Beaker takes it for an empty container.
// A dict without the key is returned as it is.
//
// Beaker: container.py, FileNamespaceManager.do_open.
func DecodeContainer(data []byte, lim pickle.Limits) (*pyvalue.Dict, error) {
	v, err := pickle.Decode(data, lim)
	if err != nil {
		return nil, fmt.Errorf("beakerfmt: decode container: %w: %w", ErrCorrupt, err)
	}
	d, ok := v.(*pyvalue.Dict)
	if !ok {
		return nil, fmt.Errorf("beakerfmt: decode container: %w", ErrNoSession)
	}
	return d, nil
}

// AppendContainer appends the pickle of a container, in protocol 0 to 5.
// Protocol 2 is one that every Python reads; Beaker itself uses the default
// protocol of its Python, which is 0, 3 or 4.
//
// Beaker: container.py, FileNamespaceManager.do_close.
func AppendContainer(dst []byte, c *pyvalue.Dict, proto int) ([]byte, error) {
	out, err := pickle.Append(dst, c, proto)
	if err != nil {
		return dst, fmt.Errorf("beakerfmt: encode container: %w", err)
	}
	return out, nil
}
