package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
)

// pairChecks ask whether two applications can share sessions.
func pairChecks() []Check {
	return []Check{
		{"sides-separate", Info, "Two applications do not share sessions at all",
			"Their sessions are in different places, and their cookies have different names or secrets.",
			"Nothing, if that is what is meant.", nil, func(a, b *Side, r *report) {
				if separate(a, b) {
					r.add(a.Name, b.Name)
				}
			}},
		{"key-shared", Warning, "A key serves two applications that share no sessions",
			"What the one signs, the other accepts: with cookie-only sessions a user of the one is whoever he likes in the other, and who breaks into one has the key of both.",
			"Give each application keys of its own: gobeaker keygen.", nil, func(a, b *Side, r *report) {
				if !separate(a, b) {
					return
				}
				for _, k := range a.keys() {
					for _, other := range b.keys() {
						if k.text == other.text && !k.old && !other.old && a.uses(k.name) && b.uses(other.name) {
							r.add(a.at(k.name), b.at(other.name)).saying("It is %s here, and %s there.", k.name, other.name)
						}
					}
				}
			}},
		{"sides-cookie-name", Error, "The cookies have different names",
			"A browser that comes from the one application has no session in the other.",
			"Set the same key.", nil, differ(func(a, b *Side) (bool, []string) { return a.options().Key != b.options().Key, []string{"key"} })},
		{"sides-cookie-scope", Warning, "The cookies are for different domains or paths",
			"A browser keeps both, and sends both where both fit: Beaker takes the last one, and a logout ends only one of them.",
			"Set the same cookie_domain and cookie_path.", nil, differ(func(a, b *Side) (bool, []string) {
				x, y := a.options(), b.options()
				return x.CookieDomain != y.CookieDomain || x.CookiePath != y.CookiePath, []string{"cookie_domain", "cookie_path"}
			})},
		{"sides-cookie-flags", Warning, "The cookies have different attributes",
			"Whichever application begins a session decides whether its cookie is Secure, HttpOnly, its SameSite and how long it lives, so the weaker setting of the two is in effect half of the time.",
			"Set secure, httponly, samesite and cookie_expires the same.", nil, checkFlags},
		{"sides-secret", Error, "The secrets are different",
			"Each takes the other's cookies for forged ones and begins a new session: users are logged out whenever they change sides.",
			"Set the same secret. gobeaker accepts another one beside it as old_secrets while it is changed.", nil, func(a, b *Side, r *report) {
				if a.onServer() && b.onServer() {
					checkKeys(a, b, r, "secret", func(o *compat.Options) (string, []string) { return o.Secret, o.OldSecrets })
				}
			}},
		{"sides-validate-key", Error, "The validate_keys are different",
			"They sign cookie-only sessions and salt encryption: neither side reads the other's sessions.",
			"Set the same validate_key.", nil, func(a, b *Side, r *report) {
				if a.uses("validate_key") && b.uses("validate_key") {
					checkKeys(a, b, r, "validate_key", func(o *compat.Options) (string, []string) { return o.ValidateKey, o.OldValidateKeys })
				}
			}},
		{"sides-encrypt-key", Error, "The encrypt_keys are different",
			"Neither side reads the other's sessions; if one of them has none, it reads no encrypted ones.",
			"Set the same encrypt_key, or none on both sides.", nil, func(a, b *Side, r *report) {
				checkKeys(a, b, r, "encrypt_key", func(o *compat.Options) (string, []string) { return o.EncryptKey, o.OldEncryptKeys })
			}},
		{"sides-place", Error, "The sessions are in different places",
			"Each application finds only its own sessions, so users are logged out whenever they change sides.",
			"Use the same type with the same directory, or the same server and table.", nil, checkPlace},
		{"sides-lock-dir", Warning, "The lock files are in different directories",
			"File sessions are locked by a file in lock_dir. With two directories the two sides do not see each other's locks, and can read half-written records or lose changes.",
			"Set the same lock_dir, or none.", nil, func(a, b *Side, r *report) {
				if !separate(a, b) && a.onDisk() && b.onDisk() && a.place() == b.place() && a.same(locksOf(a)) != b.same(locksOf(b)) {
					r.add(a.at("lock_dir", "data_dir"), b.at("lock_dir", "data_dir"))
				}
			}},
		{"sides-form", Error, "One side does not read what the other writes",
			"Releases of Beaker write sessions in forms of their own: up to 1.11 a server-side session is a dict, from 1.12 on a text of base64, from 1.14 on the default encryption is AES-GCM, and modes, nonces and serializers have to be the same. What cannot be read is a new, empty session, which is then stored over the old one.",
			"Run the same Beaker on both sides. In between, gobeaker reads all forms, and with peer = set to the oldest Beaker it writes what that one reads.", nil, checkForm},
		{"sides-serializer", Error, "One side writes JSON, the other pickles",
			"Neither reads the other's sessions.",
			"Set the same data_serializer. gobeaker migrate converts what is stored.", nil, checkSerializer},
		{"sides-nonce", Error, "The nonces have different sizes",
			"A Beaker looks for the encrypted text behind as many characters as encrypt_nonce_bits says, and finds something else.",
			"Set the same encrypt_nonce_bits; it has to be 48 if a Beaker before 1.8 is among them.", nil, differ(func(a, b *Side) (bool, []string) {
				return encrypted(a, b) && a.options().EncryptNonceBits != b.options().EncryptNonceBits && !checkedByForm(a, b), []string{"encrypt_nonce_bits"}
			})},
		{"sides-crypto-type", Warning, "The AES libraries may be different",
			"cryptography writes AES-GCM, nss AES-CBC, the others AES-CTR; none reads another's.",
			"Set the same crypto_type where the same libraries are installed.", nil, differ(func(a, b *Side) (bool, []string) {
				return encrypted(a, b) && a.options().CryptoType != b.options().CryptoType && !checkedByForm(a, b), []string{"crypto_type"}
			})},
		{"sides-timeout", Warning, "The timeouts are different",
			"The shorter one ends sessions that the other still takes for good, and a Redis key lives as long as whoever wrote it last says.",
			"Set the same timeout.", nil, differ(func(a, b *Side) (bool, []string) {
				return a.options().Timeout != b.options().Timeout, []string{"timeout"}
			})},
		{"sides-memcached", Error, "memcached's servers are chosen differently",
			"A session is on one server for the one side and on another for the other: users are logged out whenever they change sides, some always, some never.",
			"Write the same list in the same order, and use the same client library with the same behaviors.", nil, func(a, b *Side, r *report) {
				if a.kind() == "ext:memcached" && b.kind() == "ext:memcached" {
					if difference := sameMemcached(a, b); difference != "" {
						r.add(a.at("url"), b.at("url")).saying("%s", difference)
					}
				}
			}},
		{"sides-python", Warning, "Python 2 does not read what Python 3 stores",
			"Around a session stands a pickle of the highest protocol that its Python likes, 3 or 4 in Python 3, and Python 2 reads 2 at most. The other way about, Python 3 fails at 8-bit strings of Python 2 that are not ASCII. Cookie-only sessions are not concerned by the first.",
			"Move all applications to one Python, or give them stores of their own in the meantime. What gobeaker writes, both read.", nil, func(a, b *Side, r *report) {
				if p, q := a.peer().Python, b.peer().Python; !a.Go && !b.Go && p != 0 && q != 0 && p != q && !separate(a, b) {
					f := r.add(a.Name, b.Name)
					if a.onServer() && a.kind() != "ext:memcached" {
						f.as(Error)
					}
				}
			}},
	}
}

// separate: two Python applications of which nothing says that they should share.
func separate(a, b *Side) bool {
	if a.Go || b.Go || a.place() == b.place() && a.kind() != "cookie" && a.kind() != "memory" {
		return false
	}
	sign := func(s *Side) string {
		if s.cookieOnly() {
			return s.options().ValidateKey
		}
		return s.options().Secret
	}
	return a.options().Key != b.options().Key || sign(a) != sign(b)
}

// differ makes a check of two sides that should be the same.
func differ(f func(a, b *Side) (bool, []string)) func(a, b *Side, r *report) {
	return func(a, b *Side, r *report) {
		if yes, names := f(a, b); yes && !separate(a, b) {
			r.add(a.at(names...), b.at(names...))
		}
	}
}

func checkFlags(a, b *Side, r *report) {
	x, y := a.options(), b.options()
	var names []string
	for _, f := range []struct {
		name string
		same bool
	}{
		{"secure", x.Secure == y.Secure}, {"httponly", x.HTTPOnly == y.HTTPOnly}, {"samesite", x.SameSite == y.SameSite},
		{"cookie_expires", x.CookieExpires == y.CookieExpires},
	} {
		if !f.same {
			names = append(names, f.name)
		}
	}
	if len(names) > 0 && !separate(a, b) {
		r.add(a.at(names...), b.at(names...)).saying("They differ in %s.", strings.Join(names, ", "))
	}
}

// checkKeys compares a kind of keys. Where one side accepts the other's as an older one,
// a change of keys is under way.
func checkKeys(a, b *Side, r *report, name string, of func(*compat.Options) (string, []string)) {
	x, oldX := of(a.options())
	y, oldY := of(b.options())
	if x == y || separate(a, b) {
		return
	}
	f := r.add(a.at(name), b.at(name))
	switch {
	case x != "" && slices.Contains(oldY, x), y != "" && slices.Contains(oldX, y):
		f.as(Warning).saying("One side accepts the key of the other as an older one: a change of keys is under way, and users are logged out in one direction.")
	case x == "" || y == "":
		f.saying("One side has none.")
	}
}

func checkPlace(a, b *Side, r *report) {
	if a.place() == b.place() || separate(a, b) {
		return
	}
	if a.kind() == "ext:memcached" && b.kind() == "ext:memcached" && len(servers(a.address())) > 0 && a.address() == b.address() {
		return
	}
	if a.kind() == "ext:memcached" && b.kind() == "ext:memcached" && overlap(a, b) {
		return // sides-memcached
	}
	f := r.add(a.at("file_dir", "data_dir", "url", "type"), b.at("file_dir", "data_dir", "url", "type"))
	switch {
	case a.kind() != b.kind():
		f.saying("The one has type %s, the other %s.", clip(a.kind()), clip(b.kind()))
	case a.loosePlace() == b.loosePlace():
		f.as(Info).saying("localhost, 127.0.0.1 and ::1 lead to one server, if it listens to all of them.")
		if a.kind() == "ext:memcached" && len(servers(a.address())) > 1 {
			f.as(Warning).saying("localhost, 127.0.0.1 and ::1 lead to one server, if it listens to all of them. But pylibmc with ketama goes by the names when it chooses among several.")
		}
	}
}

// overlap: some of memcached's servers are the same.
func overlap(a, b *Side) bool {
	list := servers(b.address())
	return slices.ContainsFunc(servers(a.address()), func(server string) bool { return slices.Contains(list, server) })
}

// checkSerializer compares what the sides write: by their Beakers where these are known,
// because data_serializer does not have an effect with all of them.
func checkSerializer(a, b *Side, r *report) {
	if separate(a, b) || !serializersDiffer(a, b) {
		return
	}
	f := r.add(a.at("data_serializer"), b.at("data_serializer"))
	if a.guessedSerializer() || b.guessedSerializer() {
		f.as(Warning).saying("One of them is a guess, because the file does not say it.")
	}
}

func serializersDiffer(a, b *Side) bool {
	x, y := a.serializer(), b.serializer()
	return x != y && x != "" && y != ""
}

// serializer is what a side writes; "" where that is no matter, as in the dict that
// Beaker up to 1.11 stores.
func (s *Side) serializer() string {
	if p := s.writesFor(); !p.IsAuto() {
		if form, err := p.Form(s.taken()); err == nil {
			if form.Text == beakerfmt.TextNone {
				return ""
			}
			return form.Serializer.String()
		}
	}
	return s.options().DataSerializer
}

// guessedSerializer: nobody said data_serializer, and the framework's usual one is taken.
func (s *Side) guessedSerializer() bool {
	return s.origin("data_serializer").Kind == iniconf.FromFramework
}

func locksOf(s *Side) string {
	o := s.options()
	if o.LockDir != "" {
		return filepath.Clean(o.LockDir)
	}
	return filepath.Join(o.DataDir, "container_"+s.kind()+"_lock")
}

func encrypted(a, b *Side) bool { return a.options().EncryptKey != "" && b.options().EncryptKey != "" }

// checkedByForm: where both Beakers are known, sides-form says it, and it knows better
// what has an effect.
func checkedByForm(a, b *Side) bool { return !a.peer().IsAuto() && !b.peer().IsAuto() }

// checkForm: of each side, does the other read what it writes? A Go program reads
// everything; it writes what its peer reads.
func checkForm(a, b *Side, r *report) {
	if separate(a, b) || a.cookieOnly() != b.cookieOnly() || serializersDiffer(a, b) || a.withoutAES() || b.withoutAES() {
		return
	}
	seen := map[string]bool{}
	for _, pair := range [][2]*Side{{a, b}, {b, a}} {
		from, to := pair[0], pair[1]
		p, q := from.writesFor(), to.peer()
		if q.IsAuto() || p.IsAuto() && !from.Go || to.Go {
			continue
		}
		form, err := p.Form(from.taken())
		if err != nil {
			continue // peer-refuses-options
		}
		if err := q.Reads(form, to.taken()); err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			f := r.add(from.Name, to.Name).saying("What %s writes, %s does not read: %v.", writerName(from), to.Name, err)
			if from.Go && from.Peer != q {
				f.Remedy = fmt.Sprintf("Set peer = %q for gobeaker, which then writes what that Beaker reads.", q)
			}
		}
	}
}

// writesFor is the peer whose form a side writes. A Go program goes by what it was told.
func (s *Side) writesFor() compat.Peer {
	if s.Go {
		return s.Peer
	}
	return s.peer()
}

func writerName(s *Side) string {
	if p := s.writesFor(); !p.IsAuto() {
		return fmt.Sprintf("%s (%s)", s.Name, p)
	}
	return s.Name + " (peer = auto)"
}
