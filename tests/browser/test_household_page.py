"""The front desk answers "I can't get in" in a browser: clean by axe, at 320 and 1280 pixels."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Portal, Visitor, begins, sign_in_as_staff


@pytest.mark.timeout(180)
@pytest.mark.parametrize("width", [320, 1280])
def test_the_front_desk_helps_a_family_in(families: Portal, visitor: Visitor, width: int) -> None:
    visitor.expected |= {422}
    page = visitor.page
    sign_in_as_staff(page, families)

    def ask(email: str) -> None:
        visitor.go("/admin/household/")
        page.get_by_label("Email of the family").fill(email)
        page.get_by_role("button", name="Find the household").click()
        page.wait_for_selector("#content")

    ask("")
    assert "Type the email" in page.locator("#household-error").inner_text()
    visitor.assert_clean()
    ask("riverra@example.org")
    assert "Nobody has this email on file" in page.locator(".portal-diagnosis").inner_text()
    visitor.assert_clean()
    page.locator(".portal-near a").first.click()
    mia = page.locator(".portal-card", has_text="Mia Rivera")
    mia.locator("summary").click()
    visitor.assert_clean()
    mia.get_by_label("Right birth date").fill("04/27/2016")
    mia.get_by_role("button", name="Correct the birth date").click()
    expect(page).to_have_title(begins("Error"))
    assert (
        page.get_by_label("Right birth date").and_(page.locator("[aria-invalid]")).input_value()
        == "04/27/2016"
    )
    visitor.assert_clean()
    mia.get_by_role("link", name="Mia Rivera").click()
    page.get_by_label("Primary email").fill("okafor@example.org")
    page.locator("[name=_save]").click()
    assert "Nothing is saved yet." in page.locator("#content").inner_text()
    visitor.assert_clean()
    page.get_by_role("button", name="Save: they share this login").click()
    assert "Tick the box" in page.locator("#content").inner_text()
    visitor.assert_clean()
