package gateway

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/middleware/forwarded"
)

// checkShares checks the weights of routes of the same match. It returns the first route
// that is wrong.
func checkShares(routes []*route) (*route, error) {
	var sum float64
	for i, r := range routes {
		switch w := r.conf.Weight; {
		case w == nil && len(routes) == 1:
			return nil, nil
		case w == nil:
			if i == 0 && routes[1].conf.Weight == nil {
				r = routes[1] // the one too many
			}
			return r, errors.New("there are two routes of this match: give all of them a weight, or another host, prefix, method or header")
		case !(*w >= 0) || math.IsInf(*w, 0):
			return r, errors.New("a weight is a number from 0 on")
		case r.conf.Sticky != routes[0].conf.Sticky:
			return r, errors.New("routes that share have the same sticky")
		default:
			sum += *w
		}
		if slices.ContainsFunc(routes[:i], func(o *route) bool { return o.name == r.name }) {
			return r, errors.New("two routes that share have the same name")
		}
	}
	if sum == 0 || math.IsInf(sum, 0) {
		return routes[0], errors.New("one of the routes that share must have a weight above 0")
	}
	return nil, nil
}

// choose returns the route of the visitor. The error is that of the session by which the
// visitor would be known.
func (g *group) choose(r *http.Request, o *forwarded.Origin) (*route, error) {
	if len(g.routes) == 1 {
		return g.routes[0], nil
	}
	visitor, err := g.visitor(r, o)
	if err != nil {
		return nil, err
	}
	return share(g.routes, visitor), nil
}

// share returns the route of a visitor by weighted rendezvous hashing: every route draws a
// lot for every visitor, and its weight only stretches it. So a route that gains weight
// takes visitors over and loses none, and the others keep who they have among themselves.
// The lots do not leave this function.
func share(routes []*route, visitor uint64) (best *route) {
	highest := -1.0
	for _, r := range routes {
		if *r.conf.Weight == 0 {
			continue
		}
		lot := (float64(mix(visitor^r.seed)>>11) + 0.5) / (1 << 53) // between 0 and 1
		if score := *r.conf.Weight / -math.Log(lot); score > highest {
			best, highest = r, score
		}
	}
	return best
}

// number returns a number for a text: the same in every process, and one that says nothing
// of the text.
func number(s string) uint64 {
	sum := sha256.Sum256([]byte(s))
	return binary.BigEndian.Uint64(sum[:])
}

// mix spreads a number evenly over all of its bits (the finalizer of splitmix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// visitor returns a number for who sent the request: by a value of the session, by its id,
// or by the address. Somebody of whom nothing is known is somebody else each time.
func (g *group) visitor(r *http.Request, o *forwarded.Origin) (uint64, error) {
	session, err := middleware.Object(r)
	if err != nil {
		return 0, err
	}
	if id, ok := session.ID(); ok {
		if g.sticky == "" {
			return number(id), nil
		}
		v, err := session.Peek(r.Context())
		if err != nil {
			return 0, err
		}
		if value, ok := v.Get(g.sticky); ok {
			if text, ok := stickyText(value); ok {
				return number(text), nil
			}
		}
		return number(id), nil
	}
	if !o.Client.IsValid() {
		return mix(g.gateway.strangers.Add(1)), nil
	}
	return number(forwarded.Customer(o.Client).String()), nil
}

// stickyText returns the text of a value that names a visitor.
func stickyText(v pyvalue.Value) (string, bool) {
	switch v := v.(type) {
	case pyvalue.Str:
		return string(v), v != ""
	case pyvalue.Py2Str:
		return string(v), v != ""
	case pyvalue.Bytes:
		return string(v), v != ""
	case *pyvalue.Int:
		if n, ok := v.Int64(); ok {
			return strconv.FormatInt(n, 10), true
		}
		return v.String(), true
	}
	return "", false
}
