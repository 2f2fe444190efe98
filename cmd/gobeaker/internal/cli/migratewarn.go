package cli

import (
	"fmt"
	"slices"
)

// warnOfCookies: sessions that no cookie leads to any more are as good as lost. Only of two
// configurations it is known what the applications have.
func (m *migration) warnOfCookies() {
	if m.o.fromFile == "" || m.o.toFile == "" {
		return
	}
	from, to := &m.from.options, &m.to.options
	if from.Secret != to.Secret && !slices.Contains(to.OldSecrets, from.Secret) {
		fmt.Fprintln(m.env.Stderr, "gobeaker: migrate: warning: the secret of --to is not that of --from, nor is that among its old_secrets: with the cookies that the browsers have nobody will be logged in any more")
	}
	if from.Key != to.Key {
		fmt.Fprintf(m.env.Stderr, "gobeaker: migrate: warning: the cookie (key) is called %q at --from and %q at --to: the browsers have the former, so nobody will be logged in any more\n", from.Key, to.Key)
	}
}

// warnOfNothing: a misspelt place has no sessions.
func (m *migration) warnOfNothing(out *migrated, err error) {
	counts := out.Copied
	if counts == nil {
		counts = out.Verified
	}
	if err == nil && m.resumed == nil && counts != nil && counts.Listed == 0 {
		fmt.Fprintf(m.env.Stderr, "gobeaker: migrate: warning: the source has no sessions: is %s right?\n", m.from.where)
	}
}
