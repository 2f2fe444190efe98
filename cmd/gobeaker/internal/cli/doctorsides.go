package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/doctor"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// perIni is what a flag "[INI=]VALUE" says, which may be given several times.
type perIni[T any] struct {
	flag string
	all  T
	of   map[string]T // by ini and application, absolute
	used map[string]bool
}

// parsePerIni understands the values of such a flag.
func parsePerIni[T any](flag string, values []string, parse func(string) (T, error)) (p perIni[T], err error) {
	p = perIni[T]{flag: flag, of: map[string]T{}, used: map[string]bool{}}
	forAll := false
	for _, given := range values {
		ini, value, isOf := strings.Cut(given, "=")
		if _, err := os.Stat(given); !isOf || err == nil { // a path may have "=" in it
			isOf, value = false, given
		}
		v, err := parse(value)
		if err != nil {
			return p, fmt.Errorf("%s: %w", flag, err)
		}
		if !isOf {
			if forAll {
				return p, fmt.Errorf("%s is given twice for all inis: write %[1]s INI=… for each", flag)
			}
			forAll, p.all = true, v
			continue
		}
		key := iniKey(ini)
		if _, twice := p.of[key]; twice {
			return p, fmt.Errorf("%s is given twice for %s", flag, ini)
		}
		p.of[key] = v
	}
	return p, nil
}

// iniKey is "/srv/app.ini" or "/srv/app.ini#shop" of an argument.
func iniKey(arg string) string {
	path, app, named := strings.Cut(arg, "#")
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if named {
		path += "#" + app
	}
	return path
}

// get is what holds for an application of an ini; said: it was said for this ini.
func (p *perIni[T]) get(path, app string) (v T, said bool) {
	if app == "" {
		app = "main"
	}
	for _, key := range []string{iniKey(path + "#" + app), iniKey(path)} {
		if v, ok := p.of[key]; ok {
			p.used[key] = true
			return v, true
		}
	}
	return p.all, false
}

// unused is an error if something was said for an ini that was not looked at.
func (p *perIni[T]) unused() error {
	for key := range p.of {
		if !p.used[key] {
			return fmt.Errorf("%s %s=…: that ini, or application, is not among those that are examined", p.flag, key)
		}
	}
	return nil
}

// arguments understands what is not a flag: inis, a gobeaker.toml, and name=value.
func (d *doctorFlags) arguments(args []string) error {
	if d.global == nil { // the flag makes it so
		d.global = map[string]string{}
	}
	for _, arg := range args {
		name, value, isSetting := strings.Cut(arg, "=")
		switch {
		case isSetting && !there(arg):
			d.global[name] = value
		case filepath.Ext(arg) != ".toml":
			d.inis = append(d.inis, arg)
		case d.config != "":
			return fmt.Errorf("%s: one gobeaker.toml at a time, and %s is given", arg, d.config)
		default:
			d.config = arg
		}
	}
	if len(d.inis) == 0 && d.config == "" {
		return errors.New("what is to be examined? Name an ini, or give --config")
	}
	return nil
}

// settle understands the flags that say how inis are read.
func (d *doctorFlags) settle() (err error) {
	if d.peers, err = parsePerIni("--peer", d.peerNames, compat.ParsePeer); err != nil {
		return err
	}
	if d.frameworks, err = parsePerIni("--framework", d.frameworkNames, iniconf.ParseFramework); err != nil {
		return err
	}
	if d.pythons, err = parsePerIni("--python", d.pythonExes, func(exe string) (string, error) { return exe, nil }); err != nil {
		return err
	}
	if d.load.Dialect, err = iniconf.ParseDialect(d.dialect); err != nil {
		return fmt.Errorf("--dialect: %w", err)
	}
	d.load.Global = d.global
	d.load.LookupEnv = d.env.lookup
	return nil
}

// ask asks a Python, each once; nil for "".
func (d *doctorFlags) ask(ctx context.Context, exe string) *facts.Probe {
	if exe == "" {
		return nil
	}
	if d.asked == nil {
		d.asked = map[string]*facts.Probe{}
	}
	if d.asked[exe] == nil {
		d.asked[exe] = facts.AskPython(ctx, exe)
	}
	return d.asked[exe]
}

// loadOptions are those for an application of an ini. Who reads it is the peer that was
// told, or the Python that was asked.
func (d *doctorFlags) loadOptions(ctx context.Context, path, app string) iniconf.LoadOptions {
	o := d.load
	o.App = app
	o.Framework, _ = d.frameworks.get(path, app)
	peer, _ := d.peers.get(path, app)
	exe, _ := d.pythons.get(path, app)
	probe := d.ask(ctx, exe)
	if peer.IsAuto() && probe != nil {
		peer = probe.Peer
	}
	o.Beaker, o.Python = peer.Release(), peer.Python
	if o.Dialect == iniconf.Auto && probe != nil && probe.Peer.Python == peer.Python {
		o.Dialect = dialectOf(peer, probe)
	}
	return o
}

// dialectOf is the ConfigParser of the Python that was asked, which knows its release;
// else what goes with the peer.
func dialectOf(peer compat.Peer, probe *facts.Probe) iniconf.Dialect {
	var minor int
	if probe != nil && probe.Peer.Python == peer.Python {
		if n, _ := fmt.Sscanf(probe.Python, "3.%d", &minor); n == 1 && minor < 10 {
			return iniconf.Python39
		}
	}
	switch peer.Python {
	case 2:
		return iniconf.Python2
	case 3:
		return iniconf.Python3
	}
	return iniconf.Auto
}

// sides reads the configurations. A file that is not there is a mistake in the command
// line; one that is refused is a finding.
func (d *doctorFlags) sides(ctx context.Context) ([]doctor.Side, error) {
	var sides []doctor.Side
	for _, arg := range d.inis {
		path, app, named := strings.Cut(arg, "#")
		if err := opens(path); err != nil {
			return nil, usage("doctor: %s: it cannot be read: %v", path, err)
		}
		if named || d.mainSuffices(ctx, path) {
			sides = append(sides, d.ini(ctx, path, app))
			continue
		}
		sides = append(sides, d.applications(ctx, path)...)
	}
	if d.config != "" {
		var err error
		if sides, err = d.goSide(ctx, sides); err != nil {
			return nil, err
		}
	}
	if len(sides) == 1 && sides[0].Go && sides[0].Refused == nil && len(d.peerNames)+len(d.frameworkNames) > 0 {
		return nil, usage("doctor: --peer and --framework go with an ini; in a gobeaker.toml they stand in [session]")
	}
	for _, unused := range []func() error{d.peers.unused, d.frameworks.unused, d.pythons.unused} {
		if err := unused(); err != nil {
			return nil, usage("doctor: %v", err)
		}
	}
	return sides, nil
}

// goSide adds the gobeaker.toml and the ini that it starts from.
func (d *doctorFlags) goSide(ctx context.Context, sides []doctor.Side) ([]doctor.Side, error) {
	if err := opens(d.config); err != nil {
		return nil, usage("doctor: --config %s: it cannot be read: %v", d.config, err)
	}
	path, err := filepath.Abs(d.config) // as the origins of inis are
	if err != nil {
		return nil, usage("doctor: --config: %v", err)
	}
	e, err := tomlconf.Load(path, tomlconf.Environment{Getenv: d.env.Getenv})
	if err != nil {
		return append(sides, doctor.Side{Name: d.config, Effective: e, Refused: err, Go: true}), nil
	}
	side := doctor.Side{Name: d.config, Effective: e, Go: true, Peer: e.Options.Peer}
	sides = d.base(sides, side)
	if exe, _ := d.pythonOf(sides); exe != "" && e.Config != nil {
		side.ReadOtherwise = readOtherwise(e, d.ask(ctx, exe))
	}
	return append(sides, side), nil
}

// base sees that the ini that a gobeaker.toml starts from is among the sides, and that
// the Python sides have the peer that it names, unless a Python was named for them, which
// knows better.
func (d *doctorFlags) base(sides []doctor.Side, toml doctor.Side) []doctor.Side {
	if c := toml.Effective.Config; c != nil && !slices.ContainsFunc(sides, func(s doctor.Side) bool {
		o := s.Effective.Config
		return o != nil && o.Path() == c.Path() && o.App() == c.App()
	}) {
		e, err := c.Effective()
		peer, _ := d.peers.get(c.Path(), c.App())
		name := c.Path() + "#" + c.App()
		d.named(name, c.Path(), c.App())
		sides = append(sides, doctor.Side{Name: name, Effective: e, Refused: err, Peer: peer})
	}
	for i := range sides {
		if s := &sides[i]; s.Peer.IsAuto() && d.exes[s.Name] == "" {
			s.Peer = toml.Peer
		}
	}
	return sides
}

// named notes which Python a side has.
func (d *doctorFlags) named(name, path, app string) {
	if d.exes == nil {
		d.exes = map[string]string{}
	}
	d.exes[name], _ = d.pythons.get(path, app)
}

// pythonOf is the Python that a Go program is compared with, and its options: that of the
// first application for which one was named.
func (d *doctorFlags) pythonOf(sides []doctor.Side) (exe string, o *compat.Options) {
	for i := range sides {
		s := &sides[i]
		if s.Go || s.Refused != nil {
			continue
		}
		if o == nil || exe == "" && d.exes[s.Name] != "" {
			exe, o = d.exes[s.Name], &s.Effective.Options
		}
	}
	if o == nil {
		exe = d.pythons.all
	}
	return exe, o
}

// ini reads one application.
func (d *doctorFlags) ini(ctx context.Context, path, app string) doctor.Side {
	name := path
	if app != "" {
		name += "#" + app
	}
	d.named(name, path, app)
	side := doctor.Side{Name: name, Effective: iniconf.NewEffective()}
	side.Peer, _ = d.peers.get(path, app)
	c, err := iniconf.Load(path, d.loadOptions(ctx, path, app))
	if err == nil {
		side.Effective, err = c.Effective()
	}
	side.Refused = err
	if err == nil {
		probe := d.ask(ctx, d.exes[name])
		if probe == nil || probe.Peer.IsAuto() {
			probe = &facts.Probe{Peer: side.Peer}
		}
		side.ReadOtherwise = readOtherwise(side.Effective, probe)
	}
	return side
}

// readOtherwise names the options that the ini has in another way for this Python, if it
// was read as another one reads it.
func readOtherwise(e *iniconf.Effective, probe *facts.Probe) []string {
	if e == nil || e.Config == nil || probe == nil {
		return nil
	}
	as := dialectOf(probe.Peer, probe)
	if as == iniconf.Auto || (as == iniconf.Python2) == (e.Config.Dialect() == iniconf.Python2) {
		return nil
	}
	var read [2]*iniconf.Effective // both anew, so that nothing but the dialect differs
	for i, dialect := range []iniconf.Dialect{e.Config.Dialect(), as} {
		c, err := iniconf.Load(e.Config.Path(), iniconf.LoadOptions{App: e.Config.App(), Framework: e.Framework, Dialect: dialect})
		if err == nil {
			read[i], err = c.Effective()
		}
		if err != nil && i == 0 {
			return nil // it needs what is not known here, such as a global_conf
		}
		if err != nil {
			return []string{"it is refused: " + err.Error()}
		}
	}
	var names []string
	ours := read[0].List()
	for _, o := range read[1].List() {
		i := slices.IndexFunc(ours, func(other iniconf.Option) bool { return other.Name == o.Name })
		if i < 0 || !reflect.DeepEqual(ours[i].Value, o.Value) {
			names = append(names, o.Name)
		}
	}
	return names
}

// mainSuffices reports whether the main application of a file says what its sessions are,
// so that there is no need to look at the others.
func (d *doctorFlags) mainSuffices(ctx context.Context, path string) bool {
	c, err := iniconf.Load(path, d.loadOptions(ctx, path, ""))
	if err != nil {
		var e *iniconf.Error
		return !errors.As(err, &e) || e.Kind != iniconf.KindLookup
	}
	settings, err := c.SessionSettings()
	return err == nil && len(settings) > 0
}

// applications reads those applications of a file that have settings of sessions; if none
// has, the main one, which then says what is wrong.
func (d *doctorFlags) applications(ctx context.Context, path string) []doctor.Side {
	all, err := iniconf.Applications(path, d.loadOptions(ctx, path, ""))
	if err != nil {
		return []doctor.Side{d.ini(ctx, path, "")}
	}
	var sides []doctor.Side
	for _, a := range all {
		if a.Err != nil {
			continue
		}
		if settings, err := a.Config.SessionSettings(); err == nil && len(settings) > 0 {
			sides = append(sides, d.ini(ctx, path, a.Name))
		}
	}
	if len(sides) == 0 {
		return []doctor.Side{d.ini(ctx, path, "")}
	}
	return sides
}

func opens(path string) error {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return withoutPath(err)
	}
	return f.Close()
}

// look gathers the facts. Sides with one store share what was seen in it. Python is asked
// with the options of each side; what Go's reads is what the first of Python's writes.
func (d *doctorFlags) look(ctx context.Context, sides []doctor.Side) {
	var seen []*doctor.Side
	for i := range sides {
		s := &sides[i]
		if s.Refused != nil {
			continue
		}
		s.Identities = map[string]string{}
		for _, path := range s.Paths() {
			s.Identities[path] = facts.Identity(path)
		}
		same := slices.IndexFunc(seen, func(o *doctor.Side) bool { return o.SameStore(s) })
		o := facts.LookOptions{
			Options: s.Effective.Options, Files: s.Effective.Files, Store: !d.offline && same < 0 && s.HasStore(),
			Crawl: d.crawl, Sample: d.sample, Python: d.exes[s.Name], Now: d.env.Now,
		}
		o.Options.Peer = s.Peer
		if s.Go {
			if o.Python, o.PythonOptions = d.pythonOf(sides); o.PythonOptions == nil {
				o.PythonOptions = &s.Effective.Options
			}
		}
		s.Facts = facts.Look(ctx, o)
		if same >= 0 {
			s.Facts = s.SharedWith(seen[same].Facts)
		}
		seen = append(seen, s)
	}
}
