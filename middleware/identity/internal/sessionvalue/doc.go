// Package sessionvalue finds values in a session and says what they are to others: true or
// not, text, JSON, or Go values for expressions. The tables are in package identity.
package sessionvalue
