package iniconf

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// objectType is what PasteDeploy is asked for.
type objectType uint8

const (
	typeApp objectType = iota
	typeFilter
)

// prefixes are the section kinds that can be a thing of this type. In each
// group the first kind that has a section of the name is taken, so [app:x]
// hides [application:x]; two groups with the same name are ambiguous.
func (t objectType) prefixes() [][]string {
	if t == typeFilter {
		return [][]string{{"filter"}}
	}
	return [][]string{{"app", "application"}, {"composite", "composit"}, {"pipeline"}, {"filter-app"}}
}

// protocols are the settings that name a factory instead of "use".
func (t objectType) protocols() [][]string {
	if t == typeFilter {
		return [][]string{{"paste.filter_factory", "paste.filter_app_factory"}}
	}
	return [][]string{{"paste.app_factory"}, {"paste.composite_factory"}, {"paste.composit_factory"}}
}

// contextKind says how a context is put together.
type contextKind uint8

const (
	kindFactory      contextKind = iota // a factory of an egg or a module: the end of the road
	kindFilterApp                       // a filter around the application that "next" names
	kindPipeline                        // filters around an application
	kindFilteredWith                    // "filter-with" around something
)

// context is PasteDeploy's LoaderContext: what a section turned out to be, with
// the settings that its factory is given.
type context struct {
	kind    contextKind
	section *section // where the settings were asked for; nil at an egg
	global  *table
	local   *table
	factory string     // "egg:Name#entry" or a module path, for kindFactory
	next    *context   // the application inside
	filters []*context // the filters outside, the outermost first

	// What a factory of composites is given besides: see composite.go.
	joins    bool        // a section of the chain, or its protocol, says that it joins applications
	file     *configFile // its loader: where it looks for applications
	path     []visit     // the sections that led to it
	children []mounted   // the applications that it joins; set by joinAll
}

// innermost follows next to the application that all filters stand around.
func (c *context) innermost() *context {
	for c.next != nil {
		c = c.next
	}
	return c
}

// loader is PasteDeploy's loadwsgi for one Load.
type loader struct {
	dialect  Dialect
	fileWins bool // see PasteDeploy15
	limits   Limits
	budget   *budget
	source   *source
	files    []string // in the order of reading
	path     []visit  // the sections that are being read, to find loops
	visits   int      // sections read so far
	warnings []Warning
}

// visit is a section on the way to where the loader is, and all that decides
// what comes of it.
type visit struct {
	section  *section
	object   objectType
	defaults *table
	global   *table
	from     Position // the line that leads to it
}

// same reports whether two visits come to the same.
func (v visit) same(w visit) bool {
	sameSection := v.section == w.section || v.section.pos == w.section.pos // "./a.ini" is "a.ini"
	return sameSection && v.object == w.object && v.defaults.equal(w.defaults) && v.global.equal(w.global)
}

// configFile is PasteDeploy's ConfigLoader: a document with the defaults that
// one particular way to it has added.
type configFile struct {
	doc      *document
	name     string // as it was opened: relative names start from its directory
	defaults *table
	plain    *table // defaults after interpolation, once asked for
}

// open reads a file unless it was read before, and gives it defaults: here and
// __file__, then its own, then those of the global_conf that are new.
func (l *loader) open(name string, global *table, from Position) (*configFile, error) {
	path := normalPath(name)
	if !slices.Contains(l.files, path) {
		if len(l.files) >= l.limits.MaxFiles {
			return nil, errorAt(from, KindLimit, fmt.Sprintf("more than %d files", l.limits.MaxFiles))
		}
		l.files = append(l.files, path)
	}
	doc, err := l.source.document(name, path, l.dialect)
	if err != nil {
		return nil, l.traced(fileError(path, from, err), from)
	}
	f := &configFile{doc: doc, name: name, defaults: newTable()}
	via := l.via(from)
	for _, s := range []Setting{{Key: "here", Value: posixDir(path)}, {Key: "__file__", Value: path}} {
		s.Position, s.Section, s.Via = Position{File: path}, defaultSection, via
		f.defaults.set(s)
	}
	for _, s := range doc.defaults.opts.items {
		s.Via = via
		f.defaults.set(s)
	}
	for _, s := range global.items {
		if !f.defaults.has(s.Key) {
			f.defaults.set(s)
		}
	}
	return f, nil
}

// fileError says which file cannot be read and, if it was named in another
// one, where.
func fileError(path string, from Position, err error) error {
	if inside, ok := err.(*Error); ok {
		return inside
	}
	e := &Error{Position: from, Kind: KindFile, Msg: "cannot read the file", Err: err}
	if from.File == "" {
		e.Position.File = path
	} else {
		e.Msg = fmt.Sprintf("cannot read %s, which this line names", path)
	}
	return e
}

// resolve is loadcontext: a name with a scheme. dir is the directory that
// relative names start from; "" if there is none.
func (l *loader) resolve(t objectType, uri, dir string, global *table, from Position) (*context, error) {
	uri, name, named := strings.Cut(uri, "#")
	if !named {
		name = "main"
	}
	scheme, rest, _ := strings.Cut(uri, ":")
	switch strings.ToLower(scheme) {
	case "config":
		path, err := configPath(rest, dir, l.dialect, from)
		if err != nil {
			return nil, err
		}
		f, err := l.open(path, global, from)
		if err != nil {
			return nil, err
		}
		return l.context(t, f, name, global, from)
	case "egg":
		if hasScheme(name) {
			return l.resolve(t, name, "", global, from)
		}
		return &context{kind: kindFactory, global: global, local: newTable(), factory: "egg:" + rest + "#" + name}, nil
	case "call":
		return nil, errorAt(from, KindLookup,
			"use = call:… runs Python code, which gobeaker cannot; name the section that holds the settings, or an egg")
	}
	return nil, errorAt(from, KindLookup, fmt.Sprintf("unknown scheme %q; config: and egg: are known", clip(scheme)))
}

// configPath is the path of _loadconfig: relative to the file that names it,
// backslashes are slashes, %20 is a blank, in the name of that directory as well.
func configPath(path, dir string, d Dialect, from Position) (string, error) {
	absolute := strings.HasPrefix(path, "/")
	path = strings.ReplaceAll(path, `\`, "/")
	if !absolute {
		if dir == "" {
			return "", errorAt(from, KindLookup, "a relative file name that nothing says where to start from; write an absolute one")
		}
		path = strings.TrimSuffix(strings.ReplaceAll(dir, `\`, "/"), "/") + "/" + path
	}
	if strings.HasPrefix(path, "///") {
		path = path[2:]
	}
	return d.strip(unquote(path)), nil
}

// normalPath is os.path.abspath of an absolute path: two slashes at the start
// stay two.
func normalPath(path string) string {
	clean := filepath.Clean(path)
	if strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///") {
		return "/" + clean
	}
	return clean
}

// posixDir is os.path.dirname of an absolute path: it does not clean.
func posixDir(path string) string {
	head := path[:strings.LastIndexByte(path, '/')+1]
	if dir := strings.TrimRight(head, "/"); dir != "" {
		return dir
	}
	return head
}

// unquote is urllib's: what is no %xx stays as it is.
func unquote(s string) string {
	head, rest, found := strings.Cut(s, "%")
	if !found {
		return s
	}
	out := []byte(head)
	for found {
		head, rest, found = strings.Cut(rest, "%")
		if b, err := hex.DecodeString(head[:min(2, len(head))]); err == nil && len(b) == 1 {
			out = append(append(out, b[0]), head[2:]...)
		} else {
			out = append(append(out, '%'), head...)
		}
	}
	return string(out)
}

// hasScheme is [a-zA-Z]+: at the start.
func hasScheme(name string) bool {
	i := strings.IndexByte(name, ':')
	if i <= 0 {
		return false
	}
	for _, c := range []byte(name[:i]) {
		if c |= 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// context is ConfigLoader.get_context: find the section, sort its options into
// global and local ones, and see what it is made of.
func (l *loader) context(t objectType, f *configFile, name string, global *table, from Position) (*context, error) {
	if hasScheme(name) {
		return l.resolve(t, name, posixDir(f.name), global, from)
	}
	sec, err := f.find(t, name, from)
	if err == nil {
		err = l.enter(visit{sec, t, f.defaults, global, from})
	}
	if err != nil {
		return nil, l.traced(err, from)
	}
	defer l.leave()
	p := &pasteSection{loader: l, file: f, section: sec, object: t, via: l.via(Position{})}
	if err = p.sort(global); err == nil {
		var c *context
		if c, err = p.assemble(); err == nil {
			return c, nil
		}
	}
	return nil, l.traced(err, Position{})
}

// enter notes that a section is being read, and refuses one that leads back to
// itself: Python would run out of stack.
func (l *loader) enter(v visit) error {
	if i := slices.IndexFunc(l.path, v.same); i >= 0 {
		return errorAt(v.from, KindLoop, fmt.Sprintf("section [%s] leads back to itself (%s); point it somewhere else", v.section.name, trail(append(l.path[i:], v))))
	}
	if l.visits++; len(l.path) >= l.limits.MaxDepth || l.visits > l.limits.MaxSections {
		return errorAt(v.from, KindLimit, fmt.Sprintf("sections lead to others more than %d levels deep or %d times", l.limits.MaxDepth, l.limits.MaxSections))
	}
	l.path = append(l.path, v)
	return nil
}

func (l *loader) leave() { l.path = l.path[:len(l.path)-1] }

// via lists the lines that led to where the loader is, and the one that it goes
// on from, if that is a line.
func (l *loader) via(from Position) []Position {
	var lines []Position
	for _, v := range append(slices.Clip(l.path), visit{from: from}) {
		if v.from.Line > 0 {
			lines = append(lines, v.from)
		}
	}
	return lines
}

// traced returns an error with the lines that led to it, unless it has them. from is
// the line that the loader was following: it led to the error, or is its place.
func (l *loader) traced(err error, from Position) error {
	e, ok := err.(*Error)
	if !ok || e.Via != nil {
		return err
	}
	if e.Position == from {
		from = Position{}
	}
	with := *e // the one that is there may be in a cache
	with.Msg = l.source.withoutSecrets(e.Msg)
	with.Via = l.via(from)
	return &with
}

// trail names the sections of a way.
func trail(path []visit) string {
	names := make([]string, len(path))
	for i, v := range path {
		names[i] = "[" + v.section.name + "]"
	}
	return strings.Join(names, " → ")
}

// find is find_config_section.
func (f *configFile) find(t objectType, name string, from Position) (*section, error) {
	var found []*section
	for _, group := range t.prefixes() {
		for _, prefix := range group {
			if hits := f.named(prefix, name); len(hits) > 0 {
				found = append(found, hits...)
				break
			}
		}
	}
	if from.File == "" {
		from.File = f.doc.file
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, errorAt(from, KindLookup, fmt.Sprintf("no section [%s:%s] in %s; %s",
			t.prefixes()[0][0], clip(name), f.doc.file, f.offer(t, from)))
	}
	return nil, errorAt(found[1].pos, KindLookup, fmt.Sprintf(
		"sections [%s] and [%s] have the same name; rename one", found[0].name, found[1].name))
}

// named returns the sections "prefix:name"; blanks after the colon do not count.
func (f *configFile) named(prefix, name string) []*section {
	var hits []*section
	for _, s := range f.doc.sections {
		if rest, ok := strings.CutPrefix(s.name, prefix+":"); ok && f.doc.dialect.strip(rest) == name {
			hits = append(hits, s)
		}
	}
	return hits
}

// offer lists the sections that could have been meant.
func (f *configFile) offer(t objectType, from Position) string {
	const most = 8
	var names []string
	for _, group := range t.prefixes() {
		for _, prefix := range group {
			for _, s := range f.doc.sections {
				if strings.HasPrefix(s.name, prefix+":") && len(names) < most {
					names = append(names, "["+clip(s.name)+"]")
				}
			}
		}
	}
	if names == nil {
		return "it has none of that kind; a plain [app] or [main] does not count"
	}
	hint := ""
	if from.Line == 0 { // no line of a file asks for it, but the caller
		hint = "; name the one that is meant, " + howToName
	}
	return "it has " + strings.Join(names, ", ") + hint
}

// pasteSection is one section while get_context works on it.
type pasteSection struct {
	loader  *loader
	file    *configFile
	section *section
	object  objectType
	via     []Position // the lines that led to the section

	global    *table // what the factory gets as global_conf
	additions *table // "set" lines, which win over what "use" brings
	local     *table
}

// sort fills global, additions and local.
func (p *pasteSection) sort(global *table) error {
	defaults, err := p.defaults()
	if err != nil {
		return err
	}
	p.global, p.additions, p.local = p.loader.mergeGlobal(defaults, global), newTable(), newTable()
	wanted := newTable() // "get" lines
	for _, key := range p.options() {
		if name, ok := strings.CutPrefix(key, "set "); ok {
			s, err := p.value(key)
			if err != nil {
				return err
			}
			name = p.loader.dialect.strip(name)
			p.global.setAs(name, s)
			p.additions.setAs(name, s)
			continue
		}
		name, get := strings.CutPrefix(key, "get ")
		if !get && defaults.has(key) {
			continue // PasteDeploy: also in [DEFAULT], so it is a global one
		}
		s, err := p.value(key)
		if err != nil {
			return err
		}
		if get {
			wanted.setAs(p.loader.dialect.strip(name), s)
		} else {
			p.local.set(s)
		}
	}
	return p.fetch(wanted)
}

// fetch does the "get a = b" lines.
func (p *pasteSection) fetch(wanted *table) error {
	for _, w := range wanted.items {
		s, ok := p.global.get(w.Value)
		if !ok {
			return errorAt(w.Position, KindLookup, fmt.Sprintf(
				"get %s names a global setting that does not exist; define it in [DEFAULT]", clip(w.Key)))
		}
		p.local.setAs(w.Key, s)
	}
	return nil
}

// mergeGlobal puts the file's defaults and a passed global_conf together: up to
// PasteDeploy 1.5.2 the file that is read wins, since 2.0 what was passed.
func (l *loader) mergeGlobal(defaults, passed *table) *table {
	first, last := defaults, passed
	if l.fileWins {
		first, last = passed, defaults
	}
	out := first.clone()
	out.update(last)
	return out
}

// defaults is NicerConfigParser.defaults: interpolated among themselves, and a
// value that comes out empty stays as it is written.
func (p *pasteSection) defaults() (*table, error) {
	if p.file.plain != nil {
		return p.file.plain, nil
	}
	out := newTable()
	for _, raw := range p.file.defaults.items {
		s, err := interpolate(p.loader.dialect, scope{defaults: p.file.defaults}, raw, p.loader.budget)
		if err != nil {
			return nil, err
		}
		if s.Value == "" {
			s = raw
		}
		out.set(s)
	}
	p.file.plain = out
	return out, nil
}

// options is ConfigParser.options: the section's, then those of [DEFAULT].
func (p *pasteSection) options() []string {
	var keys []string
	for _, s := range p.section.opts.items {
		if s.Key != "__name__" || p.loader.dialect != Python2 {
			keys = append(keys, s.Key)
		}
	}
	for _, s := range p.file.defaults.items {
		if !p.section.opts.has(s.Key) && (s.Key != "__name__" || p.loader.dialect != Python2) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// value is ConfigParser.get.
func (p *pasteSection) value(key string) (Setting, error) {
	sc := scope{section: p.section.opts, defaults: p.file.defaults}
	raw, own := p.section.opts.get(key)
	if own {
		raw.Via = p.via
	} else {
		raw, _ = p.file.defaults.get(key)
	}
	return interpolate(p.loader.dialect, sc, raw, p.loader.budget)
}

// assemble follows use, next, pipeline and filter-with.
func (p *pasteSection) assemble() (*context, error) {
	with, filtered := p.local.pop("filter-with")
	p.local.pop("require") // Python packages that must be installed
	c, err := p.base()
	if err != nil || !filtered {
		return c, err
	}
	f, err := p.loader.context(typeFilter, p.file, with.Value, p.global, with.Position)
	if err != nil {
		return nil, err
	}
	return &context{kind: kindFilteredWith, section: p.section, global: p.global, local: p.local, next: c, filters: []*context{f}}, nil
}

func (p *pasteSection) base() (*context, error) {
	switch {
	case strings.HasPrefix(p.section.name, "filter-app:"):
		return p.filterApp()
	case strings.HasPrefix(p.section.name, "pipeline:"):
		return p.pipeline()
	case p.local.has("use"):
		return p.use(p.object)
	}
	return p.explicit(p.object)
}

// use is _context_from_use: what the other section brings, with this one's
// settings on top.
func (p *pasteSection) use(t objectType) (*context, error) {
	target, _ := p.local.pop("use")
	c, err := p.loader.context(t, p.file, target.Value, p.global, target.Position)
	if err != nil {
		return nil, err
	}
	c.global.update(p.additions)
	c.local.update(p.local)
	if own, ok := p.global.get("__file__"); ok {
		c.global.set(own) // the file that was asked for stays the file
	}
	if c.section == nil {
		c.section = p.section
	}
	c.joins = c.joins || isComposite(p.section)
	c.file, c.path = p.file, slices.Clone(p.loader.path) // context.loader = self
	return c, nil
}

// explicit is _context_from_explicit: a factory named by its module.
func (p *pasteSection) explicit(t objectType) (*context, error) {
	var found []Setting
	for _, group := range t.protocols() {
		for _, protocol := range group {
			if s, ok := p.local.get(protocol); ok {
				found = append(found, s)
				break
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, errorAt(p.section.pos, KindLookup, fmt.Sprintf(
			"section [%s] does not say what to load; it needs use = egg:…, use = config:… or %s", p.section.name, t.protocols()[0][0]))
	case 1:
		p.local.pop(found[0].Key)
		return &context{kind: kindFactory, section: p.section, global: p.global, local: p.local, factory: found[0].Value,
			joins: strings.HasPrefix(found[0].Key, "paste.composit"), file: p.file, path: slices.Clone(p.loader.path)}, nil
	}
	return nil, errorAt(found[1].Position, KindLookup, fmt.Sprintf(
		"section [%s] has both %s and %s; keep one", p.section.name, found[0].Key, found[1].Key))
}

// filterApp is _filter_app_context: a filter with its application in "next".
func (p *pasteSection) filterApp() (*context, error) {
	next, ok := p.local.pop("next")
	if !ok {
		return nil, errorAt(p.section.pos, KindLookup, fmt.Sprintf("section [%s] needs next = the application to filter", p.section.name))
	}
	app, err := p.loader.context(typeApp, p.file, next.Value, p.global, next.Position)
	if err != nil {
		return nil, err
	}
	out := &context{kind: kindFilterApp, section: p.section, global: p.global, local: p.local, next: app}
	var filter *context
	if p.local.has("use") {
		filter, err = p.use(typeFilter)
	} else {
		filter, err = p.explicit(typeFilter)
	}
	if err != nil {
		return nil, err
	}
	out.filters = []*context{filter}
	return out, nil
}

// pipeline is _pipeline_app_context.
func (p *pasteSection) pipeline() (*context, error) {
	s, ok := p.local.pop("pipeline")
	names := p.loader.dialect.fields(s.Value)
	if !ok || len(names) == 0 {
		return nil, errorAt(p.section.pos, KindLookup, fmt.Sprintf("section [%s] needs pipeline = filter … application", p.section.name))
	}
	if extra := p.local.list(); len(extra) > 0 {
		return nil, errorAt(extra[0].Position, KindLookup, fmt.Sprintf(
			"section [%s] may only hold pipeline, not %s; move it to the application's section", p.section.name, clip(extra[0].Key)))
	}
	last := len(names) - 1
	app, err := p.loader.context(typeApp, p.file, names[last], p.global, s.Position)
	if err != nil {
		return nil, err
	}
	out := &context{kind: kindPipeline, section: p.section, global: p.global, local: p.local, next: app}
	for _, name := range names[:last] {
		f, err := p.loader.context(typeFilter, p.file, name, p.global, s.Position)
		if err != nil {
			return nil, err
		}
		out.filters = append(out.filters, f)
	}
	return out, nil
}
