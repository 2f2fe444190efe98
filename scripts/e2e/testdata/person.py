"""Runs flows in a browser at the command of a Go test: each line of standard input is the
name of a flow, each answer a line of JSON.

    {"flows": [...]}             at the start
    {"do": what, "value": text}  what the flow needs to have done; the next line of input
                                 says that it is
    {"problem": text}            what went wrong in the flow, "" if nothing did
"""
import json
import os
import sys

from browser_window import ARGUMENTS, Window
from playwright.sync_api import Error, expect, sync_playwright

STEP_SECONDS = 60  # one expectation or action: there may be much else to do on the machine


def tell(**answer):
    print(json.dumps(answer), flush=True)


class Person(Window):
    """Somebody with a browser of their own."""

    def __init__(self, browser, settings, another, script):
        self.settings = settings
        self.another = another  # returns somebody else
        self.script = script    # returns a visitor with cookies of their own, and no window
        Window.__init__(self, browser, settings["addresses"], STEP_SECONDS, settings.get("screenshots"))

    def have(self, what, value=""):
        """Has something done that no visitor does."""
        tell(do=what, value=value)
        assert sys.stdin.readline(), "the test has ended"

    def go(self, path):
        self.page.goto(self.settings["url"] + path)

    def stays_at(self, path):
        expect(self.page, "the address").to_have_url(self.settings["url"] + path)

    def session_cookie(self):
        found = [c for c in self.context.cookies() if c["name"] == self.settings["cookie"]]
        assert len(found) == 1, "there should be one cookie of the session, not %d" % len(found)
        return found[0]["value"]

    def fact(self, term, value):
        expect(self.page.locator("dt", has_text=term).locator("+ dd"), term).to_have_text(value)


def run(flow, playwright, browser, settings):
    """Runs a flow; returns what went wrong, or ""."""
    people, scripts = [], []

    def another():
        people.append(Person(browser, settings, another, script))
        return people[-1]

    def script():
        scripts.append(playwright.request.new_context(base_url=settings["url"], extra_http_headers={"Accept": "text/html"}))
        return scripts[-1]

    try:
        flow(another())
        for person in people:
            person.clean()
    except (AssertionError, Error) as err:
        people[0].picture("FAILED-" + flow.__name__)
        return "\nalso: ".join([str(err)] + [t for p in people for t in p.troubles if t not in str(err)])
    finally:
        for person in people:
            person.close()
        for requests in scripts:
            requests.dispose()
    return ""


def main(module):
    """Runs those functions of a module whose names begin with "flow_"."""
    settings = json.loads(sys.argv[1])
    flows = {k[len("flow_"):]: f for k, f in vars(module).items() if k.startswith("flow_")}
    expect.set_options(timeout=STEP_SECONDS * 1000)
    if settings["screenshots"]:
        os.makedirs(settings["screenshots"], exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=settings["chromium"], args=ARGUMENTS)
        tell(flows=list(flows))
        for line in sys.stdin:
            tell(problem=run(flows[line.strip()], playwright, browser, settings))
        browser.close()
