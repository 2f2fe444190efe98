"""Options of Beaker as a Python application makes them.

made(options) takes a dict of JSON. It gives text the type that an ini has it in, and
puts objects in place of the names of what no ini can hold:

    dbmmodule       the module of that name
    bind, table     of ext:sqla: an engine for that URL, and a table of that name,
                    which is made if it is not there
"""
import importlib
import sys

PY2 = sys.version_info[0] == 2


def native(value):
    """JSON's text as the str of this Python, as an ini has it."""
    if PY2 and isinstance(value, unicode):  # noqa: F821
        return value.encode("utf-8")
    return value


def made(options):
    options = dict((native(name), native(value)) for name, value in options.items())
    if "dbmmodule" in options:
        options["dbmmodule"] = importlib.import_module(options["dbmmodule"])
    if options.get("type") == "ext:sqla":
        options["bind"], options["table"] = engine_and_table(options["bind"], options["table"])
    return options


def engine_and_table(url, name):
    import sqlalchemy
    from beaker.ext import sqla

    engine = sqlalchemy.create_engine(url)
    sqla.SqlaNamespaceManager._init_dependencies()
    table = sqla.make_cache_table(sqlalchemy.MetaData(), name)
    try:
        table.create(engine, checkfirst=True)
    except sqlalchemy.exc.DBAPIError:  # another process makes it at this moment
        table.create(engine, checkfirst=True)
    return engine, table
