"""The details in a browser: read back, corrected, reviewed by the practice, confirmed; every page of them
clean at 320 pixels, with and without JavaScript, and with the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Portal, Visitor, begins, sign_in_as_staff

WITH_AND_WITHOUT = pytest.mark.parametrize(
    "javascript", [True, False], ids=["with JavaScript", "without JavaScript"]
)


@pytest.fixture
def desk(families: Portal, browser: Browser):
    """A page of admin with somebody of the practice signed in."""
    context = browser.new_context()
    page = context.new_page()
    sign_in_as_staff(page, families)
    yield page
    context.close()


def part(desk: Page, families: Portal, title: str):
    """What waits under this title, on the page of the submission that came last."""
    desk.goto(f"{families.url}/admin/demographics/detailchange/")
    desk.get_by_role("row").filter(has_text=title).get_by_role("link").first.click()
    return desk.locator("[data-part]").filter(has=desk.get_by_role("heading", name=title))


def row(page: Page, field: str):
    return page.locator(f"[data-field={field}]").first


@WITH_AND_WITHOUT
def test_details_are_corrected_reviewed_and_confirmed(
    families: Portal, visitor: Visitor, desk: Page, javascript: bool
):
    def clean() -> None:
        # axe needs scripts; the pages are the same.
        if javascript:
            visitor.assert_clean()

    page = visitor.page
    mark = "1" if javascript else "2"
    visitor.sign_in()
    details = f"{visitor.choose('Leo', '2018/09/03')}demographics/"
    visitor.go(details)
    assert "Leo Rivera" in row(page, "legal_name").inner_text()
    clean()

    # A mistake keeps everything; then it is sent and waits.
    row(page, "mobile_phone").get_by_role("link").click()
    page.locator("[name=mobile_phone]").fill("call my mother")
    page.get_by_label("Send text messages").check()
    page.get_by_role("button", name="Send to Leo").click()
    expect(page).to_have_title(begins("Leo – Error:"))
    assert page.locator("[name=mobile_phone]").input_value() == "call my mother"
    assert page.get_by_label("Send text messages").is_checked()
    if javascript:
        assert page.evaluate("document.activeElement.hasAttribute('data-error-summary')")
    clean()
    page.locator("[name=mobile_phone]").fill(f"617 555 010{mark}")
    page.get_by_role("button", name="Send to Leo").click()
    page.wait_for_url(f"**{details}")
    waiting = row(page, "mobile_phone")
    assert waiting.get_attribute("data-status") == "waiting"
    assert f"(617) 555-010{mark}" in waiting.inner_text()
    clean()

    # A question about who somebody is.
    row(page, "sex").get_by_role("link", name="Ask for a correction").click()
    clean()
    page.get_by_label("Male", exact=True).check()
    page.get_by_role("button", name="Send to Leo").click()
    assert row(page, "sex").get_attribute("data-status") == "waiting"

    # The practice accepts one and returns the other.
    part(desk, families, "Mobile phone").get_by_role("button", name="Accept").first.click()
    desk.get_by_text("Accepted. It is on file now.").wait_for()
    sex = part(desk, families, "Sex on file")
    sex.locator("summary").click()
    sex.locator("[name=words]").fill("Show us the birth certificate.")
    sex.get_by_role("button", name="Return it to the family").click()
    desk.get_by_text("Returned. The family reads the reason.").wait_for()
    visitor.go(details)
    assert row(page, "mobile_phone").get_attribute("data-status") == "accepted"
    assert row(page, "sex").get_attribute("data-status") == "returned"
    assert "Show us the birth certificate." in row(page, "sex").inner_text()
    clean()

    page.get_by_role("button", name="This is all correct").click()
    page.wait_for_url(f"**{details.removesuffix('demographics/')}")
    assert "all of Leo's details are correct" in page.locator("[data-notice]").inner_text()
    clean()
    visitor.go(details)
    assert page.locator("[data-confirmed]").is_visible()
    assert row(page, "sex").get_attribute("data-status") == "on-file"
    clean()


@WITH_AND_WITHOUT
def test_contacts_are_added_copied_changed_and_removed(
    families: Portal, visitor: Visitor, javascript: bool
):
    def clean() -> None:
        if javascript:
            visitor.assert_clean()

    page = visitor.page
    name = f"Zoe Brown {javascript}"
    visitor.sign_in()
    visitor.go(f"{visitor.choose('Leo', '2018/09/03')}demographics/contacts/")
    clean()
    page.get_by_role("link", name="Add a contact").click()
    page.get_by_label("Call them in an emergency").check()
    page.get_by_role("button", name="Send to Leo").click()
    expect(page.locator("[data-error-summary] a")).to_have_count(3)
    assert page.get_by_label("Call them in an emergency").is_checked()
    clean()
    page.locator("[name=name]").fill(name)
    page.locator("[name=relationship]").select_option(label="Friend")
    page.locator("[name=phone]").fill("6175550109")
    page.get_by_role("button", name="Send to Leo").click()
    added = page.locator("[data-contact]").filter(has_text=name)
    assert added.get_attribute("data-status") == "waiting"
    clean()
    added.get_by_role("link", name="Change").click()
    clean()
    page.get_by_role("button", name="Keep what is on file").click()
    expect(page.locator("[data-contact]").filter(has_text=name)).to_have_count(0)

    # What Leo has on file, for Mia.
    visitor.go(f"{visitor.choose('Mia', '2016/04/27')}demographics/home_phone/")
    page.get_by_role("link", name="Same as Leo's").click()
    assert "Leo Rivera" in page.locator("main").inner_text()
    clean()


def test_a_conflict_shows_both(families: Portal, visitor: Visitor, browser: Browser):
    page = visitor.page
    visitor.expected.add(409)
    visitor.sign_in()
    address = f"{visitor.choose('Mia', '2016/04/27')}demographics/address/"
    visitor.go(address)
    page.locator("[name=city]").fill("Harbor")
    # The same family in another browser is faster.
    context = browser.new_context()
    other = Visitor(context, context.new_page(), families.url)
    other.sign_in()
    other.go(f"{other.choose('Mia', '2016/04/27')}demographics/address/")
    other.page.locator("[name=city]").fill("Upton")
    other.page.get_by_role("button", name="Send to Mia").click()
    other.page.locator("[data-notice]").wait_for()
    context.close()

    page.get_by_role("button", name="Send to Mia").click()
    words = page.locator("main").inner_text()
    assert "Upton" in words
    assert "Harbor" in words
    assert page.evaluate("document.activeElement.hasAttribute('data-error-summary')")
    visitor.assert_clean()
    page.get_by_role("button", name="Send mine all the same").click()
    assert "Harbor" in row(page, "address").inner_text()


def test_a_field_is_changed_with_the_keyboard_alone(families: Portal, visitor: Visitor):
    page, keyboard = visitor.page, visitor.page.keyboard

    def tab_to(words: str) -> None:
        for _press in range(120):
            keyboard.press("Tab")
            if words in page.evaluate(
                "(e => [e.name, e.textContent.trim(), e.labels?.[0]?.textContent].join(' '))"
                "(document.activeElement)"
            ):
                return
        raise AssertionError(f"Tab never reaches {words}")

    visitor.sign_in()
    visitor.go(f"{visitor.choose('Leo', '2018/09/03')}demographics/")
    tab_to("Add: Language")
    keyboard.press("Enter")
    page.wait_for_url("**/language/")
    tab_to("preferred_language")
    keyboard.type("Spanish")
    tab_to("Send to Leo")
    keyboard.press("Enter")
    page.locator("[data-notice]").wait_for()
    assert "Spanish" in row(page, "language").inner_text()


def test_ticks_and_choices_outlive_the_idle_page(families: Portal, visitor: Visitor):
    """UX TO-3: nothing was typed, but something was ticked."""
    page = visitor.page
    page.clock.install()
    visitor.sign_in()
    visitor.go(f"{visitor.choose('Mia', '2016/04/27')}demographics/work_phone/")
    page.get_by_label("Call", exact=True).check()
    page.get_by_label("Leave a voice message").check()
    page.clock.fast_forward(15 * 60 * 1000 + 5000)
    page.get_by_text("What you typed is back").wait_for()
    assert page.get_by_label("Call", exact=True).is_checked()
    assert page.get_by_label("Leave a voice message").is_checked()
    page.get_by_role("button", name="Delete what I typed").click()
    assert not page.get_by_label("Call", exact=True).is_checked()
