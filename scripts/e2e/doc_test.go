// Package e2e has only tests: programs as they are built, each in a process of its own, and
// a person with a browser, or an attacker, before them.
package e2e
