package identity

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/middleware/identity/internal/sessionvalue"
)

// Header is a header that tells a session value. The package's documentation says how a
// value becomes text.
type Header struct {
	Name string
	// Path is that of the value: "user_id", "user.email", "groups.0"; a backslash stands
	// before a dot that belongs to a key.
	Path string
	// Join is what stands between the members of a list, tuple or set: at most 8 ASCII
	// characters, none of them a letter or a digit; "": ",". A single value of a header
	// that has it, or that tells the groups, is one member: none has the separator in it.
	Join string
	// Encode is "" (text as it is, ASCII only; what a header cannot hold is left out and
	// said in [Decision.Reason]), "utf-8" (RFC 9110 leaves that to the parties), "percent",
	// "base64" or "json".
	Encode string
	// Default is sent, as it stands, where there is no value; "": no header is.
	Default string
}

// maxLine bounds the name and the value of a header, with what is between them: gunicorn
// (limit_request_field_size) takes no more.
const maxLine = 8190

// header is a Header that was checked.
type header struct {
	name     string
	path     sessionvalue.Path
	join     string
	encode   string
	fallback string
	list     bool // who reads it takes it apart, also if there is only one
	required bool
	limit    int // bytes of the value
}

func newHeader(o Header) (header, error) {
	h := header{encode: o.Encode, join: o.Join, list: o.Join != "", fallback: o.Default}
	var err error
	if h.name, err = headerName(o.Name); err != nil {
		return h, err
	}
	h.limit = maxLine - len(h.name) - len(": ")
	if h.path, err = sessionvalue.ParsePath(o.Path); err != nil {
		return h, err
	}
	if h.join == "" {
		h.join = ","
	}
	if err := checkJoin(h.join, h.encode); err != nil {
		return h, err
	}
	check := checkASCII
	switch h.encode {
	case "utf-8":
		check = checkUTF8
	case "", "percent", "base64", "json":
	default:
		return h, fmt.Errorf("encode %q: there is only utf-8, percent, base64 and json", h.encode)
	}
	if len(h.fallback) > h.limit {
		err = sessionvalue.ErrTooLong
	} else {
		err = check(h.fallback)
	}
	if err != nil {
		return h, fmt.Errorf("default: %w", err)
	}
	return h, nil
}

// checkJoin makes sure that no encoded member can contain a separator.
func checkJoin(join, encode string) error {
	if len(join) > 8 {
		return errors.New("join: more than 8 characters")
	}
	taken := ""
	switch encode {
	case "percent":
		taken = "-._~%"
	case "base64":
		taken = "+/="
	}
	for i := 0; i < len(join); i++ {
		if c := join[i]; c < ' ' || c >= 0x7F || isAlphanumeric(c) || strings.IndexByte(taken, c) >= 0 {
			return fmt.Errorf("join %q: %q may be in a member", join, c)
		}
	}
	return nil
}

// value returns the text of the header, "" if there is none, and an error if there is a
// value that it cannot tell.
func (h *header) value(v *compat.View) (string, error) {
	value, ok := h.path.Find(v)
	if !ok || sessionvalue.IsNone(value) {
		return h.fallback, nil
	}
	text, err := h.text(value)
	if err != nil {
		return "", err
	}
	if len(text) > h.limit {
		return "", sessionvalue.ErrTooLong
	}
	if text == "" {
		return h.fallback, nil
	}
	return text, nil
}

func (h *header) text(v pyvalue.Value) (string, error) {
	if h.encode == "json" {
		b, err := sessionvalue.AppendJSON(nil, v, h.limit)
		return string(b), err
	}
	members, ok := sessionvalue.Members(v)
	switch {
	case !ok && h.list:
		return h.member(v)
	case !ok:
		return h.scalar(v)
	}
	var texts []string
	length := 0
	for _, member := range members {
		if sessionvalue.IsNone(member) {
			continue
		}
		text, err := h.member(member)
		if err != nil {
			return "", err
		}
		if text == "" {
			continue
		}
		if length += len(text); length > h.limit {
			return "", sessionvalue.ErrTooLong
		}
		texts = append(texts, text)
	}
	if sessionvalue.IsSet(v) {
		slices.Sort(texts)
	}
	return strings.Join(texts, h.join), nil
}

func (h *header) member(v pyvalue.Value) (string, error) {
	text, err := h.scalar(v)
	if err != nil {
		return "", err
	}
	if h.encode == "" || h.encode == "utf-8" {
		forbidden := h.join
		if spaceless := strings.ReplaceAll(h.join, " ", ""); spaceless != "" {
			forbidden = spaceless
		}
		if strings.ContainsAny(text, forbidden) {
			return "", errSeparator
		}
	}
	return text, nil
}

// scalar returns the encoded text of a value without parts.
func (h *header) scalar(v pyvalue.Value) (string, error) {
	if h.encode == "base64" {
		raw, err := sessionvalue.Raw(v, h.limit)
		switch _, text := v.(pyvalue.Str); {
		case err != nil:
			return "", err
		case len(raw) > h.limit:
			return "", sessionvalue.ErrTooLong
		case text:
			if _, err := sessionvalue.Text(v, h.limit); err != nil { // a lone surrogate
				return "", err
			}
		}
		return base64.StdEncoding.EncodeToString([]byte(raw)), nil
	}
	text, err := sessionvalue.Text(v, h.limit)
	if err != nil {
		return "", err
	}
	switch h.encode {
	case "percent":
		return string(appendPercent(nil, text)), nil
	case "utf-8":
		return text, checkUTF8(text)
	}
	return text, checkASCII(text)
}

// reserved are headers that frame a message, belong to a connection, or that other parts
// of the way set: a policy that wrote them would break more than it tells.
var reserved = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Http2-Settings", "Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "Expect", "Host",
	"Cookie", "Set-Cookie", "Location", "Range", "Date", "Vary", "Cache-Control", "Www-Authenticate",
	"Proxy-Authenticate", "Proxy-Authorization", "Origin", "Forwarded", "Via", "X-Real-Ip",
}

// headerName returns the canonical form of a name that a policy may set.
func headerName(name string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("a header without a name")
	case len(name) > 128:
		return "", errors.New("a name of more than 128 characters")
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isAlphanumeric(c) && c != '-' {
			return "", fmt.Errorf("%q in the name: letters, digits and hyphens are what every application tells apart", c)
		}
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	if slices.Contains(reserved, name) || strings.HasPrefix(name, "X-Forwarded-") {
		return "", fmt.Errorf("%s is not for a policy to set", name)
	}
	return name, nil
}
