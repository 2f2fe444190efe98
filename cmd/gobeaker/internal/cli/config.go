package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

const configLong = `Config prints what the session options of a configuration come to: each option with its
value, its type, the file and line that it comes from, and what it does. Notes say aloud
what may surprise: "invalidate_corrupt = false" is true to Python.

It is given an ini, "production.ini" or "production.ini#application", and, as paste's own
commands are, name=value for global_conf; or the gobeaker.toml of a Go program. Without
either it reads GOBEAKER_CONFIG, or gobeaker.toml in the current folder.

  --set    only the options that are set, or that there are notes on
  --toml   a gobeaker.toml with the same effect, to start from
  --conf   global_conf and local_conf as PasteDeploy gives them to the application
  --apps   the applications of an ini, and where each has its session settings

Keys, passwords and addresses with passwords in them are never shown without
--show-secrets; "set" stands for them ("set, short" for less than 16 characters). With
--toml, environment variables take their place, or a line that does not load until it is
filled in.`

// configFlags are the flags of "gobeaker config".
type configFlags struct {
	ini, app, toml                          string
	dialect, framework, pastedeploy, beaker string
	strict, asJSON, asTOML, onlySet         bool
	conf, apps, secrets                     bool
	global                                  map[string]string
	env                                     Environment
}

func newConfig(env Environment) *cobra.Command {
	o := configFlags{env: env, global: map[string]string{}}
	c := &cobra.Command{
		Use:   "config [INI[#app] | TOML] [name=value …]",
		Short: "Print what a configuration comes to, and where each option is from",
		Long:  configLong,
		Example: `  gobeaker config production.ini
  gobeaker config production.ini#shop debug=true --framework pylons --json
  gobeaker config --peer beaker-1.11/python2 --toml production.ini > gobeaker.toml
  gobeaker config --apps production.ini`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Flags(), args) },
	}
	f := c.Flags()
	f.StringVar(&o.ini, "ini", "", "the ini `file`[#application]")
	f.StringVar(&o.app, "app", "", "the `name` of the application in the ini (default main)")
	f.StringVar(&o.toml, "config", "", "the gobeaker.toml `file`")
	f.StringVar(&o.dialect, "dialect", "", "whose ConfigParser reads the ini: auto, python2, python3 (3.10 and later) or python3.9 (default: that of the peer's Python)")
	f.StringVar(&o.framework, "framework", "", "who makes the sessions: auto, beaker, pylons, turbogears, pyramid_beaker, ckan …")
	f.StringVar(&o.pastedeploy, "pastedeploy", "", "the `release` of PasteDeploy: 1.5 or 2.1")
	f.StringVar(&o.beaker, "peer", "", "the Beaker that reads the settings: beaker-1.11, beaker-1.6/python2 …")
	f.StringVar(&o.beaker, "beaker", "", "the same as --peer")
	f.BoolVar(&o.strict, "strict-beaker", false, "invalidate_corrupt = false and use_cookies = false are true, as to Beaker")
	f.BoolVar(&o.onlySet, "set", false, "only the options that are set, or that there are notes on")
	f.BoolVar(&o.asJSON, "json", false, "print one JSON object")
	f.BoolVar(&o.asTOML, "toml", false, "print a gobeaker.toml")
	f.BoolVar(&o.conf, "conf", false, "print global_conf and local_conf")
	f.BoolVar(&o.apps, "apps", false, "print the applications of the ini")
	f.BoolVar(&o.secrets, "show-secrets", false, "show keys and passwords")
	return c
}

// ofIniFlags have no effect on a gobeaker.toml, which says these things itself.
var ofIniFlags = []string{"app", "dialect", "framework", "pastedeploy", "peer", "beaker", "strict-beaker"}

func (o *configFlags) run(f *pflag.FlagSet, args []string) error {
	if err := o.arguments(args); err != nil {
		return usage("config: %v", err)
	}
	if o.toml != "" {
		for _, name := range ofIniFlags {
			if f.Changed(name) {
				return usage("config: --%s goes with an ini; in a gobeaker.toml it stands in [session]", name)
			}
		}
		if len(o.global) > 0 {
			return usage("config: name=value goes with an ini; in a gobeaker.toml it stands in ini_global of [session]")
		}
	}
	text, object, err := o.view()
	if err != nil {
		return usage("config: %w", err)
	}
	out := []byte(printable(text))
	switch {
	case o.asJSON:
		if out, err = marshal(object); err != nil {
			return fail(exitNo, fmt.Errorf("config: %w", err))
		}
	case o.asTOML:
		out = []byte(text) // for a parser
	}
	if _, err := o.env.Stdout.Write(out); err != nil {
		return fail(exitNo, fmt.Errorf("config: %w", err))
	}
	return nil
}

// arguments understands what is not a flag: an ini, then name=value.
func (o *configFlags) arguments(args []string) error {
	chosen := 0
	for _, on := range []bool{o.asTOML, o.conf, o.apps} {
		if on {
			chosen++
		}
	}
	if chosen > 1 || o.asTOML && o.asJSON {
		return errors.New("give one of --toml, --conf and --apps, and --json not with --toml")
	}
	for i, arg := range args {
		name, value, isSetting := strings.Cut(arg, "=")
		if isSetting && (i > 0 || !there(arg)) {
			o.global[name] = value
			continue
		}
		if strings.EqualFold(filepath.Ext(arg), ".toml") {
			if o.toml != "" {
				return fmt.Errorf("%s: one gobeaker.toml at a time", arg)
			}
			o.toml = arg
			continue
		}
		if o.ini != "" {
			return fmt.Errorf("%s: one ini at a time; what follows it is name=value", arg)
		}
		o.ini = arg
	}
	if o.ini != "" && o.toml != "" {
		return errors.New("give an ini or a gobeaker.toml, not both")
	}
	if o.ini == "" && o.toml == "" {
		if o.toml = o.env.Getenv("GOBEAKER_CONFIG"); o.toml == "" {
			o.toml = defaultConfig
		}
		if !there(o.toml) {
			return fmt.Errorf("which configuration? Name an ini, or give --config; there is no %s", o.toml)
		}
	}
	return nil
}

// there reports whether a file or "file#application" exists.
func there(arg string) bool {
	path, _, _ := strings.Cut(arg, "#")
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// view makes what is printed: as text, and as an object for JSON.
func (o *configFlags) view() (text string, object any, err error) {
	load, path, err := o.loadOptions()
	if err != nil {
		return "", nil, err
	}
	if o.apps && o.ini != "" {
		return o.viewApps(path, load)
	}
	e, err := o.effective(path, load)
	if o.conf || o.apps {
		c, err := o.config(e, err, path, load)
		if err != nil {
			return "", nil, err
		}
		if o.apps {
			load.Dialect = c.Dialect()
			return o.viewApps(c.Path(), load)
		}
		text, object := o.viewConf(c)
		return text, object, nil
	}
	if err != nil {
		return "", nil, err
	}
	if o.asTOML {
		return o.toTOML(e), nil, nil
	}
	d := o.describe(e)
	return d.text(), d, nil
}

// config is the ini behind the options. --conf shows it also where Beaker refuses them.
func (o *configFlags) config(e *iniconf.Effective, err error, path string, load iniconf.LoadOptions) (*iniconf.Config, error) {
	switch {
	case o.ini != "":
		return iniconf.Load(path, load)
	case err != nil:
		return nil, err
	case e.Config == nil:
		return nil, fmt.Errorf("%s has no ini", o.toml)
	}
	return e.Config, nil
}

// effective reads the ini or the gobeaker.toml.
func (o *configFlags) effective(path string, load iniconf.LoadOptions) (*iniconf.Effective, error) {
	if o.ini == "" {
		return tomlconf.Load(o.toml, tomlconf.Environment{Getenv: o.env.Getenv})
	}
	c, err := iniconf.Load(path, load)
	if err != nil {
		return nil, err
	}
	e, err := c.Effective()
	if err == nil && o.beaker != "" {
		err = e.Set("peer", o.beaker, iniconf.Origin{Kind: iniconf.FromFlag, Written: "--peer"})
	}
	return e, err
}

// loadOptions understands the flags that say how an ini is read.
func (o *configFlags) loadOptions() (load iniconf.LoadOptions, path string, err error) {
	path, app, named := strings.Cut(o.ini, "#")
	if named && o.app != "" && app != o.app {
		return load, "", fmt.Errorf("%s and --app %s name two applications", o.ini, o.app)
	}
	if load.App = o.app; named {
		load.App = app
	}
	load.Global = o.global
	if load.Dialect, err = iniconf.ParseDialect(o.dialect); err != nil {
		return load, "", fmt.Errorf("--dialect: %w", err)
	}
	if load.Framework, err = iniconf.ParseFramework(o.framework); err != nil {
		return load, "", fmt.Errorf("--framework: %w", err)
	}
	switch o.pastedeploy {
	case "":
	case "1.5":
		load.PasteDeploy = iniconf.PasteDeploy15
	case "2.1":
		load.PasteDeploy = iniconf.PasteDeploy21
	default:
		return load, "", fmt.Errorf("--pastedeploy %s: use 1.5 or 2.1", o.pastedeploy)
	}
	if o.strict {
		load.Booleans = iniconf.BoolAsBeaker
	}
	if o.beaker != "" && o.beaker[0] >= '0' && o.beaker[0] <= '9' {
		o.beaker = "beaker-" + o.beaker
	}
	peer, err := compat.ParsePeer(o.beaker)
	if err != nil {
		return load, "", fmt.Errorf("--peer: %w", err)
	}
	load.Beaker, load.Python = peer.Release(), peer.Python
	load.LookupEnv = o.env.lookup
	return load, path, nil
}
