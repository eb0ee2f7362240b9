"""Every page of the staff's side in a browser, found by its links: WCAG 2.2 AA on a phone, no sideways scroll
on phone or desk, no console or CSP error, no 404, nothing from elsewhere, within the page budget (UX 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response

from tests.browser.conftest import AXE, Portal
from tests.real_portal import running_portal
from tests.totp import code_of

# What a link answers with is a file, or no page of admin's.
FILES = re.compile(r"/(pdf|fhir|zip|csv|ndjson|txt|download|export|report-csv|report-txt|text)/$")
NUMBER = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+")
# A page that families see, as they see it.
NOT_STAFFS = ("/preview/", "/handout/")
MOST_PAGES = 140
pytestmark = pytest.mark.timeout(600)  # a portal of its own, and every page of it


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal with the made-up practice, which has some of everything."""
    with running_portal(tmp_path_factory.mktemp("demo"), PORTAL_DEMO="1") as portal:
        yield portal


@pytest.fixture
def staff(demo: Portal, browser: Browser) -> Iterator[Page]:
    email, password, secret = (demo.data / "demo-staff-login").read_text().split()
    context = browser.new_context(reduced_motion="reduce", viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(f"{demo.url}/admin/")
    page.locator("[name=username]").fill(email)
    page.locator("[name=password]").fill(password)
    with page.expect_navigation():
        page.locator("[type=submit]").click()
    # As if the last sign-in was a minute ago: a code is good once, and no test waits for the next.
    demo.query("UPDATE otp_totp_totpdevice SET last_t = -1")
    page.locator("[name=otp_token]").fill(code_of(secret))
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")
    yield page
    context.close()


def shape(path: str) -> str:
    """The address without its numbers: pages that differ in those only are one page here."""
    return NUMBER.sub("N", path)


def test_every_page_of_staff(demo: Portal, staff: Page):
    wrong: list[str] = []

    def look(response: Response) -> None:
        if response.status >= 400 or not response.url.startswith((demo.url, "data:")):
            wrong.append(f"{response.status} {response.url}")

    staff.context.on("response", look)
    staff.context.on(
        "console",
        lambda said: wrong.append(said.text) if said.type in {"error", "warning"} else None,
    )
    waiting, seen = ["/admin/"], {"/admin/"}
    visited = []
    while waiting and len(visited) < MOST_PAGES:
        path = waiting.pop(0)
        staff.goto(demo.url + path)
        visited.append(path)
        found = Axe().run(staff, options=AXE).response["violations"]
        wrong += [f"{path}: {one['id']} {one['nodes'][0]['html'][:200]}" for one in found]
        for width in (360, 1280):
            staff.set_viewport_size({"width": width, "height": 740})
            scrolls = staff.evaluate("document.documentElement.scrollWidth")
            if scrolls > width:
                wrong.append(f"{path}: {scrolls} wide at {width}")
        staff.set_viewport_size({"width": 360, "height": 740})
        for href in staff.eval_on_selector_all("a[href]", "all => all.map(one => one.href)"):
            parts = urlsplit(href)
            if not href.startswith(f"{demo.url}/admin/") or FILES.search(parts.path):
                continue
            if parts.path.endswith(NOT_STAFFS) or shape(parts.path) in seen:
                continue
            seen.add(shape(parts.path))
            waiting.append(f"{parts.path}?{parts.query}" if parts.query else parts.path)
    assert wrong == []
    assert len(visited) > 60, visited
    assert not waiting


def test_lists_and_forms_are_small(demo: Portal, staff: Page):
    """Cold, at most 150 KB over the wire and 30 requests."""
    wire: dict[str, int] = {}
    network = staff.context.new_cdp_session(staff)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    network.on(
        "Network.loadingFinished",
        lambda done: wire.update({done["requestId"]: done["encodedDataLength"]}),
    )
    for path in (
        *("/admin/", "/admin/households/member/", "/admin/households/member/add/"),
        *("/admin/submissions/submission/", "/admin/documents/document/", "/admin/tasks/"),
        *("/admin/accounts/staffaccount/add/", "/admin/audit/auditevent/"),
        *("/admin/intake/questionnaire/", "/admin/households/practice/1/change/"),
    ):
        wire.clear()
        staff.goto(demo.url + path)
        staff.wait_for_load_state("networkidle")
        assert 1 < len(wire) <= 30, (path, len(wire))
        assert sum(wire.values()) <= 150 * 1024, (path, sum(wire.values()))
