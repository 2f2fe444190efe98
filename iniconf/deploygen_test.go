package iniconf

import (
	"fmt"
	"slices"
	"strings"
)

// deployGenerator makes applications of several sections and files.
type deployGenerator struct {
	iniGenerator
	dialect Dialect
	names   []string        // of the files
	used    map[string]bool // addresses in the urlmap at hand
}

// chance is true once in n times.
func (g *deployGenerator) chance(n int) bool { return g.IntN(n) == 0 }

// risky is what may refer to something that is not there, now and then.
func (g *deployGenerator) risky(what, instead string) string {
	if g.chance(10) {
		return what
	}
	return instead
}

func (g *deployGenerator) deployment(dir string) *deployment {
	d := &deployment{dir: dir, files: map[string]string{}, app: g.pick("main", "main", "main", "a", "b")}
	if g.chance(5) { // what the parser's tests are given
		d.app = g.pick("main", "main", "other")
		d.files["main.ini"] = g.text()
		g.leaf = true
		d.files["inc.ini"] = g.text()
		d.files["inc x.ini"] = d.files["inc.ini"]
		return d
	}
	g.names = []string{"main.ini"}
	for _, name := range []string{"inc.ini", "sub/inc.ini", "sub/deep/a b.ini", "sub/p%q.ini", "sub/ä.ini"} {
		if g.chance(4) {
			g.names = append(g.names, name)
		}
	}
	for i, name := range g.names {
		d.files[name] = g.file(i)
	}
	if g.chance(3) {
		d.given = map[string]string{"k1": g.pick("given", "%(k2)s", "", "50%%"), "extra": "x"}
		if g.chance(4) {
			d.given["here"] = "/elsewhere"
		}
		if g.chance(6) {
			d.given["__file__"] = "given.ini"
		}
		if g.chance(8) {
			d.given["not_found_app"] = g.pick("a", "b", "nope")
		}
	}
	return d
}

var sectionsOfApps = []string{"main", "a", "b", "c", "d"}

func (g *deployGenerator) file(i int) string {
	var lines []string
	if g.IntN(30) > 0 {
		lines = append(lines, "[DEFAULT]")
		for _, key := range []string{"k1", "k2", "k3", "x.y"} {
			if g.IntN(3) > 0 {
				lines = append(lines, key+" = "+g.risky("%(k3)s", g.pick("one", "two", "", "%(here)s/x", "50%%", "ä", "%(x1)s"))+fmt.Sprint(i))
			}
		}
		lines = append(lines, "x1 = "+g.pick("deep", "%(here)s", "%(__file__)s"))
		if g.chance(12) {
			lines = append(lines, g.pick("use = egg:x", "set k2 = of all", "get k9 = x1", "filter-with = f", "not_found_app = c", "next = c", "require = Foo"))
		}
	}
	for n, name := range sectionsOfApps {
		if name == "main" || g.IntN(15) > 0 {
			lines = append(lines, g.app(i, n, name)...)
		}
	}
	for n, name := range []string{"f", "g", "h"} {
		if g.IntN(20) > 0 {
			lines = append(lines, g.filter(i, n, name)...)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// target names another application: one further down, or in a file further down, so that
// loops are rare.
func (g *deployGenerator) target(i, n int) string {
	if g.chance(60) {
		return g.pick("main", "nope", "call:x:y", "config:none.ini", "http://x", "server", "")
	}
	if i+1 < len(g.names) && g.chance(4) {
		to := i + 1 + g.IntN(len(g.names)-i-1)
		return "config:" + g.path(i, to) + g.pick("", "#main", "#a", "#b", "#d", "#d")
	}
	if n+1 >= len(sectionsOfApps) || g.chance(4) {
		return g.pick("egg:Shop", "egg:Shop#"+g.pick("shop", "blog"))
	}
	return sectionsOfApps[n+1+g.IntN(len(sectionsOfApps)-n-1)]
}

// path is how one file names another: relative, absolute, with escapes.
func (g *deployGenerator) path(from, to int) string {
	up, here := strings.Repeat("../", strings.Count(g.names[from], "/")), g.chance(3)
	percent := "%%"
	if g.dialect == Python2 && !here { // which looks for %( before it does anything
		percent = "%"
	}
	name := strings.ReplaceAll(g.names[to], "%", percent+"25")
	if g.chance(2) {
		name = strings.ReplaceAll(name, " ", percent+"20")
	}
	switch g.IntN(8) {
	case 0:
		name = strings.ReplaceAll(name, "/", `\`)
	case 1:
		name = strings.ReplaceAll(name, "i", percent+"69")
	}
	if here {
		return "%(here)s/" + up + name
	}
	return up + g.pick("", "./", ".//") + name
}

func (g *deployGenerator) local(n int) []string {
	var lines []string
	used := map[string]bool{}
	for range g.IntN(n) {
		key := g.pick("k1", "k2", "k3", "own", "beaker.session.key", "session.secret", "x.y", "set k1", "set new", "set  k2", "get got", "get k2")
		if used[key] {
			continue
		}
		used[key] = true
		value := g.risky(g.pick("v%(k1)s", "%(own)s", "%(x.y)s"), g.pick("v", "ä", "", "a b", "100%%", "%(here)s", "%(x1)s-%(here)s"))
		if strings.HasPrefix(key, "get ") {
			value = g.risky(g.pick("new", "k1", "x1"), g.pick("here", "__file__"))
		}
		lines = append(lines, key+" = "+value)
	}
	if g.chance(25) {
		lines = append(lines, "require = Foo Bar")
	}
	return lines
}

func (g *deployGenerator) filterName() string {
	if g.chance(8) {
		return g.pick("egg:Beaker#beaker_session", "egg:Other", g.risky("nope", "f"))
	}
	return g.pick("f", "g", "h")
}

func (g *deployGenerator) app(i, n int, name string) []string {
	prefix, lines := "app", []string(nil)
	switch g.IntN(16) {
	case 0, 1, 12, 13:
		prefix = g.pick("composite", "composit")
		lines = g.composite(i, n)
	case 2, 3, 14:
		prefix = "pipeline"
		var names []string
		for range g.IntN(3) {
			names = append(names, g.filterName())
		}
		lines = []string{"pipeline = " + strings.Join(append(names, g.target(i, n)), g.pick(" ", "\n  "))}
		if g.chance(20) {
			lines = append(lines, g.local(3)...)
		}
	case 4:
		prefix = "filter-app"
		lines = append(g.factory("filter"), "next = "+g.target(i, n))
		lines = append(lines, g.local(4)...)
	case 5:
		prefix = "application"
		lines = append(g.factory("app"), g.local(5)...)
	case 6:
		if g.chance(3) {
			lines = append(g.composite(i, n), g.local(2)...)
			break
		}
		fallthrough
	default:
		lines = append(lines, "use = "+g.target(i, n))
		if g.chance(3) {
			lines = g.factory("app")
		}
		lines = append(lines, g.local(6)...)
	}
	if g.chance(6) {
		lines = append(lines, "filter-with = "+g.filterName())
	}
	if g.chance(40) {
		prefix = g.pick("app", "server", "App", "app: ")
	}
	return append([]string{"[" + strings.TrimSuffix(prefix, ": ") + ":" + strings.Repeat(" ", strings.Count(prefix, " ")) + name + "]"}, lines...)
}

func (g *deployGenerator) filter(i, n int, name string) []string {
	lines := []string{"[filter:" + name + "]"}
	switch {
	case n < 2 && g.chance(4):
		lines = append(lines, "use = "+g.pick("g", "h", "h"))
	case i+1 < len(g.names) && g.chance(6):
		lines = append(lines, "use = config:"+g.path(i, i+1)+"#"+g.pick("f", "g", "h"))
	default:
		lines = append(lines, g.factory("filter")...)
	}
	if n < 2 && g.chance(8) {
		lines = append(lines, "filter-with = "+g.pick("h", "h", "egg:Other"))
	}
	return append(lines, g.local(4)...)
}

func (g *deployGenerator) factory(kind string) []string {
	if g.chance(3) {
		if kind == "filter" {
			return []string{g.pick("paste.filter_factory", "paste.filter_app_factory") + " = beaker.middleware:session_filter_factory"}
		}
		if g.chance(20) {
			return []string{"paste.app_factory = shop:a", "paste.composite_factory = shop:b"}
		}
		return []string{"paste.app_factory = shop.wsgi:make"}
	}
	if kind == "filter" {
		return []string{"use = " + g.pick("egg:Beaker#beaker_session", "egg:Other#f")}
	}
	return []string{"use = " + g.pick("egg:Shop", "egg:Shop#blog")}
}

// composite makes a urlmap, a cascade or something unknown.
func (g *deployGenerator) composite(i, n int) []string {
	g.used = map[string]bool{}
	switch g.IntN(8) {
	case 0, 1, 2, 3:
		lines := []string{g.pick("use = egg:Paste#urlmap", "use = egg:Paste#urlmap", "paste.composite_factory = paste.urlmap:urlmap_factory")}
		for range g.IntN(4) {
			if key, ok := g.address(); ok {
				lines = append(lines, key+" = "+g.target(i, n))
			}
		}
		if g.chance(5) {
			lines = append(lines, "not_found_app = "+g.target(i, n))
		}
		if g.chance(8) {
			lines = append(lines, "set k1 = of the composite")
		}
		return lines
	case 4, 5:
		lines := []string{g.pick("use = egg:Paste#cascade", "paste.composit_factory = paste.cascade:make_cascade")}
		for _, k := range []string{"app2", "app1", "app", "application3"} {
			if g.chance(2) {
				lines = append(lines, k+" = "+g.target(i, n))
			}
		}
		if g.chance(3) {
			lines = append(lines, "catch = "+g.pick("404", "404 500", "", "403\n  404", g.rarely("never", "404"), g.rarely("299", "404")))
		}
		if g.chance(30) {
			lines = append(lines, "other = a")
		}
		return lines
	case 6:
		return []string{"use = egg:Shop#joined", "first = " + g.target(i, n), "text = some words"}
	}
	return []string{"use = " + g.target(i, n)}
}

// address makes a key of a urlmap. Python 2 takes them in no order, so each address
// stands there once.
func (g *deployGenerator) address() (string, bool) {
	key := g.pick("/", "/blog", "/blog/a", "//x//y/", "/x/y", "domain one.example /blog", "domain one.example", "domain two.example port 8080 /",
		"/ domain one.example", "port 80 domain two.example /a", "/ä", g.rarely("blog", "/b"), g.rarely("domain", "/d"), g.rarely("port 80 /x", "/e"),
		g.rarely("/a /b", "/f"), g.rarely("domain a domain b", "/g"), "http/", "https")
	if strings.HasPrefix(key, "http") && !g.chance(40) {
		key = "/h"
	}
	words := strings.Fields(strings.Trim(key, "/"))
	slices.Sort(words)
	address := strings.ReplaceAll(strings.Join(words, " "), "//", "/")
	if g.dialect == Python2 && g.used[address] || g.used[key] {
		return "", false
	}
	g.used[address], g.used[key] = true, true
	return key, true
}
