package migrate_test

import (
	"context"
	"fmt"
	"log"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/compat/migrate"
	"github.com/gobeaker/gobeaker/stores/memstore"
	"github.com/gobeaker/gobeaker/stores/tiered"
)

// A fleet moves from Beaker 1.11 to 1.13 and to another store: while some Python
// applications are still on the old store, Go reads and writes both.
func Example() {
	ctx := context.Background()
	manager := func(store *memstore.Store, peer string) *compat.Manager {
		o := compat.Defaults()
		p, err := compat.ParsePeer(peer)
		if err != nil {
			log.Fatal(err)
		}
		o.Type, o.Peer = "memory", p
		m, err := compat.New(o, store, compat.Environment{})
		if err != nil {
			log.Fatal(err)
		}
		return m
	}
	oldStore, newStore := memstore.New(), memstore.New() // or backend.Open
	before, after := manager(oldStore, "beaker-1.11"), manager(newStore, "beaker-1.13")

	// A session of Python, in the old store.
	session := pyvalue.NewDict()
	session.SetStr("_accessed_time", pyvalue.Float(1700000000))
	session.SetStr("user", pyvalue.Str("ada"))
	v, err := before.Encode(session, beakerfmt.Form{})
	if err != nil {
		log.Fatal(err)
	}
	if err := oldStore.Put(ctx, "1e4c684fb206494191440c2cc28cbc22", v); err != nil {
		log.Fatal(err)
	}

	// The store that Go's middleware stands on meanwhile.
	both, err := tiered.New(newStore, oldStore, tiered.Options{
		Read:   tiered.ReadNewest,
		ToNew:  migrate.Form(after, before),
		ToOld:  migrate.Form(before, after),
		Newer:  migrate.Newer(after, before),
		Dead:   migrate.Dead(after, before),
		Report: func(err error) { log.Print(err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := both.Get(ctx, "1e4c684fb206494191440c2cc28cbc22"); err != nil {
		log.Fatal(err)
	}

	// A pass copies what nobody has used meanwhile.
	counts, err := migrate.Run(ctx, migrate.Options{
		From: migrate.Side{Store: oldStore, Manager: before},
		To:   migrate.Side{Store: newStore, Manager: after},
	})
	fmt.Println(counts.Listed, "listed,", counts.Copied, "copied,", counts.Done, "there already,", err)
	// Output: 1 listed, 0 copied, 1 there already, <nil>
}
