package facts

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// honestNames are the functions and classes of Python's standard library, 2 and 3, that
// honest pickles name. Only a whole name counts: through random._os there is all of os.
var honestNames = words(`datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone datetime.tzinfo
	copy_reg._reconstructor copyreg._reconstructor copyreg.__newobj__ copyreg.__newobj_ex__ copy_reg.__newobj__
	_codecs.encode array.array array._array_reconstructor re._compile re.compile time.struct_time types.SimpleNamespace
	types.MappingProxyType zoneinfo.ZoneInfo zoneinfo.ZoneInfo._unpickle string.Template functools.partial
	operator.itemgetter itertools.count itertools.cycle itertools.repeat itertools.chain itertools.islice random.Random
	collections.abc.Mapping sets.Set sets.ImmutableSet UserDict.UserDict UserDict.IterableUserDict UserList.UserList
	UserString.UserString Cookie.SimpleCookie Cookie.BaseCookie Cookie.Morsel http.cookies.SimpleCookie
	http.cookies.BaseCookie http.cookies.Morsel email.message.Message email.message.EmailMessage
	urllib.parse.ParseResult urllib.parse.SplitResult urlparse.ParseResult urlparse.SplitResult xmlrpc.client.DateTime
	xmlrpc.client.Binary xmlrpclib.DateTime xmlrpclib.Binary xmlrpclib.Boolean`)

// honestBuiltins are those of the module builtins, or __builtin__; its exceptions are
// honest as well.
var honestBuiltins = words(`object set frozenset dict list tuple bytes bytearray str int float complex bool range slice long
	unicode basestring xrange buffer memoryview type property classmethod staticmethod super iter reversed enumerate zip
	Ellipsis NotImplemented None True False StopIteration StopAsyncIteration GeneratorExit KeyboardInterrupt SystemExit
	ExceptionGroup BaseExceptionGroup`)

// valueModules have nothing but values in their classes; their functions and what they
// import are another matter.
var valueModules = words(`datetime decimal _decimal _pydecimal uuid collections _collections fractions ipaddress enum numbers
	statistics calendar pathlib pathlib._local`)

// standardPackages are the packages of the standard libraries of Python 2.7 to 3.13, and
// standardModules the modules that are none.
var standardPackages = words(`_pyrepl asyncio bsddb collections compiler concurrent ctypes curses dbm distutils email encodings ensurepip
	hotshot html http importlib json logging multiprocessing pathlib re sqlite3 sysconfig tkinter tomllib unittest
	urllib venv wsgiref xml xmlrpc zipfile zoneinfo idlelib lib2to3`)

var standardModules = words(`BaseHTTPServer Bastion CGIHTTPServer ConfigParser Cookie DocXMLRPCServer HTMLParser MimeWriter Queue
	SimpleHTTPServer SimpleXMLRPCServer SocketServer StringIO UserDict UserList UserString _LWPCookieJar
	_MozillaCookieJar __future__ _abc _abcoll _aix_support _android_support _ast _asyncio _bisect _blake2
	_bootlocale _bootsubprocess _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr
	_codecs_tw _collections _collections_abc _colorize _compat_pickle _compression _contextvars _crypt _csv
	_ctypes _ctypes_test _curses _curses_panel _datetime _dbm _decimal _dummy_thread _elementtree
	_frozen_importlib _frozen_importlib_external _functools _gdbm _hashlib _heapq _hotshot _imp _interpchannels
	_interpqueues _interpreters _io _ios_support _json _locale _lsprof _lzma _markupbase _md5 _msi _multibytecodec
	_multiprocessing _opcode _opcode_metadata _operator _osx_support _overlapped _peg_parser _pickle _posixshmem
	_posixsubprocess _py_abc _pydatetime _pydecimal _pyio _pylong _queue _random _scproxy _sha _sha1 _sha2 _sha256
	_sha3 _sha512 _signal _sitebuiltins _socket _sqlite3 _sre _ssl _stat _statistics _string _strptime _struct
	_suggestions _symtable _sysconfig _thread _threading_local _tkinter _tokenize _tracemalloc _typing _uuid
	_warnings _weakref _weakrefset _winapi _wmi _zoneinfo abc aifc anydbm argparse array ast asynchat asyncore
	atexit audiodev audioop base64 bdb binascii binhex bisect bz2 cPickle cProfile cStringIO calendar cgi cgitb
	chunk cmath cmd code codecs codeop colorsys commands compileall configparser contextlib contextvars cookielib
	copy copy_reg copyreg crypt csv dataclasses datetime dbhash decimal difflib dircache dis doctest dumbdbm
	dummy_thread dummy_threading enum errno exceptions faulthandler fcntl filecmp fileinput fnmatch formatter
	fpformat fractions ftplib functools future_builtins gc genericpath getopt getpass gettext glob graphlib grp
	gzip hashlib heapq hmac htmlentitydefs htmllib httplib ihooks imaplib imghdr imp imputil inspect io ipaddress
	itertools keyword linecache linuxaudiodev locale lzma macpath macurl2path mailbox mailcap markupbase marshal
	math md5 mhlib mimetools mimetypes mimify mmap modulefinder msilib msvcrt multifile mutex netrc new nis
	nntplib nt ntpath nturl2path numbers opcode operator optparse os os2emxpath ossaudiodev parser pdb pickle
	pickletools pipes pkgutil platform plistlib popen2 poplib posix posixfile posixpath pprint profile pstats pty
	pwd py_compile pyclbr pydoc pyexpat queue quopri random readline repr reprlib resource rexec rfc822
	rlcompleter robotparser runpy sched secrets select selectors sets sgmllib sha shelve shlex shutil signal smtpd
	smtplib sndhdr socket socketserver spwd sre sre_compile sre_constants sre_parse ssl stat statistics statvfs
	string stringold stringprep strop struct subprocess sunau sunaudio symbol symtable sys syslog tabnanny tarfile
	telnetlib tempfile termios textwrap thread threading time timeit toaiff token tokenize trace traceback
	tracemalloc tty turtle types typing unicodedata urllib2 urlparse user uu uuid warnings wave weakref webbrowser
	whichdb winreg winsound xdrlib xmllib xmlrpclib zipapp zipimport zlib site sitecustomize antigravity`)

// commonNames are among standardModules what an application may well call a module of
// its own.
var commonNames = words(`user profile token formatter parser symbol queue new`)

// reach are the modules that no path through a module of an application should lead to.
var reach = words(`os posix nt sys subprocess commands popen2 socket shutil importlib imp ctypes pty runpy pickle cPickle marshal
	builtins builtin codeop multiprocessing posixsubprocess`)

func words(text string) map[string]bool {
	all := map[string]bool{}
	for _, word := range strings.Fields(text) {
		all[word] = true
	}
	return all
}

// isHonest reports whether a class or function, "datetime.datetime", is one of Python's
// own that sessions may well have.
func isHonest(name string) bool {
	if honestNames[name] {
		return true
	}
	module, last := parent(name), name[strings.LastIndexByte(name, '.')+1:]
	switch module {
	case "builtins", "__builtin__":
		return honestBuiltins[last] || isException(last)
	case "exceptions":
		return isException(last) || honestBuiltins[last]
	case "datetime":
		return isClass(last) || honestNames["datetime."+last]
	case "collections", "_collections":
		return isClass(last) || last == "deque" || last == "defaultdict"
	}
	return valueModules[module] && isClass(last)
}

// isSuspicious reports whether a pickle that names this was probably made to do harm. Of
// the standard library that is whatever isHonest does not know: nearly every module of it
// imports os or sys, and find_class of protocol 4 follows dots (pickle.py, _getattribute).
// Applications may have modules that are called like those of the library, below a
// package or instead of it.
func isSuspicious(name string) bool {
	if isHonest(name) {
		return false
	}
	parts := strings.Split(name, ".")
	for _, part := range parts[1:] {
		if isReserved(part) || reach[strings.Trim(part, "_")] {
			return true
		}
	}
	first, more := parts[0], parts[1:]
	switch {
	case len(more) == 0:
		return false
	case first == "builtins" || first == "__builtin__" || standardPackages[first]:
		return true
	case !standardModules[first]:
		return false
	case len(more) == 1:
		return !commonNames[first] || !isClass(more[0])
	}
	// code.models.User is an application's; random._os.system is not.
	below := more[0]
	return !isClass(more[len(more)-1]) || isClass(below) || strings.HasPrefix(below, "_") ||
		standardModules[below] || standardPackages[below]
}

// isException goes by the names that exceptions have in Python.
func isException(name string) bool {
	return isClass(name) && (strings.HasSuffix(name, "Error") || strings.HasSuffix(name, "Exception") || strings.HasSuffix(name, "Warning"))
}

// isClass reports whether a name looks like one of a class.
func isClass(name string) bool {
	r, _ := utf8.DecodeRuneInString(name)
	return unicode.IsUpper(r)
}

// isReserved: __class__, __globals__, and the like lead from any object to any other.
func isReserved(name string) bool {
	return len(name) > 4 && strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__")
}

// parent is what stands before the last dot.
func parent(name string) string { return name[:max(strings.LastIndexByte(name, '.'), 0)] }
