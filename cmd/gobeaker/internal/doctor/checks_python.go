package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
	"github.com/gobeaker/gobeaker/compat"
)

// pythonChecks are about what an application's Python said, and about clocks.
func pythonChecks() []Check {
	return []Check{
		{"python-unusable", Error, "The Python that was named did not answer",
			"Nothing could be learnt from it: neither which Beaker it has nor whether the two sides read each other.",
			"Name the interpreter of the application's own environment, such as /srv/app/env/bin/python.", probed(func(s *Side, p *facts.Probe, r *report) {
				if p.Problem != nil {
					r.add(p.Exe).saying("%s", sentence(p.Problem.Text))
				}
			}), nil},
		{"python-without-beaker", Error, "This Python has no Beaker",
			"It is hardly the one that the application runs with.",
			"Name the interpreter of the application's own environment, such as /srv/app/env/bin/python.", probed(func(s *Side, p *facts.Probe, r *report) {
				if p.Problem == nil && p.Beaker == "" {
					r.add(p.Exe)
				}
			}), nil},
		{"python-without-aes", Error, "This Beaker finds no AES library",
			"Cookie-only sessions fail. Server-side sessions are stored in clear by Beaker from 1.9 on, although there is an encrypt_key, and nobody says so; gobeaker does not read those unless accept_plaintext is set.",
			"Install a library that this Beaker looks for (pycryptodome; cryptography with crypto_type = cryptography), the same in all applications.", probed(func(s *Side, p *facts.Probe, r *report) {
				if s.withoutAES() && (s.cookieOnly() || p.Peer.IsAuto() || p.Peer.Era().ServerAES) { // else encrypt-key-ignored
					f := r.add(p.Exe)
					if p.TakesNot != "" {
						f.saying("It says: %s", sentence(p.TakesNot))
					}
				}
			}), nil},
		{"python-without-client", Error, "Python lacks the library of the back end",
			"Beaker fails at the first session.",
			"Install it in the application's environment.", probed(checkClient), nil},
		{"round-trip-failed", Error, "A session did not survive the way between Python and Go",
			"With these options, and with this Python and its Beaker, a session was written and read both ways in a temporary directory.",
			"See what the other findings say about the peer, keys, AES libraries and serializers; if there is none, and the peer is what this Python has, it is a defect of gobeaker that should be reported.", probed(checkTrip), nil},
		{"peer-contradicted", Error, "The Python that was asked is not the peer that was told",
			"gobeaker writes for the Beaker that peer names. If the real one reads other forms, it takes those sessions for new ones.",
			"Set peer to what is named here.", probed(checkContradicted), nil},
		{"clock-skew", Warning, "Clocks disagree",
			"Sessions carry the time of their last access. Where the clocks of machines differ, sessions end early or late, and a difference of the order of timeout logs users out.",
			"Let all machines keep their time by NTP.", checkClocks, nil},
	}
}

// probed makes a check of the Python that was asked.
func probed(f func(s *Side, p *facts.Probe, r *report)) func(*Side, *report) {
	return func(s *Side, r *report) {
		if s.Python != nil {
			f(s, s.Python, r)
		}
	}
}

// clients are the distributions that Beaker's back ends import.
var clients = map[string]string{
	"ext:redis": "redis", "ext:rediscluster": "redis", "ext:database": "SQLAlchemy", "ext:sqla": "SQLAlchemy", "ext:mongodb": "pymongo",
}

func checkClient(s *Side, p *facts.Probe, r *report) {
	if p.Beaker == "" {
		return
	}
	has := func(list []facts.Module, name string) bool {
		return slices.ContainsFunc(list, func(m facts.Module) bool {
			return name == "" && m.Usable || strings.EqualFold(m.Name, name) && m.Error == ""
		})
	}
	switch needed := clients[s.kind()]; {
	case s.kind() == "ext:memcached" && !has(p.Memcached, ""):
		r.add(p.Exe).saying("It has no memcached client that this Beaker takes.")
	case needed != "" && !has(p.Packages, needed):
		r.add(p.Exe).saying("It has no %s.", needed)
	}
}

func checkTrip(s *Side, p *facts.Probe, r *report) {
	t := p.Trip
	switch {
	case t == nil || s.withoutAES():
		return
	case t.Problem != nil:
		r.add(p.Exe).as(Warning).saying("It could not be tried: %s", sentence(t.Problem.Text))
		return
	}
	var failed []string
	for _, leg := range []struct {
		of   facts.Leg
		says string
	}{
		{t.ToGo, "gobeaker does not read what this Beaker writes"}, {t.ToPython, "This Beaker does not read what gobeaker writes"},
	} {
		if leg.of.OK {
			continue
		}
		form := ""
		if leg.of.Form != "" {
			form = " (" + leg.of.Form + ")"
		}
		failed = append(failed, leg.says+form+": "+sentence(leg.of.Why))
	}
	if len(failed) > 0 {
		r.add(p.Exe).saying("%s", strings.Join(failed, " "))
	}
}

func checkContradicted(s *Side, p *facts.Probe, r *report) {
	told, found := s.Peer, p.Peer
	if told.IsAuto() || found.IsAuto() {
		return
	}
	var parts []string
	f := Warning
	if told.Era().Since != found.Era().Since {
		parts = append(parts, fmt.Sprintf("its Beaker is %s", found.Release()))
		if !readEachOther(told, found, s.taken()) {
			f = Error
		}
	}
	for _, part := range []struct{ what, told, found string }{
		{"AES library", told.Crypto, found.Crypto}, {"memcached client", told.Memcached, found.Memcached},
		{"Python", fmt.Sprint(told.Python), fmt.Sprint(found.Python)},
	} {
		if part.told != "" && part.told != "0" && part.found != "" && part.told != part.found {
			parts = append(parts, fmt.Sprintf("its %s is %s", part.what, part.found))
			if part.what == "AES library" && s.options().EncryptKey != "" || part.what == "memcached client" && len(servers(s.address())) > 1 {
				f = Error
			}
		}
	}
	if len(parts) > 0 {
		r.add(s.at("peer"), p.Exe).as(f).saying("Told was %s, but %s. It is peer = %q.", told, strings.Join(parts, ", "), found)
	}
}

// readEachOther: what is written for one peer is read by the other.
func readEachOther(told, found compat.Peer, o *compat.Options) bool {
	form, err := told.Form(o)
	return err == nil && found.Reads(form, o) == nil
}

// Clocks may differ by so much before it is told.
const (
	skewWarning = 5 * time.Second
	skewError   = 2 * time.Minute
)

func checkClocks(s *Side, r *report) {
	if s.Clocks == nil {
		return
	}
	for _, c := range s.Clocks.Clocks {
		off := c.Skew.Abs() - c.Within
		if c.Problem != nil || off < skewWarning {
			continue
		}
		way := "ahead of"
		if c.Skew < 0 {
			way = "behind"
		}
		f := r.add(s.Name).saying("The clock of the %s is %s %s that of %s.", c.Name, c.Skew.Abs().Round(time.Second), way, cmp.Or(c.Against, "this process"))
		if t := s.options().Timeout; off >= skewError || t > 0 && off >= t/10 {
			f.as(Error)
		}
	}
}
