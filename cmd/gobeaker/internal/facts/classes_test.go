package facts

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIsHonest: what honest sessions name is known, and no way through a module of the
// library is.
func TestIsHonest(t *testing.T) {
	for _, name := range strings.Fields(`datetime.datetime datetime.timedelta builtins.set __builtin__.object builtins.ValueError
		exceptions.KeyError copy_reg._reconstructor copyreg.__newobj__ _codecs.encode collections.OrderedDict
		collections.defaultdict http.cookies.Morsel decimal.Decimal uuid.UUID fractions.Fraction zoneinfo.ZoneInfo
		zoneinfo.ZoneInfo._unpickle pathlib.PosixPath pathlib._local.PosixPath time.struct_time`) {
		require.True(t, isHonest(name), name)
		require.False(t, isSuspicious(name), name)
	}
	for _, name := range strings.Fields(`os.system posix.system subprocess.Popen builtins.eval builtins.getattr
		builtins.object.__subclasses__ builtins.object.__class__ random._os.system random._os os.path.join
		datetime.sys datetime.sys.modules datetime.datetime.now uuid.os.system uuid._popen collections._sys.modules
		timeit.timeit cProfile.run profile.run pydoc.pipepager code.interact code.InteractiveInterpreter.runsource
		_posixsubprocess.fork_exec distutils.spawn.spawn doctest.debug_script platform.popen ensurepip._run_pip io.open
		io.FileIO _io.open logging.config.dictConfig zipimport.zipimporter linecache.getline fileinput.input bdb.Bdb.run
		multiprocessing.util.spawnv_passfds asyncio.run ctypes.CDLL xmlrpc.client.ServerProxy runpy.run_path
		importlib.import_module pkgutil.resolve_name webbrowser.open socket.socket shutil.rmtree operator.attrgetter
		functools.reduce types.FunctionType codecs.open pathlib.os.system enum.sys.modules Cookie.SerialCookie
		typing.ForwardRef shop.models.os.system shop.models._subprocess.Popen shop.Cart.__init__.__globals__
		calendar.sys.exit random._os.PathLike`) {
		require.True(t, isSuspicious(name), name)
		require.False(t, isHonest(name), name)
	}
	for _, name := range []string{
		"", "x", "shop.Cart", "shop.models.Cart.Item", "subprocessing.Popen", "code.models.User", "shop.code.User", "__main__.Cart",
		"user.User", "profile.Profile", "shop.views.index",
	} {
		require.False(t, isHonest(name), name)
		require.False(t, isSuspicious(name), name)
	}
}
