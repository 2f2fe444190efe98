package compat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gobeaker/gobeaker/beakerfmt"
	"github.com/gobeaker/gobeaker/compat"
)

// A cookie-only session can outgrow its cookie. A handler that persists it itself,
// before it answers, can do something about that.
func ExampleSession_Persist_tooLong() {
	options := compat.Defaults()
	options.Type, options.ValidateKey = "cookie", "a long random text"
	manager, err := compat.New(options, nil, compat.Environment{})
	if err != nil {
		panic(err)
	}
	object := manager.Open("") // the request's Cookie header
	session, err := object.Session(context.Background())
	if err != nil {
		panic(err)
	}
	_ = session.Set("user", "ann")
	_ = session.Set("last searches", strings.Repeat("gobeaker ", 500))
	session.Save()

	var tooLong *beakerfmt.CookieTooLongError
	if err := session.Persist(context.Background()); errors.As(err, &tooLong) {
		fmt.Printf("%d bytes are too many, because of %s\n", tooLong.Size, tooLong.Largest[0].Key)
		session.Remove(tooLong.Largest[0].Key)
		err = session.Persist(context.Background())
		fmt.Println(err)
	}
	_, ok := object.SetCookie()
	fmt.Println(ok)
	// Output:
	// 6268 bytes are too many, because of last searches
	// <nil>
	// true
}
