package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/iniconf"
)

// conf is what --conf prints: what paste.deploy.appconfig gives.
type conf struct {
	Source      string `json:"source"`
	Application string `json:"application"`
	Dialect     string `json:"dialect"`
	confs
	// Inside is what the application's factory is given, where filters stand around it.
	Inside *confs `json:"inside,omitempty"`
}

type confs struct {
	Global []describedText `json:"global_conf"`
	Local  []describedText `json:"local_conf"`
}

func (o *configFlags) viewConf(c *iniconf.Config) (string, *conf) {
	global, local := c.Appconfig()
	m := &masker{off: o.secrets}
	m.learnAll(nil, slices.Concat(c.Global(), c.Local(), global, local))
	if e, err := c.Effective(); err == nil {
		m.learnAll(e, nil)
	}
	out := &conf{Source: o.ini + o.toml, Application: c.App(), Dialect: c.Dialect().String(), confs: m.confs(global, local)}
	text := out.text("")
	if c.Filtered() {
		inside := m.confs(c.Global(), c.Local())
		out.Inside = &inside
		text += inside.text(" of the application inside its filters")
	}
	return text, out
}

func (m *masker) confs(global, local []iniconf.Setting) confs {
	out := confs{Global: []describedText{}, Local: []describedText{}}
	for _, s := range global {
		out.Global = append(out.Global, m.setting(s))
	}
	for _, s := range local {
		out.Local = append(out.Local, m.setting(s))
	}
	return out
}

// text is for people; whose says whose confs they are.
func (c confs) text(whose string) string {
	var b strings.Builder
	b.WriteString("global_conf" + whose + "\n")
	for _, d := range c.Global {
		d.write(&b)
	}
	b.WriteString("local_conf" + whose + "\n")
	for _, d := range c.Local {
		d.write(&b)
	}
	return b.String()
}

// application is one line of what --apps prints.
type application struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"`
	Section  string   `json:"section"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Mount    []string `json:"mount,omitempty"`
	Settings int      `json:"settings"` // how many session settings it has
	From     []string `json:"from,omitempty"`
	Error    string   `json:"error,omitempty"`
}

func (o *configFlags) viewApps(path string, load iniconf.LoadOptions) (string, any, error) {
	all, err := iniconf.Applications(path, load)
	if err != nil {
		return "", nil, err
	}
	if len(all) == 0 {
		return "", nil, fmt.Errorf("%s defines no application: no section [app:…], [composite:…], [pipeline:…] or [filter-app:…]", path)
	}
	out := struct {
		Source       string        `json:"source"`
		Applications []application `json:"applications"`
	}{Source: path}
	var b strings.Builder
	for _, a := range all {
		d := describeApplication(a)
		out.Applications = append(out.Applications, d)
		d.write(&b)
	}
	return near(b.String()), out, nil
}

func describeApplication(a iniconf.Application) application {
	d := application{Name: a.Name, Kind: a.Kind, Section: a.Section, File: a.File, Line: a.Line, Mount: a.Mount}
	if a.Err != nil {
		d.Error = a.Err.Error()
		return d
	}
	settings, err := a.Config.SessionSettings()
	if err != nil {
		d.Error = err.Error()
		return d
	}
	d.Settings = len(settings)
	seen := map[string]bool{}
	for _, s := range settings {
		from := "[" + s.Section + "] of " + s.File
		if s.Section == "" || seen[from] {
			continue
		}
		seen[from] = true
		d.From = append(d.From, from)
	}
	return d
}

func (d application) write(b *strings.Builder) {
	fmt.Fprintf(b, "%s  [%s]  %s:%d\n", d.Name, d.Section, d.File, d.Line)
	if len(d.Mount) > 0 {
		b.WriteString("  at " + strings.Join(d.Mount, ", ") + "\n")
	}
	switch {
	case d.Error != "":
		b.WriteString("  ! " + d.Error + "\n")
	case d.Settings == 0:
		b.WriteString("  no session settings\n")
	default:
		fmt.Fprintf(b, "  session settings: %d, in %s\n", d.Settings, strings.Join(d.From, ", "))
	}
}
