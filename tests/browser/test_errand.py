"""The whole errand of a parent of two, as one goes through it: from the mail to the right chart, and the
paper on the right child in admin. Once with JavaScript, once without, once with the keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Portal, Visitor, begins, sign_in_as_staff
from tests.files import pdf


@pytest.fixture
def lab_report(tmp_path: Path) -> str:
    # Tests of one worker share a portal: only this test's own file may be looked for.
    path = tmp_path / f"lab report {tmp_path.name}.pdf"
    path.write_bytes(pdf().read())
    return str(path)


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_errand(portal: Portal, visitor: Visitor, lab_report: str, javascript: bool):
    page = visitor.page
    before = portal.links_to("rivera@example.org")

    visitor.go("/")
    page.get_by_role("link", name="First time here, or forgot your password?").click()
    page.get_by_label("Email").fill(" Rivera@Example.org")
    page.locator("main [type=submit]").first.click()
    page.wait_for_url("**/password/sent/")
    page.goto(portal.next_link("rivera@example.org", before))
    page.locator("[name=new_password1]").fill(PASSWORD)
    page.locator("[name=new_password2]").fill(PASSWORD)
    page.locator("main form:has([name=new_password1]) [type=submit]").click()

    page.wait_for_url("**/login/")
    assert "password is set" in page.locator("[data-notice]").inner_text()
    page.get_by_label("Email").fill("rivera@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    visitor.choose("mia", "2016-4-27")
    assert page.locator("[data-bound-member]").inner_text() == "Mia Rivera"
    expect(page).to_have_title(begins("Mia"))
    page.get_by_role("link", name="Documents").first.click()
    documents_before = page.locator("[data-document]").count()
    page.locator("[name=files]").set_input_files(lab_report)
    page.locator("[name=note]").fill("from the hospital")
    page.get_by_role("button", name="Send to Mia").click()
    assert "Mia" in page.locator("[data-notice]").inner_text()
    expect(page.locator("[data-document]")).to_have_count(documents_before + 1)
    expect(page.locator("[data-document]").filter(has_text=Path(lab_report).name)).to_have_count(1)

    page.get_by_role("button", name="Switch person").first.click()
    page.wait_for_url("**/who/")
    visitor.choose("Leo", "2018/09/03")
    assert page.locator("[data-bound-member]").inner_text() == "Leo Rivera"
    page.get_by_role("link", name="Documents").first.click()
    page.get_by_role("button", name="Send to Leo").wait_for()
    assert Path(lab_report).name not in page.content()
    assert "hospital" not in page.content()

    page.go_back()
    page.go_back()
    expect(page.locator("[data-document]")).to_have_count(0)
    page.get_by_role("button", name="Sign out").first.click()
    page.wait_for_url("**/login/")
    page.go_back()
    expect(page.locator("[data-bound-member]")).to_have_count(0)

    sign_in_as_staff(page, portal)
    visitor.go("/admin/documents/document/")
    row = page.locator("#result_list tbody tr").first.inner_text()
    assert "Mia" in row
    assert "2016/04/27" in row
    page.locator("#result_list tbody th a").first.click()
    shown = page.locator("#content").inner_text()
    assert "Mia" in shown
    assert "from the hospital" in shown
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes() == Path(lab_report).read_bytes()


def test_errand_with_the_keyboard_alone(families: Portal, visitor: Visitor, lab_report: str):
    page, keyboard = visitor.page, visitor.page.keyboard

    def tab_to(name: str) -> None:
        """Press Tab until the control of this name has the focus, seen and not covered."""
        for _press in range(60):
            keyboard.press("Tab")
            if (
                page.evaluate(
                    "document.activeElement.name || document.activeElement.textContent.trim()"
                )
                == name
            ):
                break
        else:
            raise AssertionError(f"Tab never reaches {name}")
        assert page.evaluate(
            "(() => { const e = document.activeElement, r = e.getBoundingClientRect();"
            "const top = document.elementFromPoint(r.x + r.width / 2, r.y + Math.min(r.height, 40) / 2);"
            "return e === top || e.contains(top) || top.contains(e) })()"
        ), f"{name} is covered"

    visitor.go("/login/")
    keyboard.press("Tab")
    assert "Skip" in page.evaluate("document.activeElement.textContent")
    tab_to("email")
    keyboard.type("rivera@example.org")
    tab_to("password")
    keyboard.type(PASSWORD)
    keyboard.press("Enter")
    page.wait_for_url("**/who/")
    tab_to("first_name")
    keyboard.type("Leo")
    tab_to("date_of_birth")
    keyboard.type("2018/09/03")
    keyboard.press("Enter")
    page.wait_for_url("**/for/**")
    tab_to("Documents")
    keyboard.press("Enter")
    page.wait_for_url("**/documents/")
    tab_to("files")
    page.locator("[name=files]").set_input_files(lab_report)
    tab_to("note")
    keyboard.type("typed")
    tab_to("Send to Leo's chart")
    keyboard.press("Enter")
    page.locator("[data-notice]").wait_for()
    assert "Leo" in page.locator("[data-notice]").inner_text()
    tab_to("Sign out")
    keyboard.press("Enter")
    page.wait_for_url("**/login/")
