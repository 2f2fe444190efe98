package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// gatewayPart measures the gateway beside the bare proxy.
func (b *bench) gatewayPart() error {
	title("The gateway, one identity header")
	wanted, err := regexp.Compile(b.match)
	if err != nil {
		return err
	}
	redis := ""
	if _, err := exec.LookPath("redis-server"); err != nil {
		fmt.Println("left out: Redis: redis-server is not installed")
	} else {
		p, url, err := startRedis(b.others, b.dir)
		if err != nil {
			return err
		}
		b.keep(p)
		redis = url
	}
	kinds, err := keepers(b.dir, redis, b.howMany(200))
	if err != nil {
		return err
	}
	origin, err := b.startOrigin(kinds[kindFile])
	if err != nil {
		return err
	}
	bare, told, err := b.subjects.startTold(b.dir, "bare", 1, b.self, "-part", partBare, "http://"+origin)
	if err != nil {
		return err
	}
	b.keep(bare)
	_, address, _ := strings.Cut(strings.TrimSuffix(told[0], "/"), "://")
	// A cookie that is a session is longer, for the bare proxy, too.
	floor := func(name, kind string) *subject {
		return &subject{name: name, process: bare, target: target{address: address, status: 200, requests: b.visits(kinds, kind)}}
	}
	ofCookies := floor("bare ReverseProxy, cookie-only", kindCookie)
	subjects := []*subject{floor("bare ReverseProxy", kindFile), ofCookies}
	for _, v := range []variant{
		{name: "gateway, no sessions", kind: kindFile, open: true},
		{name: "identity, files", kind: kindFile},
		{name: "identity, files, cache_time 1s", kind: kindFile, cache: true},
		{name: "identity, Redis", kind: kindRedis},
		{name: "identity, Redis, cache_time 1s", kind: kindRedis, cache: true},
		{name: "identity, cookie-only", kind: kindCookie},
		{name: "identity, cookie-only, cache_time 1s", kind: kindCookie, cache: true},
		{name: "identity, files, access log", kind: kindFile, log: true},
	} {
		k := kinds[v.kind]
		if k == nil || !wanted.MatchString(v.name) {
			continue
		}
		s, err := b.startVariant(v, k, origin, b.visits(kinds, v.kind))
		if err != nil {
			return err
		}
		if v.kind == kindCookie {
			s.floor = ofCookies
		}
		subjects = append(subjects, s)
	}
	if err := b.measure(subjects); err != nil {
		return err
	}
	report(subjects)
	return nil
}

// variant is a way to configure the gateway.
type variant struct {
	name, kind       string
	open, cache, log bool
}

func (v variant) config(b *bench, k *kept, origin string) (text string, places int) {
	var c strings.Builder
	fmt.Fprintf(&c, "listen = \"127.0.0.1:0\"\n[log]\naccess = %t\n[[route]]\nprefix = \"/\"\nupstream = \"http://%s\"\n", v.log, origin)
	if !v.open {
		fmt.Fprintf(&c, "require = [\"user_id\"]\n[route.headers]\n%s = \"username\"\n[session]\n%s", userHeader, k.toml)
		if v.cache {
			c.WriteString("cache_time = \"1s\"\n")
		}
	}
	places = 1
	if b.pprof || b.soak > 0 {
		places = 2
		fmt.Fprintf(&c, "[admin]\nlisten = \"127.0.0.1:0\"\npprof = %t\n", b.pprof)
	}
	return c.String(), places
}

// visits are requests for a page by visitors with sessions of a kind. With the Python
// application behind they have sessions in files there, too, whatever the gateway looks at.
func (b *bench) visits(kinds map[string]*kept, kind string) [][]byte {
	cookies := kinds[kind].cookies
	if b.behind == "python" {
		cookies = slices.Clone(cookies)
		for i, c := range kinds[kindFile].cookies {
			_, value, _ := strings.Cut(c, "=")
			cookies[i] += "; " + applicationKey + "=" + value
		}
	}
	return requests("/shop/cart?item=1", cookies)
}

// startVariant starts a gateway, and looks whether it does what is measured.
func (b *bench) startVariant(v variant, k *kept, origin string, visits [][]byte) (*subject, error) {
	config, places := v.config(b, k, origin)
	p, at, err := b.startGobeaker(v.name, config, places)
	if err != nil {
		return nil, err
	}
	if b.pprof {
		fmt.Printf("%s: http://%s/debug/pprof/\n", v.name, at["admin"])
	}
	for _, cookie := range []string{k.cookies[0], "none=1"} {
		status, text, err := seen("http://"+at["serving"]+seenPath, cookie)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		told := strings.Contains(text, userHeader+": "+userName)
		known := cookie == k.cookies[0] && !v.open
		if told != known || status != 200 && (known || v.open) || status != 401 && !known && !v.open {
			return nil, fmt.Errorf("%s: it does not do what is to be measured: %d %s", v.name, status, text)
		}
	}
	return &subject{name: v.name, process: p, target: target{
		address: at["serving"], status: 200, requests: visits,
	}}, nil
}
