// Package livetest runs the endpoints of package forwardauth behind real proxies: nginx
// and caddy with the configurations of docs/examples/forward-auth, and stand-ins, made of
// their rules, for Traefik and Envoy, which few systems have a package of. Behind them
// stands a service in JavaScript that knows nothing but headers; the sessions are those of
// a Python application under Beaker. docs/forward-auth.md shows what curl sees; that is
// tried, too.
package livetest
