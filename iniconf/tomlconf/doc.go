// Package tomlconf reads the [session] table of a gobeaker.toml: Beaker's options
// under Beaker's names, the ini file that they may start from, and where secrets
// may be had.
//
//	[session]
//	ini = "production.ini#main"     # the base: what the Python application reads
//	secret_file = "session.secret"  # what is to differ stands beside it
//	timeout = 3600
//
// [Load] is for programs; [Decode] with a [Session] somewhere in the struct is for
// those that have more tables in the file, as gobeaker serve does.
//
// Which options there are, their types and what they accept is in one place,
// [iniconf.OptionInfos]; this package only adds the keys of [Session]. Errors name
// the file and the line, and never show the value of what may be a secret.
package tomlconf
