package server

// What the clock of a reload is asked for.
const (
	HangupPause = hangupPause
	ReadTime    = readTime
	PingTime    = pingTime
)
