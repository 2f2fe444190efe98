package tomlconf_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gobeaker/gobeaker/iniconf/tomlconf"
)

// A service takes its session options from the ini of the Python application, with
// what is to differ, and the secret, beside it.
func ExampleLoad() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{
		"production.ini": "[app:main]\nuse = egg:Shop\nbeaker.session.key = shop\nbeaker.session.data_dir = /var/lib/shop\nbeaker.session.timeout = 3600\n",
		"session.secret": "a long random text\n",
		"gobeaker.toml":  "[session]\nini = 'production.ini#main'\nsecret_file = 'session.secret'\npeer = 'beaker-1.11/python2'\ntimeout = 600\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			panic(err)
		}
	}

	e, err := tomlconf.Load(filepath.Join(dir, "gobeaker.toml"), tomlconf.Environment{Getenv: os.Getenv})
	if err != nil {
		panic(err)
	}
	fmt.Println("key", e.Options.Key, "timeout", e.Options.Timeout)
	for _, name := range []string{"key", "timeout", "secret"} {
		fmt.Println(name, "comes from", filepath.Base(e.Origins[name].String()))
	}
	for _, file := range e.Files {
		fmt.Println("watch", filepath.Base(file))
	}
	// Output:
	// key shop timeout 10m0s
	// key comes from production.ini:3
	// timeout comes from gobeaker.toml:5
	// secret comes from session.secret
	// watch gobeaker.toml
	// watch production.ini
	// watch session.secret
}
