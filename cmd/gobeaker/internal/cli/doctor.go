package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/doctor"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
)

const doctorLong = `Doctor examines an installation before something goes wrong: the session options of
one or several applications, whether they can share sessions with each other and with
Go, and, unless --offline is given, what is in the store.

It is given inis, "production.ini" or "production.ini#application", and the gobeaker.toml
of a Go program, also as --config; the ini that this one starts from is examined beside
it. Without an application's name the main one is meant; if there is none that says
where its sessions are, all that have settings of sessions. name=value is global_conf.

With --python it asks an application's interpreter which Python, Beaker, AES and client
libraries it has, and a session is written and read both ways in a temporary directory
with the options given. The application itself is not loaded. Which Python and Beaker
it is also decides how the ini is read, unless --peer or --dialect say otherwise. With
"shop.ini=" in front, --python, --peer and --framework hold for that ini (or
"shop.ini#application") alone.

Nothing is written to the store, no lock is taken, and nothing secret is shown: no keys,
ids (only their hashes), values, or passwords.

Every finding has a code that does not change; --list shows all, and --skip leaves some
out. Exit code 0: nothing but information; 6: warnings; 1: errors.`

// doctorFlags are the flags of "gobeaker doctor".
type doctorFlags struct {
	config, dialect                       string
	offline, list, asJSON, quiet, crawl   bool
	sample                                int
	pythonExes, peerNames, frameworkNames []string
	global                                map[string]string
	skip, only                            []string
	env                                   Environment

	inis       []string
	pythons    perIni[string]
	peers      perIni[compat.Peer]
	frameworks perIni[iniconf.Framework]
	load       iniconf.LoadOptions     // for any ini
	asked      map[string]*facts.Probe // by interpreter
	exes       map[string]string       // the interpreter of each side that is Python's
}

func newDoctor(env Environment) *cobra.Command {
	d := doctorFlags{env: env}
	c := &cobra.Command{
		Use:   "doctor [INI[#app] | TOML …] [name=value …]",
		Short: "Examine an installation: options, keys, store, both sides",
		Long:  doctorLong,
		Example: `  gobeaker doctor production.ini
  gobeaker doctor production.ini --python /srv/app/env/bin/python
  gobeaker doctor shop.ini blog.ini#blog gobeaker.toml --json
  gobeaker doctor shop.ini blog.ini --python shop.ini=/srv/shop/env --python blog.ini=/srv/blog/env
  gobeaker doctor production.ini --peer beaker-1.11/python2 --offline --skip cookie-not-secure`,
		RunE: func(_ *cobra.Command, args []string) error { return d.run(args) },
	}
	f := c.Flags()
	f.StringVar(&d.config, "config", "", "the [session] of this gobeaker.toml `file` is the Go side")
	f.BoolVar(&d.offline, "offline", false, "do not look at the live store")
	f.BoolVar(&d.crawl, "crawl", false, "memcached may be asked for all its keys")
	f.IntVar(&d.sample, "sample", 500, "the greatest `number` of stored sessions that are read")
	f.StringArrayVar(&d.pythonExes, "python", nil, "the `[INI=]executable` of the applications' Python, which is asked; may be repeated")
	f.StringArrayVar(&d.peerNames, "peer", nil, "the applications' Beaker as `[INI=]peer`: beaker-1.11, beaker-1.13/python3/pycrypto …; may be repeated")
	f.StringArrayVar(&d.frameworkNames, "framework", nil, "who makes the sessions, as `[INI=]name`: beaker, pylons, turbogears, pyramid_beaker, ckan …; may be repeated")
	f.StringVar(&d.dialect, "dialect", "", "whose ConfigParser reads the inis: auto, python2, python3 (3.10 and later) or python3.9")
	f.StringToStringVar(&d.global, "global", nil, "PasteDeploy's global_conf, the same as `name=value` behind the inis")
	f.Lookup("global").DefValue = "" // not "[]"
	f.StringSliceVar(&d.skip, "skip", nil, "leave out the checks with these `codes`; may be repeated")
	f.StringSliceVar(&d.only, "only", nil, "do only the checks with these `codes`; may be repeated")
	f.BoolVar(&d.list, "list", false, "list all checks: code, usual severity, title")
	f.BoolVar(&d.asJSON, "json", false, "print one JSON object")
	f.BoolVarP(&d.quiet, "quiet", "q", false, "a line for each finding")
	return c
}

func (d *doctorFlags) run(args []string) error {
	checks, err := doctor.Select(d.only, d.skip)
	if err != nil {
		return usage("%v: gobeaker doctor --list has all codes", err)
	}
	if len(checks) == 0 {
		return usage("doctor: --only and --skip leave no check")
	}
	if d.list {
		return d.print(doctor.Listing(checks), doctor.List(checks))
	}
	if err := d.arguments(args); err != nil {
		return usage("doctor: %v", err)
	}
	if d.sample < 1 {
		return usage("doctor: --sample %d: give a number from 1 on", d.sample)
	}
	if err := d.settle(); err != nil {
		return usage("doctor: %v", err)
	}
	ctx, stop := interruptible()
	defer stop()
	subject := doctor.Subject{Now: d.env.now()}
	if subject.Sides, err = d.sides(ctx); err != nil {
		return err
	}
	d.look(ctx, subject.Sides)
	if ctx.Err() != nil {
		return fail(exitUnavailable, errors.New("doctor: interrupted"))
	}
	findings := doctor.Run(subject, checks)
	out := doctor.NewOutcome(subject, findings, len(checks))
	if err := d.print(out, out.Text(d.quiet)); err != nil {
		return err
	}
	switch doctor.Worst(findings) {
	case doctor.Error:
		return fail(exitNo, nil)
	case doctor.Warning:
		return fail(exitWarnings, nil)
	}
	return nil
}

// print prints an object or the text of it.
func (d *doctorFlags) print(object any, text string) error {
	out := []byte(printable(text))
	if d.asJSON {
		var err error
		if out, err = json.Marshal(object); err != nil {
			return fail(exitNo, fmt.Errorf("doctor: %w", err))
		}
		out = append(out, '\n')
	}
	if _, err := d.env.Stdout.Write(out); err != nil {
		return fail(exitNo, fmt.Errorf("doctor: %w", err))
	}
	return nil
}
