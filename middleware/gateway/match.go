package gateway

import (
	"net/http"
	"slices"

	"github.com/gobeaker/gobeaker/middleware/forwarded"
	"github.com/gobeaker/gobeaker/middleware/identity"
	"github.com/gobeaker/gobeaker/middleware/internal/match"
)

// group is what takes a request: a route, or several that share by weight.
type group struct {
	match   match.Match
	gateway *Gateway
	routes  []*route
	policy  []*identity.Policy // of the routes, in order
	sticky  string
	handler http.Handler // the group, with sessions if it needs them
}

// table finds the group of a request.
type table struct {
	*match.Table[*group]
	checked bool // some group has a policy
}

func newTable(groups []*group) *table {
	t := &table{}
	entries := make([]match.Entry[*group], len(groups))
	for i, g := range groups {
		entries[i] = match.Entry[*group]{Match: &g.match, Value: g}
		t.checked = t.checked || slices.ContainsFunc(g.policy, func(p *identity.Policy) bool { return p != nil })
	}
	t.Table = match.NewTable(entries)
	return t
}

// ambiguous reports whether there is an application that reads the path of the request
// such that another group than g would have to take it. Of case only those think so that
// have another policy.
func (t *table) ambiguous(q *match.Question, p forwarded.Path, g *group) bool {
	other := func(o *group, found bool) bool { return found && o != g }
	if !t.checked {
		return t.Differs(q, p, other, nil)
	}
	return t.Differs(q, p, other, func(o *group, found bool) bool {
		return other(o, found) && slices.ContainsFunc(o.policy, func(p *identity.Policy) bool {
			return p != nil && !slices.Contains(g.policy, p)
		})
	})
}
