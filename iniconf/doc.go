// Package iniconf reads the ini file of a Python application as the
// application itself reads it, and says what its Beaker settings mean.
//
//	ini text ── parser ── sections ── PasteDeploy ── settings ── Beaker ── compat.Options
//	            parser.go             paste.go                   session.go, coerce.go
//	                                  interpolate.go
//	                                  composite.go, apps.go
//
// A composite (Paste's urlmap and cascade) has the session settings of the applications
// that it joins, if these agree; [Applications] lists what a file defines.
//
// Which settings count is up to whoever makes the session middleware, see [Framework]:
// it is guessed, and a guess that decides something is a warning.
//
// Every value keeps the file and the line that it came from, and every error
// names them. Nothing is written, run or fetched: an egg is where reading ends.
//
// Three dialects: [Python2] is the module ConfigParser of Python 2.7 under
// PasteDeploy 1.5.2, [Python3] is configparser of Python 3.10 and later under
// PasteDeploy 2.0 and later, [Python39] that of Python 3.6 to 3.9, where a
// section header ends at its first bracket. With [Auto] a file is read by
// the Python that LoadOptions.Python says; if that is not known it is Python 3's
// unless only one of the others can read it.
//
// Known differences, all of them errors here and oddities there:
//
//   - a section that leads back to itself is an error, where Python runs out of
//     stack;
//   - use = call:… is an error: reading such a thing is running it;
//   - in Python 2, a conversion without a name ("%s" before "%(x)s") puts the
//     whole section in place of it, secrets and all; here it is an error;
//   - a session.key that is no name of a cookie is an error: Beaker from 1.8 on sends a
//     cookie that no browser sends back;
//   - what Beaker refuses only when a session is first used is refused at once: the
//     bits of a nonce, cookie_expires = 00, an unknown data_serializer;
//   - interpolation has a budget ([Limits]);
//   - a file that is not UTF-8 is an error in the dialects of Python 3; Python goes
//     by its locale.
//
// Errors and warnings never show the value of a setting that may be a key or a
// password.
package iniconf
