"""The front desk's morning on a phone, by keyboard: from the start page through what families sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import Portal, Visitor, sign_in_as_staff
from tests.files import png


@pytest.mark.timeout(180)  # with the start of a portal in it
@pytest.mark.parametrize("width", [360])
def test_the_inbox_is_cleared_with_the_keyboard(
    families: Portal, visitor: Visitor, tmp_path: Path, width: int
) -> None:
    page = visitor.page
    visitor.sign_in()
    home = visitor.choose("Leo", "2018/09/03")
    for colour in ("red", "green"):
        paper = tmp_path / f"{colour}.png"
        paper.write_bytes(png("card.png", colour).read())
        visitor.go(f"{home}documents/")
        page.locator("[name=files]").set_input_files(paper)
        page.get_by_role("button", name="Send to Leo").click()
        page.get_by_text(paper.name).first.wait_for()

    sign_in_as_staff(page, families)
    page.locator(".portal-unseen").wait_for()
    visitor.assert_clean()
    page.locator(".portal-unseen").get_by_role("link", name="Leo Rivera").first.focus()
    page.keyboard.press("Enter")
    page.locator(".portal-bar").wait_for()
    visitor.assert_clean()
    assert "2018/09/03" in page.locator(".portal-person").inner_text()
    first = page.locator("[data-submission]").get_attribute("data-submission")
    page.get_by_role("button", name="File it, open the next").focus()
    page.keyboard.press("Enter")
    page.locator(f".portal-bar:not([data-submission='{first}'])").wait_for()
    assert "Filed." in page.locator(".messagelist").inner_text()
    page.get_by_role("link", name="Copy as text").focus()
    page.keyboard.press("Enter")
    page.locator("#as_text").wait_for()
    visitor.assert_clean()
