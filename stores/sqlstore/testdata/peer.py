# coding: utf-8
"""Real Beaker on SQL stores: a JSON request on each line of stdin, an answer on stdout."""
import json
import sys

from beaker.session import Session


class Request(dict):
    pass


def options(request):
    url, table_name = str(request['url']), str(request['table'])
    if request['type'] == 'ext:database':
        return {'url': url, 'table_name': table_name}
    import sqlalchemy
    from beaker.ext.sqla import SqlaNamespaceManager, make_cache_table
    SqlaNamespaceManager._init_dependencies()  # make_cache_table does not
    table = make_cache_table(sqlalchemy.MetaData(), table_name)
    engine = sqlalchemy.create_engine(url)
    table.create(bind=engine, checkfirst=True)
    return {'bind': engine, 'table': table, 'data_dir': str(request['dir'])}  # it does not do without


for line in iter(sys.stdin.readline, ''):
    request = json.loads(line)
    session = Session(Request(), id=str(request['id']), use_cookies=False, type=str(request['type']), **options(request))
    before = dict((k, v) for k, v in session.items() if not k.startswith('_'))
    if request.get('set'):
        session.update(request['set'])
        session.save()
    print(json.dumps({'is_new': session.is_new, 'before': before}))
    sys.stdout.flush()
