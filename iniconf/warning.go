package iniconf

import "fmt"

// Warning is something that is not an error to Beaker, yet hardly meant. It holds
// no value that may be a secret.
type Warning struct {
	// Code says what kind of warning it is: one of the constants Code…, which do not
	// change when messages do.
	Code string
	Key  string // as it stands in the file
	// Option is Beaker's name of what it is about ("secret", "data_dir" …), or
	// "" if it is about none in particular. That option may not be in the file.
	Option string
	Position
	Msg string // what is odd and what to do
}

// The codes of warnings.
const (
	// How the file is read.
	CodeDialectsDiffer    = "dialects-differ"    // Python 2 and Python 3 read an option differently, and nobody said which it is
	CodeFrameworkGuessed  = "framework-guessed"  // a doubtful guess of the framework, which decides options
	CodeSerializerGuessed = "serializer-guessed" // TurboGears: sessions are taken for JSON, which the file does not say
	CodeEnvironmentUnread = "environment-unread" // CKAN reads settings from the environment, and LoadOptions.LookupEnv is nil
	CodeCompositeJoined   = "composite-joined"   // which application of a composite the options are from
	CodeCompositeGuessed  = "composite-guessed"  // what a composite joins that only Python can run
	CodeFilterComposed    = "filter-composed"    // filter-with around what is no plain application
	CodeNothingSet        = "nothing-set"        // the application has no session option at all
	CodeDisabled          = "disabled"           // the framework is told to have no sessions

	// Settings that are not Beaker's, or do not get to it.
	CodeUnknownOption    = "unknown-option"    // neither Beaker nor gobeaker has such an option
	CodeWrongPrefix      = "wrong-prefix"      // a prefix that is only like one of Beaker's
	CodeDeprecatedPrefix = "deprecated-prefix" // session_
	CodeUnread           = "unread"            // the framework does not hand it to Beaker
	CodeForeign          = "foreign"           // of a framework that this is not
	CodeObsolete         = "obsolete"          // nothing honours it any more
	CodeIgnored          = "ignored"           // Python knows it; gobeaker has no such thing
	CodeTooNew           = "too-new"           // this Beaker does not know it yet
	CodeTwice            = "twice"             // another line, or the framework, sets it as well

	// Values that hardly do what is meant.
	CodeNotCoerced        = "not-coerced"        // Beaker leaves the text as it is, so that false is true
	CodeKeywordText       = "keyword-text"       // without a prefix in a filter: text to Beaker
	CodeNoneIsText        = "none-is-text"       // None, null, false … for something that is a text
	CodeTimeoutCapped     = "timeout-capped"     // longer than gobeaker counts
	CodeSharedID          = "shared-id"          // one session for everybody
	CodeTimeoutZero       = "timeout-zero"       // every session has timed out
	CodeExpiresWord       = "expires-word"       // cookie_expires = 0 or 1, which are false and true
	CodeCookieEndsFirst   = "cookie-ends-first"  // the browser forgets the cookie before the session ends
	CodeSameSiteEmpty     = "samesite-empty"     // the cookie has no SameSite attribute
	CodeSameSiteInsecure  = "samesite-insecure"  // SameSite=None without Secure
	CodeSameSiteUnknown   = "samesite-unknown"   // a word that browsers do not know
	CodeSerializerUnknown = "serializer-unknown" // a word that Beaker 1.8.0 takes for pickle
	CodeFalseUnlessTrue   = "false-unless-true"  // CKAN 2.10 takes an unknown word for false
	CodeCookieOnException = "cookie-on-exception"
	CodeRelativePath      = "relative-path"     // relative to the working directory of each process
	CodeInMemory          = "in-memory"         // neither a type nor a directory
	CodeNoSecret          = "no-secret"         // the cookie is the bare id
	CodeCacheInSessions   = "cache-in-sessions" // the files of the cache are among those of the sessions
	CodeNoCacheDir        = "no-cache-dir"      // CKAN: the directory is None/sessions
	CodeTypeByRelease     = "type-by-release"   // CKAN 2.10: where sessions are depends on the patch release

	// From package tomlconf.
	CodeWithoutIni = "without-ini" // a key that says how the ini is read, and there is none
)

// String returns "file:line:col: key: message".
func (w Warning) String() string {
	s := w.Key + ": " + w.Msg
	if p := w.Position.String(); p != "" {
		s = p + ": " + s
	}
	return s
}

// warn notes a warning about the option that a setting is for.
func (s *sessionSettings) warn(code string, at Setting, format string, args ...any) {
	name := at.Key
	if bare, _, ok := bareName(name); ok {
		name = bare
	}
	s.warnAbout(code, name, at, format, args...)
}

func (s *sessionSettings) warnAbout(code, option string, at Setting, format string, args ...any) {
	s.warnings = append(s.warnings, Warning{Code: code, Key: at.Key, Option: option, Position: at.Position, Msg: fmt.Sprintf(format, args...)})
}
