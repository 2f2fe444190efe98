package beakerfmt

// Serializer is Beaker's data_serializer.
type Serializer uint8

// The serializers.
const (
	Pickle Serializer = iota // protocol 2
	JSON                     // json.dumps, then zlib.compress
)

// String returns Beaker's name of the serializer.
func (s Serializer) String() string {
	if s == JSON {
		return "json"
	}
	return "pickle"
}

// Text tells how the session stands in its container.
type Text uint8

// The kinds of text. A reader of Python 2 or 3 sees the type of its own native
// string only if the container's pickle spells it so.
const (
	TextNone   Text = iota // no text: the dict itself (Beaker up to 1.11)
	TextStr                // base64 in a str of Python 3 or a unicode of Python 2
	TextPy2Str             // base64 in a str of Python 2
	TextBytes              // base64 in bytes
)

// String names the type: "dict", "str", "py2str" or "bytes".
func (t Text) String() string {
	switch t {
	case TextStr:
		return "str"
	case TextPy2Str:
		return "py2str"
	case TextBytes:
		return "bytes"
	}
	return "dict"
}

// Form is how a session was found, so that it can be written back in the same
// way. The zero Form is that of Beaker up to 1.11: the dict itself.
type Form struct {
	Text       Text
	Serializer Serializer
	// Protocol is that of the pickle inside the text, for information: inside
	// its base64 Beaker always writes protocol 2, and so do we.
	Protocol int
	// AES is how the text is encrypted.
	AES AESMode
	// NonceBits is the size of the nonce in front of it; for writing 0 means
	// that of the Codec. With AESNone it tells of a nonce before a plaintext, which
	// is only read.
	NonceBits int
	// EncryptKey and ValidateKey are the indexes of the Codec's keys that opened
	// it, for information: the first ones write.
	EncryptKey, ValidateKey int
}
