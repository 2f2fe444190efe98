package iniconf

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
)

// OriginKind says what kind of thing decided an option.
type OriginKind uint8

// The kinds of origins.
const (
	FromDefault     OriginKind = iota // nobody set it
	FromIni                           // a setting of an ini file
	FromFramework                     // derived by the framework, perhaps from another setting
	FromTOML                          // the [session] table of a gobeaker.toml
	FromFile                          // a file that a gobeaker.toml names (secret_file)
	FromEnvironment                   // an environment variable
	FromFlag                          // the command line
)

var originNames = [...]string{"default", "ini", "framework", "toml", "file", "environment", "flag"}

// String returns "default", "ini", "framework", "toml", "file", "environment" or "flag".
func (k OriginKind) String() string { return originNames[k] }

// Origin says where the value of an option comes from.
type Origin struct {
	Kind     OriginKind
	Position            // where it stands; zero if not in a file
	Written  string     // the name that it has there: "beaker.session.secret", "secret_file", "GOBEAKER_SECRET"
	Via      []Position // the lines that led to that file, the first one first
	Because  string     // for FromFramework: the rule, as in "cache_dir, as Pylons does"
}

// String gives the origin in a few words: "production.ini:12", "default",
// "environment GOBEAKER_SECRET".
func (o Origin) String() string {
	var s string
	switch o.Kind {
	case FromDefault:
		return "default"
	case FromEnvironment:
		s = "environment " + o.Written
	case FromFlag:
		s = o.Written
	default:
		at := o.Position
		at.Column = 0 // people look for lines
		s = at.String()
	}
	if o.Because != "" {
		s = strings.TrimSpace(s + " (" + o.Because + ")")
	}
	return s
}

// Option is one option as it takes effect.
type Option struct {
	OptionInfo
	// Value is a string, bool, int64, []string or time.Time, as a gobeaker.toml
	// would give it; nil if the option is unset. It is not masked.
	Value  any
	Origin Origin
	// Notes are what may surprise, from Warnings.
	Notes []string
}

// Effective is what the session options of an application come to. It belongs to
// its caller; Set changes it.
type Effective struct {
	Options   compat.Options
	Origins   map[string]Origin // by the option's name; those at their default have none
	Warnings  []Warning
	Framework Framework
	Disabled  bool    // the framework was told to have no sessions
	Config    *Config // the ini that it began with, or nil
	Files     []string
}

// NewEffective returns the defaults.
func NewEffective() *Effective {
	return &Effective{Options: compat.Defaults(), Origins: map[string]Origin{}}
}

// Set replaces the value of an option (types: see [Option].Value) and takes back the
// warnings about what it replaces. A name that is no option is one for the back end, and
// its value must be a string.
func (e *Effective) Set(name string, value any, from Origin) error {
	info, known := LookupOption(name)
	if known && info.field != nil {
		if err := info.set(&e.Options, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	} else {
		text, ok := value.(string)
		if !ok {
			return fmt.Errorf("%s: give a text in quotes", name)
		}
		extra := maps.Clone(e.Options.Extra) // others may hold it
		if extra == nil {
			extra = map[string]string{}
		}
		extra[name] = text
		e.Options.Extra = extra
	}
	e.Origins[name] = from
	e.Warnings = slices.DeleteFunc(e.Warnings, func(w Warning) bool { return w.Option == name })
	return nil
}

// List returns every option: those of [OptionInfos], unset ones included, then what is
// for the back end, by name.
func (e *Effective) List() []Option {
	var out []Option
	for _, info := range optionInfos {
		out = append(out, e.option(info))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Options.Extra)) {
		if _, known := LookupOption(name); !known {
			out = append(out, e.option(OptionInfo{Name: name, Type: TypeText, Secret: sensitive(name), Help: "for the back end"}))
		}
	}
	return out
}

func (e *Effective) option(info OptionInfo) Option {
	o := Option{OptionInfo: info, Value: info.valueOf(&e.Options), Origin: e.Origins[info.Name]}
	for _, w := range e.Warnings {
		if w.Option == info.Name {
			o.Notes = append(o.Notes, w.Msg)
		}
	}
	return o
}
