"""A window of a browser, and what every flow of a person in it needs.

browser_flows.py and the flows of scripts/e2e are made of it. Nothing sleeps: Playwright
waits for what is expected.
"""
import importlib.resources
import os
import re
from urllib.parse import urlsplit

from playwright.sync_api import expect

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    # The names of the examples lead here. What still asks for another host gets no
    # answer, and no proxy to ask.
    "--no-proxy-server", "--host-resolver-rules=MAP *.example.org 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# The page's policy also reports what it silently does not load.
REPORT_VIOLATIONS = """addEventListener('securitypolicyviolation', e =>
    console.error('policy violation: ' + e.violatedDirective + ' ' + e.blockedURI))"""
# What axe is asked for: WCAG 2.2 A and AA, and its own good practices.
AXE_OPTIONS = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()


class Window:
    """A window without cookies, and what went wrong in it that no page shows.

    It may ask the hosts of the addresses, and waits so many seconds for what it expects.
    """

    def __init__(self, browser, addresses, seconds, screenshots=None, **settings):
        self.hosts, self.screenshots = {urlsplit(url).netloc for url in addresses}, screenshots
        self.statuses, self.troubles = set(), []
        self.context = browser.new_context(**settings)
        self.context.set_default_timeout(seconds * 1000)
        self.context.add_init_script(REPORT_VIOLATIONS)
        self.context.on("console", self.on_console)
        self.context.on("weberror", lambda e: self.troubles.append("script error: %s" % e.error))
        self.context.on("request", self.on_request)
        self.context.on("response", self.on_response)
        self.context.on("requestfailed", lambda r: self.troubles.append("failed: %s %s" % (r.url, r.failure)))
        self.page = self.context.new_page()

    def on_console(self, message):
        refused = re.search(r"responded with a status of (\d+)", message.text)
        if refused and int(refused[1]) in self.statuses:
            return
        if message.type in ("error", "warning"):
            self.troubles.append("console: " + message.text)

    def on_request(self, request):
        url = urlsplit(request.url)
        if url.scheme != "data" and url.netloc not in self.hosts:
            self.troubles.append("a request to another host: " + request.url)

    def on_response(self, response):
        if response.status >= 400 and response.status not in self.statuses:
            self.troubles.append("status %d of %s" % (response.status, response.url))

    def allow(self, status):
        """From here on an answer with this status is no trouble."""
        self.statuses.add(status)

    def picture(self, name, full_page=True):
        if self.screenshots:
            self.page.screenshot(path=os.path.join(self.screenshots, name + ".png"), full_page=full_page)

    def clean(self):
        assert not self.troubles, "the browser complains: " + "; ".join(self.troubles)

    def close(self):
        self.context.close()

    def accessible(self, name):
        """What axe finds, which it runs past the page's policy."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("options => axe.run(options)", AXE_OPTIONS)["violations"]
        assert not found, "%s: axe: %s" % (name, "; ".join("%s: %s" % (f["help"], f["nodes"][0]["html"]) for f in found))

    # --- the pages of the demo ---

    def at(self, side):
        expect(self.page.get_by_role("heading", level=1), "which page it is").to_have_text("This is " + side)

    def shows(self, side, user, counter, note):
        """The page is that of one side and shows this session."""
        self.at(side)
        for term, value in (("user", user), ("counter", str(counter)), ("note", note)):
            definition = self.page.locator("dt", has_text=re.compile("^%s$" % term)).locator("+ dd")
            expect(definition, "%s on the page of %s" % (term, side)).to_have_text(value)

    def nobody(self, side):
        self.at(side)
        expect(self.page.get_by_role("button", name="Log in"), side + " offers to log in").to_be_visible()
        expect(self.page.locator("dd"), side + " shows nobody's session").to_have_count(0)

    def log_in(self, name):
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Log in").click()

    def count(self):
        self.page.get_by_role("button", name="Add 1 to the counter").click()

    def leave_note(self, text):
        self.page.get_by_label("A note").fill(text)
        self.page.get_by_role("button", name="Leave a note").click()

    def log_out(self):
        self.page.get_by_role("button", name="Log out").click()
