# coding: utf-8
"""Prints what SQLAlchemy's make_url makes of the URLs of a JSON list on stdin.

Each answer is null (refused) or an object; None and '' are both ''.
"""
import json
import sys

import sqlalchemy
from sqlalchemy.engine.url import make_url


def take_apart(text):
    try:
        u = make_url(text)
    except Exception:
        return None
    query = []
    for key, values in dict(u.query or {}).items():
        for value in ([values] if not isinstance(values, (list, tuple)) else values):
            query.append([key, value])
    password = getattr(u, 'password_original', None) or u.password
    return {
        'name': u.drivername, 'user': u.username or '', 'password': '' if password is None else password + '',
        'host': u.host or '', 'port': str(u.port or ''), 'database': u.database or '',
        'query': sorted(query),
    }


urls = json.load(sys.stdin)
json.dump({'version': sqlalchemy.__version__, 'urls': [take_apart(u) for u in urls]}, sys.stdout)
