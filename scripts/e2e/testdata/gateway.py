"""A person goes through a site that is on its way from Python to Go.

Behind one address are a Python application (/), a Go service that shares its sessions
(/go/), a Go service that is only told who the visitor is (/orders/), and a page that both
Python and Go have (/page/).
"""
import re
import sys

from playwright.sync_api import expect

import person


def orders(p, user, path="/orders/"):
    """The service behind the check knows who it is, has the gateway's word for it, and has
    not seen the cookie."""
    p.at("Orders")
    p.fact("user", user)
    p.fact("vouched for", "by the gateway")
    p.fact("page", path)
    p.fact("cookies", "none")


def asked_to_log_in(p):
    """The page is the login page of Python, which no session came to."""
    p.nobody("Python")
    assert p.page.url.startswith(p.settings["url"] + "/login?came_from="), p.page.url


def log_in(p, name="Ann"):
    p.go("/")
    p.log_in(name)
    p.shows("Python", name, 0, "-")


def flow_to_the_login_and_back(p):
    """who asks for a page behind the check logs in at Python's page and is led back"""
    p.go("/orders/open?page=2&of=5")
    asked_to_log_in(p)
    p.log_in("Zoë <b>& Çelik</b>")
    orders(p, "Zoë <b>& Çelik</b>", "/orders/open?page=2&of=5")
    p.stays_at("/orders/open?page=2&of=5")
    p.page.get_by_role("link", name="Go on to the Go service").click()
    p.shows("Go", "Zoë <b>& Çelik</b>", 0, "-")


def flow_both_ways_and_logged_out_by_go(p):
    """log in to Python, change the session in Go, find it in Python, log out in Go"""
    log_in(p)
    p.page.get_by_role("link", name="Go on to the Go service").click()
    p.shows("Go", "Ann", 0, "-")
    p.leave_note("from Go")
    p.shows("Go", "Ann", 0, "from Go")
    p.count()
    p.shows("Go", "Ann", 1, "from Go")
    p.go("/")
    p.shows("Python", "Ann", 1, "from Go")
    p.count()
    p.shows("Python", "Ann", 2, "from Go")
    p.go("/orders/")
    orders(p, "Ann")
    p.go("/go/")
    p.shows("Go", "Ann", 2, "from Go")
    p.log_out()
    p.nobody("Go")
    p.go("/")
    p.nobody("Python")
    p.go("/orders/")
    asked_to_log_in(p)


def flow_logged_out_by_python(p):
    """log out in Python, and neither Go service knows anybody"""
    log_in(p)
    p.go("/orders/")
    orders(p, "Ann")
    old = p.session_cookie()
    p.go("/")
    p.log_out()
    p.nobody("Python")
    p.go("/go/")
    p.nobody("Go")
    p.go("/orders/")
    asked_to_log_in(p)
    # Nor does the cookie of before help anybody.
    thief = p.another()
    thief.context.add_cookies([{"name": p.settings["cookie"], "value": old, "url": p.settings["url"]}])
    thief.go("/orders/")
    asked_to_log_in(thief)
    thief.go("/go/")
    thief.nobody("Go")


def flow_two_people(p):
    """two browsers are two people to every service"""
    other = p.another()
    log_in(p, "Ann")
    log_in(other, "Bob")
    for _ in range(2):
        p.go("/orders/")
        other.go("/orders/")
        orders(p, "Ann")
        orders(other, "Bob")
    other.go("/")
    other.log_out()
    other.nobody("Python")
    p.page.reload()
    orders(p, "Ann")


def flow_without_a_page(p):
    """a script gets a 401, not the login page"""
    p.allow(401)
    p.go("/")
    p.nobody("Python")
    assert p.page.evaluate("fetch('/orders/').then(async r => [r.status, r.redirected, (await r.text()) !== ''])") == [401, False, True]


def flow_expired(p):
    """an hour after the last use nobody is logged in any more, on no side"""
    log_in(p)
    p.go("/orders/")
    orders(p, "Ann")
    p.have("expire", p.session_cookie())
    p.go("/orders/")
    asked_to_log_in(p)
    p.go("/go/")
    p.nobody("Go")
    p.go("/")
    p.nobody("Python")


def flow_outage(p):
    """while the store is down there is a 503, and nobody is logged out by it"""
    log_in(p)
    p.count()
    p.shows("Python", "Ann", 1, "-")
    before = p.session_cookie()
    p.have("store down")
    try:
        p.allow(503)
        p.allow(404)  # /favicon.ico, for a page that names none
        for path in ("/orders/", "/go/"):
            answer = p.page.goto(p.settings["url"] + path)
            assert answer.status == 503, "%s: %d" % (path, answer.status)
            assert "set-cookie" not in answer.headers, path
            p.stays_at(path)
            p.picture("outage" + path.replace("/", "-"))
        expect(p.page.get_by_role("heading", name="This is"), "no page is made up").to_have_count(0)
    finally:
        p.have("store up")
    assert p.session_cookie() == before, "the cookie should be as it was"
    p.go("/orders/")
    orders(p, "Ann")
    p.go("/go/")
    p.shows("Go", "Ann", 1, "-")
    p.go("/")
    p.shows("Python", "Ann", 1, "-")


def flow_moving_a_page(p):
    """of two sides of a page each visitor sees always the same one, until all are moved"""
    visitors = []

    def sides():
        """Which side answers each visitor, and knows them."""
        found = []
        for number, visitor in enumerate(visitors):
            answer = visitor.get("/page/")
            assert answer.status == 200, answer.status
            side, name = re.search("This is (Go|Python)<.*<dd>(Visitor-[0-9]+)</dd>", answer.text(), re.S).groups()
            assert name == "Visitor-%d" % number, name
            found.append(side)
        return found

    while len(visitors) < 4 or len(set(sides())) < 2:
        assert len(visitors) < 40, "everybody is on one side"
        visitors.append(p.script())
        assert visitors[-1].post("/login", form={"name": "Visitor-%d" % (len(visitors) - 1)}).status == 200
    first = sides()
    for _ in range(5):
        assert sides() == first, "the same visitor on two sides"

    p.have("page in Python")
    assert sides() == ["Python"] * len(visitors)
    log_in(p)
    p.go("/page/")
    p.shows("Python", "Ann", 0, "-")
    p.have("page in Go")
    assert sides() == ["Go"] * len(visitors)
    p.page.reload()
    p.shows("Go", "Ann", 0, "-")
    p.count()
    p.shows("Go", "Ann", 1, "-")
    p.have("page shared")
    assert sides() == first, "everybody is back where they were"


person.main(sys.modules[__name__])
