package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/cmd/gobeaker/internal/facts"
)

// storedChecks are about what is in the store.
func storedChecks() []Check {
	return []Check{
		{"store-unreachable", Error, "The store cannot be looked at",
			"gobeaker has the same way to it as a server of its own would have. While a store is down, Beaker fails or logs everybody out.",
			"See that the server runs and is reached from this machine, and that this user may read it; or leave the store out with --offline.", checkReach, nil},
		{"store-not-listed", Info, "The store does not tell which sessions it has",
			"Nothing can be said about what is in it.",
			"Look at single sessions with gobeaker show. With --crawl, memcached is asked for its keys, which costs it some work.", sampled(func(s *Side, p *facts.Sample, r *report) {
				if p.Problem != nil && (p.Problem.Kind == facts.Unsupported || p.Problem.Kind == facts.NotAllowed) {
					r.add(p.Where).saying("%s", sentence(p.Problem.Text))
				}
			}), nil},
		{"store-empty", Warning, "There are no sessions in the store",
			"Either nobody was here yet, or the applications keep them somewhere else than these options say.",
			"Compare the place with what the application really uses: its working directory, its framework, its environment may change it.", sampled(func(s *Side, p *facts.Sample, r *report) {
				switch {
				case p.Problem == nil && p.Complete && p.Listed == 0:
					r.add(p.Where)
				case p.Problem != nil && p.Problem.Kind == facts.Missing:
					r.add(p.Where).saying("%s", sentence(p.Problem.Text))
				}
			}), nil},
		{"stored-unreadable", Error, "Stored sessions cannot be read",
			"Their records are damaged, or of a kind that these options do not lead to expect. Beaker makes a new session of each, and its user is logged out.",
			"Look at one with gobeaker show or gobeaker inspect. Records cut short come from Beaker before 1.9.1, or from a full disk.", sampled(func(s *Side, p *facts.Sample, r *report) {
				counted(r, p.States["unreadable"], p, "%s", reasons(p, false))
			}), nil},
		{"stored-locked", Info, "Sessions could not be looked at because they are in use",
			"Somebody held the lock of the record all the while. For moments that is as it should be; a request that is stuck holds it until its process ends.",
			"Look again later. If it is the same sessions, see what the application is doing.", sampled(func(s *Side, p *facts.Sample, r *report) {
				counted(r, p.States["locked"], p, "")
			}), nil},
		{"stored-wrong-key", Error, "No key opens some of the stored sessions",
			"They were encrypted with other keys, or what stands in the options is not what the application uses.",
			"Give the former keys as old_encrypt_keys and old_validate_keys, or see where the application takes its keys from.", sampled(func(s *Side, p *facts.Sample, r *report) {
				counted(r, p.States["encrypted"], p, "%s", reasons(p, true))
			}), nil},
		{"stored-older-key", Info, "Sessions are encrypted with older keys",
			"They are written with the first keys when they are next saved. A Beaker with only the new keys does not read them.",
			"Keep the older keys until none of these is left.", sampled(func(s *Side, p *facts.Sample, r *report) { counted(r, p.OlderKey, p, "") }), nil},
		{"stored-plaintext", Error, "Sessions are stored in clear although there is an encrypt_key",
			"They are from a time before the encrypt_key, or from a Python without it. A Beaker with the key does not read them, and gobeaker only with accept_plaintext.",
			"Set encrypt_key in all applications, then convert what is stored (gobeaker migrate) or let it expire.", sampled(func(s *Side, p *facts.Sample, r *report) {
				counted(r, p.Plaintext, p, "")
			}), nil},
		{"stored-without-aes", Error, "A Python without an AES library has stored sessions in clear",
			"A nonce stands in front of them as if they were encrypted: Beaker from 1.9 on does that when it has an encrypt_key and finds no library, and says nothing.",
			"Install the AES library in that Python (doctor --python tells which it looks for), then let those sessions expire, or convert them.", sampled(func(s *Side, p *facts.Sample, r *report) {
				counted(r, p.ClearNonce, p, "")
			}), nil},
		{"stored-ecb", Error, "Sessions are encrypted with AES-ECB (CVE-2012-3458)",
			"Equal blocks look equal, so parts of a session can be guessed. They are from Beaker up to 1.6.3 with PyCrypto, or from a gobeaker that was told to write for it.",
			"Upgrade that Beaker to 1.6.4 or later, set the peer accordingly, and convert what is stored (gobeaker migrate) or let it expire.", sampled(func(s *Side, p *facts.Sample, r *report) {
				counted(r, p.AES["ecb"], p, "")
			}), nil},
		{"stored-nonce-short", Warning, "Sessions have nonces of 48 bits",
			"They are from Beaker up to 1.7, or encrypt_nonce_bits = 48. Under the same nonce two texts can be compared, and nonces of 48 bits repeat after some 20 million writes.",
			"Set encrypt_nonce_bits = 128 once no Beaker before 1.8 is left.", sampled(func(s *Side, p *facts.Sample, r *report) {
				counted(r, p.NonceBits["48"], p, "")
			}), nil},
		{"stored-mixed-forms", Warning, "Sessions are stored in forms of different Beakers",
			"Beaker up to 1.11 stores the dict itself, 1.12 and later a text of base64, and neither reads the other's: one of them makes new sessions of these. gobeaker reads both.",
			"If both Beakers still run, bring them to one release; if not, these are leftovers, which gobeaker migrate converts.", sampled(func(s *Side, p *facts.Sample, r *report) {
				dict := p.Forms["dict"]
				texts := facts.Count{}
				for name, c := range p.Forms {
					if name != "dict" {
						texts.Sessions += c.Sessions
						texts.Examples = append(texts.Examples, c.Examples...)
					}
				}
				if dict.Sessions > 0 && texts.Sessions > 0 {
					slices.Sort(texts.Examples)
					counted(r, facts.Count{Sessions: min(dict.Sessions, texts.Sessions), Examples: append(first(dict.Examples), first(texts.Examples)...)}, p,
						"%d are dicts, %d are texts", dict.Sessions, texts.Sessions)
				}
			}), nil},
		{"stored-peer-cannot-read", Error, "This Beaker does not read some of the stored sessions",
			"Their users are logged out when they come to the Python side, and the new, empty session is stored over the old one.",
			"If the peer is right, convert them (gobeaker migrate), or let gobeaker do it as they are used; if it is not, correct it.", sampled(checkPeerReads), nil},
		{"stored-other-writer", Warning, "Others than this Beaker have written sessions",
			"They may be from before an upgrade. If they are recent, an application with another Beaker or Python writes into this store.",
			"Find out who that is: the hashes lead to the sessions (gobeaker show).", sampled(checkWriters), nil},
		{"stored-python-mixed", Warning, "Both Python 2 and Python 3 have written sessions",
			"Python 2 does not read the records that Python 3 writes, and Python 3 fails at 8-bit strings of Python 2 that are not ASCII.",
			"If both still run, give them one Python, or let each have its own store.", sampled(func(s *Side, p *facts.Sample, r *report) {
				two, three := pythons(p, "Python 2"), pythons(p, "Python 3")
				if two.Sessions > 0 && three.Sessions > 0 {
					counted(r, facts.Count{Sessions: min(two.Sessions, three.Sessions), Examples: append(first(two.Examples), first(three.Examples)...)}, p,
						"%d are of Python 2, %d of Python 3", two.Sessions, three.Sessions)
				}
			}), nil},
		{"stored-not-python3", Warning, "Sessions that no Python 3 loads",
			"Python 2 pickled 8-bit strings into them that are not ASCII. Python 3 raises UnicodeDecodeError and takes the session for a new one. gobeaker reads them.",
			"Before a move to Python 3, let them expire or convert them (gobeaker convert, gobeaker migrate).", sampled(func(s *Side, p *facts.Sample, r *report) {
				counted(r, p.NotPython3, p, "")
			}), nil},
		{"stored-not-python2", Error, "Records that Python 2 cannot read",
			"Around these sessions stands a pickle of protocol 3 or later, as Python 3 writes it, and Python 2 reads 2 at most: it fails at each of them.",
			"Move all applications to Python 3, or give them stores of their own. gobeaker writes what both read.", sampled(func(s *Side, p *facts.Sample, r *report) {
				var c facts.Count
				for _, protocol := range []string{"3", "4", "5"} {
					c.Sessions += p.Containers[protocol].Sessions
					c.Examples = append(c.Examples, first(p.Containers[protocol].Examples)...)
				}
				if s.peer().Python == 2 {
					counted(r, c, p, "")
				}
			}), nil},
		{"stored-suspicious", Error, "A stored pickle names what no honest session has (CVE-2013-7489)",
			"It would start a program or read a file when Python loads it: somebody may have written into the store. gobeaker runs nothing that is in a pickle.",
			"Keep Python away from the session, look at it with gobeaker show, and find out who can write to the store.", sampled(func(s *Side, p *facts.Sample, r *report) {
				for _, c := range p.Classes {
					if c.Suspicious {
						counted(r, c.Count, p, "it names %s", clip(c.Name))
					}
				}
			}), nil},
		{"stored-classes", Info, "Pickles name classes of the application",
			"Go keeps each of them as it is and writes it back the same, and Python has to be able to import it. A class that is renamed or moved makes every session with it unreadable to Python; JSON holds none of them.",
			"Store plain values in sessions: an id in place of an object.", sampled(func(s *Side, p *facts.Sample, r *report) {
				var names []string
				for _, c := range p.Classes {
					if !c.Known && !c.Suspicious {
						names = append(names, clip(c.Name))
					}
				}
				if len(names) > 0 {
					counted(r, p.PickleClass, p, "%s", someOf(names))
				}
			}), nil},
		{"stored-not-json", Info, "Sessions hold what JSON cannot carry",
			"With data_serializer = json, or after a conversion, those values are refused, or come back as something else. Python's json.dumps raises a TypeError (a UnicodeDecodeError for bytes in Python 2) for what it has no way to write, so that no session with it is saved; what becomes something else, it writes without a word.",
			"Change what the application stores (a text or a number in place of a datetime) before moving to JSON.", sampled(checkJSON), nil},
		{"stored-expired", Info, "Sessions that have ended are still stored",
			"Beaker removes nothing. They cost room and time, and with a longer timeout they would be good again.",
			"Run gobeaker gc.", sampled(func(s *Side, p *facts.Sample, r *report) {
				c := p.States["expired"]
				if f := counted(r, c, p, ""); f != nil && p.Looked >= 20 && c.Sessions*2 > p.Looked {
					f.as(Warning)
				}
			}), nil},
		{"stored-no-access-time", Warning, "Sessions without the time of their last access",
			"No timeout ever ends them in Beaker from 1.12 on; Beaker up to 1.11 with a timeout fails with a KeyError.",
			"They are leftovers of sessions that were deleted or cleared, or of applications that write records themselves. gobeaker gc removes empty ones.", sampled(func(s *Side, p *facts.Sample, r *report) {
				counted(r, p.NoAccessed, p, "")
			}), nil},
		{"stored-future", Warning, "Sessions were last accessed in the future",
			"The clock of whoever wrote them is ahead of this machine's. They end that much later.",
			"Let all machines keep their time by NTP.", sampled(func(s *Side, p *facts.Sample, r *report) {
				counted(r, p.Future, p, "the furthest is %s ahead", p.FutureBy.Round(time.Second))
			}), nil},
		{"stored-too-large", Info, "Sessions that no cookie could hold",
			fmt.Sprintf("A cookie-only session may have %d bytes. That matters only to who plans a move to type = cookie.", beakerfmt.MaxCookiePayload),
			"Keep less in the sessions before such a move.", sampled(func(s *Side, p *facts.Sample, r *report) {
				if s.onServer() {
					counted(r, p.Oversized, p, "the largest has %d bytes", p.Cookie)
				}
			}), nil},
	}
}

// sampled makes a check of the sessions that were read.
func sampled(f func(s *Side, p *facts.Sample, r *report)) func(*Side, *report) {
	return func(s *Side, r *report) {
		if s.Sample != nil {
			f(s, s.Sample, r)
		}
	}
}

// counted adds a finding about so many sessions, if there are any.
func counted(r *report, c facts.Count, p *facts.Sample, format string, args ...any) *Finding {
	if c.Sessions == 0 {
		return nil
	}
	f := r.add(c.Examples...)
	f.Count = c.Sessions
	text := fmt.Sprintf("%d of %d that were read", c.Sessions, p.Looked)
	if more := fmt.Sprintf(format, args...); more != "" {
		text += ": " + more
	}
	f.Detail = text + "."
	return f
}

func checkReach(s *Side, r *report) {
	if s.Sample == nil {
		return
	}
	if p := s.Sample.Problem; p != nil && p.Kind != facts.Unsupported && p.Kind != facts.NotAllowed && p.Kind != facts.Missing { // store-not-listed, store-empty
		f := r.add(s.Sample.Where).saying("%s", sentence(p.Text))
		if p.Kind == facts.TimedOut && s.Sample.Listed > 0 { // it answers, only not fast enough
			f.as(Warning)
		}
		return
	}
	if s.Clocks == nil {
		return
	}
	for _, c := range s.Clocks.Clocks { // what cannot be listed can be asked for its time
		if c.Name == "store" && c.Problem != nil && (c.Problem.Kind == facts.Unreachable || c.Problem.Kind == facts.NoAccess) {
			r.add(s.Sample.Where).saying("%s", sentence(c.Problem.Text))
		}
	}
}

// reasons are why sessions could not be read, the most frequent first: those that have to
// do with keys, or the others.
func reasons(p *facts.Sample, keys bool) string {
	return someOf(slices.DeleteFunc(byCount(p.Reasons), func(says string) bool { return strings.Contains(says, "encrypted") != keys }))
}

// byCount returns the names of a tally, the most frequent first.
func byCount(t facts.Tally) []string {
	var names []string
	for name := range t {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if n := t[b].Sessions - t[a].Sessions; n != 0 {
			return int(n)
		}
		return strings.Compare(a, b)
	})
	return names
}

// someOf names the first few.
func someOf(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// first keeps an example or two.
func first(examples []string) []string { return slices.Clone(examples[:min(len(examples), 2)]) }

func pythons(p *facts.Sample, which string) facts.Count {
	var c facts.Count
	for name, n := range p.Pythons {
		if strings.HasPrefix(name, which) {
			c.Sessions += n.Sessions
			c.Examples = append(c.Examples, n.Examples...)
		}
	}
	slices.Sort(c.Examples)
	return c
}

func checkPeerReads(s *Side, p *facts.Sample, r *report) {
	if s.withoutAES() {
		return
	}
	peer := s.peer()
	var c facts.Count
	var whys []string
	for _, w := range p.Whole {
		if err := peer.Reads(w.Form, s.taken()); err != nil {
			whys = union(whys, []string{err.Error()})
			c.Sessions += w.Sessions
			c.Examples = append(c.Examples, w.Examples...)
		}
	}
	c.Examples = c.Examples[:min(len(c.Examples), facts.MostExamples)]
	name := s.Name
	if s.Go { // which reads everything itself
		name = "the peer of " + name
	}
	f := counted(r, c, p, "%s: %s", name, strings.Join(whys, "; "))
	if f != nil && s.guessedSerializer() { // serializer-guessed says the same in other words
		f.as(Warning)
	}
}

// checkWriters compares the ranges of releases that sessions tell of with the peer.
func checkWriters(s *Side, p *facts.Sample, r *report) {
	peer := s.peer()
	if peer.IsAuto() {
		return
	}
	var c facts.Count
	var names []string
	for _, name := range byCount(p.Beakers) {
		if !inRange(name, peer.Minor, peer.Patch) {
			names = append(names, "Beaker "+name)
			c.Sessions += p.Beakers[name].Sessions
			c.Examples = append(c.Examples, p.Beakers[name].Examples...)
		}
	}
	if other := map[int]string{2: "Python 3", 3: "Python 2"}[peer.Python]; other != "" {
		if n := pythons(p, other); n.Sessions > 0 {
			names = append(names, other)
			c.Sessions = max(c.Sessions, n.Sessions)
			c.Examples = union(c.Examples, n.Examples)
		}
	}
	c.Examples = c.Examples[:min(len(c.Examples), facts.MostExamples)]
	counted(r, c, p, "they are probably of %s, and the peer is %s", someOf(names), peer)
}

// inRange reads what inspect.Range.String wrote: "1.11", "1.8 to 1.10", "up to 1.10",
// "1.12 or later". What it does not understand is in every range.
func inRange(words string, minor, patch int) bool {
	from, to := "", ""
	switch {
	case strings.HasPrefix(words, "up to "):
		to = strings.TrimPrefix(words, "up to ")
	case strings.HasSuffix(words, " or later"):
		from = strings.TrimSuffix(words, " or later")
	default:
		var ok bool
		if from, to, ok = strings.Cut(words, " to "); !ok {
			to = from
		}
	}
	number := func(text string) (minor, patch int, series, ok bool) {
		if n, _ := fmt.Sscanf(text, "1.%d.%d", &minor, &patch); n == 2 {
			return minor, patch, false, true
		}
		n, _ := fmt.Sscanf(text, "1.%d", &minor)
		return minor, 0, true, n == 1
	}
	if m, p, _, ok := number(from); ok && (minor < m || minor == m && patch < p) {
		return false
	}
	if m, p, series, ok := number(to); ok && (minor > m || minor == m && !series && patch > p) {
		return false
	}
	return true
}

func checkJSON(s *Side, p *facts.Sample, r *report) {
	var c facts.Count
	var parts []string
	lost := false
	for _, l := range p.Losses {
		c.Sessions = max(c.Sessions, l.Sessions)
		c.Examples = union(c.Examples, l.Examples)
		what := fmt.Sprintf("%s in %s", clip(l.Type), clip(l.Key))
		if l.Becomes != "" {
			parts = append(parts, what+" becomes "+l.Becomes)
			continue
		}
		lost = true
		parts = append(parts, what)
	}
	c.Examples = c.Examples[:min(len(c.Examples), facts.MostExamples)]
	if f := counted(r, c, p, "%s", someOf(parts)); f != nil && lost && s.options().DataSerializer == "json" {
		f.as(Warning)
	}
}
