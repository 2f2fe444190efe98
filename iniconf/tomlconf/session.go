package tomlconf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/iniconf"
)

// table is the name of the table that a Session is decoded from.
const table = "session"

// Session is the [session] table. Its zero value is that of an empty one. A program
// may also fill it by hand; Resolve makes the options of it.
type Session struct {
	// Ini is "production.ini" or "production.ini#application": its options come
	// first, those beside it replace them.
	Ini string
	// IniDialect says whose ConfigParser reads it: "auto", "python2", "python3" …
	// (see [iniconf.ParseDialect]). By "auto" it is that of the peer's Python, if
	// peer says it.
	IniDialect string
	// IniGlobal is PasteDeploy's global_conf, as given on a command line.
	IniGlobal map[string]string
	// PasteDeploy is "1.5", "2.1" or "": the one that goes with the dialect.
	PasteDeploy string
	// Framework says who makes the session middleware (see [iniconf.ParseFramework]).
	Framework string
	// StrictBeaker reads invalidate_corrupt and use_cookies of the ini, and what a
	// Beaker filter in it sets without a prefix, as Beaker does, to which the text
	// "false" is true (see [iniconf.BoolAsBeaker]).
	StrictBeaker bool

	// Options are Beaker's options and gobeaker's own by name, with values as
	// [iniconf.Option] has them. Relative directories are relative to the file.
	Options map[string]any
	// Files and Variables give secret, validate_key, encrypt_key and url otherwise:
	// the file of which the first line is the value (secret_file), and the name of
	// an environment variable (secret_env), by the option's name.
	Files, Variables map[string]string
	// OlderFiles are further files of old_secrets, old_validate_keys and
	// old_encrypt_keys (old_secret_files …), by the option's name.
	OlderFiles map[string][]string
	// Extra are the options of the back end, as text, number or boolean:
	// table_name, sa.url … A table in it stands for a name with a dot.
	Extra map[string]any

	// Editable lets the built-in page of "gobeaker serve" change sessions. It is
	// nothing to other programs.
	Editable bool

	problems []problem // of the table that was decoded
}

// problem is something wrong with a key of the table.
type problem struct {
	key string
	msg string
}

// ownKeys are the keys of the table that are no options.
var ownKeys = []struct {
	name  string
	field func(*Session) any
}{
	{"ini", func(s *Session) any { return &s.Ini }},
	{"ini_dialect", func(s *Session) any { return &s.IniDialect }},
	{"ini_global", func(s *Session) any { return &s.IniGlobal }},
	{"pastedeploy", func(s *Session) any { return &s.PasteDeploy }},
	{"framework", func(s *Session) any { return &s.Framework }},
	{"strict_beaker", func(s *Session) any { return &s.StrictBeaker }},
	{"editable", func(s *Session) any { return &s.Editable }},
	{"extra", func(s *Session) any { return &s.Extra }},
}

// ofIni are those of them that only say how the ini is read.
var ofIni = []string{"ini_dialect", "ini_global", "pastedeploy", "framework", "strict_beaker"}

// secretOptions can be had from files and from the environment.
var secretOptions = []string{"secret", "validate_key", "encrypt_key", "url"}

// olderOptions are lists of secrets.
var olderOptions = []string{"old_secrets", "old_validate_keys", "old_encrypt_keys"}

// olderKey is the key for the files of such a list: old_secret_files.
func olderKey(option string) string { return strings.TrimSuffix(option, "s") + "_files" }

// sessionKeys are all keys of the table.
func sessionKeys() []string {
	var out []string
	for _, own := range ownKeys {
		out = append(out, own.name)
	}
	for _, name := range secretOptions {
		out = append(out, name+"_file", name+"_env")
	}
	for _, name := range olderOptions {
		out = append(out, olderKey(name))
	}
	for _, info := range iniconf.OptionInfos() {
		out = append(out, info.Name)
	}
	return out
}

// IsKey reports whether a name is a key of the [session] table that is no option, such
// as ini or secret_file, so that no option of a back end can have it.
func IsKey(name string) bool {
	_, known := iniconf.LookupOption(name)
	return !known && slices.Contains(sessionKeys(), name)
}

// UnmarshalTOML takes the decoded table. What is wrong with it is reported by
// Resolve, which knows the lines.
func (s *Session) UnmarshalTOML(data any) error {
	keys, ok := data.(map[string]any)
	if !ok {
		return errors.New("give a table")
	}
	*s = Session{Options: map[string]any{}, Files: map[string]string{}, Variables: map[string]string{}, OlderFiles: map[string][]string{}}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if err := s.take(name, keys[name]); err != nil {
			s.problems = append(s.problems, problem{name, err.Error()})
		}
	}
	return nil
}

// take puts the value of a key where it belongs.
func (s *Session) take(name string, value any) error {
	for _, own := range ownKeys {
		if own.name == name {
			return assign(own.field(s), value)
		}
	}
	for _, option := range secretOptions {
		switch name {
		case option + "_file":
			return assignTo(s.Files, option, value)
		case option + "_env":
			return assignTo(s.Variables, option, value)
		}
	}
	for _, option := range olderOptions {
		if name == olderKey(option) {
			return assignTo(s.OlderFiles, option, value)
		}
	}
	if _, known := iniconf.LookupOption(name); !known {
		return errors.New(unknownOption(name))
	}
	s.Options[name] = value
	return nil
}

// unknownOption says what was perhaps meant.
func unknownOption(name string) string {
	switch near := iniconf.Nearest(name, sessionKeys()); {
	case near != "":
		return fmt.Sprintf("did you mean %q?", near)
	case name == "beaker" || name == "session":
		return "write the options without a prefix: key, secret, timeout …"
	}
	return "Beaker's options stand here under their names without a prefix; those that only a back end knows belong into [session.extra]"
}

// assign sets a field, if the value is of its type. An empty text for a file or the
// like would be none, so it is a mistake.
func assign(field, value any) error {
	switch p := field.(type) {
	case *string:
		text, ok := value.(string)
		if !ok || text == "" {
			return errors.New("give a text in quotes, which is not empty")
		}
		*p = text
	case *bool:
		on, ok := value.(bool)
		if !ok {
			return errors.New("give true or false")
		}
		*p = on
	case *[]string:
		list, _ := value.([]any)
		for _, v := range list {
			if text, ok := v.(string); ok && text != "" {
				*p = append(*p, text)
			}
		}
		if len(*p) != len(list) || list == nil {
			return errors.New("give a list of texts, none of them empty")
		}
	case *map[string]string:
		keys, ok := value.(map[string]any)
		texts := map[string]string{}
		for name, v := range keys {
			text, is := v.(string)
			ok = ok && is
			texts[name] = text
		}
		if !ok {
			return errors.New("give a table of texts")
		}
		*p = texts
	case *map[string]any:
		keys, ok := value.(map[string]any)
		if !ok {
			return errors.New("give a table")
		}
		*p = keys
	}
	return nil
}

func assignTo[T any](to map[string]T, name string, value any) error {
	var v T
	if err := assign(&v, value); err != nil {
		return err
	}
	to[name] = v
	return nil
}
