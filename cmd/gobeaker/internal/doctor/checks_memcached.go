package doctor

import (
	"net"
	"slices"
	"strings"

	"github.com/gobeaker/gobeaker/compat"
)

func memcachedChecks() []Check {
	return []Check{
		{"memcached-client-unknown", Warning, "Which memcached client Python has is not known",
			"With several servers the client library decides which of them has a session: python-memcached and pylibmc decide differently for most ids, python-memcached up to 1.59 and after it for one in 32768. With memcache_module = auto Beaker up to 1.13 prefers pylibmc; later ones do not know it.",
			"Say it: memcache_module = memcache (or pylibmc), and in the peer: beaker-1.13/python3/python-memcached. Or let doctor ask the application's Python (--python).", func(s *Side, r *report) {
				if len(servers(s.address())) > 1 && s.memcachedClient() == "" {
					r.add(s.at("memcache_module", "url"))
				}
			}, nil},
		{"memcached-servers", Warning, "The list of memcached servers looks wrong",
			"The list is a table: a server that stands twice gets twice as much, and spaces and empty entries become part of a name or a place in the table, for some clients and not for others.",
			"Separate the servers by semicolons alone, each once, each with its port, the same text in all applications.", checkServers, nil},
		{"memcached-names", Info, "memcached servers are named, not numbered",
			"Each machine looks the names up itself. Where one of them gets another address, it has other sessions.",
			"Nothing, if the names mean the same everywhere.", func(s *Side, r *report) {
				list := servers(s.address())
				if s.kind() == "ext:memcached" && len(list) > 1 && slices.ContainsFunc(list, func(h string) bool { return !isLocal(h) && net.ParseIP(hostOf(h)) == nil }) {
					r.add(s.at("url"))
				}
			}, nil},
		{"memcached-zero", Info, "python-memcached up to 1.59 places one key in 32768 otherwise",
			"Keys whose hash is 0 go to the second server with the old client (the only one for Python 2) and to the first one with the new. Who shares with both loses those sessions now and then.",
			"Use the same python-memcached everywhere.", func(s *Side, r *report) {
				if len(servers(s.address())) > 1 && s.memcachedClient() == oldMemcached {
					r.add(s.at("url"))
				}
			}, nil},
	}
}

const oldMemcached = "python-memcached-1.59"

// memcachedClient is the client library, as stores/backend takes it; "" if it is not known
// or this is no memcached.
func (s *Side) memcachedClient() string {
	if s.kind() != "ext:memcached" {
		return "none"
	}
	name := s.Peer.Memcached
	if name == "" && s.Python != nil {
		name = s.Python.Peer.Memcached
	}
	if name == "" {
		switch s.extra("memcache_module") {
		case "pylibmc":
			name = "pylibmc"
		case "memcache":
			name = "python-memcached"
		}
	}
	if name == "python-memcached" && s.peer().Python == 2 {
		name = oldMemcached
	}
	return name
}

func hostOf(server string) string {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return server
	}
	return host
}

func checkServers(s *Side, r *report) {
	if s.kind() != "ext:memcached" {
		return
	}
	list := strings.Split(s.address(), ";")
	for i, server := range list {
		switch trimmed := strings.TrimSpace(server); {
		case trimmed == "" && len(list) > 1:
			r.add(s.at("url")).saying("One of the entries is empty.")
		case trimmed != server:
			r.add(s.at("url")).saying("There are spaces around a server.")
		case strings.Contains(server, ","):
			r.add(s.at("url")).saying("There is a comma in it: Beaker separates servers by semicolons.")
		case slices.Contains(list[:i], server):
			r.add(s.at("url")).saying("A server stands in it twice.")
		}
	}
}

// sameMemcached compares how two sides choose servers; "" if they agree.
func sameMemcached(a, b *Side) (difference string) {
	la, lb := servers(a.address()), servers(b.address())
	ca, cb := a.memcachedClient(), b.memcachedClient()
	many := len(la) > 1
	switch {
	case !slices.Equal(la, lb) && slices.Equal(sortedServers(a.address()), sortedServers(b.address())):
		return "The servers are the same, but not their order, or not how often each stands in the list."
	case !slices.Equal(sortedServers(a.address()), sortedServers(b.address())) && overlap(a, b):
		return "One list has a server that is not in the other."
	case many && ca != "" && cb != "" && ca != cb && (ca == "pylibmc" || cb == "pylibmc"):
		return "One side uses pylibmc, the other python-memcached."
	case many && ca != "" && cb != "" && ca != cb:
		return "python-memcached up to 1.59 on one side and a newer one on the other place one key in 32768 differently."
	case many && ca == "pylibmc" && cb == ca && behaviors(a.options()) != behaviors(b.options()):
		return "pylibmc's behaviors differ."
	}
	return ""
}

// behaviors are pylibmc's, in order.
func behaviors(o *compat.Options) string {
	var out []string
	for name, v := range o.Extra {
		if strings.HasPrefix(name, "behavior.") {
			out = append(out, name+"="+v)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
