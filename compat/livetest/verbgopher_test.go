package livetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/stores"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

// verbClock is the clock of both sides, in seconds.
type verbClock struct{ at float64 }

func (c *verbClock) now() time.Time { return time.UnixMilli(int64(c.at * 1000)) }

// verbGopher is compat's side.
type verbGopher struct {
	*verbSide
	options verbOptions
	peer    compat.Peer
	manager *compat.Manager
	past    verbPast
}

func newVerbGopher(t *testing.T, o verbOptions, peer compat.Peer, dir string, clock *verbClock) *verbGopher {
	t.Helper()
	var store stores.Store
	if o.Type != "cookie" {
		var err error
		store, err = filestore.New(filestore.Options{DataDir: dir})
		require.NoError(t, err)
	}
	options := compat.Defaults()
	options.Type, options.ValidateKey, options.EncryptKey = o.Type, o.ValidateKey, o.EncryptKey
	if o.DataSerializer != "" {
		options.DataSerializer = o.DataSerializer
	}
	if o.CryptoType != "" {
		options.CryptoType = o.CryptoType
	}
	options.Secret, options.CookieDomain, options.CookiePath, options.SameSite = o.Secret, o.CookieDomain, o.CookiePath, o.SameSite
	options.Auto, options.SaveAccessedTime, options.Secure, options.HTTPOnly = o.Auto, o.SaveAccessedTime, o.Secure, o.HTTPOnly
	options.InvalidateCorrupt = false
	if o.Timeout != nil {
		options.Timeout = seconds(*o.Timeout)
	}
	if o.CookieExpires > 0 {
		options.CookieExpires = compat.CookieExpires{Mode: compat.ExpiresAfter, After: seconds(o.CookieExpires)}
	}
	if !o.peerUnknown {
		options.Peer = peer
	}
	// Beaker's behaviour, where compat's own is another.
	options.DeleteRecords, options.TouchInterval, options.AdoptUnknownIDs, options.Write = false, 0, true, compat.WriteReplace
	var seed [32]byte
	manager, err := compat.New(options, store, compat.Environment{Now: clock.now, Random: rand.NewChaCha8(seed)})
	require.NoError(t, err)
	return &verbGopher{options: o, peer: peer, manager: manager}
}

// request runs those verbs that the rules admit, and returns them, too.
func (g *verbGopher) request(cookie string, verbs []verb) (response verbResponse, ran []verb) {
	ctx := context.Background()
	object := g.manager.Open(cookie)
	rules := &verbRules{options: g.options, era: g.peer.Era(), object: object, ran: []verb{}, cookie: cookie != "", past: &g.past}
	fail := func(err error) (verbResponse, []verb) {
		text := err.Error()
		return verbResponse{Error: &text}, rules.ran
	}
	run := func(v verb) error {
		result, err := runVerb(ctx, object, v)
		response.Results = append(response.Results, result)
		return err
	}
	for _, v := range verbs {
		v, err := rules.admit(ctx, v)
		if err == nil {
			err = run(v)
		}
		if err != nil {
			return fail(err)
		}
	}
	for _, v := range rules.end() {
		if err := run(v); err != nil {
			return fail(err)
		}
	}
	if err := object.Persist(ctx); err != nil {
		return fail(err)
	}
	if text, ok := object.SetCookie(); ok {
		response.SetCookie = &text
	}
	if err := object.Close(); err != nil {
		return fail(err)
	}
	return response, rules.ran
}

// runVerb returns a verb's result as encoding/json would decode Python's.
func runVerb(ctx context.Context, object *compat.SessionObject, v verb) (any, error) {
	if v.Name == "persist" {
		return nil, object.Persist(ctx)
	}
	s, err := object.Session(ctx)
	if err != nil {
		return nil, err
	}
	text, _ := v.Value.(string)
	switch v.Name {
	case "set":
		return nil, s.Set(v.Key, v.Value)
	case "append":
		if value, _ := s.Get(v.Key); value != nil {
			if list, ok := value.(*pyvalue.List); ok {
				list.Items = append(list.Items, pyvalue.NewInt(int64(v.Value.(int))))
			}
		}
	case "save":
		s.Save()
	case "delete":
		s.Delete()
	case "invalidate":
		return nil, s.Invalidate()
	case "regenerate_id":
		return nil, s.RegenerateID()
	case "clear":
		s.Clear()
	case "revert":
		return nil, s.Revert()
	case "load":
		return nil, s.Reload(ctx)
	case "set domain":
		return nil, s.SetDomain(text)
	case "set path":
		return nil, s.SetPath(text)
	case "set samesite":
		return nil, s.SetSameSite(text)
	case "set secure":
		s.SetSecure(true)
	case "set httponly":
		s.SetHTTPOnly(true)
	default:
		return askVerb(s, v)
	}
	return nil, nil
}

// askVerb runs the verbs that change nothing.
func askVerb(s *compat.Session, v verb) (any, error) {
	switch v.Name {
	case "get":
		value, _ := s.Get(v.Key)
		return plain(value)
	case "remove":
		return s.Remove(v.Key), nil
	case "domain":
		return s.Domain(), nil
	case "path":
		return s.Path(), nil
	case "is_new":
		return s.IsNew(), nil
	case "was_invalidated":
		return s.WasInvalidated(), nil
	case "created":
		return unixSeconds(s.Created())
	case "last_accessed":
		return unixSeconds(s.LastAccessed())
	case "len":
		return float64(s.Len()), nil
	case "id":
		return s.ID(), nil
	}
	return nil, fmt.Errorf("no verb %q", v.Name)
}

func unixSeconds(t time.Time, ok bool) (any, error) {
	if !ok {
		return nil, nil
	}
	return float64(t.UnixMilli()) / 1000, nil
}

// plain returns a value, one of those that newVerb makes, as JSON has it.
func plain(value pyvalue.Value) (any, error) {
	switch value := value.(type) {
	case nil:
		return nil, nil
	case *pyvalue.Int:
		n, _ := value.Int64()
		return float64(n), nil
	case *pyvalue.List:
		items := []any{}
		for _, item := range value.Items {
			p, err := plain(item)
			if err != nil {
				return nil, err
			}
			items = append(items, p)
		}
		return items, nil
	}
	return nil, fmt.Errorf("a %T was never put in", value)
}
