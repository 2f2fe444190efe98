// Package middleware puts Beaker sessions into net/http: the session
// middleware for handlers ([Sessions]), what Python frameworks keep in a session
// for forms and messages ([CSRF], [Flash], [WebFlash]). The packages below it stand in
// front of old and new applications: [gateway], [forwardauth] and [sessionapi].
//
// [gateway]: https://pkg.go.dev/github.com/gobeaker/gobeaker/middleware/gateway
// [forwardauth]: https://pkg.go.dev/github.com/gobeaker/gobeaker/middleware/forwardauth
// [sessionapi]: https://pkg.go.dev/github.com/gobeaker/gobeaker/middleware/sessionapi
package middleware
