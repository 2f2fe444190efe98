package inspector_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
)

// steps are the titles of the steps with what is said of each.
func (p page) steps() (out []string) {
	for _, m := range regexp.MustCompile(`(?s)<h3>([^<]*) <span class="badge [a-z]*">([^<]*)</span>`).FindAllStringSubmatch(p.body, -1) {
		out = append(out, m[1]+": "+m[2])
	}
	return out
}

func TestDecode(t *testing.T) {
	s := memory(t, nil)
	hash := s.add(2*time.Minute, entry("user", pyvalue.Str("<Ann>")), entry("password", pyvalue.Str(hunter2)))
	s.put(pyvalue.Str("corrupt"))
	id := s.ids[0]
	all := []string{"Header: good", "Signed value: good", "Signature: good", "Session id: good", "Record: good", "Payload: good", "Session: good"}
	b := s.browser()
	for name, c := range map[string]struct {
		paste string
		steps []string
		says  string
	}{
		"value":          {signed(id), all, "A bare value"},
		"header":         {"Cookie: a=b; beaker.session.id=" + signed(id) + "; c=d", all, "Cookie beaker.session.id"},
		"set-cookie":     {"Set-Cookie: beaker.session.id=" + signed(id) + "; Path=/; HttpOnly", all, "Made with secret"},
		"another name":   {"other=" + signed(id), all, "of another name"},
		"jar":            {"localhost\tFALSE\t/\tFALSE\t0\tbeaker.session.id\t" + signed(id), all, "Cookie beaker.session.id"},
		"not there":      {"Cookie: a=b; c=d", []string{"Header: not good"}, "There is no cookie of the name beaker.session.id in it."},
		"bad signature":  {strings.Repeat("0", 40) + id, []string{"Header: good", "Signed value: good", "Signature: not good", "Session id: good", "Record: good", "Payload: good", "Session: good"}, "Beaker stops here"},
		"no signature":   {id, []string{"Header: good", "Signed value: doubtful", "Signature: not good", "Session id: good", "Record: good", "Payload: good", "Session: good"}, "Beaker does not take such a cookie"},
		"no record":      {signed(strings.Repeat("9", 32)), []string{"Header: good", "Signed value: good", "Signature: good", "Session id: good", "Record: not good"}, "There is no session of this id"},
		"corrupt record": {signed(s.ids[1]), []string{"Header: good", "Signed value: good", "Signature: good", "Session id: good", "Record: good", "Payload: not good"}, "It cannot be read"},
		"rubbish":        {"<script>alert('rubbish')</script>", []string{"Header: good", "Signed value: not good"}, "Beaker makes no such value"},
		"cut short":      {signed(id)[:55], nil, "Signed value"},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.submit(b.get("decode"), "decode", "cookie", c.paste)
			require.Equal(t, http.StatusOK, p.StatusCode)
			if c.steps != nil {
				require.Equal(t, c.steps, p.steps(), p.text)
			}
			require.Contains(t, p.text, c.says)
			require.NotContains(t, p.body, signed(id)[:40])
			require.NotContains(t, p.body, hunter2)
			require.NotContains(t, p.body, "rubbish")
			require.Equal(t, "/inspector/decode", p.Request.URL.RequestURI())
		})
	}
	require.Contains(t, s.log.String(), "action=decode outcome=ok client=127.0.0.1 user=- session="+hash+" reveal=false")

	p := b.submit(b.get("decode"), "decode", "cookie", signed(id), "reveal", "1")
	require.Contains(t, p.body, hunter2)
	require.Contains(t, p.text, "&#39;user&#39; str: &#39;&lt;Ann&gt;&#39;")
	require.Contains(t, s.log.String(), "reveal=true")
	require.Equal(t, http.StatusOK, b.get(regexp.MustCompile(`session/[0-9a-f]{12}`).FindString(p.body)).StatusCode)

	p = b.submit(b.get("decode"), "decode", "cookie", " ")
	require.Equal(t, http.StatusUnprocessableEntity, p.StatusCode)
	p = b.submit(b.get("decode"), "decode", "name", signed(id), "cookie", "a=b; c=d")
	require.NotContains(t, p.body, id, "what is pasted into the wrong field")
}

func TestDecodeCookieOnly(t *testing.T) {
	o := compat.Defaults()
	o.Type, o.ValidateKey, o.EncryptKey = "cookie", "validate", "encrypt"
	s := newSite(t, o, nil, nil)
	session := s.manager.Open("")
	v, err := session.Session(context.Background())
	require.NoError(t, err)
	require.NoError(t, v.Set("user", pyvalue.Str("Ann")))
	v.Save()
	require.NoError(t, session.Persist(context.Background()))
	header, _ := session.SetCookie()
	require.NotEmpty(t, header)
	b := s.browser()
	p := b.submit(b.get("decode"), "decode", "cookie", "Set-Cookie: "+header)
	require.Equal(t, []string{"Header: good", "Signed value: good", "Signature: good", "Payload: good", "Session: doubtful"}, p.steps(), p.text)
	require.Contains(t, p.text, "AES-CTR without authentication")
	require.Contains(t, p.text, "&#39;Ann&#39;")
	require.Contains(t, p.text, "&#39;_id&#39; str: (hidden)")

	o.EncryptKey = "another"
	b = newSite(t, o, nil, nil).browser()
	p = b.submit(b.get("decode"), "decode", "cookie", "Set-Cookie: "+header)
	require.Contains(t, p.text, "no key opens it")
	p = b.submit(b.get("decode"), "decode", "cookie", string(beakerfmt.AppendSigned(nil, []byte("validate"), strings.Repeat("a", 32))))
	require.Contains(t, p.text, "Session id good")
	require.Contains(t, p.text, "there is no store to look into")
}

// FuzzDecode: whatever is pasted is taken apart without a failure, and is not in the page.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "x", "a=b; c=d", "Set-Cookie: x=\"y\"; Path=/", "a\tTRUE\t/\tFALSE\t0\tn\tv", signed(strings.Repeat("a", 32)), "\x00\xff<b>"} {
		f.Add(seed, "beaker.session.id")
	}
	f.Fuzz(func(t *testing.T, paste, name string) {
		b := memory(t, nil).browser()
		p := b.submit(b.get("decode"), "decode", "cookie", paste, "name", name)
		require.Contains(t, []int{http.StatusOK, http.StatusUnprocessableEntity, http.StatusBadRequest}, p.StatusCode)
		if text := strings.TrimSpace(paste); len(text) >= 24 && !strings.Contains(name, text) {
			require.NotContains(t, styles.ReplaceAllString(p.body, ""), text)
		}
	})
}
