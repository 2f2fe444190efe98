package inspect_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/inspect"
)

// Whatever the header, a cookie that is called valid carries what its key
// signed, and everything that is shown comes from the input.
func FuzzParseCookie(f *testing.F) {
	signed := string(beakerfmt.AppendSigned(nil, []byte("k"), "payload"))
	for _, seed := range []string{
		signed, "sid=" + signed, "Cookie: a=b; sid=" + signed, "Set-Cookie: sid=" + signed + "; Path=/",
		`sid="` + signed + `"`, "flag; sid=" + signed, "=", ";", "a=\"\\101\"", "gAJ9Lg==",
		"sid%3D" + signed, "%3d%3D", "a%zz%3D",
		"# Netscape HTTP Cookie File\n#HttpOnly_h\tFALSE\t/\tTRUE\t0\tsid\t" + signed + "\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := inspect.ParseCookie(text, "sid", []inspect.Key{{Name: "n", Key: "k"}})
		if err != nil {
			return
		}
		if plain, err := url.PathUnescape(text); err == nil && !strings.Contains(text, "=") {
			text = plain
		}
		if c.Signature == "valid, by n" && !strings.Contains(text, string(beakerfmt.AppendSigned(nil, []byte("k"), c.Payload))) {
			t.Fatalf("a signature that is not in the input is called valid")
		}
		if len(c.Payload) > len(text) || len(c.Name) > len(text) {
			t.Fatalf("more comes out than went in")
		}
	})
}
