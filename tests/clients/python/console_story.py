"""The web console in Chromium: a request, its approval, a psql session beside it, the revocation.

Every page in light and dark, on a desk and on a phone, with axe-core's rules; then the same story
without script. Says what it did; ends with 1 at the first thing that is not as it should be.

Environment: CONSOLE_URL, PG* (alice at the data port), CONSOLE_PASSWORDS (JSON, user to password),
CONSOLE_TOTP (the secret of dora's second factor), CONSOLE_AXE (axe.min.js), CONSOLE_CHROMIUM, if it
is none of the usual names, and CONSOLE_SCREENSHOTS, a folder, if pictures are wanted.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time

from playwright.sync_api import expect, sync_playwright

URL = os.environ["CONSOLE_URL"]
PASSWORDS = json.loads(os.environ["CONSOLE_PASSWORDS"])
AXE = open(os.environ["CONSOLE_AXE"], encoding="utf-8").read()
CHROMIUM = os.environ.get("CONSOLE_CHROMIUM") or next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
SHOTS = os.environ.get("CONSOLE_SCREENSHOTS")
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SSN = "SELECT ssn FROM customers WHERE id = 5"
PAGES = ["/", "/inbox", "/live", "/map", "/audit?user=alice&period=24", "/risk",
         "/policy?column=customers.ssn", "/requests/1", "/grants/1", "/map/findings?preset=proposed"]


class Psql:
    """One session that stays open."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["psql", "-X", "-w", "-A", "-t", "-q"], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def ask(self, sql):
        self.process.stdin.write(f"{sql};\n\\! echo --\n")
        lines = []
        while (line := self.process.stdout.readline().rstrip("\n")) != "--":
            assert self.process.poll() is None or line, "psql has ended"
            lines.append(line)
        return "\n".join(lines)

    def sees_raw(self):
        return bool(re.fullmatch(r"[^*]+", self.ask(SSN)))


class Reader:
    """Somebody at a browser of their own, and all that goes wrong in it."""

    def __init__(self, browser, user, scheme="light", size=None, script=True):
        self.context = browser.new_context(
            color_scheme=scheme, viewport=size or DESK, java_script_enabled=script,
            timezone_id="UTC", locale="en-GB")
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.troubles, self.expected = [], set()
        self.page.on("console", lambda said: said.type in ("error", "warning") and
                     not self.is_expected(said.text) and self.troubles.append(said.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("response", self.look)
        self.page.on("dialog", lambda dialog: dialog.accept())
        self.user = user

    def is_expected(self, text):
        return any(f"status of {status}" in text for status in self.expected)

    def look(self, response):
        if response.status >= 400 and response.status not in self.expected:
            self.troubles.append(f"{response.status} {response.url}")
        if response.headers.get("content-security-policy") != CSP:
            self.troubles.append(f"no such policy: {response.url} {response.headers}")

    def enter(self):
        self.go("/")
        assert "/login" in self.page.url, self.page.url
        self.page.get_by_label("User").fill(self.user)
        self.page.get_by_label("Password, or token").fill(PASSWORDS[self.user])
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.locator("h1")).to_have_text("My access")
        return self

    def go(self, place):
        self.page.goto(URL + place, wait_until="load")
        return self.page

    def refused(self, place, status):
        self.expected.add(status)
        answer = self.page.goto(URL + place)
        assert answer.status == status, (place, answer.status)
        expect(self.page.get_by_role("alert")).to_be_visible()
        self.page.wait_for_load_state()
        self.expected.discard(status)

    def press(self, name, within=None, exact=False):
        (within or self.page).get_by_role("button", name=name, exact=exact).first.click()
        self.page.wait_for_load_state()

    def shot(self, name):
        if SHOTS:
            self.page.evaluate("document.activeElement && document.activeElement.blur()")
            self.page.screenshot(path=os.path.join(SHOTS, name + ".png"))

    def found(self):
        """What axe finds: all of it, and what is grave."""
        found = self.page.evaluate(AXE + """;
            axe.run(document, {resultTypes: ["violations"]}).then((found) => found.violations
                .map((one) => ({id: one.id, impact: one.impact, help: one.help,
                    where: one.nodes.slice(0, 3).map((node) => node.html)})))""")
        return found, [one for one in found if one["impact"] in ("serious", "critical")]

    def check(self, place):
        """Axe's rules, and nothing wider than the screen."""
        found, grave = self.found()
        assert not grave, (place, json.dumps(grave, indent=1))
        wide = self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], (place, "wider than the screen", wide)
        return len(found)

    def leave(self):
        if self.troubles:
            raise AssertionError(f"{self.user}: {self.troubles}")
        self.context.close()


def code(after=0):
    """The code of the second factor that counts now; `after` so many steps."""
    key = base64.b32decode(os.environ["CONSOLE_TOTP"])
    step = struct.pack(">Q", int(time.time()) // 30 + after)
    digest = hmac.new(key, step, hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def ask_for(reader, column, reason, script=True):
    page = reader.go("/")
    if script:
        page.get_by_label("Filter").fill(column.split(".")[-1])
    page.locator(f'input[name=pick][value="shop.{column}"]').check()
    page.get_by_label("For how long").fill("20 minutes")
    page.get_by_label("Reason").fill(reason)
    return page


def requested(reader):
    """The number of the newest open request."""
    link = reader.page.locator("section[aria-labelledby=open] h3 a").last
    return int(link.get_attribute("href").rsplit("/", 1)[1])


def approve(reader, number, script=True):
    page = reader.go("/inbox")
    card = page.locator(f"#request-{number}")
    expect(card).to_contain_text("public.customers.ssn")
    expect(card).to_contain_text("partial, first 0 and last 4 kept")
    card.get_by_label("Code of your second factor").fill(code(0 if script else 1))
    reader.press("Approve", card)
    expect(page.locator(f"#request-{number}")).to_have_count(0)


def story(browser, psql, script):
    """Request, approval, raw, revocation, masked: in one session of psql."""
    alice = Reader(browser, "alice", script=script).enter()
    dora = Reader(browser, "dora", scheme="dark", script=script).enter()
    assert not psql.sees_raw(), "masked before"
    page = ask_for(alice, "public.customers.ssn", "INC-42: identity check", script)
    if script:
        expect(page.locator("#foretold")).to_contain_text("1 of group:dba decides")
        alice.shot("my-access-request")
    else:
        alice.press("What would become of it?")
        expect(page.locator("#foretold")).to_contain_text("1 of group:dba decides")
    alice.press("Request access")
    number = requested(alice)
    assert not psql.sees_raw(), "masked while nobody has decided"
    if script:
        dora.go("/inbox")
        dora.shot("inbox-dark")
    ran = dora.go(f"/requests/{number}").locator("section[aria-labelledby=before]")
    expect(ran).to_contain_text("What alice ran on it")
    expect(ran.locator("tbody tr").first).to_contain_text("ssn")
    expect(ran.locator("tbody tr").first).to_contain_text("shown")
    assert re.search(r"= \d", SSN) and not re.search(r"= \d", ran.text_content()), "no constant"
    if script:
        dora.check("a request, with what was run")
    own = alice.go(f"/requests/{number}").locator("section[aria-labelledby=before]")
    expect(own).to_have_count(0)
    approve(dora, number, script)
    assert psql.sees_raw(), "raw after the approval"
    page = alice.go("/")
    left = page.locator("section[aria-labelledby=grants] time.left").first
    expect(left).to_contain_text("left")
    if script:
        before = left.text_content()
        expect(left).not_to_have_text(before)
        alice.shot("my-access")
        dora.go("/live")
        dora.shot("live-dark")
    page = dora.go("/live")
    grants = page.get_by_role("region", name="Grants in force")
    dora.press("Revoke grant", grants.locator("tr").filter(has_text="alice").first)
    expect(page.locator("body")).to_contain_text("No grant is in force")
    assert not psql.sees_raw(), "masked after the revocation"
    print(f"story {'with' if script else 'without'} script: request {number}")
    return alice, dora


def deeds(alice, dora):
    """What else pages do."""
    page = ask_for(alice, "public.customers.email", "INC-43: a call")
    expect(page.locator("#foretold")).to_contain_text("at once")
    alice.press("Request access")
    card = page.locator("article").filter(has_text="public.customers.email").first
    card.locator("summary").click()
    alice.press("Ask for longer", card)
    page = ask_for(alice, "public.payments.iban", "INC-44: to be cancelled")
    alice.press("Request access")
    number = requested(alice)
    alice.press("Cancel", page.locator("article").filter(has_text=f"Request {number}"))
    expect(page.locator("section[aria-labelledby=open]")).to_have_count(0)
    ask_for(alice, "public.payments.iban", "INC-45: to be denied")
    alice.press("Request access")
    number = requested(alice)
    card = dora.go("/inbox").locator(f"#request-{number}")
    card.get_by_label("Reason to deny").fill("Ask for one row")
    dora.press("Deny", card)
    expect(alice.go(f"/requests/{number}").locator("main")).to_contain_text("Ask for one row")
    # What is refused is said where it was asked, with the status that it has.
    page = ask_for(alice, "public.customers.phone", "no number")
    alice.expected.add(403)
    alice.press("Request access")
    expect(page.get_by_role("alert")).to_contain_text("wants a reason")
    assert page.get_by_label("Reason").input_value() == "no number", "what was written is kept"
    alice.expected.discard(403)
    restrict(dora)
    page = dora.go("/live")
    dora.press("Panic: revoke all")
    expect(page.locator("h2")).to_contain_text("Revoke all 1 grants?")
    dora.press("Yes, revoke all")
    expect(page.locator("body")).to_contain_text("No grant is in force")
    for place in ["/live", "/audit", "/risk", "/map/findings"]:
        alice.refused(place, 403)
    alice.refused("/grants/999", 404)
    print("deeds: extend, cancel, deny, refuse, suspend, lift, panic; operators' pages are refused")


def emergency(alice, dora, psql):
    """Break-glass: raw at once, looked at afterwards by somebody else."""
    page = ask_for(alice, "public.customers.ssn", "INC-46: nothing works")
    page.get_by_label("For how long").fill("10 minutes")
    page.get_by_label("This is an emergency (break-glass)").check()
    alice.press("Request access")
    link = page.locator("article h3 a").filter(has_text="public.customers.ssn").first
    place = link.get_attribute("href")
    assert psql.sees_raw(), "raw at once"
    name = "I have looked at it"
    expect(alice.go(place).get_by_role("button", name=name)).to_have_count(0)
    page = dora.go(place)
    dora.check("a grant to be looked at")
    page.get_by_label("What you found").fill("As INC-46 says")
    dora.press(name)
    expect(page.locator("dl")).to_contain_text("Reviewed by")
    expect(page.get_by_role("button", name=name)).to_have_count(0)
    dora.press("Revoke", exact=True)
    assert not psql.sees_raw(), "masked after the revocation"
    print("emergency: raw at once, reviewed by somebody else")


def restrict(dora):
    page = dora.go("/live")
    page.get_by_text("Suspend somebody").click()
    page.get_by_label("User").fill("bob")
    page.get_by_label("Reason").fill("on leave")
    dora.press("Suspend", exact=True)
    dora.press("Lift restriction of bob")
    expect(page.locator("body")).to_contain_text("Nobody is restricted")


def findings(dora, script=True):
    """What a scan found is decided upon, looked at as a change, and taken along."""
    page = dora.go("/map")
    page.get_by_role("link", name="Review what scans found").click()
    expect(page.locator("h1")).to_have_text("What scans found")
    column = "Decision on public.prospects."
    page.get_by_label(column + "mail").select_option("email")
    page.get_by_label(column + "phone_number").select_option("clear")
    dora.press("Show the change")
    expect(page.locator("#change")).to_have_text("The change: 2 columns")
    expect(page.locator("pre.change").first).to_contain_text('+mail = "email"')
    expect(page.get_by_label(column + "mail")).to_have_value("email")
    if script:
        dora.check("a change of the catalog")
    with page.expect_download() as loading:
        page.get_by_role("button", name="Download the patch").click()
    assert loading.value.suggested_filename == "shop.patch", loading.value.suggested_filename
    with open(loading.value.path(), encoding="utf-8") as patch:
        assert '+phone_number = "clear"' in patch.read()
    dora.expected.add(422)
    page.get_by_label(column + "mail").select_option("")
    page.get_by_label(column + "phone_number").select_option("")
    dora.press("Show the change")
    expect(page.get_by_role("alert")).to_contain_text("nothing was chosen")
    dora.expected.discard(422)
    print("findings: decided, shown as a change, taken along as a patch")


def keyboard(alice):
    """To the page by the skip link, and through the form without a mouse."""
    page = alice.go("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_label("Filter").focus()
    page.keyboard.type("ssn")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.locator("input[name=pick]:checked").count() == 1, "a column is ticked"
    print("keyboard: skip link, filter, tick")


def everywhere(browser):
    """Every page for an operator, in each light and size."""
    minor = 0
    for scheme, size in [("light", DESK), ("dark", DESK), ("light", PHONE), ("dark", PHONE)]:
        dora = Reader(browser, "dora", scheme, size)
        dora.go("/login")
        minor += dora.check("/login")
        dora.page.evaluate("document.documentElement.removeAttribute('lang')")
        assert [one["id"] for one in dora.found()[1]] == ["html-has-lang"], "axe looks"
        dora.enter()
        for place in PAGES:
            dora.go(place)
            expect(dora.page.locator("h1")).to_be_visible()
            minor += dora.check(place)
            name = place.split("?")[0].strip("/").replace("/", "-") or "access"
            if size is PHONE and scheme == "light" and place == "/map":
                dora.shot(f"{name}-phone")
            if (scheme, place) in PICTURES and size is DESK:
                dora.shot(f"{name}-{scheme}")
        dora.leave()
    print(f"pages: {len(PAGES) + 1} in 4 forms, no grave finding of axe, {minor} minor")


PICTURES = {("light", PAGES[3]), ("light", PAGES[4]), ("dark", PAGES[6]), ("light", PAGES[-1])}


def main():
    psql = Psql()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--disable-dev-shm-usage"])
        alice, dora = story(browser, psql, script=True)
        deeds(alice, dora)
        emergency(alice, dora, psql)
        keyboard(alice)
        findings(dora)
        alice.leave()
        dora.leave()
        everywhere(browser)
        alice, dora = story(browser, psql, script=False)
        findings(dora, script=False)
        dora.press("Sign out")
        assert "/login" in dora.page.url
        dora.go("/live")
        assert "/login" in dora.page.url, "who has signed out is asked again"
        alice.leave()
        dora.leave()
        browser.close()
    print("console: ok")


if __name__ == "__main__":
    sys.exit(main())
