package server

import "github.com/gobeaker/gobeaker/iniconf"

// Effective is what a server with this configuration goes by.
func (c *Config) Effective(getenv func(string) string) (*iniconf.Effective, error) {
	return c.effective(getenv)
}

// What the clock of a reload is asked for.
const (
	HangupPause = hangupPause
	ReadTime    = readTime
	PingTime    = pingTime
)
