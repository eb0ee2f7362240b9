"""The real portal (tests/real_portal.py) for a real browser."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    Response,
    expect,
    sync_playwright,
)

from tests.real_portal import RealPortal as Portal
from tests.real_portal import running_portal

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# target-size is off by default: only the 2.2 tags switch it on.
AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    # It would write style elements of its own, which the page's policy refuses with a console error.
    "preload": False,
}
ROSTER = """\
patient_id,mrn,first_name,last_name,preferred_name,date_of_birth,email,status
P1,M1,Elena,Rivera,,1985-04-12,rivera@example.org,active
P2,M2,Mia,Rivera,,2016-04-27,Rivera@Example.org,active
P3,M3,Leo,Rivera,,2018-09-03,rivera@example.org,active
P4,M4,Ada,Okafor,,1979-11-30,okafor@example.org,active
P5,M5,Mia,Okafor,,2016-04-27,okafor@example.org,active
P6,M6,Sam,Chen,,2010-05-05,chen@example.org,active
P7,M7,Sam,Chen,,2010-05-05,chen@example.org,active
"""
# A click returns while the next page is still coming, and a machine may be slow.
expect.set_options(timeout=20_000)
PASSWORD = "meadow copper violin raft"
STAFF = ("front@practice.example", "orchard lantern gravel plume")


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with running_portal(tmp_path_factory.mktemp("portal")) as portal:
        portal.import_roster(ROSTER)
        portal.add_owner(*STAFF)
        yield portal
    said = portal.said()
    for secret in ("example.org", "Rivera", PASSWORD, "Traceback"):
        assert secret not in said, said


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        missing = "Chromium was not found: install the package chromium, or set CHROMIUM."
        # A newcomer's first `make test` passes without; continuous integration installs it.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def begins(words: str) -> re.Pattern[str]:
    """For a title that is waited for: a click returns while the next page is still coming."""
    return re.compile(f"^{re.escape(words)}")


def sign_in_as_staff(page: Page, portal: Portal) -> None:
    """Both steps, by keyboard, from whatever page of admin asks for them."""
    page.goto(f"{portal.url}/admin/")
    page.locator("[name=username]").fill(STAFF[0])
    page.locator("[name=password]").fill(STAFF[1])
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.locator("[name=otp_token]").fill(portal.staff_code())
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")


@dataclass
class Visitor:
    """One browser profile with one tab that remembers everything a page may not do."""

    context: BrowserContext
    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=lambda: {200, 204, 302, 422})

    def go(self, path: str) -> Response | None:
        return self.page.goto(self.url + path)

    def sign_in(self, email: str = "rivera@example.org", password: str = PASSWORD) -> None:
        self.go("/login/")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def choose(self, first_name: str, date_of_birth: str) -> str:
        """Pick a person; returns the address of their home."""
        self.go("/who/")
        self.page.get_by_label("First name").fill(first_name)
        self.page.get_by_label("Date of birth").fill(date_of_birth)
        self.page.locator("form", has=self.page.locator("[name=first_name]")).get_by_role(
            "button"
        ).first.click()
        self.page.wait_for_url("**/for/**")
        return self.page.url.removeprefix(self.url)

    def assert_clean(self) -> None:
        """WCAG 2.2 AA by axe, no sideways scroll, also with WCAG's text spacing (1.4.10, 1.4.12)."""
        width = self.page.viewport_size["width"]
        # A click returns when the next page begins to come: half of it has no main part and no heading yet.
        self.page.wait_for_load_state()
        try:
            found = Axe().run(self.page, options=AXE).response["violations"]
        except Error:
            # The page was on its way to the next one when the rules began.
            self.page.wait_for_load_state()
            found = Axe().run(self.page, options=AXE).response["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width
        # Through the style sheet's object model: the page's own policy refuses a new style element.
        self.page.evaluate(
            "document.styleSheets[0].insertRule('* { line-height: 1.5 !important; "
            "letter-spacing: .12em !important; word-spacing: .16em !important }')"
        )
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.fixture
def visitor(portal: Portal, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A phone, 320 CSS pixels wide unless the test says `@pytest.mark.parametrize("width", ...)`;
    `javascript` likewise."""
    callspec = getattr(request.node, "callspec", None)
    asked = callspec.params if callspec else {}
    context = browser.new_context(
        viewport={"width": asked.get("width", 320), "height": 720},
        reduced_motion="reduce",
        java_script_enabled=asked.get("javascript", True),
    )
    visitor = Visitor(context, context.new_page(), portal.url)

    def look(response: Response) -> None:
        if response.status not in visitor.expected:
            visitor.wrong.append(f"{response.status} {response.url}")
        if not response.url.startswith((portal.url, "data:")):
            visitor.wrong.append(f"outside: {response.url}")

    context.on("response", look)
    context.on(
        "console",
        lambda message: (
            visitor.wrong.append(message.text)
            if message.type in {"error", "warning"} and "status of 4" not in message.text
            else None
        ),
    )
    context.on("weberror", lambda error: visitor.wrong.append(str(error.error)))
    yield visitor
    context.close()
    assert visitor.wrong == []


@pytest.fixture(scope="session")
def families(portal: Portal, browser: Browser) -> Portal:
    """The portal with passwords set, each from its mail, for the Riveras, the Okafors and the Chens."""
    for email in ("rivera@example.org", "okafor@example.org", "chen@example.org"):
        context = browser.new_context()
        page = context.new_page()
        before = portal.links_to(email)
        page.goto(f"{portal.url}/password/")
        page.get_by_label("Email").fill(email)
        page.locator("form", has=page.locator("[name=email]")).get_by_role("button").click()
        page.wait_for_url("**/password/sent/")
        page.goto(portal.next_link(email, before))
        page.locator("[name=new_password1]").fill(PASSWORD)
        page.locator("[name=new_password2]").fill(PASSWORD)
        page.locator("form", has=page.locator("[name=new_password1]")).locator(
            "[type=submit]"
        ).click()
        page.wait_for_url("**/login/")
        context.close()
    return portal
