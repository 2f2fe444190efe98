package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
)

func optionChecks() []Check {
	return []Check{
		{"option-unknown", Warning, "There is no such option",
			"Beaker hands it on to the back end, which takes no notice, or fails. It may be a misspelt one, whose default then holds.",
			"Correct the name or remove the line. gobeaker config lists all options.", warned(func(s *Side, w iniconf.Warning) bool {
				return w.Code == iniconf.CodeUnknownOption || w.Code == iniconf.CodeWrongPrefix
			}), nil},
		{"option-unread", Warning, "The framework does not read this setting",
			"Each framework hands Beaker only a part of what stands in the file. The setting looks as if it had an effect and has none: the default holds, or another line.",
			"Write it as the details say. If the framework was guessed wrong, name it: --framework, or framework = in gobeaker.toml.", warned(func(_ *Side, w iniconf.Warning) bool {
				switch w.Code {
				case iniconf.CodeUnread, iniconf.CodeForeign, iniconf.CodeObsolete, iniconf.CodeIgnored, iniconf.CodeEnvironmentUnread:
					return true
				}
				return false
			}), nil},
		{"option-too-new", Warning, "This Beaker does not know the option yet",
			"It has no effect in Python, while Go goes by it.",
			"Upgrade Beaker, or remove the option.", checkTooNew, nil},
		{"prefix-deprecated", Info, "The prefix session_ is deprecated",
			"Beaker still reads it, with a DeprecationWarning.",
			"Write session. or beaker.session. in its place.", warned(func(_ *Side, w iniconf.Warning) bool { return w.Code == iniconf.CodeDeprecatedPrefix }), nil},
		{"python-reads-true", Warning, "Python takes false for true here",
			"Beaker does not coerce this option: in an ini the text false is not empty, and so it is true. gobeaker reads what is written, so the two sides behave differently.",
			"Remove the line (true is the default), or set it in the application's code. strict_beaker = true in gobeaker.toml makes gobeaker read it like Python.", func(s *Side, r *report) {
				for name, on := range map[string]bool{"invalidate_corrupt": s.options().InvalidateCorrupt, "use_cookies": s.options().UseCookies} {
					if !on && s.origin(name).Kind == iniconf.FromIni {
						r.add(s.at(name)).saying("It is %s.", name)
					}
				}
			}, nil},
		{"text-none", Warning, "A word that is meant for nothing is something",
			"In an ini there is no None: Beaker takes the letters of None, null or false for a domain, a directory or a URL.",
			"Remove the line to leave the option unset.", checkTextNone, nil},
		{"serializer-guessed", Info, "It is a guess that sessions are JSON",
			"The file does not say data_serializer, and applications of this framework mostly set json in their code. Where the application does not, Python writes pickles, and neither reads the other's.",
			"Write data_serializer = json or = pickle into the ini, as the application has it.", checkGuess, nil},
		{"option-surprise", Warning, "An option does not do what it says",
			"The details say what happens in its place.",
			"Do what the details say; gobeaker config shows every option with its value and where it comes from.", warned(func(s *Side, w iniconf.Warning) bool { return !s.saidElsewhere(w) }), nil},
	}
}

// warned makes findings of the loader's warnings.
func warned(of func(*Side, iniconf.Warning) bool) func(*Side, *report) {
	return func(s *Side, r *report) {
		for _, w := range s.Effective.Warnings {
			if !of(s, w) {
				continue
			}
			at := w.Position
			at.Column = 0
			where := at.String()
			if where == "" {
				where = s.Name
			}
			r.add(where).saying("%s: %s", w.Key, sentence(w.Msg))
		}
	}
}

// saidElsewhere: there is a check of its own for that.
func (s *Side) saidElsewhere(w iniconf.Warning) bool {
	switch w.Code {
	case iniconf.CodeUnknownOption, iniconf.CodeWrongPrefix, iniconf.CodeUnread, iniconf.CodeForeign, iniconf.CodeObsolete, iniconf.CodeIgnored,
		iniconf.CodeEnvironmentUnread, iniconf.CodeDeprecatedPrefix, iniconf.CodeTooNew, // checks of options
		iniconf.CodeNotCoerced, iniconf.CodeTimeoutZero, iniconf.CodeCookieEndsFirst, iniconf.CodeSameSiteEmpty,
		iniconf.CodeSameSiteInsecure, iniconf.CodeSameSiteUnknown, iniconf.CodeRelativePath, iniconf.CodeInMemory,
		iniconf.CodeNoSecret, iniconf.CodeCacheInSessions, iniconf.CodeDisabled, iniconf.CodeSerializerGuessed:
		return true
	case iniconf.CodeNoneIsText: // text-none, and for keys key-is-word
		return !slices.Contains([]string{"secret", "validate_key", "encrypt_key"}, w.Option) || slices.ContainsFunc(s.keys(), func(k key) bool {
			return k.name == w.Option && isConstant(k.text)
		})
	}
	switch w.Option {
	case "session_class", "namespace_class": // own-class
		return w.Code != iniconf.CodeTwice
	}
	return false
}

// noneWords are meant for nothing, and are something to Beaker.
var noneWords = []string{"none", "null", "nil", "false", "no", "off"}

func checkTextNone(s *Side, r *report) {
	for _, o := range s.Effective.List() {
		if o.Type != iniconf.TypeText || o.Ours || !s.isSet(o.Name) {
			continue
		}
		text, _ := o.Value.(string)
		none := strings.EqualFold(text, "none")
		switch o.Name {
		case "secret", "validate_key", "encrypt_key", "samesite":
			continue // there None is a key, or a word of its own
		case "data_dir", "lock_dir", "file_dir", "cookie_domain", "cookie_path", "url":
			none = slices.Contains(noneWords, strings.ToLower(text))
		}
		if none {
			r.add(s.at(o.Name)).saying("It is %s.", o.Name)
		}
	}
}

// checkGuess asks the stored sessions whether a guess was right.
func checkGuess(s *Side, r *report) {
	if !s.guessedSerializer() {
		return
	}
	if s.Sample == nil {
		r.add(s.at("data_serializer"))
		return
	}
	guess := s.options().DataSerializer
	var right, wrong facts.Count
	for _, name := range byCount(s.Sample.Serializers) {
		if name == guess {
			right = s.Sample.Serializers[name]
		} else {
			wrong = s.Sample.Serializers[name]
		}
	}
	switch {
	case wrong.Sessions > 0:
		counted(r, wrong, s.Sample, "they are no %s. Set data_serializer = pickle if the application still writes such", guess).as(Warning)
	case right.Sessions == 0:
		r.add(s.at("data_serializer"))
	}
}

func checkTooNew(s *Side, r *report) {
	before := len(r.found)
	warned(func(_ *Side, w iniconf.Warning) bool { return w.Code == iniconf.CodeTooNew })(s, r)
	if len(r.found) > before {
		return // the loader knew the peer
	}
	for _, info := range iniconf.OptionInfos() {
		if s.isSet(info.Name) && s.origin(info.Name).Kind == iniconf.FromIni && s.before(info.Since) {
			r.add(s.at(info.Name)).saying("%s came with Beaker %s, and the peer is %s.", info.Name, info.Since, s.peer())
		}
	}
}

// usualPeers are what applications of a framework mostly run with (compat.PeerNames).
var usualPeers = map[iniconf.Framework]string{
	iniconf.Pylons: "pylons-1.0", iniconf.TurboGears24: "turbogears-2.4", iniconf.TurboGears: "turbogears-2.5",
	iniconf.Pyramid: "pyramid_beaker", iniconf.CKAN29: "ckan-2.9", iniconf.CKAN210: "ckan-2.10",
}

// goChecks are about the options that gobeaker alone has.
func goChecks() []Check {
	return []Check{
		{"peer-unknown", Warning, "It is not known which Beaker the other side has",
			"With peer = auto a session is written back in the form in which it was found, and a new one in the newest form, which Beaker up to 1.11 cannot read in a store (it is a text there, and a dict before).",
			"Say it with peer in gobeaker.toml, or --peer here; or let doctor ask the application's Python (--python).", checkPeerUnknown, nil},
		{"adopt-unknown-ids", Warning, "Ids that a browser made up are adopted",
			"adopt_unknown_ids = true is Beaker's behaviour: an attacker can give a victim a session of his own choice and share it after the login (session fixation).",
			"Remove adopt_unknown_ids, unless the application makes ids of its own.", func(s *Side, r *report) {
				if s.options().AdoptUnknownIDs {
					r.add(s.at("adopt_unknown_ids"))
				}
			}, nil},
		{"accept-plaintext", Warning, "Sessions in clear are read although there is an encrypt_key",
			"That is meant for a time of change. Whoever can write to the store needs no key then.",
			"Remove accept_plaintext once doctor finds no session in clear any more.", func(s *Side, r *report) {
				if s.options().AcceptPlaintext && s.options().EncryptKey != "" {
					r.add(s.at("accept_plaintext"))
				}
			}, nil},
		{"write-replace", Info, "Of two requests at once, one loses what the other has saved",
			"write = replace writes the whole session, as Beaker does. With merge only the keys that a request changed are written.",
			"Remove write = replace, unless the application counts on it.", func(s *Side, r *report) {
				if s.options().Write == compat.WriteReplace {
					r.add(s.at("write"))
				}
			}, nil},
		{"delete-records-off", Info, "Sessions that were ended stay valid",
			"With delete_records = false the record of a session that was deleted, invalidated or renamed stays, as with Beaker, and whoever has its cookie goes on with it.",
			"Remove delete_records = false.", func(s *Side, r *report) {
				if !s.options().DeleteRecords && s.onServer() {
					r.add(s.at("delete_records"))
				}
			}, nil},
		{"lenient-cookies", Info, "Go and Python may not agree on who is logged in",
			"Python drops all cookies of a request after some odd ones. With lenient_cookies Go still reads them, so a user is logged in here and not there.",
			"Remove lenient_cookies where both answer for the same pages.", func(s *Side, r *report) {
				if s.options().LenientCookies {
					r.add(s.at("lenient_cookies"))
				}
			}, nil},
	}
}

func checkPeerUnknown(s *Side, r *report) {
	if !s.Peer.IsAuto() {
		return
	}
	probed := s.peer()
	if !probed.IsAuto() && !s.Go {
		return
	}
	f := r.add(s.at("peer"))
	if !probed.IsAuto() {
		f.Remedy = fmt.Sprintf("Say it: peer = %q.", probed)
		f.saying("The Python that was asked says: peer = %q.", probed)
		return
	}
	if s.Python != nil { // it was asked, and said nothing
		f.Remedy = "Say it with peer in gobeaker.toml, or --peer here; or name the application's own Python (--python)."
	}
	var says []string
	if name := usualPeers[s.Effective.Framework]; name != "" {
		says = append(says, fmt.Sprintf("With %s it is usually %s.", s.Effective.Framework, name))
	}
	if name := s.writersPeer(); name != "" {
		says = append(says, fmt.Sprintf("What is stored looks like %s.", name))
	}
	if len(says) > 0 {
		f.saying("%s", strings.Join(says, " "))
	}
	if s.cookieOnly() && s.options().EncryptKey == "" {
		f.as(Info) // all Beakers write that alike
	}
}

// writersPeer is a peer that could have written most of what is stored; "" if that does
// not show.
func (s *Side) writersPeer() string {
	if s.Sample == nil {
		return ""
	}
	beaker, python := "", ""
	for _, name := range byCount(s.Sample.Beakers) {
		for _, r := range likelyReleases {
			if beaker == "" && name != "any" && inRange(name, r.Minor, r.Patch) {
				beaker = fmt.Sprintf("beaker-%d.%d", r.Major, r.Minor)
			}
		}
	}
	for _, name := range byCount(s.Sample.Pythons) {
		for _, major := range []string{"2", "3"} {
			if python == "" && strings.HasPrefix(name, "Python "+major) {
				python = "/python" + major
			}
		}
	}
	if beaker == "" {
		return ""
	}
	return beaker + python
}

// likelyReleases are those that stand for a range, the likeliest first.
var likelyReleases = []compat.Release{
	{Major: 1, Minor: 13}, {Major: 1, Minor: 14}, {Major: 1, Minor: 11}, {Major: 1, Minor: 10, Patch: 1},
	{Major: 1, Minor: 8, Patch: 1}, {Major: 1, Minor: 6, Patch: 5}, {Major: 1, Minor: 5, Patch: 4},
}
