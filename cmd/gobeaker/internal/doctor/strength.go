package doctor

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// The least strength of keys, in bits. What signs a cookie can be tried offline by anybody
// who has one cookie, at some 2^34 a second on one graphics card.
const (
	hopelessBits = 48
	enoughBits   = 80
)

// knownKeys stand in templates, documentation and examples, in lower case and without
// what is neither letter nor digit. Everybody tries them first.
var knownKeys = []string{
	"somesecret", "secret", "mysecret", "secretkey", "mysecretkey", "yoursecret", "yoursecretkey", "yoursecretkeyhere", "supersecret", "superdupersecret",
	"topsecret", "sosecret", "sekrit", "sekret", "seekrit", "seekreet", "itsaseekreet", "thisisasecretorisit", "thisissecret",
	"changeme", "changethis", "changeit", "changemeplease", "pleasechange", "pleasechangeme", "pleasechangethis", "pleasechangemeitsimportant", "replaceme", "replacethis", "fixme", "todo", "xxx",
	"password", "passw0rd", "pass", "letmein", "sesame", "opensesame", "admin", "root", "test", "testing", "testsecret", "test1234", "dev", "devsecret", "develop", "development", "developmentsecret",
	"developrcuytcxaz", "testrcuytcxaz", "default", "example", "foo", "bar", "foobar", "baz", "beaker", "beakersecret", "session", "sessionsecret", "cookie", "cookiesecret",
	"validate", "validatekey", "validateme", "myvalidatekey", "encrypt", "encryptkey", "encryptme", "myencryptkey", "key", "mykey", "dummy", "none", "secretstring", "asecret",
	"appinstancesecret", "appinstanceuuid", "cookiesecretkey", "customerskey", "randomstring", "somerandomstring", "youwillneverguess", "keyboardcat",
	"abcdefghijklmnopqrstuvwxyz0123456789", "ywjjzgvmz2hpamtsbw5vchfyc3r1dnd4exowmtizndu2nzg5", "0123456789abcdef", "0123456789", "1234567890",
}

// languageConstants are what Python values become as text: nobody meant them as a key.
var languageConstants = []string{"true", "false", "none", "null", "nil", "yes", "no", "on", "off", "0", "1"}

// isConstant reports whether a key is the text of a Python value: "True", "None".
func isConstant(k string) bool {
	return slices.Contains(languageConstants, strings.ToLower(strings.TrimSpace(k)))
}

// isKnown reports whether a key is one of documentation, or of a template that was never
// filled in.
func isKnown(k string) bool {
	return isTemplate(k) || slices.Contains(knownKeys, bare(k))
}

// bare leaves letters and digits, in lower case.
func bare(k string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, k)
}

func isTemplate(k string) bool {
	for _, p := range [][2]string{{"${", "}"}, {"{{", "}}"}, {"<%", "%>"}, {"%(", ")s"}, {"@@", "@@"}, {"{%", "%}"}, {"#{", "}"}} {
		if i := strings.Index(k, p[0]); i >= 0 && strings.Contains(k[i+len(p[0]):], p[1]) {
			return true
		}
	}
	k = strings.TrimSpace(k)
	return strings.HasPrefix(k, "<") && strings.HasSuffix(k, ">") || strings.HasPrefix(k, "[") && strings.HasSuffix(k, "]")
}

// strength estimates in bits how hard a key is to guess, and says what makes it weak.
// It is an upper bound: a key may be worse than it looks.
func strength(k string) (bits float64, why string) {
	runes := []rune(k)
	distinct := map[rune]bool{}
	steps := 0 // characters that do not follow from the one before
	for i, r := range runes {
		distinct[r] = true
		if i == 0 || r != runes[i-1] && r != runes[i-1]+1 && r != runes[i-1]-1 {
			steps++
		}
	}
	n := float64(len(runes))
	per, of := alphabet(runes)
	bits = n * per
	why = fmt.Sprintf("%d characters, %s", len(runes), of)
	if isWords(runes) {
		bits, why = n*2, fmt.Sprintf("%d characters that look like words", len(runes))
	}
	if b, ok := phrase(k); ok && b < bits {
		bits, why = b, fmt.Sprintf("%d characters that look like words, numbers or dates", len(runes))
	}
	size := math.Exp2(per)
	expected := size * (1 - math.Pow(1-1/size, n)) // how many different ones a random key has
	if d := float64(len(distinct)); d < expected*0.6 && n*math.Log2(d+1) < bits {
		bits, why = n*math.Log2(d+1), fmt.Sprintf("%d characters, only %d of them different", len(runes), len(distinct))
	}
	if m := period(runes); m < len(runes) {
		if b := per * float64(m); b < bits {
			bits, why = b, fmt.Sprintf("%d characters that repeat after %d", len(runes), m)
		}
	}
	if s := float64(steps); s < n/2 && s*per < bits {
		bits, why = s*per, fmt.Sprintf("%d characters, most of which follow from the one before", len(runes))
	}
	return bits, why
}

// aDate is a day, perhaps with a time of day.
var aDate = regexp.MustCompile(`\d{4}-?\d{2}-?\d{2}([T ]?\d{2}:?\d{2}(:?\d{2})?(\.\d+)?Z?)?`)

// phrase is the strength of a text that is nothing but words, numbers and dates with
// signs between them: a second within decades has 30 bits, a word as much as one of a
// long list has.
func phrase(k string) (bits float64, ok bool) {
	const date, word = 30, 13
	rest := aDate.ReplaceAllStringFunc(k, func(string) string {
		bits += date
		return " "
	})
	parts := strings.FieldsFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, part := range parts {
		switch letters := []rune(part); {
		case strings.IndexFunc(part, func(r rune) bool { return !unicode.IsDigit(r) }) < 0:
			bits += float64(len(letters)) * math.Log2(10)
		case isWords(letters) && (part == strings.ToUpper(part) || part[1:] == strings.ToLower(part[1:])):
			bits += min(word, 2*float64(len(letters)))
		default:
			return 0, false
		}
	}
	return bits, len(parts) > 1 || rest != k
}

// alphabet is how many bits a random character has that is of the kinds in k.
func alphabet(k []rune) (bits float64, name string) {
	var lower, upper, digit, hex, other bool
	hex = true
	for _, r := range k {
		lower = lower || unicode.IsLower(r)
		upper = upper || unicode.IsUpper(r)
		digit = digit || unicode.IsDigit(r)
		other = other || !unicode.IsLetter(r) && !unicode.IsDigit(r)
		hex = hex && (unicode.Is(unicode.ASCII_Hex_Digit, r) || r == '-')
	}
	switch {
	case digit && !lower && !upper && !other:
		return math.Log2(10), "digits alone"
	case hex && !(lower && upper):
		return 4, "hexadecimal digits"
	case lower != upper && !digit && !other:
		return math.Log2(26), "letters of one case"
	case !other && lower && upper && digit:
		return math.Log2(62), "letters and digits"
	case !other && digit:
		return math.Log2(36), "letters of one case and digits"
	case !other:
		return math.Log2(52), "letters"
	}
	return 6, "letters, digits and signs"
}

// isWords tells words from random letters, which soon have five consonants in a row.
func isWords(k []rune) bool {
	letters, run := 0, 0
	for _, r := range k {
		switch {
		case strings.ContainsRune("aeiouyAEIOUY", r):
			letters, run = letters+1, 0
		case unicode.IsLetter(r):
			letters++
			if run++; run > 4 {
				return false
			}
		default:
			run = 0
		}
	}
	return letters*10 >= len(k)*8 // at most some digits and signs between and behind them
}

// period is the shortest length after which a text repeats itself.
func period(k []rune) int {
	for p := 1; p <= len(k)/2; p++ {
		same := true
		for i := p; i < len(k) && same; i++ {
			same = k[i] == k[i-p]
		}
		if same {
			return p
		}
	}
	return len(k)
}
