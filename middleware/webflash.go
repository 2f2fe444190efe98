package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyjson"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
)

// ErrFlashTooLong: a message that TurboGears would not put into a cookie either.
var ErrFlashTooLong = errors.New("flash message is too long for a cookie")

// WebFlash keeps one message in a cookie of its own until a page shows it, as
// TurboGears 2 does; the page's JavaScript may show it too. Whoever makes the
// browser send such a cookie chooses its text: escape it, whatever it is. A WebFlash
// is safe for concurrent use by different requests; not with one response from
// several goroutines.
type WebFlash struct {
	// Cookie is the cookie's name (flash.cookie_name).
	Cookie string
	// DefaultStatus is the category of a message without one (flash.default_status).
	DefaultStatus string
	// SameSite is that attribute of the cookie; "": none.
	SameSite string
}

// TurboGearsFlash is tg.flash of TurboGears 2.5. Up to 2.4 the cookie has no
// SameSite.
//
// TurboGears: flash.TGFlash.
func TurboGearsFlash() WebFlash {
	return WebFlash{Cookie: "webflash", DefaultStatus: "ok", SameSite: "Strict"}
}

// The keys of the payload, a JSON object.
const (
	webflashMessage = "message"
	webflashStatus  = "status"
)

// maxSetCookie is the longest Set-Cookie text that TurboGears sends (TGFlash.__call__).
const maxSetCookie = 4096

// Push puts a message into the response's cookie; it replaces one that is there,
// so call it before the response begins. If the message's Value is a *pyvalue.Dict,
// its other keys go along (TurboGears: extra_payload, such as "delay"). The error is
// ErrFlashTooLong, or tells that JSON cannot hold the message or that Cookie is no
// cookie name.
func (f WebFlash) Push(w http.ResponseWriter, m FlashMessage) error {
	if m.Category == "" {
		m.Category = f.DefaultStatus
	}
	payload := pyvalue.NewDict(
		pyvalue.Entry{Key: pyvalue.Str(webflashMessage), Value: pyvalue.Str(m.Text)},
		pyvalue.Entry{Key: pyvalue.Str(webflashStatus), Value: pyvalue.Str(m.Category)},
	)
	if extra, ok := m.Value.(*pyvalue.Dict); ok {
		for k, v := range extra.All() {
			if _, ours := payload.Get(k); !ours {
				payload.Set(k, v)
			}
		}
	}
	text, err := pyjson.Append(nil, payload)
	if err != nil {
		return fmt.Errorf("middleware: webflash: %w", err)
	}
	cookie := f.Cookie + "=" + quote(text) + "; Path=/" + f.sameSite()
	if len(cookie) > maxSetCookie {
		return fmt.Errorf("middleware: webflash: %w: %d bytes, at most %d are possible", ErrFlashTooLong, len(cookie), maxSetCookie)
	}
	if !beakerfmt.ValidCookieName(f.Cookie) {
		return errors.New("middleware: webflash: not a cookie name (start from TurboGearsFlash)")
	}
	f.set(w, cookie)
	return nil
}

// Pop returns the message and has the browser forget it: the one that Push has put
// into this response, or else that of the request (TurboGears: pop_payload). A
// second Pop finds nothing; TurboGears gives the message again as long as the
// request lasts. A cookie that holds no message is forgotten too; TurboGears would
// fail at each request.
func (f WebFlash) Pop(w http.ResponseWriter, r *http.Request) (FlashMessage, bool) {
	value, ok := f.responseCookie(w)
	if !ok {
		value = f.cookie(r)
	}
	if value == "" {
		return FlashMessage{}, false
	}
	f.set(w, f.Cookie+"=; Max-Age=0; Path=/; expires=Wed, 31-Dec-97 23:59:59 GMT"+f.sameSite())
	return f.read(value)
}

// Peek returns the message that came with a request and leaves it. It does not
// see what Push has put into the response.
func (f WebFlash) Peek(r *http.Request) (FlashMessage, bool) { return f.read(f.cookie(r)) }

func (f WebFlash) read(value string) (FlashMessage, bool) {
	text, err := url.PathUnescape(value)
	if err != nil || text == "" {
		return FlashMessage{}, false
	}
	v, err := pyjson.Decode([]byte(text), pyjson.Limits{})
	payload, ok := v.(*pyvalue.Dict)
	if err != nil || !ok || payload.Len() == 0 {
		return FlashMessage{}, false
	}
	m := FlashMessage{Category: f.DefaultStatus, Value: payload}
	if text, ok := textUnder(payload, webflashMessage); ok {
		m.Text = text
	}
	if status, ok := textUnder(payload, webflashStatus); ok && status != "" {
		m.Category = status
	}
	return m, true
}

func textUnder(d *pyvalue.Dict, key string) (string, bool) {
	v, _ := d.GetStr(key)
	return plainText(v)
}

// cookie returns the cookie's value, "" if there is none. Of several the last
// one counts, as in WebOb.
func (f WebFlash) cookie(r *http.Request) string {
	all := r.CookiesNamed(f.Cookie)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1].Value
}

// responseCookie returns the cookie's value as the response sets it so far; ""
// is a cookie to be forgotten.
func (f WebFlash) responseCookie(w http.ResponseWriter) (value string, ok bool) {
	for _, line := range slices.Backward(w.Header()["Set-Cookie"]) { // the last one counts
		if rest, ours := strings.CutPrefix(line, f.Cookie+"="); ours {
			value, _, _ = strings.Cut(rest, ";")
			return value, true
		}
	}
	return "", false
}

// set replaces what the response says of the cookie so far.
func (f WebFlash) set(w http.ResponseWriter, cookie string) {
	h := w.Header()
	h["Set-Cookie"] = append(slices.DeleteFunc(h["Set-Cookie"], func(line string) bool {
		return strings.HasPrefix(line, f.Cookie+"=")
	}), cookie)
}

func (f WebFlash) sameSite() string {
	if f.SameSite == "" {
		return ""
	}
	return "; SameSite=" + f.SameSite
}

// quote is Python's urllib.parse.quote.
func quote(text []byte) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range text {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("_.-~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
