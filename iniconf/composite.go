package iniconf

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mounted is one application that a composite joins.
type mounted struct {
	Setting          // the line that names it; Value is the name
	mount   string   // urlmap: the prefix, "" for the rest; cascade and others: ""
	domain  string   // urlmap: the host that it is for, "" for any
	missing bool     // urlmap: what answers for all other paths
	context *context // nil if err is not
	err     error
}

// Paste's factories of composites, and those of rutter, which is urlmap without Paste.
const (
	factoryURLMap  = "urlmap"
	factoryCascade = "cascade"
)

// compositeFactory says which of Paste's composites a factory makes; "" if none. Case
// and punctuation of an egg's name do not count, of its entry points they do.
func compositeFactory(factory string) string {
	if egg, ok := strings.CutPrefix(factory, "egg:"); ok {
		name, entry, _ := strings.Cut(egg, "#")
		switch name = strings.ToLower(name); {
		case name == "paste" && entry == factoryURLMap, name == "rutter" && entry == factoryURLMap:
			return factoryURLMap
		case name == "paste" && entry == factoryCascade:
			return factoryCascade
		}
		return ""
	}
	switch factory {
	case "paste.urlmap:urlmap_factory", "rutter.urlmap:urlmap_factory":
		return factoryURLMap
	case "paste.cascade:make_cascade":
		return factoryCascade
	}
	return ""
}

// joinAll resolves the applications that composites join, as their factories do when
// PasteDeploy creates the application. What does not resolve keeps its error: nothing
// but the composite itself depends on it.
func (l *loader) joinAll(c *context) {
	l.noteComposed(c)
	app := c.innermost()
	if app.file == nil {
		return // an egg that was named directly
	}
	l.path = slices.Clone(app.path)
	switch compositeFactory(app.factory) {
	case factoryURLMap:
		l.urlmap(app)
	case factoryCascade:
		l.cascade(app)
	default:
		if app.joins {
			l.unknownComposite(app)
		}
	}
}

// get is loader.get_app(name, global_conf=global_conf).
func (l *loader) get(c *context, m mounted) mounted {
	before := l.path
	m.context, m.err = l.context(typeApp, c.file, m.Value, c.global, m.Position)
	if m.err == nil {
		l.joinAll(m.context)
	}
	l.path = before
	return m
}

// urlmap is paste.urlmap.urlmap_factory.
func (l *loader) urlmap(c *context) {
	paths := c.local.clone()
	missing, ok := paths.pop("not_found_app")
	if !ok {
		missing, _ = c.global.get("not_found_app")
	}
	if missing.Value != "" {
		c.children = append(c.children, l.get(c, mounted{Setting: missing, missing: true}))
	}
	for _, s := range paths.items {
		m := mounted{Setting: s}
		uri, err := pathExpression(l.dialect, s)
		if err == nil {
			if m = l.get(c, m); m.err == nil {
				m.domain, m.mount, err = urlAddress(uri, s)
			}
		}
		if err != nil {
			m.context, m.err = nil, l.traced(err, Position{})
		}
		if m.err == nil { // the same address again replaces it
			c.children = slices.DeleteFunc(c.children, func(old mounted) bool {
				return old.err == nil && !old.missing && old.domain == m.domain && old.mount == m.mount
			})
		}
		c.children = append(c.children, m)
	}
}

// badKey says what is wrong with a key of a composite.
func badKey(s Setting, what string) error {
	return errorAt(s.Position, KindLookup, fmt.Sprintf(
		"%q in [%s] is no path of an application: %s; each line of a urlmap is a path = the application for it", clip(s.Key), s.Section, what))
}

// pathExpression is paste.urlmap.parse_path_expression: "domain example.org port 80
// /path", each of them once.
func pathExpression(d Dialect, s Setting) (string, error) {
	var domain, port, path string
	for words := d.fields(s.Key); len(words) > 0; words = words[1:] {
		into, what := &path, "path"
		switch words[0] {
		case "domain":
			into, what = &domain, "domain"
		case "port":
			into, what = &port, "port"
		}
		if into != &path {
			if words = words[1:]; len(words) == 0 {
				return "", badKey(s, "the "+what+" is missing")
			}
		}
		if *into != "" {
			return "", badKey(s, "there is more than one "+what)
		}
		*into = words[0]
	}
	var uri string
	if domain != "" {
		uri = "http://" + domain
	}
	if port != "" {
		if domain == "" {
			return "", badKey(s, "a port needs a domain")
		}
		uri += ":" + port
	}
	if path != "" && uri != "" {
		uri += "/"
	}
	return uri + path, nil
}

var slashes = regexp.MustCompile("//+")

// urlAddress is paste.urlmap.URLMap.normalize_url.
func urlAddress(uri string, s Setting) (domain, path string, err error) {
	rest, found := strings.CutPrefix(uri, "http://")
	if !found {
		rest, found = strings.CutPrefix(uri, "https://")
	}
	switch {
	case found:
		domain, path, found = strings.Cut(rest, "/")
		if found {
			path = "/" + path
		}
	case uri != "" && uri[0] != '/':
		return "", "", badKey(s, "it must start with /, http:// or domain")
	default:
		path = uri
	}
	return domain, strings.TrimRight(slashes.ReplaceAllString(path, "/"), "/"), nil
}

// cascade is paste.cascade.make_cascade.
func (l *loader) cascade(c *context) {
	apps := c.local.clone()
	catch, _ := apps.pop("catch")
	for _, s := range apps.items {
		m := mounted{Setting: s}
		if strings.HasPrefix(s.Key, "app") {
			m = l.get(c, m)
		} else {
			m.err = l.traced(errorAt(s.Position, KindLookup, fmt.Sprintf(
				"%q in section [%s]: the keys of a cascade start with app", clip(s.Key), s.Section)), Position{})
		}
		c.children = append(c.children, m)
	}
	for _, code := range l.dialect.fields(catch.Value) {
		if n, err := strconv.Atoi(code); err != nil || !caught(n) {
			c.children = append(c.children, mounted{Setting: catch, err: l.traced(errorAt(catch.Position, KindLookup, fmt.Sprintf(
				"%s in catch of section [%s] is no status that Paste knows", shown(catch.Key, code), catch.Section)), Position{})})
		}
	}
}

// caught reports whether paste.httpexceptions has an exception for a status.
func caught(status int) bool {
	return status >= 300 && status <= 307 && status != 306 || status >= 400 && status <= 417 || status == 429 || status >= 500 && status <= 505
}

// unknownComposite guesses what a factory joins that only Python knows: the
// applications whose names are values of the section.
func (l *loader) unknownComposite(c *context) {
	var names []string
	for _, s := range c.local.items {
		named := strings.HasPrefix(strings.ToLower(s.Value), "config:")
		if !named {
			_, err := c.file.find(typeApp, s.Value, s.Position)
			named = err == nil
		}
		if named {
			c.children = append(c.children, l.get(c, mounted{Setting: s}))
			names = append(names, clip(s.Value))
		}
	}
	if names != nil {
		l.warnings = append(l.warnings, Warning{Code: CodeCompositeGuessed, Key: c.children[0].Key, Position: c.section.pos, Msg: fmt.Sprintf(
			"section [%s] is made by %s, which only Python can run; it is taken to join the applications that its values name: %s",
			c.section.name, clip(c.factory), strings.Join(names, ", "))})
	}
}

// noteComposed warns of a filter-with that PasteDeploy takes for one around another
// filter, because what it stands at is no plain application (_FilterWith.invoke): what
// comes out is no application, and fails at the first request.
func (l *loader) noteComposed(c *context) {
	for ; c.next != nil; c = c.next {
		if c.kind == kindFilteredWith && c.next.kind != kindFactory {
			l.warnings = append(l.warnings, Warning{Code: CodeFilterComposed, Key: "filter-with", Position: c.section.pos, Msg: fmt.Sprintf(
				"PasteDeploy makes nothing that works of filter-with at section [%s], because that is a pipeline, a filter-app or has a filter-with already; name the filter in a pipeline",
				c.section.name)})
		}
	}
}
