// Command orders is a Go service that shares the sessions of a Python application. It
// stands in the place of yours: the pages of this documentation start it.
//
//	GET  /orders   the orders of who is logged in
//	POST /orders   one more, and a message that TurboGears shows
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/gobeaker/gobeaker/compat"
	"github.com/gobeaker/gobeaker/iniconf"
	"github.com/gobeaker/gobeaker/middleware"
	"github.com/gobeaker/gobeaker/stores/backend"
)

func main() {
	log.SetFlags(0)
	ini := flag.String("ini", "production.ini", "the ini `file` of the Python application")
	peer := flag.String("peer", "auto", "the `Beaker` that it has, as in beaker-1.11/python2 or pylons-1.0")
	listen := flag.String("listen", "127.0.0.1:9000", "`address`")
	flag.Parse()

	sessions, err := open(*ini, *peer)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: *listen, Handler: sessions.Wrap(http.HandlerFunc(orders)), ReadHeaderTimeout: 10 * time.Second}
	fmt.Printf("orders: http://%s/\n", *listen)
	log.Fatal(server.ListenAndServe())
}

// open makes the sessions of the Python application's own ini: the same cookie, the same
// keys, the same store.
func open(ini, peer string) (*middleware.Sessions, error) {
	beaker, err := compat.ParsePeer(peer)
	if err != nil {
		return nil, err
	}
	config, err := iniconf.Load(ini, iniconf.LoadOptions{LookupEnv: os.LookupEnv, Beaker: beaker.Release(), Python: beaker.Python})
	if err != nil {
		return nil, err
	}
	options, warnings, err := config.Session()
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		log.Print(w)
	}
	options.Peer = beaker
	store, err := backend.Open(options)
	if err != nil {
		return nil, err
	}
	manager, err := compat.New(options, store, compat.Environment{})
	if err != nil {
		return nil, err
	}
	return middleware.NewSessions(manager, middleware.SessionsOptions{}), nil
}

func orders(w http.ResponseWriter, r *http.Request) {
	session, err := middleware.Session(r)
	if err != nil { // the store is down, which is not the same as "logged out"
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	user, ok := compat.Get[string](session, "user_id")
	if !ok {
		http.Error(w, "log in first", http.StatusUnauthorized)
		return
	}
	count, _ := compat.Get[int](session, "orders")
	if r.Method == http.MethodPost {
		count++
		if err := session.Set("orders", count); err != nil {
			http.Error(w, "the session cannot hold that", http.StatusInternalServerError)
			return
		}
		session.Save() // written before the first byte of the response
		if err := middleware.TurboGearsFlash().Push(w, middleware.FlashMessage{Text: "Ordered.", Category: "ok"}); err != nil {
			log.Print(err)
		}
	}
	fmt.Fprintf(w, "Go: %d orders of %s\n", count, user)
}
