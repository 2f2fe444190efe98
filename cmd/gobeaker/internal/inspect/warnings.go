package inspect

import (
	"fmt"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
)

// Rules are what a configuration asks of a session.
type Rules struct {
	HasEncryptKey bool
	Timeout       time.Duration // compat.NoTimeout: none
	Now           time.Time
}

// Warnings tells what a person should know of a session beside its values: where
// its form is weak, and why Beaker would not take it.
func (d *Decoded) Warnings(where Where, r Rules) []string {
	var out []string
	add := func(yes bool, format string, args ...any) {
		if yes {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	f := d.Form
	session, _ := d.Session.(*pyvalue.Dict)
	add(where == InFile && (f.AES == beakerfmt.CTR || f.AES == beakerfmt.CBC),
		"AES-%s without authentication: who can write to the store can change the session unnoticed", upper(f.AES))
	add(where == InCookie && (f.AES == beakerfmt.CTR || f.AES == beakerfmt.CBC),
		"AES-%s without authentication: nothing but the signature protects it against changes", upper(f.AES))
	add(f.AES == beakerfmt.ECB, "AES-ECB shows which parts of a session are equal (CVE-2012-3458; Beaker 1.6.4 ended it)")
	add(f.AES != beakerfmt.AESNone && f.NonceBits < beakerfmt.DefaultNonceBits,
		"a nonce of %d bits repeats after some 2^%d sessions, and what has the same nonce can be compared; encrypt_nonce_bits = %d is better, but Beaker up to 1.7 reads 48 alone", f.NonceBits, f.NonceBits/2, beakerfmt.DefaultNonceBits)
	add(f.AES == beakerfmt.AESNone && f.NonceBits > 0,
		"it is NOT encrypted, only behind a nonce as if it were: Beaker had an encrypt_key and found no AES library")
	add(f.AES == beakerfmt.AESNone && f.NonceBits == 0 && where != Elsewhere && r.HasEncryptKey,
		"it is not encrypted although there is an encrypt_key; a Beaker with that key does not read it")
	add(where == InCookie && d.Text > beakerfmt.MaxCookiePayload,
		"its %d bytes are too long for a cookie: Beaker writes at most %d", d.Text, beakerfmt.MaxCookiePayload)
	if session == nil || where == Elsewhere {
		return out
	}
	_, expires := session.GetStr("_expires")
	add(expires && where == InCookie, "_expires is in it, a leftover of Beaker up to 1.13 when it saves twice in a request; it means nothing")
	at, ok := TimeOf(session, "_accessed_time")
	add(ok && r.Timeout != compat.NoTimeout && r.Now.Sub(at) > r.Timeout,
		"it has timed out: last accessed %s, and timeout is %d seconds; Beaker makes a new session of it", at.UTC().Format("2006-01-02 15:04:05 UTC"), int(r.Timeout.Seconds()))
	add(ok && at.Sub(r.Now) > time.Hour, "_accessed_time lies in the future: is a clock wrong?")
	return out
}

func upper(m beakerfmt.AESMode) string {
	return map[beakerfmt.AESMode]string{beakerfmt.CTR: "CTR", beakerfmt.CBC: "CBC"}[m]
}

// TimeOf returns a time that Beaker keeps in a session under a key such as
// "_accessed_time": seconds, a float or an int.
func TimeOf(session *pyvalue.Dict, key string) (time.Time, bool) {
	const most = 1 << 40 // seconds; far beyond what a calendar holds
	var seconds float64
	switch v, _ := session.GetStr(key); v := v.(type) {
	case pyvalue.Float:
		seconds = float64(v)
	case *pyvalue.Int:
		n, ok := v.Int64()
		if !ok {
			return time.Time{}, false
		}
		seconds = float64(n)
	default:
		return time.Time{}, false
	}
	if !(seconds > -most && seconds < most) {
		return time.Time{}, false
	}
	whole := int64(seconds)
	return time.Unix(whole, int64((seconds-float64(whole))*1e9)), true
}
