//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore_test

import (
	"context"
	"fmt"
	"os"

	"github.com/gobeaker/gobeaker/beakerfmt/pyvalue"
	"github.com/gobeaker/gobeaker/stores/filestore"
)

// The data_dir of the Python application's ini file is all that the store needs.
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
	ctx, id := context.Background(), "1e4c684fb206494191440c2cc28cbc22"
	greet := func(old pyvalue.Value) (pyvalue.Value, error) {
		session, _ := old.(*pyvalue.Dict) // nil: there is no such session yet
		if session == nil {
			session = pyvalue.NewDict()
		}
		session.SetStr("greeting", pyvalue.Str("hello"))
		return session, nil
	}
	if err := store.Update(ctx, id, greet); err != nil { // under the lock that Python takes
		fmt.Println(err)
		return
	}
	session, err := store.Get(ctx, id)
	if err != nil {
		fmt.Println(err)
		return
	}
	greeting, _ := session.(*pyvalue.Dict).GetStr("greeting")
	fmt.Println(greeting.(pyvalue.Str))
	// Output: hello
}
