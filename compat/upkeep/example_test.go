//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package upkeep_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/compat/upkeep"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

// A service removes what has expired beside the Python application, once a day say.
func Example() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	store, err := filestore.New(filestore.Options{DataDir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	abandoned := pyvalue.NewDict()
	abandoned.SetStr("_accessed_time", pyvalue.Float(1700000000.25))
	abandoned.SetStr("user", pyvalue.Str("somebody"))
	if err := store.Put(context.Background(), "1e4c684fb206494191440c2cc28cbc22", abandoned); err != nil {
		fmt.Println(err)
		return
	}

	options := compat.Defaults() // or those of the application's ini, by package iniconf
	options.Timeout = 30 * 24 * time.Hour
	manager, err := compat.New(options, store, compat.Environment{})
	if err != nil {
		fmt.Println(err)
		return
	}
	collector, err := upkeep.New(manager, store, upkeep.Options{
		All:   true, // although the file is new
		Sweep: &filestore.SweepOptions{},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := collector.Run(context.Background())
	fmt.Println(result.Expired, err)
	// Output: 1 <nil>
}
