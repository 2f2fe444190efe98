// Package middleware puts Beaker sessions into net/http: the session
// middleware for handlers ([Sessions]), what Python frameworks keep in a session
// for forms and messages ([CSRF], [Flash], [WebFlash]), and the gateway that stands
// in front of old and new applications ([Gateway]).
package middleware
