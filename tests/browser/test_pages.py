"""Every page of the portal in a browser: WCAG 2.2 AA, no sideways scroll, no console or CSP error, no 404,
no request elsewhere, within the page budget (UX section 5)."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Portal, Visitor, begins, sign_in_as_staff
from tests.files import png

WIDTHS = pytest.mark.parametrize("width", [320, 1280])
SIGNED_OUT = ["/login/", "/password/", "/password/sent/", "/help/family/"]


@pytest.fixture
def paper(tmp_path: Path) -> str:
    path = tmp_path / "card.png"
    path.write_bytes(png().read())
    return str(path)


@WIDTHS
def test_pages_for_anyone(portal: Portal, visitor: Visitor, width: int):
    for path in SIGNED_OUT:
        visitor.go(path)
        visitor.assert_clean()


@WIDTHS
def test_pages_that_say_what_is_wrong(families: Portal, visitor: Visitor, width: int):
    visitor.expected |= {403, 404, 410}
    page = visitor.page
    for path in ["/login/", "/password/"]:
        visitor.go(path)
        page.locator("main [type=submit]").first.click()
        expect(page).to_have_title(begins("Error"))
        assert page.evaluate("document.activeElement.hasAttribute('data-error-summary')")
        page.locator("[data-error-summary] a").first.click()
        assert page.evaluate("document.activeElement.tagName") == "INPUT"
        visitor.assert_clean()
    for path in ["/nothing/here/", "/password/" + "x" * 43 + "/"]:
        visitor.go(path)
        visitor.assert_clean()


@WIDTHS
def test_choosing_the_password(families: Portal, visitor: Visitor, width: int):
    visitor.go("/password/")
    before = families.links_to("chen@example.org")
    visitor.page.get_by_label("Email").fill("chen@example.org")
    visitor.page.locator("main [type=submit]").first.click()
    visitor.assert_clean()
    visitor.page.goto(families.next_link("chen@example.org", before))
    visitor.assert_clean()
    visitor.page.locator("[name=new_password1]").fill("short")
    visitor.page.locator("main form [type=submit]").first.click()
    assert "at least 15" in visitor.page.locator("[data-error-summary]").inner_text()
    visitor.assert_clean()


@WIDTHS
def test_pages_of_a_signed_in_family(families: Portal, visitor: Visitor, paper: str, width: int):
    visitor.expected |= {404, 409}
    page = visitor.page
    visitor.sign_in()
    assert "Who is this for?" in page.locator("h1").inner_text()
    visitor.assert_clean()
    page.get_by_label("First name").fill("Zelda")
    page.get_by_label("Date of birth").fill("04/27/2016")
    page.locator("main form [type=submit]").first.click()
    visitor.assert_clean()
    page.get_by_label("Date of birth").fill("2016/04/27")
    page.locator("main form [type=submit]").first.click()
    assert "We could not find a match" in page.locator("main").inner_text()
    visitor.assert_clean()
    for path in ["/account/", "/password/change/"]:
        visitor.go(path)
        visitor.assert_clean()

    mia = visitor.choose("Mia", "2016/04/27")
    visitor.assert_clean()
    visitor.go(f"{mia}documents/")
    visitor.assert_clean()
    page.locator("main form [type=submit]").last.click()
    visitor.assert_clean()
    page.locator("[name=files]").set_input_files(paper)
    page.locator("[name=note]").fill("both sides")
    page.locator("main form:has([name=files]) [type=submit]").click()
    expect(page.locator("[data-notice]")).to_have_count(1)
    visitor.assert_clean()
    page.locator("[data-document] a").first.click()
    visitor.assert_clean()
    visitor.go(mia)
    visitor.assert_clean()

    visitor.choose("Leo", "2018/09/03")
    visitor.go(mia)
    assert "Mia" in page.locator("main").inner_text()
    visitor.assert_clean()
    visitor.go("/who/")
    visitor.assert_clean()


@WIDTHS
def test_ambiguous_pair(families: Portal, visitor: Visitor, width: int):
    visitor.sign_in("chen@example.org")
    visitor.page.get_by_label("First name").fill("Sam")
    visitor.page.get_by_label("Date of birth").fill("2010/05/05")
    visitor.page.locator("main form [type=submit]").first.click()
    assert "Call us" in visitor.page.locator("main").inner_text()
    visitor.assert_clean()


@pytest.mark.parametrize("width", [360, 1280])
def test_admin_pages(families: Portal, visitor: Visitor, width: int):
    page = visitor.page
    visitor.go("/admin/")
    visitor.assert_clean()
    sign_in_as_staff(page, families)
    visitor.assert_clean()
    for path in [
        "/admin/households/member/",
        "/admin/accounts/householdaccount/",
        "/admin/submissions/submission/",
        "/admin/documents/document/",
        "/admin/documents/documentrequest/",
        "/admin/documents/documentkind/",
        "/admin/help-text/",
        "/admin/households/practice/1/change/",
    ]:
        visitor.go(path)
        visitor.assert_clean()
    visitor.go("/admin/households/member/?q=mia")
    page.locator("#result_list tbody th a").first.click()
    assert "2016/04/27" in page.locator("#content").inner_text()
    page.locator("[name=also_called-0-name]").fill("Mimi")
    page.get_by_role("button", name="Save and continue editing").click()
    page.locator("[name=also_called-0-DELETE]").check()
    visitor.assert_clean()
    page.get_by_role("button", name="Save and continue editing").click()


@pytest.mark.parametrize("width", [360, 1280])
def test_admin_pages_of_papers(families: Portal, visitor: Visitor, paper: str, width: int):
    page = visitor.page
    sign_in_as_staff(page, families)
    visitor.go("/admin/households/member/?q=mia")
    page.locator("#result_list tbody th a").first.click()
    member = page.url.removeprefix(visitor.url)
    page.get_by_role("link", name="Ask for a document").click()
    page.get_by_role("button", name="Ask the family").click()
    assert "Say what you ask for." in page.locator("#content").inner_text()
    visitor.assert_clean()
    page.locator("[name=what]").fill(f"Photo ID, seen at {width}")
    page.get_by_role("button", name="Ask the family").click()
    visitor.assert_clean()
    page.get_by_role("button", name="Close").click()
    assert "not asked any more" in page.locator(".messagelist").inner_text()
    visitor.go(member)
    page.get_by_role("link", name="Share a document").click()
    page.locator("[name=file]").set_input_files(paper)
    page.locator("[name=name]").fill(f"Card, seen at {width}")
    visitor.assert_clean()
    page.get_by_role("button", name="Share it with the family").click()
    assert "2016/04/27" in page.locator(".portal-person").inner_text()
    visitor.assert_clean()
    page.get_by_role("button", name="Stop sharing").click()
    assert "does not see it any more" in page.locator(".messagelist").inner_text()


def test_a_page_is_small(families: Portal, visitor: Visitor):
    """UX section 5: cold, at most 30 KB over the wire and 6 requests. A family's own pictures come on top:
    small ones, asked for as they come into sight, and each by itself."""
    visitor.sign_in()
    home = visitor.choose("Leo", "2018/09/03")
    wire: dict[str, int] = {}
    pictures: set[str] = set()

    def asked(request: dict) -> None:
        if request["request"]["url"].endswith("/thumbnail/"):
            pictures.add(request["requestId"])

    browser = visitor.context.new_cdp_session(visitor.page)
    browser.send("Network.enable")
    browser.send("Network.setCacheDisabled", {"cacheDisabled": True})
    browser.on("Network.requestWillBeSent", asked)
    browser.on(
        "Network.loadingFinished",
        lambda done: wire.update({done["requestId"]: done["encodedDataLength"]}),
    )
    for path in ["/help/family/", "/who/", home, f"{home}documents/"]:
        wire.clear()
        visitor.go(path)
        visitor.page.wait_for_load_state("networkidle")
        own = [size for request, size in wire.items() if request not in pictures]
        assert 1 < len(own) <= 6, (path, wire)
        assert sum(own) <= 30 * 1024, (path, wire)


def test_password_can_be_shown_and_pasted(portal: Portal, visitor: Visitor):
    visitor.go("/login/")
    field = visitor.page.locator("[name=password]")
    field.focus()
    visitor.page.keyboard.insert_text(PASSWORD)
    assert field.get_attribute("type") == "password"
    visitor.page.get_by_role("button", name="Show").click()
    assert field.get_attribute("type") == "text"
    assert field.input_value() == PASSWORD


def test_warning_before_the_idle_sign_out(families: Portal, visitor: Visitor):
    """UX TO-1, TO-2: warned two minutes before, Escape stays, silence signs out."""
    visitor.page.clock.install()
    visitor.sign_in()
    visitor.choose("Leo", "2018/09/03")
    visitor.page.clock.fast_forward(13 * 60 * 1000 + 1000)
    dialog = visitor.page.get_by_role("dialog")
    assert dialog.is_visible()
    visitor.assert_clean()
    with visitor.page.expect_response("**/session/stay/") as staying:
        visitor.page.keyboard.press("Escape")
    assert staying.value.status == 204
    assert not dialog.is_visible()


def test_typed_text_outlives_the_idle_page(families: Portal, visitor: Visitor):
    """UX TO-3, PRODUCT A4: the page is left by itself, what was typed is there when it opens again."""
    visitor.page.clock.install()
    visitor.sign_in()
    home = visitor.choose("Leo", "2018/09/03")
    visitor.go(f"{home}documents/")
    sent_before = visitor.page.locator("[data-document]").count()
    visitor.page.locator("[name=note]").fill("half a sentence")
    visitor.page.clock.fast_forward(15 * 60 * 1000 + 5000)
    visitor.page.get_by_text("What you typed is back").wait_for()
    assert visitor.page.locator("[name=note]").input_value() == "half a sentence"
    expect(visitor.page.locator("[data-document]")).to_have_count(sent_before)
    visitor.page.get_by_role("button", name="Delete what I typed").click()
    assert visitor.page.locator("[name=note]").input_value() == ""


def test_back_after_a_mistake_is_no_error_page_of_the_browser(families: Portal, visitor: Visitor):
    """UX ALL-5. Going back to the answer of a form, browsers show "Confirm resubmission"."""
    page = visitor.page
    visitor.sign_in()
    page.get_by_label("First name").fill("Leo")
    page.get_by_label("Date of birth").fill("09/03/2018")
    page.get_by_role("button", name="Open the chart").click()
    expect(page).to_have_title(begins("Error"))
    page.get_by_label("Date of birth").fill("2018/09/03")
    page.get_by_role("button", name="Open the chart").click()
    page.wait_for_url("**/for/**")
    page.go_back()
    assert page.get_by_text("The chart of Leo Rivera is open now").is_visible()
    page.reload()
    page.get_by_role("link", name="Back to Leo's visit").click()
    page.wait_for_url("**/for/**")


@pytest.mark.parametrize("width", [360])
def test_text_at_twice_its_size_fits(families: Portal, visitor: Visitor, width: int):
    """WCAG 1.4.4: a phone whose owner asks for large text."""
    page = visitor.page
    visitor.sign_in()
    home = visitor.choose("Mia", "2016/04/27")
    for path in [
        "/help/family/",
        "/who/",
        "/account/",
        "/password/change/",
        home,
        f"{home}documents/",
    ]:
        visitor.go(path)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
