package iniconf

import (
	"fmt"
	"strings"
)

// Framework says who makes the session middleware of an application, because each
// reads the same ini in its own way. Where releases of one differ, it says which.
type Framework uint8

// The frameworks.
const (
	GuessFramework Framework = iota // by what is in the file
	// PlainBeaker is beaker.middleware.SessionMiddleware(app, config), as with
	// Bottle, and a filter egg:Beaker#beaker_session.
	PlainBeaker
	// Pylons is Pylons 0.9.7 and 1.0 and TurboGears 2.0 to 2.3.4: the same
	// middleware, with data_dir made from cache_dir.
	Pylons
	// TurboGears is TurboGears 2.5, which makes sessions itself and reads only
	// session.*; session.enabled switches them off. It is taken for granted that
	// config/app_cfg.py is quickstart's, where sessions are JSON.
	TurboGears
	// TurboGears24 is TurboGears 2.3.5 to 2.4, which reads beaker.session.* too.
	TurboGears24
	// Pyramid is pyramid_beaker: only what stands in the application's own section,
	// nothing from cache_dir, and invalidate_corrupt off unless it is set. Every
	// change of a session saves it.
	Pyramid
	// CKAN is CKAN29 or CKAN210, by what is in the file.
	CKAN
	// CKAN29 is CKAN 2.0 to 2.9: Pylons, or Flask with the same settings. The
	// environment counts where the plugin envvars is on.
	CKAN29
	// CKAN210 is CKAN 2.10, which has defaults of its own: sessions in the cookie,
	// validate_key the same as secret. It saves the session on every request.
	CKAN210
)

var frameworkNames = [...]string{"auto", "beaker", "pylons", "turbogears", "turbogears-2.4", "pyramid_beaker", "ckan", "ckan-2.9", "ckan-2.10"}

// frameworkAliases are other names that people use.
var frameworkAliases = map[string]Framework{
	"": GuessFramework, "bottle": PlainBeaker, "turbogears-2.2": Pylons, "turbogears-2.3": TurboGears24,
	"turbogears-2.5": TurboGears, "pyramid": Pyramid,
}

// String returns "auto", "beaker", "pylons", "turbogears", "turbogears-2.4",
// "pyramid_beaker", "ckan", "ckan-2.9" or "ckan-2.10".
func (f Framework) String() string { return frameworkNames[f] }

// ParseFramework is the reverse of [Framework.String]. It takes "" for "auto",
// "bottle" for "beaker", "pyramid" for "pyramid_beaker", and "turbogears-2.2", -2.3
// and -2.5 for what these releases are.
func ParseFramework(name string) (Framework, error) {
	if f, ok := frameworkAliases[name]; ok {
		return f, nil
	}
	for i, known := range frameworkNames {
		if name == known {
			return Framework(i), nil
		}
	}
	return GuessFramework, fmt.Errorf("iniconf: framework %q is not known: use one of %s", clip(name), strings.Join(frameworkNames[:], ", "))
}

// turboGears reports whether sessions are made by TurboGears itself.
func (f Framework) turboGears() bool { return f == TurboGears || f == TurboGears24 }

// ownSession reports whether the application itself makes its session middleware, so
// that a Beaker filter around it is of no use to it.
func (f Framework) ownSession() bool { return f > PlainBeaker }

// howToSay ends a warning about a guess.
func (f Framework) howToSay() string {
	return fmt.Sprintf("name the framework (framework = %q in the [session] of gobeaker.toml, --framework %[1]s)", f.String())
}
