// Package middleware puts Beaker sessions into net/http: the session
// middleware for handlers ([Sessions]), and the gateway that stands in front of
// old and new applications ([Gateway]).
package middleware
