package iniconf

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Application is one application that a file defines.
type Application struct {
	Name    string // for LoadOptions.App
	Section string // "app:main"
	Position
	Kind string // "app", "composite", "pipeline" or "filter-app"
	// Mount are the addresses that the composites of the file give to it: "/blog", "/"
	// for all paths that have no other, "blog.example.org/" where it is for one host.
	Mount  []string
	Config *Config // nil if Err is not
	Err    error
}

// Applications returns every application that the file at path defines, in the order
// of the file, each loaded as Load does with its name; options.App is not used. An
// [application:x] that [app:x] hides is not among them. The error, an *[Error], is
// about the file itself; an application that cannot be loaded has one of its own.
func Applications(path string, o LoadOptions) ([]Application, error) {
	path, o, err := o.prepare(path)
	if err != nil {
		return nil, err
	}
	return newSource(o.Limits).applications(path, o)
}

// applications is Applications with options that are prepared.
func (src *source) applications(path string, o LoadOptions) ([]Application, error) {
	doc, err := src.listing(path, o)
	if err != nil {
		return nil, err
	}
	f := &configFile{doc: doc, name: path}
	var apps []Application
	for _, s := range doc.sections {
		name, kind, ok := applicationSection(s.name, doc.dialect)
		if !ok || name == "" {
			continue
		}
		if found, err := f.find(typeApp, name, Position{}); err == nil && found != s {
			continue // hidden
		}
		if most := o.Limits.MaxApplications; len(apps) == most {
			return nil, errorAt(s.pos, KindLimit, fmt.Sprintf("more than %d applications; name the one that is meant, %s", most, howToName))
		}
		a := Application{Name: name, Section: s.name, Position: s.pos, Kind: kind}
		o.App = name
		a.Config, a.Err = src.load(path, o)
		apps = append(apps, a)
	}
	mounts := map[string][]string{}
	for _, a := range apps {
		if a.Err == nil {
			a.Config.mounts(mounts)
		}
	}
	for i := range apps {
		apps[i].Mount = mounts[apps[i].Name]
	}
	return apps, nil
}

// listing parses a file in the first dialect that can read it.
func (src *source) listing(path string, o LoadOptions) (*document, error) {
	dialects := []Dialect{o.Dialect}
	if o.Dialect == Auto {
		dialects = []Dialect{Python3, Python39, Python2}
		switch o.Python {
		case 2:
			dialects = []Dialect{Python2}
		case 3:
			dialects = []Dialect{Python3, Python39}
		}
	}
	var first error
	for _, d := range dialects {
		doc, err := src.document(path, path, d)
		if err == nil {
			return doc, nil
		}
		if first == nil {
			first = fileError(path, Position{}, err)
		}
	}
	return nil, first
}

// applicationSection says which application a section defines.
func applicationSection(section string, d Dialect) (name, kind string, ok bool) {
	for _, group := range typeApp.prefixes() {
		for _, prefix := range group {
			if rest, ok := strings.CutPrefix(section, prefix+":"); ok {
				return d.strip(rest), group[0], true
			}
		}
	}
	return "", "", false
}

// mounts adds the addresses that a composite of the file itself gives to applications
// of the file.
func (c *Config) mounts(to map[string][]string) {
	composite := c.root.innermost()
	if composite.section == nil || composite.section.pos.File != c.path || compositeFactory(composite.factory) != factoryURLMap {
		return
	}
	for _, m := range composite.children {
		address := m.domain + m.mount
		if m.missing || m.mount == "" {
			address += "/"
		}
		if m.err == nil && composite.file.doc.file == c.path && !slices.Contains(to[m.Value], address) {
			to[m.Value] = append(to[m.Value], address)
		}
	}
}

// application returns the one whose session settings are those of the file's
// application: that itself, unless it is a composite. Of a composite it is one of the
// joined applications, if all of them that have session settings agree in what these
// come to; the warning names them. A Beaker filter around the composite is around each
// of them.
func (c *Config) application() (*Config, []Warning, error) {
	composite := c.root.innermost()
	if composite.children == nil {
		return c, nil, nil
	}
	all, err := c.joined(nil)
	if err != nil {
		return nil, nil, err
	}
	having := slices.DeleteFunc(slices.Clone(all), func(j joinedApp) bool { return !j.config.hasSession() })
	if len(having) == 0 {
		having = slices.DeleteFunc(all, func(j joinedApp) bool { return j.config.ofPaste() })
	}
	if len(having) == 0 {
		plain := *composite
		plain.children = nil // nobody has a session: Beaker's defaults will do
		return c.at(c.app, &plain), nil, nil
	}
	var first *Effective
	for _, j := range having {
		e, err := j.config.Effective()
		if err != nil {
			return nil, nil, err
		}
		if first == nil {
			first = e
		} else if e.Disabled != first.Disabled || !reflect.DeepEqual(e.Options, first.Options) {
			return nil, nil, errorAt(composite.section.pos, KindLookup, fmt.Sprintf(
				"section [%s] joins applications whose session settings differ: %s; name the one whose sessions are meant, %s",
				composite.section.name, names(having), howToName))
		}
	}
	return having[0].config, []Warning{{Code: CodeCompositeJoined, Key: having[0].Key, Position: composite.section.pos, Msg: fmt.Sprintf(
		"section [%s] joins applications; the session settings are those of %s", composite.section.name, names(having))}}, nil
}

// joinedApp is an application inside a composite.
type joinedApp struct {
	mounted
	config *Config
}

func names(apps []joinedApp) string {
	const most = 8
	var out []string
	for i, j := range apps {
		if i == most {
			return strings.Join(out, ", ") + fmt.Sprintf(" and %d more", len(apps)-most)
		}
		at := j.Position
		if s := j.config.root.innermost().section; s != nil {
			at = s.pos
		}
		at.Column = 0
		out = append(out, fmt.Sprintf("%q (%s)", clip(j.Value), at))
	}
	return strings.Join(out, ", ")
}

// joined lists the applications inside a composite and inside the composites in it.
// filter is the Beaker filter that stands around it, or nil.
func (c *Config) joined(filter *context) ([]joinedApp, error) {
	if own := beakerFilter(c.root); own != nil {
		filter = own
	}
	var out []joinedApp
	for _, m := range c.root.innermost().children {
		if m.err != nil {
			return nil, m.err
		}
		sub := c.at(m.Value, m.context)
		if sub.root.innermost().children != nil {
			inside, err := sub.joined(filter)
			if err != nil {
				return nil, err
			}
			out = append(out, inside...)
			continue
		}
		if filter != nil && beakerFilter(sub.root) == nil {
			sub.root = &context{kind: kindPipeline, section: sub.root.section, global: sub.root.global, local: newTable(),
				next: sub.root, filters: []*context{filter}}
		}
		out = append(out, joinedApp{m, sub})
	}
	return out, nil
}

// at is the configuration of another application that was read with this one.
func (c *Config) at(name string, root *context) *Config {
	sub := *c
	sub.app, sub.root = name, root
	return &sub
}

// hasSession reports whether an application says anything of sessions.
func (c *Config) hasSession() bool {
	return beakerFilter(c.root) != nil || slices.ContainsFunc(c.Settings(), func(s Setting) bool {
		_, _, ok := bareName(s.Key)
		return ok
	}) && !c.ofPaste()
}

// ofPaste reports whether an application is one of Paste's own, as for static files:
// they have no sessions, whatever [DEFAULT] says.
func (c *Config) ofPaste() bool {
	return strings.HasPrefix(strings.ToLower(c.root.innermost().factory), "egg:paste#")
}
