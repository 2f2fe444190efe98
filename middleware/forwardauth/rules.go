package forwardauth

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/gobeaker/gobeaker/middleware/internal/match"
)

// compile checks the rules and returns what finds their targets. methods: some rule names
// methods.
func compile(rules []Rule) (t *match.Table[*target], methods bool, err error) {
	matches := make([]match.Match, len(rules))
	entries := make([]match.Entry[*target], len(rules))
	for i, r := range rules {
		fail := func(err error) error { return fmt.Errorf("rule %d: %w", i+1, err) }
		if r.Policy == nil {
			return nil, false, fail(errors.New("it has no policy"))
		}
		m, err := match.Compile(match.Rule{Hosts: r.Hosts, Prefix: cmp.Or(r.Prefix, "/"), Methods: r.Methods})
		if err != nil {
			return nil, false, fail(err)
		}
		for j := range matches[:i] {
			if m.Clashes(&matches[j]) {
				return nil, false, fail(fmt.Errorf("rule %d is for the same host, prefix and method", j+1))
			}
		}
		methods = methods || len(r.Methods) > 0
		matches[i] = m
		entries[i] = match.Entry[*target]{Match: &matches[i], Value: newTarget(r.Policy)}
	}
	return match.NewTable(entries), methods, nil
}

// errUnknownPolicy: the proxy is configured for a policy that is not there.
var errUnknownPolicy = errors.New("no such policy")

// choose returns the policy that the question is about; nil: none is. If that depends on
// how an application reads the path, it is an error.
func (h *handler) choose(q *question) (*target, error) {
	if q.policy != "" {
		t := h.named[q.policy]
		if t == nil {
			return nil, errUnknownPolicy
		}
		return t, nil
	}
	place := match.Question{Host: q.host, Method: q.Method}
	t := h.orFallback(h.rules.Find(&place, q.path.Plain))
	other := func(o *target, found bool) bool { return !same(t, h.orFallback(o, found)) }
	if h.rules.Differs(&place, q.path, other, other) {
		return nil, errors.New("the path can be read in two ways, and they have different policies")
	}
	return t, nil
}

func (h *handler) orFallback(t *target, found bool) *target {
	if !found {
		return h.fallback
	}
	return t
}

// same reports whether two targets are of one policy.
func same(a, b *target) bool {
	return a == b || a != nil && b != nil && a.policy == b.policy
}
