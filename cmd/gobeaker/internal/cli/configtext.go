package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/iniconf"
)

// marshal makes one line of JSON.
func marshal(object any) ([]byte, error) {
	out, err := json.Marshal(object)
	return append(out, '\n'), err
}

// described is what "gobeaker config" prints, in the form of its JSON.
type described struct {
	Source      string            `json:"source"` // the file that was asked for
	Framework   string            `json:"framework,omitempty"`
	Dialect     string            `json:"dialect,omitempty"`
	Application string            `json:"application,omitempty"`
	Disabled    bool              `json:"disabled,omitempty"`
	Files       []string          `json:"files"`
	Options     []describedOption `json:"options"`
	Cache       []describedText   `json:"cache"`
	Warnings    []describedNote   `json:"warnings"` // those that are about no option in particular
}

type describedOption struct {
	Name   string          `json:"name"`
	Value  any             `json:"value"` // null: unset, or secret
	Secret string          `json:"secret,omitempty"`
	Set    bool            `json:"set"`
	Type   string          `json:"type"`
	Origin describedOrigin `json:"origin"`
	Help   string          `json:"help"`
	Notes  []string        `json:"notes,omitempty"`
	ours   bool
}

type describedOrigin struct {
	Kind    string   `json:"kind"`
	File    string   `json:"file,omitempty"`
	Line    int      `json:"line,omitempty"`
	Written string   `json:"written,omitempty"`
	Because string   `json:"because,omitempty"`
	Via     []string `json:"via,omitempty"`
	text    string
}

type describedText struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Secret string `json:"secret,omitempty"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
}

type describedNote struct {
	Key  string `json:"key,omitempty"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Msg  string `json:"message"`
}

// masker returns one that knows the secrets of a configuration.
func (o *configFlags) masker(e *iniconf.Effective) *masker {
	m := &masker{off: o.secrets}
	var settings []iniconf.Setting
	if e.Config != nil {
		settings = e.Config.Settings()
		if more, err := e.Config.SessionSettings(); err == nil {
			m.learnOptions(more)
		}
	}
	m.learnAll(e, settings)
	return m
}

func (o *configFlags) describe(e *iniconf.Effective) *described {
	d := &described{Source: o.ini + o.toml, Disabled: e.Disabled, Files: e.Files, Cache: []describedText{}, Warnings: []describedNote{}} // one of them
	m := o.masker(e)
	if c := e.Config; c != nil {
		d.Framework, d.Dialect, d.Application = e.Framework.String(), c.Dialect().String(), c.App()
		for _, s := range c.Cache() {
			d.Cache = append(d.Cache, m.setting(s))
		}
	}
	listed := map[string]bool{}
	for _, option := range e.List() {
		listed[option.Name] = true
		if o.onlySet && option.Origin.Kind == iniconf.FromDefault && option.Notes == nil {
			continue
		}
		d.Options = append(d.Options, m.option(option))
	}
	for _, w := range e.Warnings {
		if !listed[w.Option] {
			d.Warnings = append(d.Warnings, describedNote{Key: w.Key, File: w.File, Line: w.Line, Msg: m.text(w.Msg)})
		}
	}
	return d
}

func (m *masker) setting(s iniconf.Setting) describedText {
	d := describedText{Key: s.Key, File: s.File, Line: s.Line}
	d.Value, d.Secret = m.value(s.Key, s.Value, iniconf.Sensitive(s.Key) || slices.Contains(m.secrets, s.Value))
	return d
}

func (m *masker) option(o iniconf.Option) describedOption {
	d := describedOption{Name: o.Name, Type: string(o.Type), Help: o.Help, ours: o.Ours, Set: o.Origin.Kind != iniconf.FromDefault}
	d.Value, d.Secret = m.value(o.Name, o.Value, o.Secret)
	for _, note := range o.Notes {
		d.Notes = append(d.Notes, m.text(note))
	}
	from := o.Origin
	d.Origin = describedOrigin{Kind: from.Kind.String(), File: from.File, Line: from.Line, Written: from.Written, Because: from.Because, text: from.String()}
	for _, p := range from.Via {
		p.Column = 0
		d.Origin.Via = append(d.Origin.Via, p.String())
	}
	return d
}

// text is for people: what is set, then what is not.
func (d *described) text() string {
	var b strings.Builder
	b.WriteString(d.head())
	width := 0
	for _, o := range d.Options {
		width = max(width, len(o.Name))
	}
	for _, part := range []struct {
		title string
		wants func(describedOption) bool
	}{
		{"Set:", func(o describedOption) bool { return o.Set }},
		{"Not set, with notes:", func(o describedOption) bool { return !o.Set && o.Notes != nil }},
		{"Beaker's defaults:", func(o describedOption) bool { return !o.Set && o.Notes == nil && !o.ours }},
		{"gobeaker's own, at their defaults:", func(o describedOption) bool { return !o.Set && o.Notes == nil && o.ours }},
	} {
		title := "\n" + part.title + "\n"
		for _, o := range d.Options {
			if part.wants(o) {
				b.WriteString(title)
				title = ""
				o.write(&b, width)
			}
		}
	}
	if len(d.Cache) > 0 {
		b.WriteString("\nSettings of Beaker's cache, which gobeaker has none of:\n")
		for _, s := range d.Cache {
			s.write(&b)
		}
	}
	if len(d.Warnings) > 0 {
		b.WriteString("\nNotes:\n")
		for _, w := range d.Warnings {
			b.WriteString("  ! " + w.text() + "\n")
		}
	}
	return b.String()
}

// head says who reads what.
func (d *described) head() string {
	var b strings.Builder
	b.WriteString(near(d.Source))
	if d.Application != "" {
		fmt.Fprintf(&b, ": application %q, as %s reads it on %s", d.Application, d.Framework, d.Dialect)
	}
	b.WriteString("\n")
	if d.Disabled {
		b.WriteString("The framework is told to have no sessions.\n")
	}
	for _, f := range d.Files {
		b.WriteString("  " + near(f) + "\n")
	}
	return b.String()
}

func (n describedNote) text() string {
	at := iniconf.Position{File: n.File, Line: n.Line}.String()
	for _, part := range []*string{&n.Key, &at} {
		if *part != "" {
			*part += ": "
		}
	}
	return near(at) + n.Key + near(n.Msg)
}

// near shortens paths below the current folder, in texts that are about files.
func near(text string) string {
	if dir, err := os.Getwd(); err == nil && len(dir) > 1 {
		text = strings.ReplaceAll(text, dir+string(filepath.Separator), "")
	}
	return text
}

// write prints an option: name, value, type and origin on one line, then what it does,
// then the notes.
func (o describedOption) write(b *strings.Builder, width int) {
	from := near(o.Origin.text)
	if o.Origin.Kind != "framework" && o.Origin.Written != "" && o.Origin.Kind != "environment" && o.Origin.Kind != "flag" {
		from += " as " + o.Origin.Written
	}
	if len(o.Origin.Via) > 0 {
		from += ", via " + near(strings.Join(o.Origin.Via, ", "))
	}
	value := o.value()
	line := fmt.Sprintf("  %-*s  %s%s  %s", width, o.Name, value, strings.Repeat(" ", max(0, 24-utf8.RuneCountInString(value))), o.Type)
	if o.Set {
		line += "  " + from
	}
	b.WriteString(line + "\n")
	indent := strings.Repeat(" ", width+4)
	b.WriteString(indent + o.Help + "\n")
	for _, note := range o.Notes {
		b.WriteString(indent + "! " + near(note) + "\n")
	}
}

// value is the value in words.
func (o describedOption) value() string {
	if o.Secret != "" {
		return o.Secret
	}
	switch v := o.Value.(type) {
	case nil:
		if o.Set {
			return "no effect"
		}
		return "-"
	case bool:
		if o.Name == "cookie_expires" {
			return map[bool]string{true: "true (with the browser)", false: "false (in 2038)"}[v]
		}
	case int64:
		if o.Type == string(iniconf.TypeSeconds) || o.Type == string(iniconf.TypeExpires) {
			return strconv.FormatInt(v, 10) + inWords(v)
		}
	case string:
		return strconv.Quote(v)
	case []string:
		quoted := make([]string, len(v))
		for i := range v {
			quoted[i] = strconv.Quote(v[i])
		}
		return strings.Join(quoted, ", ")
	case time.Time:
		return v.Format(time.RFC3339)
	}
	return fmt.Sprint(o.Value)
}

// inWords says a long time in its largest unit, where it is a whole number of them.
func inWords(seconds int64) string {
	for _, unit := range []struct {
		seconds int64
		name    string
	}{{86400, "day"}, {3600, "hour"}, {60, "minute"}} {
		if n := seconds / unit.seconds; n > 0 && seconds%unit.seconds == 0 {
			if n > 1 {
				unit.name += "s"
			}
			return fmt.Sprintf(" (%d %s)", n, unit.name)
		}
	}
	return ""
}

func (s describedText) write(b *strings.Builder) {
	value := s.Secret
	if text, ok := s.Value.(string); ok {
		value = strconv.Quote(text)
	}
	line := "  " + s.Key + " = " + value
	if at := (iniconf.Position{File: s.File, Line: s.Line}).String(); at != "" {
		line += "  " + near(at)
	}
	b.WriteString(line + "\n")
}
