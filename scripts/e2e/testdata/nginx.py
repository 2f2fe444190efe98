"""A person at a service in JavaScript behind nginx, which asks gobeaker who may come in.

The service is at app.example.org; the Python application, where one logs in, at
login.example.org. Their cookie is that of the domain.
"""
import sys

import person


def asked_to_log_in(p):
    p.nobody("Python")
    assert p.page.url.startswith(p.settings["python"] + "/login?came_from="), p.page.url


def log_in(p, name="Ann"):
    p.go("/")
    asked_to_log_in(p)
    p.log_in(name)
    p.shows("JavaScript", name, 0, "-")
    p.stays_at("/")


def python(p):
    p.page.goto(p.settings["python"])


def flow_reads_and_writes(p):
    """log in to Python, change the session in JavaScript, find it in Python, and back"""
    log_in(p)
    p.leave_note("<i>déjà vu</i> & \U0001f600")
    p.shows("JavaScript", "Ann", 0, "<i>déjà vu</i> & \U0001f600")
    p.count()
    p.shows("JavaScript", "Ann", 1, "<i>déjà vu</i> & \U0001f600")
    python(p)
    p.shows("Python", "Ann", 1, "<i>déjà vu</i> & \U0001f600")
    p.count()
    p.shows("Python", "Ann", 2, "<i>déjà vu</i> & \U0001f600")
    p.leave_note("from Python")
    p.shows("Python", "Ann", 2, "from Python")
    p.go("/")
    p.shows("JavaScript", "Ann", 2, "from Python")


def flow_logged_out_by_javascript(p):
    """log out by the API, and Python knows nobody"""
    log_in(p)
    p.log_out()
    asked_to_log_in(p)
    python(p)
    p.nobody("Python")


def flow_logged_out_by_python(p):
    """log out in Python, and nginx asks for a login, also those who kept the cookie"""
    log_in(p)
    thief = p.another()
    thief.context.add_cookies(p.context.cookies())
    python(p)
    p.log_out()
    p.nobody("Python")
    p.go("/")
    asked_to_log_in(p)
    thief.go("/")
    asked_to_log_in(thief)


def flow_who_may_not(p):
    """a page for staff alone is a 403 for others, and a script without a session gets 401"""
    p.allow(403)
    p.allow(401)
    p.go("/public/")
    p.at("JavaScript")
    assert p.page.evaluate("fetch('/').then(async r => [r.status, r.redirected, (await r.text()) !== ''])") == [401, False, True]
    log_in(p)
    assert p.page.goto(p.settings["url"] + "/staff/").status == 403
    p.go("/")
    p.shows("JavaScript", "Ann", 0, "-")


def flow_expired(p):
    """an hour after the last use nginx asks for a login"""
    log_in(p)
    p.have("expire", p.session_cookie())
    p.go("/")
    asked_to_log_in(p)


def flow_outage(p):
    """while the store is down there is a 503, and nobody is logged out by it"""
    log_in(p)
    p.count()
    p.shows("JavaScript", "Ann", 1, "-")
    before = p.session_cookie()
    p.have("store down")
    try:
        p.allow(503)
        answer = p.page.goto(p.settings["url"])
        assert answer.status == 503, answer.status
        assert "set-cookie" not in answer.headers, answer.headers
        p.stays_at("/")
    finally:
        p.have("store up")
    assert p.session_cookie() == before, "the cookie should be as it was"
    p.go("/")
    p.shows("JavaScript", "Ann", 1, "-")


person.main(sys.modules[__name__])
