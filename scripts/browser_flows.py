"""What a person does in a browser with the demo, the session page and the inspector.

usage: browser_flows.py --chromium EXE --serve URL --demo URL
                        --inspected URL --admin URL --locked URL --token TOKEN --audit FILE
                        [--without-python] [--screenshots DIR] [FLOW...]

scripts/browser sets it up and calls it. A flow is a function below whose name
begins with "flow_"; it gets a Visit, a browser window of its own with no cookies,
and fails by an assertion. Nothing sleeps: Playwright waits for what is expected. After
each step that loads a page comes an expectation that only the new page meets, or
the next step could come too early.
"""
import argparse
import os
import re
import signal
import sys
import time

from playwright.sync_api import Error, expect, sync_playwright

from browser_window import ARGUMENTS, Window

FLOW_SECONDS = 60  # a whole flow
STEP_SECONDS = 8   # one expectation or action
# Every element with text of its own whose contrast to what is behind it is less
# than 4.5 (WCAG 2, 1.4.3), as "tag: text (ratio)".
LOW_CONTRAST = """() => {
    const system = document.createElement('i');
    system.style.cssText = 'background-color: Canvas';
    document.body.append(system);
    const canvas = getComputedStyle(system).backgroundColor;
    system.remove();
    const parse = c => { const n = c.match(/[0-9.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
    const over = (a, b, alpha) => a.slice(0, 3).map((x, i) => x * alpha + b[i] * (1 - alpha));
    const light = c => { const [r, g, b] = c.slice(0, 3).map(x => (x /= 255) <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b; };
    const low = [];
    for (const e of document.body.querySelectorAll('*')) {
        const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join(' ').trim() || e.value;
        if (!text || !e.checkVisibility()) continue;
        const line = []; let alpha = 1;
        for (let a = e; a; a = a.parentElement) { line.unshift(a); alpha *= getComputedStyle(a).opacity; }
        let behind = parse(canvas);
        for (const a of line) { const b = parse(getComputedStyle(a).backgroundColor); behind = over(b, behind, b[3]); }
        const ink = parse(getComputedStyle(e).color);
        const [x, y] = [light(over(ink, behind, ink[3] * alpha)), light(behind)].sort((p, q) => q - p);
        const ratio = (x + .05) / (y + .05);
        if (ratio < 4.5) low.push(`${e.localName}: ${text} (${ratio.toFixed(2)})`);
    }
    return low;
}"""


class Visit(Window):
    """A window on the demo, the session page and the inspector."""

    def __init__(self, browser, options, **settings):
        addresses = options.serve, options.demo, options.inspected, options.admin, options.locked
        Window.__init__(self, browser, addresses, STEP_SECONDS, options.screenshots, **settings)
        self.options = options

    # --- the demo ---

    def open(self, side):
        self.page.goto(self.options.demo + ("/go/" if side == "Go" else "/"))
        self.at(side)

    def follow(self, side):
        """To the other side by the link on the page."""
        link = "Go on to the Go service" if side == "Go" else "Back to the Python application"
        self.page.get_by_role("link", name=link).click()
        self.at(side)

    def session_cookie(self):
        found = [c for c in self.context.cookies() if c["name"] == "demo"]
        assert len(found) == 1, "there should be one cookie of the session, not %d" % len(found)
        return found[0]

    # --- the session page ---

    def open_session(self):
        self.page.goto(self.options.serve)
        expect(self.page, "the title").to_have_title("Your session – gobeaker")

    def visits(self, n):
        expect(self.page.locator("#visits"), "the counter of visits").to_have_text(str(n))

    def entry(self, key):
        """The line of the tree that has this key."""
        label = self.page.locator(".label", has_text=re.compile("^'%s'$" % re.escape(key)))
        return self.page.get_by_role("listitem").filter(has=label).last

    def has(self, key, text):
        expect(self.entry(key), "the line of %r" % key).to_have_text(text)

    def has_not(self, key):
        label = self.page.locator(".label", has_text="'%s'" % key)
        expect(label, "the key %r is gone" % key).to_have_count(0)

    def set(self, key, value, kind):
        self.page.get_by_label("Key", exact=True).fill(key)
        self.page.get_by_label("Value").fill(value)
        self.page.get_by_label("Python type").select_option(kind)
        self.page.get_by_role("button", name="Set").click()

    def delete(self, key):
        self.page.get_by_label("Key to delete").fill(key)
        self.page.get_by_role("button", name="Delete").click()

    # --- the inspector ---

    def heading(self, text):
        expect(self.page.get_by_role("heading", level=1), "which page it is").to_have_text(text)

    def inspect(self, path="", heading="Overview"):
        self.page.goto(self.options.admin + "/inspector/" + path)
        self.heading(heading)

    def make_session(self, **values):
        """A session made with the session page, in this window; returns its cookie."""
        self.page.goto(self.options.inspected)
        for key, value in values.items():
            self.set(key, value, "str")
            self.has(key, "%r str: %r" % (key, value))
        found = [c["value"] for c in self.context.cookies(self.options.inspected) if c["name"] == "beaker.session.id"]
        assert len(found) == 1, "there should be one cookie of the session, not %d" % len(found)
        return found[0]

    def search(self, text, state="any"):
        self.page.get_by_label("Find").fill(text)
        self.page.get_by_label("State").select_option(state)
        self.page.get_by_role("button", name="Search").click()

    def found(self, n):
        expect(self.page.get_by_role("table").get_by_role("rowheader"), "how many were found").to_have_count(n)

    def open_found(self):
        """The only session that was found; returns its hash."""
        self.found(1)
        link = self.page.get_by_role("rowheader").get_by_role("link")
        name = link.inner_text()
        link.click()
        self.heading("Session " + name)
        return name

    def fact(self, name, text):
        expect(self.page.locator("dt", has_text=re.compile("^%s$" % name)).locator("+ dd"), name).to_have_text(text)


# --- the demo: one session, two languages ------------------------------------

def flow_from_python_to_go(v):
    """log in to Python, be the same user in Go, change it there, find it in Python"""
    v.open("Python")
    v.nobody("Python")
    v.log_in("Ann")
    v.shows("Python", "Ann", 0, "-")
    v.follow("Go")
    v.shows("Go", "Ann", 0, "-")
    v.leave_note("hello from Go")
    v.shows("Go", "Ann", 0, "hello from Go")
    v.count()
    v.shows("Go", "Ann", 1, "hello from Go")
    v.count()
    v.shows("Go", "Ann", 2, "hello from Go")
    v.follow("Python")
    v.shows("Python", "Ann", 2, "hello from Go")


def flow_from_go_to_python(v):
    """log in to Go, be the same user in Python, change it there, find it in Go"""
    v.open("Go")
    v.nobody("Go")
    v.log_in("Bob")
    v.shows("Go", "Bob", 0, "-")
    v.follow("Python")
    v.shows("Python", "Bob", 0, "-")
    v.leave_note("hello from Python")
    v.shows("Python", "Bob", 0, "hello from Python")
    v.count()
    v.shows("Python", "Bob", 1, "hello from Python")
    v.count()
    v.shows("Python", "Bob", 2, "hello from Python")
    v.follow("Go")
    v.shows("Go", "Bob", 2, "hello from Python")


def flow_back_and_forth(v):
    """each side goes on from what the other one wrote"""
    v.open("Python")
    v.log_in("Ann")
    v.shows("Python", "Ann", 0, "-")
    for n in range(0, 6, 2):
        v.count()
        v.shows("Python", "Ann", n + 1, "-")
        v.follow("Go")
        v.count()
        v.shows("Go", "Ann", n + 2, "-")
        v.follow("Python")
        v.shows("Python", "Ann", n + 2, "-")


def flow_log_out_on_either_side(v):
    """log out of one side, and the other one knows nobody"""
    v.open("Python")
    v.log_in("Ann")
    v.shows("Python", "Ann", 0, "-")
    v.log_out()
    v.nobody("Python")
    v.follow("Go")
    v.nobody("Go")
    v.log_in("Bob")
    v.shows("Go", "Bob", 0, "-")
    v.follow("Python")
    v.shows("Python", "Bob", 0, "-")
    v.follow("Go")
    v.log_out()
    v.nobody("Go")
    v.follow("Python")
    v.nobody("Python")


def flow_cookie(v):
    """one cookie for both, out of reach of scripts, with a new id at each login"""
    v.open("Python")
    v.log_in("Ann")
    v.shows("Python", "Ann", 0, "-")
    first = v.session_cookie()
    assert first["httpOnly"], "the cookie should be HttpOnly"
    assert v.page.evaluate("document.cookie") == "", "a script should see no cookie"
    v.follow("Go")
    v.count()
    v.shows("Go", "Ann", 1, "-")
    assert v.session_cookie()["value"] == first["value"], "Go should keep the session's id when it changes a key"
    v.log_out()
    v.nobody("Go")
    v.log_in("Ann")
    v.shows("Go", "Ann", 0, "-")
    assert v.session_cookie()["value"] != first["value"], "a login should give a new id"


def flow_any_text(v):
    """any text passes both sides, and is text, not HTML"""
    name, note = "<b>Zoë</b> & \"Çelik\" 日本 \U0001f600", "</dd><script>alert(1)</script> it's 100 % + ü"
    v.open("Python")
    v.log_in(name)
    v.shows("Python", name, 0, "-")
    v.follow("Go")
    v.shows("Go", name, 0, "-")
    v.leave_note(note)
    v.shows("Go", name, 0, note)
    v.follow("Python")
    v.shows("Python", name, 0, note)
    v.leave_note(note[::-1])
    v.shows("Python", name, 0, note[::-1])
    v.follow("Go")
    v.shows("Go", name, 0, note[::-1])


def flow_two_people(v):
    """two browsers are two people, also when they act by turns"""
    other = v.another()
    v.open("Python")
    v.log_in("Ann")
    v.shows("Python", "Ann", 0, "-")
    other.open("Go")
    other.log_in("Bob")
    other.shows("Go", "Bob", 0, "-")
    other.count()
    v.leave_note("Ann's")
    v.shows("Python", "Ann", 0, "Ann's")
    other.shows("Go", "Bob", 1, "-")
    v.follow("Go")
    other.follow("Python")
    v.shows("Go", "Ann", 0, "Ann's")
    other.shows("Python", "Bob", 1, "-")
    v.log_out()
    v.nobody("Go")
    other.count()
    other.shows("Python", "Bob", 2, "-")


def flow_demo_by_keyboard(v):
    """the demo without a mouse, from the login to the other side"""
    keyboard = v.page.keyboard
    v.open("Python")
    expect(v.page.get_by_label("Your name"), "the login form is ready to type").to_be_focused()
    keyboard.type("Ann")
    keyboard.press("Enter")
    v.shows("Python", "Ann", 0, "-")
    tab_to(v, v.page.get_by_role("button", name="Add 1 to the counter"))
    keyboard.press("Space")
    v.shows("Python", "Ann", 1, "-")
    tab_to(v, v.page.get_by_role("link", name="Go on to the Go service"))
    keyboard.press("Enter")
    v.shows("Go", "Ann", 1, "-")
    tab_to(v, v.page.get_by_label("A note"))
    keyboard.type("typed")
    keyboard.press("Enter")
    v.shows("Go", "Ann", 1, "typed")


def flow_demo_looks(v):
    """the demo in light and dark and on a narrow screen: readable, labelled"""
    note = "a note that needs a second line on a narrow screen, and one long word: " + "w" * 60
    for side in ("Python", "Go"):
        v.open(side)
        looks(v, "demo-%s-nobody" % side.lower())
        v.log_in("Ann")
        v.shows(side, "Ann", 0, "-")
        v.leave_note(note)
        v.shows(side, "Ann", 0, note)
        looks(v, "demo-%s" % side.lower())
        v.log_out()
        v.nobody(side)


# --- the session page ----------------------------------------------------------

def flow_session_page(v):
    """the session page: it counts, sets and deletes keys, logs out"""
    v.open_session()
    v.visits(1)
    v.page.reload()
    v.visits(2)
    v.set("name", "<b>Zoë & Co</b>", "str")
    v.visits(3)
    v.has("name", "'name' str: '<b>Zoë & Co</b>'")
    v.set("age", "42", "int")
    v.has("age", "'age' int: 42")
    v.set("share", "1.5", "float")
    v.has("share", "'share' float: 1.5")
    v.set("admin", "True", "bool")
    v.has("admin", "'admin' bool: True")
    v.set("age", "43", "int")
    v.has("age", "'age' int: 43")
    v.delete("name")
    v.has_not("name")
    v.has("share", "'share' float: 1.5")
    v.visits(8)
    v.picture("session-filled")
    v.page.get_by_role("button", name="Log out").click()
    v.visits(1)
    v.has_not("age")


def flow_session_page_says_what_is_wrong(v):
    """the session page: mistakes are explained and change nothing"""
    alert = v.page.get_by_role("alert")
    v.open_session()
    v.page.get_by_role("button", name="Set").click()
    expect(v.page.get_by_label("Key", exact=True), "the browser asks for the key").to_be_focused()
    expect(alert, "nothing was sent").to_have_count(0)
    v.allow(422)
    v.set("age", "many", "int")
    expect(alert).to_have_text("An int is a whole number, such as 42.")
    v.picture("session-mistake")
    v.has_not("age")
    v.set("_id", "x", "str")
    expect(alert).to_have_text("Keys that begin with an underscore are Beaker's own.")
    v.delete("nothing")
    expect(alert).to_have_text('There is no key "nothing" in this session.')
    v.set("age", "42", "int")
    expect(alert, "all is well again").to_have_count(0)
    v.has("age", "'age' int: 42")


def flow_session_page_by_keyboard(v):
    """the session page: all of it without a mouse, and the focus can be seen"""
    page, keyboard = v.page, v.page.keyboard
    v.open_session()
    tab_to(v, page.get_by_label("Key", exact=True))
    keyboard.type("age")
    keyboard.press("Tab")
    keyboard.type("42")
    keyboard.press("Tab")
    keyboard.type("int")
    expect(page.get_by_label("Python type"), "typing chooses").to_have_value("int")
    keyboard.press("Tab")
    expect(page.get_by_role("button", name="Set"), "the order of Tab").to_be_focused()
    focus_is_visible(v)
    keyboard.press("Enter")
    v.has("age", "'age' int: 42")
    tab_to(v, page.get_by_label("Key to delete"))
    keyboard.type("age")
    keyboard.press("Enter")
    v.has_not("age")
    tab_to(v, page.get_by_role("button", name="Log out"))
    keyboard.press("Space")
    v.visits(1)


def flow_session_page_looks(v):
    """the session page in light and dark and on a narrow screen: readable, labelled"""
    v.open_session()
    headings = v.page.get_by_role("heading")
    expect(headings, "the headings").to_have_text(["Your session", "What is in it", "Change it", "End it"])
    expect(v.page.locator("html"), "the language").to_have_attribute("lang", "en")
    expect(v.page.get_by_role("list", name="What is in it"), "the tree has a name").to_be_visible()
    expect(v.page.get_by_role("main"), "the landmark").to_have_count(1)
    expect(v.page.locator("body"), "the style is not blocked").to_have_css("max-width", "832px")
    v.set("long", "word " * 60 + "w" * 300, "str")
    v.has("long", re.compile("^'long' str: 'word word"))
    looks(v, "session")
    v.allow(422)
    v.delete("nothing")
    expect(v.page.get_by_role("alert")).to_be_visible()
    looks(v, "session-alert")


def flow_session_page_policy(v):
    """the session page: the browser enforces the policy, and this test would see it"""
    v.open_session()
    v.clean()
    with v.page.expect_console_message(lambda m: m.text.startswith("policy violation: style-src")):
        v.page.evaluate("document.head.append(Object.assign(document.createElement('style'), {textContent: 'p { color: red }'}))")
    with v.page.expect_console_message(lambda m: m.text.startswith("policy violation: script-src")):
        v.page.evaluate("document.head.append(Object.assign(document.createElement('script'), {src: '/x.js'}))")
    with v.page.expect_console_message(lambda m: m.text.startswith("policy violation: img-src")):
        v.page.evaluate("document.body.append(Object.assign(document.createElement('img'), {src: 'http://example.invalid/x.png'}))")
    assert len(v.troubles) >= 3, "the violations should have been noticed: %s" % v.troubles
    v.troubles.clear()


# --- the inspector ---------------------------------------------------------------

def flow_inspector_overview(v):
    """the inspector: how sessions are kept, live numbers that come again if asked to"""
    page = v.page
    page.goto(v.options.admin)
    v.heading("Overview")
    v.fact("Store", "answers")
    v.fact("Cookie", "beaker.session.id")
    v.fact("Timeout", "1 hour without use")
    expect(page.get_by_role("heading", name="Live numbers")).to_be_visible()
    expect(page.get_by_role("table").first, "numbers").to_be_visible()
    looks(v, "inspector-overview")
    page.get_by_role("link", name="every 5 s").click()
    expect(page.get_by_role("link", name="every 5 s"), "it is on").to_have_attribute("aria-current", "true")
    with page.expect_navigation():  # nobody does anything
        pass
    v.heading("Overview")
    page.get_by_role("link", name="by hand").click()
    expect(page.get_by_role("link", name="by hand"), "it is off").to_have_attribute("aria-current", "true")


def flow_inspector_session(v):
    """the inspector: find a session, look into it; secrets are masked until asked for"""
    v.make_session(finder="session", password="hunter2", html="<b>bold</b>")
    v.inspect("sessions", "Sessions")
    v.search("finder=session")
    v.open_found()
    page = v.page
    v.fact("State", "live")
    v.fact("Form", re.compile("pickle protocol"))
    v.has("html", "'html' str: '<b>bold</b>'")
    v.has("password", "'password' str: (hidden)")
    looks(v, "inspector-session-page")
    assert "hunter2" not in page.content()
    page.get_by_role("button", name="Show masked values").click()
    v.has("password", "'password' str: 'hunter2'")
    v.accessible("the revealed session")
    page.get_by_role("link", name="Mask them again").click()
    v.has("password", "'password' str: (hidden)")
    page.locator(".tree summary").first.click()
    expect(page.locator(".label", has_text="'html'"), "the tree closes").to_be_hidden()


def flow_inspector_search(v):
    """the inspector: search by hash, key, value and state; the address tells nothing"""
    v.make_session(searched="Needle in Hay", token="geheim")
    v.inspect("sessions", "Sessions")
    for text in ("searched", "search*", "SEARCHED=needle in hay", "searched=*hay"):
        v.search(text)
        v.found(1)
        assert "needle" not in v.page.url.lower() and "search" not in v.page.url.lower(), v.page.url
        expect(v.page.get_by_label("Find"), "it stays in the field").to_have_value(text)
    name = v.open_found()
    v.page.go_back()
    v.search(name[:8])
    v.found(1)
    v.search(name, "expired")
    expect(v.page.get_by_text("None of them matches.")).to_be_visible()
    v.search("searched", "live")
    v.found(1)
    v.allow(422)
    v.search("token=geheim")
    expect(v.page.get_by_role("alert")).to_have_text("Values under this key are masked, and cannot be searched.")
    v.accessible("a mistake in a search")
    v.page.get_by_role("link", name="Show all").click()
    v.found(50)


def flow_inspector_pages(v):
    """the inspector: what real Pythons wrote, page by page, and what cannot be read"""
    v.inspect("sessions", "Sessions")
    expect(v.page.get_by_role("status")).to_have_text(re.compile("^50 on this page; looked at 50 of 1[0-9][0-9].$"))
    seen = set()
    for _ in range(10):
        links = v.page.get_by_role("rowheader").all_inner_texts()
        assert links and not seen & set(links), "each session should be there once"
        seen |= set(links)
        more = v.page.get_by_role("link", name="Next page")
        if not more.count():
            break
        more.click()
        expect(v.page.get_by_role("status")).to_have_text(re.compile("looked at"))
        expect(v.page.get_by_role("rowheader").first).not_to_have_text(links[0])
    assert len(seen) > 150, "only %d sessions" % len(seen)
    v.page.get_by_role("link", name="First page").click()
    v.search("user", "expired")
    expect(v.page.get_by_role("cell", name="expired").first).to_be_visible()
    v.search("", "encrypted")
    expect(v.page.get_by_role("cell", name="encrypted").first).to_be_visible()
    v.search("", "unreadable")
    v.open_found()
    expect(v.page.get_by_text("This server cannot read it")).to_be_visible()
    v.accessible("an unreadable session")


def flow_inspector_list_looks(v):
    """the inspector: the list in light and dark and on a narrow screen, by axe as well"""
    v.inspect("sessions", "Sessions")
    v.found(50)
    looks(v, "inspector-list-page")


def flow_inspector_decode(v):
    """the inspector: a pasted cookie, step by step, good and bad; it is not shown again"""
    cookie = v.make_session(decoded="yes", password="hunter2")
    page = v.page
    v.inspect("decode", "Decode a cookie")
    looks(v, "inspector-decode-empty")

    def decode(text):
        page.get_by_label("Cookie", exact=True).fill(text)
        page.get_by_role("button", name="Decode").click()

    def steps(*texts):
        expect(page.locator(".steps h3"), "the steps").to_have_text(list(texts))

    decode("Cookie: other=1; beaker.session.id=" + cookie)
    steps("Header good", "Signed value good", "Signature good", "Session id good", "Record good", "Payload good", "Session good")
    v.has("decoded", "'decoded' str: 'yes'")
    v.has("password", "'password' str: (hidden)")
    looks(v, "inspector-decode")
    assert cookie not in page.content() and cookie[40:] not in page.content() + page.url, "the cookie should not come back"
    page.get_by_label("Show masked values").check()
    decode(cookie)
    v.has("password", "'password' str: 'hunter2'")
    page.get_by_role("link", name=re.compile("^Go to session")).click()
    v.has("password", "'password' str: (hidden)")
    page.get_by_role("link", name="Decode a cookie").click()
    decode("0" * 40 + cookie[40:])
    steps("Header good", "Signed value good", "Signature not good", "Session id good", "Record good", "Payload good", "Session good")
    decode("<b>nothing</b>")
    steps("Header good", "Signed value not good")
    v.accessible("what is no cookie")


def flow_inspector_invalidate(v):
    """the inspector: end a session after a question; its user is logged out, the log tells"""
    v.make_session(ended="soon")
    v.inspect("sessions", "Sessions")
    v.search("ended=soon")
    name = v.open_found()
    page = v.page
    page.get_by_role("link", name="Invalidate…").click()
    v.heading("Invalidate session %s?" % name)
    looks(v, "inspector-confirm")
    page.get_by_role("link", name="Keep it").click()
    v.has("ended", "'ended' str: 'soon'")
    page.get_by_role("link", name="Invalidate…").click()
    v.heading("Invalidate session %s?" % name)
    page.get_by_role("button", name="Invalidate this session").click()
    expect(page.get_by_role("status").first).to_have_text("Session %s is invalidated." % name)
    v.accessible("what was done")
    page.goto(v.options.inspected)
    v.visits(1)
    v.has_not("ended")
    with open(v.options.audit) as f:
        lines = [line for line in f if "session=" + name in line]
    for action in ("view", "confirm", "invalidate"):
        assert any("action=%s outcome=ok client=127.0.0.1" % action in line for line in lines), "no line for %s: %s" % (action, lines)


def flow_inspector_refuses_other_windows(v):
    """the inspector: a form from another window or another site does nothing"""
    v.make_session(mine="kept")
    v.inspect("sessions", "Sessions")
    v.search("mine=kept")
    name = v.open_found()
    v.page.get_by_role("link", name="Invalidate…").click()
    v.heading("Invalidate session %s?" % name)
    address, token = v.page.url, v.page.locator("main input[name=form]").get_attribute("value")
    other = v.another()
    other.allow(403)
    other.inspect()
    other.page.evaluate("""([address, token]) => {
        const form = Object.assign(document.createElement('form'), {method: 'post', action: address});
        form.append(Object.assign(document.createElement('input'), {name: 'form', value: token}));
        document.body.append(form); form.submit(); }""", [address, token])
    other.heading("This form is not valid any more")
    other.accessible("a refused form")
    elsewhere = v.context.new_page()  # with the cookies of the first window, as far as they are sent
    elsewhere.set_content('<form method="post" action="%s"><input name="form" value="%s"><button>Win a prize</button></form>' % (address, token))
    v.allow(403)
    elsewhere.get_by_role("button").click()
    expect(elsewhere.get_by_text("This request comes from another site.")).to_be_visible()
    v.inspect("session/" + name, "Session " + name)
    v.has("mine", "'mine' str: 'kept'")


def flow_inspector_sign_in(v):
    """the inspector: with a token it asks who you are, and leads back to where you were"""
    page = v.page
    v.allow(403)
    page.goto(v.options.locked + "/inspector/decode")
    v.heading("Sign in")
    looks(v, "inspector-login")
    expect(page.get_by_label("Token"), "ready to type").to_be_focused()
    page.keyboard.type("a guess")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This is not a token of this server.")
    v.accessible("a wrong token")
    page.get_by_label("Token").fill(v.options.token)
    page.get_by_role("button", name="Sign in").click()
    v.heading("Decode a cookie")
    assert page.evaluate("document.cookie") == "", "a script should see no cookie"
    v.accessible("signed in")
    page.get_by_role("button", name="Sign out").click()
    v.heading("Sign in")
    page.goto(v.options.locked + "/inspector/sessions")
    v.heading("Sign in")


def flow_inspector_by_keyboard(v):
    """the inspector: find, look into and end a session without a mouse"""
    v.make_session(keyed="in", password="hunter2")
    page, keyboard = v.page, v.page.keyboard
    v.inspect()
    keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content"), "the first stop").to_be_focused()
    focus_is_visible(v)
    keyboard.press("Enter")
    expect(page.get_by_role("main"), "past the menu").to_be_focused()
    page.reload()
    tab_to(v, page.get_by_role("link", name="Sessions", exact=True))
    keyboard.press("Enter")
    v.heading("Sessions")
    tab_to(v, page.get_by_label("Find"))
    keyboard.type("keyed=in")
    keyboard.press("Tab")
    keyboard.type("live")
    keyboard.press("Tab")
    keyboard.press("Enter")
    v.found(1)
    tab_to(v, page.get_by_role("rowheader").get_by_role("link"))
    keyboard.press("Enter")
    v.has("password", "'password' str: (hidden)")
    tab_to(v, page.get_by_role("button", name="Show masked values"))
    keyboard.press("Space")
    v.has("password", "'password' str: 'hunter2'")
    tab_to(v, page.locator(".tree summary").first)
    keyboard.press("Enter")
    expect(page.locator(".label", has_text="'keyed'"), "the tree closes").to_be_hidden()
    tab_to(v, page.get_by_role("link", name="Invalidate…"))
    keyboard.press("Enter")
    expect(page.get_by_role("button", name="Invalidate this session")).to_be_visible()
    tab_to(v, page.get_by_role("button", name="Invalidate this session"))
    keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_have_text(re.compile("is invalidated.$"))


def flow_inspector_policy(v):
    """the inspector: the browser enforces the policy, and this test would see it"""
    v.inspect()
    v.clean()
    with v.page.expect_console_message(lambda m: m.text.startswith("policy violation: script-src")):
        v.page.evaluate("document.head.append(Object.assign(document.createElement('script'), {src: '/x.js'}))")
    with v.page.expect_console_message(lambda m: m.text.startswith("policy violation: style-src")):
        v.page.evaluate("document.body.setAttribute('style', 'color: red')")
    v.troubles.clear()


def flow_inspector_pictures(v):
    """the inspector: pictures for the documentation"""
    page = v.page
    page.set_viewport_size({"width": 1100, "height": 700})
    v.make_session(user="ann", theme="dark", cart="A-17", csrf_token="83b0…", last_search="<b>tea & cake</b>")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        v.inspect("sessions", "Sessions")
        v.search("_creation_time")
        expect(page.get_by_role("link", name="Show all")).to_be_visible()
        v.picture("inspector-list-" + scheme, full_page=False)
        v.search("theme=dark")
        v.open_found()
        v.picture("inspector-session-" + scheme, full_page=False)


# --- what several flows look at -------------------------------------------------

def tab_to(v, target):
    """Presses Tab until the target has the focus, and looks whether it shows."""
    for _ in range(20):
        v.page.keyboard.press("Tab")
        if target.evaluate("e => e === document.activeElement"):
            focus_is_visible(v)
            return
    raise AssertionError("20 times Tab do not lead to %s" % target)


def focus_is_visible(v):
    style, width = v.page.evaluate(
        "() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, parseFloat(s.outlineWidth)]; }")
    assert style != "none" and width >= 1, "what has the focus should have an outline, not %s %s" % (style, width)


def looks(v, name):
    """The page as it is now: names of controls, contrast and width, in both schemes."""
    for control in v.page.locator("input:not([type=hidden]), select, button, a").all():
        label = control.evaluate("e => e.labels?.length ? e.labels[0].innerText : e.localName === 'button' || e.localName === 'a' ? e.innerText : ''")
        assert label.strip(), "a control without a label: " + control.evaluate("e => e.outerHTML")
    inks = {}
    for scheme in ("light", "dark"):
        v.page.emulate_media(color_scheme=scheme)
        low = v.page.evaluate(LOW_CONTRAST)
        assert not low, "%s: too little contrast in %s: %s" % (name, scheme, low)
        inks[scheme] = v.page.evaluate("getComputedStyle(document.body).color")
        v.picture("%s-%s" % (name, scheme))
    if not name.startswith("demo"):  # an application of two languages, and as plain as they come
        v.accessible(name)
    assert inks["light"] != inks["dark"], "%s: light and dark should differ, both are %s" % (name, inks["light"])
    size = v.page.viewport_size
    v.page.set_viewport_size({"width": 320, "height": 640})  # WCAG 2, 1.4.10
    wide = v.page.evaluate("document.documentElement.scrollWidth")
    v.picture(name + "-narrow")
    assert wide <= 320, "%s: a screen of 320 pixels has to scroll sideways: %d" % (name, wide)
    v.page.set_viewport_size(size)


# --- running them ----------------------------------------------------------------

def run(flow, browser, options):
    """Runs a flow; returns what went wrong, or None."""
    visits = []

    def another():
        visit = Visit(browser, options, viewport={"width": 900, "height": 800})
        visit.another = another
        visits.append(visit)
        return visit

    try:
        flow(another())
        for visit in visits:
            visit.clean()
    except (AssertionError, Error) as err:
        if visits:
            visits[0].picture("FAILED-" + flow.__name__)
        noticed = [t for visit in visits for t in visit.troubles if t not in str(err)]
        return str(err) + "".join("\nalso: " + t for t in noticed)
    finally:
        for visit in visits:
            visit.close()
    return None


def report(passed, failed):
    print("%d passed, %d failed" % (passed, failed), flush=True)


def main():
    parser = argparse.ArgumentParser()
    for name in ("--chromium", "--serve", "--demo", "--inspected", "--admin", "--locked", "--token", "--audit"):
        parser.add_argument(name, required=True)
    parser.add_argument("--screenshots")
    parser.add_argument("--without-python", action="store_true")
    parser.add_argument("flow", nargs="*")
    options = parser.parse_args()
    flows = {k[len("flow_"):]: f for k, f in globals().items() if k.startswith("flow_")}
    if set(options.flow) - set(flows):
        parser.error("the flows are " + ", ".join(flows))
    if options.without_python:
        flows = {k: f for k, f in flows.items() if k.startswith(("session_page", "inspector"))}
    if options.flow:
        flows = {k: f for k, f in flows.items() if k in options.flow}
    expect.set_options(timeout=STEP_SECONDS * 1000)

    passed = failed = 0
    current = "the start of the browser"

    def too_long(*_):
        # Playwright cannot go on from here; its driver ends the browser with us.
        print("FAIL  %s: took longer than %d s" % (current, FLOW_SECONDS))
        report(passed, len(flows) - passed)
        os._exit(1)

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(FLOW_SECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=ARGUMENTS)
        for current, flow in flows.items():
            signal.alarm(FLOW_SECONDS)
            begin = time.monotonic()
            problem = run(flow, browser, options)
            took = time.monotonic() - begin
            if problem:
                failed += 1
                print("FAIL  %s: %s\n      %s" % (current, flow.__doc__, problem.replace("\n", "\n      ")), flush=True)
            else:
                passed += 1
                print("ok    %s: %s (%.1f s)" % (current, flow.__doc__, took), flush=True)
        signal.alarm(FLOW_SECONDS)
        current = "the end of the browser"
        browser.close()
    signal.alarm(0)
    report(passed, failed)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
