package tomlconf

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
)

// Environment is what is had from outside of the files.
type Environment struct {
	// Getenv returns an environment variable, "" if there is none; os.Getenv does.
	// Nil: there is no environment.
	Getenv func(name string) string
}

func (env Environment) get(name string) string {
	if env.Getenv == nil {
		return ""
	}
	return env.Getenv(name)
}

// Override replaces secret, validate_key, encrypt_key and url by GOBEAKER_SECRET,
// GOBEAKER_VALIDATE_KEY, GOBEAKER_ENCRYPT_KEY and GOBEAKER_URL, where they are set.
func (env Environment) Override(e *iniconf.Effective) error {
	for _, option := range secretOptions {
		name := "GOBEAKER_" + strings.ToUpper(option)
		if value := env.get(name); value != "" {
			if err := e.Set(option, value, iniconf.Origin{Kind: iniconf.FromEnvironment, Written: name}); err != nil {
				return &Error{Msg: name, Err: err}
			}
		}
	}
	return nil
}

// Load reads the [session] table of the gobeaker.toml at path, and what it leads
// to; other tables are somebody else's. The variables of [Environment.Override] come
// last. The result is never nil: with an error it has the files that are known, so
// that a program can wait until they are repaired.
func Load(path string, env Environment) (*iniconf.Effective, error) {
	var file struct {
		Session *Session `toml:"session"`
	}
	m, err := read(path)
	if err == nil {
		_, err = m.decode(&file)
	}
	if err == nil && file.Session == nil {
		err = &Error{Position: iniconf.Position{File: path}, Msg: "there is no [session] in it"}
	}
	if err != nil {
		e := iniconf.NewEffective()
		e.Files = files(path)
		return e, err
	}
	e, err := file.Session.Resolve(m, env)
	if err == nil {
		err = env.Override(e)
	}
	return e, err
}

// Resolve puts the options together: those of the ini, replaced by those of the
// table, secrets from their files and variables. m is the file that the Session was
// decoded from, or nil. The result is never nil: with an error it has the files that
// are known. The variables GOBEAKER_SECRET … are [Environment.Override]'s.
func (s *Session) Resolve(m *Meta, env Environment) (*iniconf.Effective, error) {
	r := &resolver{Session: s, meta: m, env: env, out: iniconf.NewEffective()}
	for _, p := range s.problems {
		_, known := slices.BinarySearch(slices.Sorted(slices.Values(sessionKeys())), p.key)
		if !known {
			r.fail(p.key, fmt.Sprintf("unknown key %q; %s", table+"."+p.key, p.msg), nil)
			continue
		}
		r.fail(p.key, p.key+": "+p.msg, nil)
	}
	r.base()
	if len(r.errs) == 0 {
		r.options()
		r.extra(nil, s.Extra)
	}
	r.secrets(len(r.errs) == 0)
	if m != nil {
		r.out.Files = slices.Concat(files(m.Path), r.out.Files)
	}
	r.out.Files = distinct(append(r.out.Files, r.files...))
	return r.out, errors.Join(r.errs...)
}

// files is a list of an absolute path.
func files(path string) []string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return []string{path}
}

func distinct(paths []string) (out []string) {
	for _, p := range paths {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// resolver is one Resolve.
type resolver struct {
	*Session
	meta  *Meta
	env   Environment
	out   *iniconf.Effective
	files []string // of secrets
	errs  []error
}

// fail notes an error about a key of the table.
func (r *resolver) fail(key, msg string, err error) {
	r.errs = append(r.errs, &Error{Position: r.meta.position(table, key), Msg: msg, Err: err})
}

// base starts with what the ini says.
func (r *resolver) base() {
	if r.Ini == "" {
		for _, key := range ofIni {
			if r.meta.Has(table, key) {
				r.out.Warnings = append(r.out.Warnings, iniconf.Warning{
					Code: iniconf.CodeWithoutIni, Key: key, Position: r.meta.position(table, key), Msg: "without ini it has no effect"})
			}
		}
		return
	}
	path, app, _ := strings.Cut(r.Ini, "#")
	path = r.meta.Relative(path)
	o := r.loadOptions()
	o.App = app
	conf, err := iniconf.Load(path, o)
	if err == nil {
		r.out, err = conf.Effective()
	}
	if err != nil {
		r.out.Files = append(r.out.Files, files(path)...)
		r.out.Files = append(r.out.Files, ofError(err)...)
		r.fail("ini", "ini", err)
	}
}

// ofError returns the files that an error about an ini names.
func ofError(err error) (out []string) {
	var e *iniconf.Error
	if !errors.As(err, &e) {
		return nil
	}
	for _, p := range append(slices.Clone(e.Via), e.Position) {
		if filepath.IsAbs(p.File) { // not "global_conf"
			out = append(out, p.File)
		}
	}
	return out
}

// loadOptions says how the ini is read.
func (r *resolver) loadOptions() iniconf.LoadOptions {
	o := iniconf.LoadOptions{Global: r.IniGlobal}
	var err error
	if o.Dialect, err = iniconf.ParseDialect(r.IniDialect); err != nil {
		r.fail("ini_dialect", "ini_dialect", err)
	}
	if o.Framework, err = iniconf.ParseFramework(r.Framework); err != nil {
		r.fail("framework", "framework", err)
	}
	switch r.PasteDeploy {
	case "":
	case "1.5":
		o.PasteDeploy = iniconf.PasteDeploy15
	case "2.1":
		o.PasteDeploy = iniconf.PasteDeploy21
	default:
		r.fail("pastedeploy", `pastedeploy: use "1.5" or "2.1"`, nil)
	}
	if r.StrictBeaker {
		o.Booleans = iniconf.BoolAsBeaker
	}
	if name, ok := r.Options["peer"].(string); ok {
		if peer, err := compat.ParsePeer(name); err == nil { // else it is refused later
			o.Beaker, o.Python = peer.Release(), peer.Python
		}
	}
	if r.env.Getenv != nil {
		o.LookupEnv = func(name string) (string, bool) {
			value := r.env.Getenv(name)
			return value, value != ""
		}
	}
	return o
}

// directories are relative to the file that names them.
var directories = []string{"data_dir", "file_dir", "lock_dir", "dbm_dir"}

// options sets those of the table, in the order of [iniconf.OptionInfos].
func (r *resolver) options() {
	for _, info := range iniconf.OptionInfos() {
		value, ok := r.Options[info.Name]
		if !ok {
			continue
		}
		value, err := r.convert(info, value)
		if err == nil {
			err = r.set(info.Name, value, r.origin(info.Name))
		}
		if err != nil {
			r.fail(info.Name, err.Error(), nil)
		}
	}
}

// convert makes of a value what Effective.Set takes.
func (r *resolver) convert(info iniconf.OptionInfo, value any) (any, error) {
	switch v := value.(type) {
	case string:
		if slices.Contains(directories, info.Name) {
			return r.meta.Relative(v), nil
		}
	case bool:
		if info.PassedOn() && info.Type == iniconf.TypeBool {
			return strconv.FormatBool(v), nil
		}
	case time.Time:
		if v.Year() == 0 { // TOML's time of day
			return nil, fmt.Errorf("%s: a time of day needs a date", info.Name)
		}
	}
	return value, nil
}

// origin is that of a key of the table.
func (r *resolver) origin(key ...string) iniconf.Origin {
	return iniconf.Origin{Kind: iniconf.FromTOML, Position: r.meta.position(append([]string{table}, key...)...), Written: strings.Join(key, ".")}
}

// set is Effective.Set. With a type or a file_dir, sessions are no longer in memory
// for want of a data_dir, so that this warning goes as well.
func (r *resolver) set(name string, value any, from iniconf.Origin) error {
	if err := r.out.Set(name, value, from); err != nil {
		return err
	}
	if _, there := r.out.Origins["data_dir"]; !there && (name == "type" || name == "file_dir") {
		r.out.Warnings = slices.DeleteFunc(r.out.Warnings, func(w iniconf.Warning) bool { return w.Option == "data_dir" })
	}
	return nil
}

// extra adds options of the back end. A dotted key of TOML is a table in a table.
func (r *resolver) extra(path []string, values map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		path := append(slices.Clone(path), key)
		name := strings.Join(path, ".")
		from := r.origin(append([]string{"extra"}, path...)...)
		var msg string
		switch v := values[key].(type) {
		case map[string]any:
			r.extra(path, v)
		case string, int64, bool, float64:
			if msg = r.notExtra(name); msg == "" {
				r.must(name, fmt.Sprint(v), from)
			}
		default:
			msg = "give text, a number, true or false"
		}
		if msg != "" {
			r.errs = append(r.errs, &Error{Position: from.Position, Msg: from.Written + ": " + msg})
		}
	}
}

// notExtra says why a name does not belong into [session.extra], or nothing.
func (r *resolver) notExtra(name string) string {
	info, known := iniconf.LookupOption(name)
	_, twice := r.Options[name]
	if twice || known && !info.PassedOn() || IsKey(name) {
		return "it stands in [session] itself"
	}
	return ""
}

// secrets takes them from files and from the environment. If set is false, only the
// files are noted.
func (r *resolver) secrets(set bool) {
	for _, option := range secretOptions {
		file, inFile := r.Files[option]
		variable, inVariable := r.Variables[option]
		_, here := r.Options[option]
		if here && inFile || here && inVariable || inFile && inVariable {
			key := option
			if !here {
				key += "_file"
			}
			r.fail(key, fmt.Sprintf("give one of %s, %[1]s_file and %[1]s_env", option), nil)
			continue
		}
		switch {
		case inFile:
			r.fromFile(option, file, set)
		case inVariable && set:
			r.fromVariable(option, variable)
		}
	}
	for _, option := range olderOptions {
		r.older(option, set)
	}
}

// fromFile sets an option to the first line of a file.
func (r *resolver) fromFile(option, file string, set bool) {
	file = r.meta.Relative(file)
	r.files = append(r.files, files(file)...)
	if !set {
		return
	}
	key := option + "_file"
	value, err := ReadSecret(file)
	if err != nil {
		r.failFile(key, err)
		return
	}
	r.must(option, value, iniconf.Origin{
		Kind: iniconf.FromFile, Position: iniconf.Position{File: file}, Written: key, Via: r.via(key)})
}

// failFile notes that a file of secrets cannot be read. What stands for its name may be
// the secret itself, so it is not shown.
func (r *resolver) failFile(key string, err error) {
	var p *os.PathError
	if errors.As(err, &p) {
		r.fail(key, key+": the file that it names cannot be read (the name is not shown, as it may be a secret that was meant for another key)", p.Err)
		return
	}
	r.fail(key, key, err)
}

// via is the line of the key that names a file or a variable.
func (r *resolver) via(key string) []iniconf.Position {
	if r.meta == nil {
		return nil
	}
	return []iniconf.Position{r.meta.position(table, key)}
}

// must sets an option whose value is of the right type.
func (r *resolver) must(option string, value any, from iniconf.Origin) {
	if err := r.set(option, value, from); err != nil {
		r.fail(from.Written, err.Error(), nil)
	}
}

// aVariable tells the name of a variable from a secret that was written in its place,
// of capitals and digits though it be.
var aVariable = regexp.MustCompile(`^([A-Z]{1,20}|[A-Z][A-Z0-9]*(_[A-Z0-9]+)+)$`)

func (r *resolver) fromVariable(option, name string) {
	key := option + "_env"
	value := r.env.get(name)
	if value == "" {
		if !aVariable.MatchString(name) {
			name = "variable of that name (which is not shown; give the variable's name, not its value)"
		}
		r.fail(key, fmt.Sprintf("%s: the environment has no %s", key, name), nil)
		return
	}
	r.must(option, value, iniconf.Origin{Kind: iniconf.FromEnvironment, Written: name, Via: r.via(key)})
}

// older adds the secrets in files to the list of older ones.
func (r *resolver) older(option string, set bool) {
	paths, key := r.OlderFiles[option], olderKey(option)
	if len(paths) == 0 {
		return
	}
	var all []string
	for _, path := range paths {
		path = r.meta.Relative(path)
		r.files = append(r.files, files(path)...)
		if !set {
			continue
		}
		value, err := ReadSecret(path)
		if err != nil {
			r.failFile(key, err)
			return
		}
		all = append(all, value)
	}
	if !set {
		return
	}
	from := iniconf.Origin{Kind: iniconf.FromFile, Position: iniconf.Position{File: r.meta.Relative(paths[0])}, Written: key, Via: r.via(key)}
	if listed, here := r.Options[option]; here {
		texts, _ := listed.([]string)
		for _, v := range anyList(listed) {
			text, _ := v.(string) // it was accepted
			texts = append(texts, text)
		}
		all, from = slices.Concat(texts, all), r.origin(option)
	}
	r.must(option, all, from)
}

func anyList(v any) []any {
	list, _ := v.([]any)
	return list
}

// ReadSecret returns the first line of a file that holds a secret. It refuses what
// nobody means: nothing but blanks, bytes that are no text, and blanks at an end, which
// an ini does not keep, so that the two sides would not share the secret.
func ReadSecret(path string) (string, error) {
	data, err := readBounded(path)
	if err != nil {
		return "", fmt.Errorf("secret file: %w", err)
	}
	line, _, _ := strings.Cut(strings.TrimPrefix(string(data), "\ufeff"), "\n") // some editors begin with a BOM
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("secret file %s: its first line is empty", filepath.Base(path))
	}
	control := strings.ContainsFunc(line, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f })
	switch {
	case !utf8.ValidString(line) || control:
		return "", fmt.Errorf("secret file %s: its first line is not plain text in UTF-8", filepath.Base(path))
	case strings.TrimSpace(line) != line:
		return "", fmt.Errorf("secret file %s: its first line begins or ends with a blank, which an ini would not keep; remove it", filepath.Base(path))
	}
	return line, nil
}
