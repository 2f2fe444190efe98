// Package iniconf reads the ini file of a Python application as the
// application itself reads it, and says what its Beaker settings mean.
//
//	ini text ── parser ── sections ── PasteDeploy ── settings ── Beaker ── compat.Options
//	            parser.go             paste.go                   session.go, coerce.go
//	                                  interpolate.go
//
// Every value keeps the file and the line that it came from, and every error
// names them. Nothing is written, run or fetched: an egg is where reading ends.
//
// Two Pythons, two dialects: [Python2] is the module ConfigParser of Python 2.7
// under PasteDeploy 1.5.2, [Python3] is configparser of Python 3.10 and later
// under PasteDeploy 2.1.1 and later. With [Auto] a file is Python 3's unless only
// Python 2 can read it.
//
// Known differences, all of them errors here and oddities there:
//
//   - a section that leads back to itself is an error, where Python runs out of
//     stack;
//   - in Python 2, a conversion without a name ("%s" beside "%(x)s") puts the
//     whole section in place of it; here it is an error;
//   - interpolation has a budget ([Limits]);
//   - a file that is not UTF-8 is an error in the Python3 dialect; Python goes
//     by its locale.
//
// Errors and warnings never show the value of a setting that may be a key or a
// password.
package iniconf
