package doctor

import (
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/memstore"
)

const codeRefused = "configuration-refused"

func loadChecks() []Check {
	return []Check{
		{codeRefused, Error, "The configuration is refused",
			"Nothing else could be examined. What PasteDeploy or Beaker themselves refuse, an application meets when it starts or opens its first session; the rest gobeaker alone insists on.",
			"Correct what is named.", checkRefused, nil},
		{"dialect-contradicted", Error, "The ini is read as another Python reads it",
			"ConfigParser of Python 2 and of Python 3 do not agree about comments behind a value, percent signs and some lines. Here it matters: what is named comes out in another way in the application.",
			"Leave out --dialect (in gobeaker.toml: ini_dialect), or say in it, or in the peer, which Python the application has.", func(s *Side, r *report) {
				if len(s.ReadOtherwise) > 0 {
					r.add(s.Name).saying("For that Python something else holds: %s", sentence(someOf(s.ReadOtherwise)))
				}
			}, nil},
		{"options-refused", Error, "These options do not go together",
			"With them Beaker fails at the first session, or gobeaker refuses to start because sessions would be less safe than the options promise.",
			"Change the option that is named.", checkOptions, nil},
		{"sessions-disabled", Warning, "The framework is told to have no sessions",
			"TurboGears' session.enabled = false leaves the session middleware out; nothing else that is set about sessions has an effect.",
			"Remove session.enabled, or do not ask for the sessions of this application.", func(s *Side, r *report) {
				if s.Effective.Disabled {
					r.add(s.Name)
				}
			}, nil},
	}
}

func checkRefused(s *Side, r *report) {
	if s.Refused == nil {
		return
	}
	var e *iniconf.Error
	where := s.Name
	if errors.As(s.Refused, &e) && e.File != "" {
		at := e.Position
		at.Column = 0
		where = at.String()
	}
	r.add(where).saying("%v", s.Refused)
}

// checkOptions lets the real thing judge.
func checkOptions(s *Side, r *report) {
	o := *s.options()
	o.Peer = compat.Peer{} // what a peer cannot do is peer-refuses-options
	var store stores.Store
	if s.onServer() {
		store = &memstore.Store{IDs: o.IDs}
	}
	_, err := compat.New(o, store, compat.Environment{Logger: slog.New(slog.DiscardHandler)})
	if err == nil || ownCheck(err) {
		return
	}
	option, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "compat: new: "), ":")
	r.add(s.at(strings.Split(option, ", ")...)).saying("%s", strings.TrimPrefix(err.Error(), "compat: new: "))
}

// ownCheck: another check says it better.
func ownCheck(err error) bool {
	for _, part := range []string{"No validate_key specified", "needs a validate_key", "timeout requires save_accessed_time", "key: not a cookie name"} {
		if strings.Contains(err.Error(), part) {
			return true
		}
	}
	return false
}

func keyChecks() []Check {
	return []Check{
		{"secret-missing", Error, "There is no secret: the cookie is the bare session id",
			"Nothing tells an id that the application made from one that somebody made up. Beaker adopts any id that a browser presents, so an attacker can give a victim a session of his own choice and share it after the login (session fixation), and ids of every length and kind reach the store.",
			"Set a secret, the same in all applications that share the sessions: gobeaker keygen makes one. All who are logged in will have to log in again.", checkSecretMissing, nil},
		{"key-known", Error, "A key is one that everybody knows",
			"It stands in a template or in documentation, or is a template's placeholder that was never filled in. Whoever knows the secret or the validate_key can make cookies for any session; with type = cookie and pickle that means running code in the application (CVE-2013-7489).",
			"Replace it: gobeaker keygen makes a good one. gobeaker accepts the former one for a while as old_secrets (old_validate_keys, old_encrypt_keys) if you trust it that far.", checkKeyKnown, nil},
		{"key-is-word", Error, "A key is a word such as True or None",
			"Beaker takes the word as the key itself: validate_key = True signs with the four letters, secret = None does not mean that there is none.",
			"Give a real key (gobeaker keygen), or remove the line where no key was meant.", checkKeyWord, nil},
		{"key-weak", Warning, "A key can be found by trying",
			"One cookie is enough to try keys against, as fast as hardware allows and without anybody noticing: the signature is one HMAC-SHA1, and the key for encryption is derived with a single iteration of PBKDF2.",
			"Use at least 32 random hexadecimal digits: gobeaker keygen.", checkKeyWeak, nil},
		{"key-reused", Warning, "The same text is used as several keys",
			"Each of them protects something else. Who gets one, from a log, a cookie tool or another application, has all, and changing one means changing everything. validate_key is also the salt of encryption and is no salt if it equals the key.",
			"Make one key for each purpose: gobeaker keygen.", checkKeyReused, nil},
		{"key-not-ascii", Warning, "A key has letters beyond ASCII",
			"Pythons do not agree about them. With an encrypt_key Python 3 raises UnicodeEncodeError at every session; Python 2 with Beaker from 1.6.4 on raises UnicodeDecodeError when it signs.",
			"Replace it by a key of plain letters and digits: gobeaker keygen.", checkKeyASCII, nil},
		{"validate-key-missing", Error, "There is no validate_key",
			"Cookie-only sessions are signed with it and Beaker refuses to run without. Encryption is salted with it: with an encrypt_key alone, Beaker fails with a TypeError at every save, and at every load takes the session for a new one.",
			"Set a validate_key, the same in all applications that share the sessions: gobeaker keygen.", func(s *Side, r *report) {
				o := s.options()
				if o.ValidateKey == "" && (s.cookieOnly() || o.EncryptKey != "") {
					r.add(s.at("validate_key", "encrypt_key", "type"))
				}
			}, nil},
		{"old-keys", Info, "Former keys are still accepted",
			"That is how keys are changed without logging everybody out. A key that was replaced because it had become known keeps its power for as long as it is accepted.",
			"Remove it once no cookie and no session can be left that was made with it (after timeout, or the life of the cookies).", func(s *Side, r *report) {
				o := s.options()
				n := len(o.OldSecrets) + len(o.OldValidateKeys) + len(o.OldEncryptKeys)
				if n > 0 {
					r.add(s.at("old_secrets", "old_validate_keys", "old_encrypt_keys")).Count = int64(n)
				}
			}, nil},
		{"config-readable", Warning, "A file with keys or a password in it can be read by everybody on the machine",
			"Every user and every service of the machine can read the keys and with them make sessions of any user, or read the URL's password and open the store itself.",
			"chmod 640 (or 600) the file, and give it to the user or group that the application runs as.", checkConfigReadable, nil},
		{"config-writable", Error, "A configuration file can be written by everybody on the machine",
			"Whoever writes it decides about the keys, where sessions are, and in PasteDeploy also which code runs.",
			"chmod o-w the file, and the directory that it is in.", func(s *Side, r *report) {
				for _, f := range s.files() {
					switch {
					case open(f, 0o002):
						r.add(f.Path)
					case f.Replaceable:
						r.add(f.Path).saying("Its directory can be written by everybody, so that they can put another file in its place.")
					}
				}
			}, nil},
	}
}

func checkSecretMissing(s *Side, r *report) {
	if s.options().Secret != "" || s.cookieOnly() {
		return
	}
	r.add(s.at("secret"))
}

// judged are the keys that a check of their text looks at: each once, also if the
// same text serves twice.
func (s *Side) judged(bad func(k string) bool) (names, where []string) {
	for _, k := range s.keys() {
		if s.uses(k.name) && bad(k.text) {
			names, where = union(names, []string{k.name}), union(where, []string{s.at(k.name)})
		}
	}
	return names, where
}

// uses: validate_key does nothing for sessions that are neither in a cookie nor encrypted,
// and secret nothing for those in a cookie.
func (s *Side) uses(name string) bool {
	switch name {
	case "secret", "old_secrets":
		return s.onServer()
	case "validate_key", "old_validate_keys":
		return s.cookieOnly() || s.options().EncryptKey != ""
	}
	return true
}

func checkKeyKnown(s *Side, r *report) {
	if names, where := s.judged(isKnown); len(names) > 0 {
		r.add(where...).saying("It is %s.", strings.Join(names, " and "))
	}
}

func checkKeyWord(s *Side, r *report) {
	if names, where := s.judged(isConstant); len(names) > 0 {
		r.add(where...).saying("It is %s.", strings.Join(names, " and "))
	}
}

func checkKeyWeak(s *Side, r *report) {
	for _, k := range s.keys() {
		bits, why := strength(k.text)
		if !s.uses(k.name) || bits >= enoughBits || isKnown(k.text) || isConstant(k.text) {
			continue
		}
		f := r.add(s.at(k.name)).saying("%s has %s: at most about %.0f bits, and %d are the least that is safe.", k.name, why, bits, enoughBits)
		if bits < hopelessBits {
			f.as(Error)
		}
	}
}

func checkKeyReused(s *Side, r *report) {
	o := s.options()
	pairs := [][2]key{
		{{name: "secret", text: o.Secret}, {name: "validate_key", text: o.ValidateKey}},
		{{name: "secret", text: o.Secret}, {name: "encrypt_key", text: o.EncryptKey}},
		{{name: "validate_key", text: o.ValidateKey}, {name: "encrypt_key", text: o.EncryptKey}},
	}
	for _, p := range pairs {
		if p[0].text == "" || p[0].text != p[1].text {
			continue
		}
		f := r.add(s.at(p[0].name), s.at(p[1].name)).saying("%s and %s are the same.", p[0].name, p[1].name)
		if s.origin(p[0].name).Kind == iniconf.FromFramework || s.origin(p[1].name).Kind == iniconf.FromFramework || !s.uses(p[0].name) || !s.uses(p[1].name) {
			f.as(Info) // the framework's own choice, or only one of them does anything
		}
	}
}

func checkKeyASCII(s *Side, r *report) {
	names, where := s.judged(func(k string) bool { return strings.ContainsFunc(k, func(c rune) bool { return c > 0x7f }) })
	if len(names) == 0 {
		return
	}
	f := r.add(where...).saying("It is %s.", strings.Join(names, " and "))
	if s.options().EncryptKey != "" && s.peer().Python != 2 {
		f.as(Error)
	}
}

// files are the configuration files.
func (s *Side) files() []facts.Place {
	if s.Tree == nil {
		return nil
	}
	return s.Tree.Files
}

// secretIn returns the secret options that a file holds.
func (s *Side) secretIn(path string) []string {
	var names []string
	for _, k := range s.keys() {
		if s.origin(k.name).File == path {
			names = union(names, []string{k.name})
		}
	}
	for _, name := range []string{"url", "urls", "sa.url"} {
		if s.origin(name).File == path && hasPassword(s.address()) {
			names = append(names, name)
		}
	}
	return names
}

// passwordIn are the parameters by which drivers of databases are told a password.
var passwordIn = regexp.MustCompile(`(?i)(password|passwd|pwd)=.`)

// hasPassword reports whether there may be one in a URL. SQLAlchemy's passwords may have
// any letter in them.
func hasPassword(address string) bool {
	_, rest, ok := strings.Cut(address, "://")
	if !ok {
		rest = address
	}
	user := rest[:max(strings.LastIndex(rest, "@"), 0)]
	return strings.Contains(user, ":") || passwordIn.MatchString(address)
}

// isIni: a file is of the ini, whatever its name ends in.
func (s *Side) isIni(path string) bool {
	c := s.Effective.Config
	return c != nil && slices.Contains(c.Files(), path)
}

func checkConfigReadable(s *Side, r *report) {
	for _, f := range s.files() {
		secrets := s.secretIn(f.Path)
		if !open(f, 0o004) {
			continue
		}
		if f.Role == "secret" && !s.isIni(f.Path) {
			secrets = []string{"a secret file"}
		}
		if len(secrets) > 0 {
			r.add(placeName(f)).saying("In it: %s.", strings.Join(secrets, ", "))
		}
	}
}
