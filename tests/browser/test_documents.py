"""Documents both ways in a browser: every page of them clean, with and without JavaScript, and with the
keyboard alone."""

from __future__ import annotations

import datetime
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Portal, Visitor, begins, sign_in_as_staff
from tests.files import jpeg, pdf, png

WIDTHS = pytest.mark.parametrize("width", [320, 1280])
WITH_AND_WITHOUT = pytest.mark.parametrize(
    "javascript", [True, False], ids=["with JavaScript", "without JavaScript"]
)
MIA = ("Mia", "2016/04/27")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Files of this test's own, by their names: tests of one process share a portal."""
    mark = uuid.uuid4().hex[:8]
    made = {"front": jpeg(), "back": png(colour="maroon"), "lab": pdf(pages=3)}
    paths = {}
    for name, file in made.items():
        path = tmp_path / f"{name} {mark}{Path(file.name).suffix}"
        path.write_bytes(file.read())
        paths[name] = str(path)
    wrong = tmp_path / f"wrong {mark}.pdf"
    wrong.write_bytes(b"<html>hello")
    return {**paths, "wrong": str(wrong)}


@pytest.fixture
def desk(families: Portal, browser: Browser):
    """A page of admin with somebody of the practice signed in."""
    context = browser.new_context()
    page = context.new_page()
    sign_in_as_staff(page, families)
    yield page
    context.close()


def at_member(desk: Page, families: Portal, kind: str) -> None:
    """The form of admin that asks or shares, for Mia Rivera, from her own page."""
    desk.goto(f"{families.url}/admin/households/member/?q=mia")
    desk.get_by_role("row").filter(has_text="rivera@example.org").get_by_role("link").first.click()
    desk.locator(f"a[href*='/{kind}/']").first.click()


def ask(desk: Page, families: Portal, what: str) -> None:
    at_member(desk, families, "documentrequest/ask")
    desk.locator("[name=what]").fill(what)
    desk.locator("[name=why]").fill("The one on file has ended.")
    due = datetime.date.today() + datetime.timedelta(days=7)
    desk.locator("[name=due_on]").fill(f"{due:%Y/%m/%d}")
    desk.locator("#content form [type=submit]").first.click()
    desk.get_by_text("Asked. The family sees it").wait_for()


def share(desk: Page, families: Portal, path: str) -> None:
    at_member(desk, families, "document/share")
    desk.locator("[name=file]").set_input_files(path)
    desk.locator("#content form [type=submit]").first.click()
    desk.get_by_text("Shared. The family sees it").wait_for()


def document_in_admin(desk: Page, families: Portal, name: str) -> None:
    """The page of the document whose file has this name; looking at it marks it as seen."""
    desk.goto(f"{families.url}/admin/documents/document/")
    desk.get_by_role("row").filter(has_text=name).get_by_role("link").first.click()
    desk.locator("[name=words]").wait_for()


def wait_for_pictures(page: Page) -> None:
    """Until the background worker has made them: the page asked for anew, as the link on it does."""
    for _try in range(40):
        if page.locator("main img").count():
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError("no picture came")


def row(page: Page, path: str):
    return page.locator("[data-document]").filter(has_text=Path(path).name)


@WIDTHS
def test_every_page_of_documents(
    families: Portal, visitor: Visitor, desk: Page, files: dict[str, str], width: int
):
    page = visitor.page
    ask(desk, families, f"Insurance card {width}")
    share(desk, families, files["lab"])
    visitor.sign_in()
    home = visitor.choose(*MIA)
    visitor.assert_clean()
    visitor.go(home)
    page.get_by_role("link", name=f"Insurance card {width}").click()
    assert "The one on file has ended." in page.locator("main").inner_text()
    visitor.assert_clean()

    page.locator("[name=files]").set_input_files([files["front"], files["wrong"]])
    page.locator("[name=note]").fill("from the wallet")
    page.get_by_role("button", name="Send to Mia").click()
    expect(page).to_have_title(begins("Mia – Error:"))
    assert page.evaluate("document.activeElement.hasAttribute('data-error-summary')")
    page.locator("[data-error-summary] a").click()
    assert page.evaluate("document.activeElement.name") == "files"
    assert page.locator("[name=note]").input_value() == "from the wallet"
    visitor.assert_clean()
    page.locator("[name=files]").set_input_files(files["back"])
    page.get_by_label("These photos are pages of one paper").check()
    page.get_by_role("button", name="Send to Mia").click()
    page.wait_for_url("**/documents/join/**")
    expect(page.locator("main input[value='1']")).to_have_count(1)
    expect(page.locator("main input[value='2']")).to_have_count(1)
    wait_for_pictures(page)
    visitor.assert_clean()
    page.locator("main input[value='1']").fill("one")
    page.get_by_role("button", name="Join").click()
    visitor.assert_clean()
    page.locator("main [aria-invalid=true]").fill("3")
    page.get_by_role("button", name="Join").click()
    assert "2 photos were joined" in page.locator("[data-notice]").inner_text()
    expect(row(page, files["front"])).to_have_count(0)
    joined = row(page, files["back"].replace(".png", ".pdf"))
    assert joined.get_attribute("data-status") == "received"
    visitor.assert_clean()

    joined.get_by_role("link").click()
    wait_for_pictures(page)
    expect(page.get_by_alt_text("Page 2 of 2")).to_have_count(1)
    visitor.assert_clean()
    page.get_by_role("link", name="Take it back").click()
    visitor.assert_clean()
    document_in_admin(desk, families, Path(files["back"]).stem)
    page.get_by_role("button", name="Take it back").click()
    assert "too late" in page.locator("[data-error-summary]").inner_text()
    visitor.assert_clean()
    desk.locator("[name=words]").fill("A corner is cut off.")
    desk.locator("form:has([name=words]) [type=submit]").first.click()
    desk.get_by_text("Returned. The family reads the reason").wait_for()
    visitor.go(home)
    line = page.locator("main li").filter(has_text=f"Insurance card {width}").first
    assert "Returned: send it again" in line.inner_text()
    visitor.assert_clean()
    visitor.go(f"{home}documents/")
    assert "A corner is cut off." in row(page, files["back"].replace(".png", ".pdf")).inner_text()
    visitor.assert_clean()
    row(page, files["back"].replace(".png", ".pdf")).get_by_role(
        "link", name="Send it again"
    ).click()
    page.locator("[name=files]").set_input_files(files["lab"])
    page.get_by_role("button", name="Send to Mia").click()
    expect(page.locator("main a").filter(has_text=f"Insurance card {width}")).to_have_count(0)

    # What the practice shared: new, then opened.
    shared = row(page, files["lab"]).first
    assert shared.get_attribute("data-status") == "new"
    shared.get_by_role("link").click()
    wait_for_pictures(page)
    expect(page.get_by_alt_text("Page 3 of 3")).to_have_count(1)
    visitor.assert_clean()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes() == Path(files["lab"]).read_bytes()
    visitor.go(f"{home}documents/")
    assert row(page, files["lab"]).first.get_attribute("data-status") == "opened"


@WITH_AND_WITHOUT
def test_asked_for_answered_and_taken_back(
    families: Portal, visitor: Visitor, desk: Page, files: dict[str, str], javascript: bool
):
    page = visitor.page
    what = f"Referral {javascript}"
    ask(desk, families, what)
    visitor.sign_in()
    home = visitor.choose(*MIA)
    visitor.go(home)
    first = page.locator("main .rows").first.locator("a").all_inner_texts()
    assert first.index(what) < first.index("Documents")
    page.get_by_role("link", name=what).click()
    page.locator("[name=files]").set_input_files([files["front"], files["back"]])
    page.locator("[name=join]").check()
    page.get_by_role("button", name="Send to Mia").click()
    page.get_by_role("button", name="Join the numbered photos").click()
    assert "2 photos were joined" in page.locator("[data-notice]").inner_text()
    joined = row(page, files["front"].replace(".jpg", ".pdf"))
    joined.get_by_role("link").first.click()
    wait_for_pictures(page)
    page.get_by_role("link", name="Take it back").click()
    page.get_by_role("button", name="Take it back").click()
    assert "taken back" in page.locator("[data-notice]").inner_text()
    expect(joined).to_have_count(0)
    visitor.go(home)
    assert what in page.locator("main .rows").first.inner_text()
    # Answered for good, so that other tests find the list as it was.
    page.get_by_role("link", name=what).click()
    page.locator("[name=files]").set_input_files(files["lab"])
    page.get_by_role("button", name="Send to Mia").click()
    expect(page.get_by_role("link", name=what)).to_have_count(0)


def test_photos_are_sent_and_joined_with_the_keyboard_alone(
    families: Portal, visitor: Visitor, files: dict[str, str]
):
    page, keyboard = visitor.page, visitor.page.keyboard

    def tab_to(name: str) -> None:
        for _press in range(80):
            keyboard.press("Tab")
            if name in page.evaluate(
                "(e => [e.name, e.textContent.trim(), e.labels?.[0]?.textContent].join(' '))"
                "(document.activeElement)"
            ):
                return
        raise AssertionError(f"Tab never reaches {name}")

    visitor.sign_in()
    visitor.go(f"{visitor.choose('Leo', '2018/09/03')}documents/")
    tab_to("files")
    page.locator("[name=files]").set_input_files([files["front"], files["back"]])
    tab_to("These photos are pages")
    keyboard.press("Space")
    tab_to("Insurance card")
    keyboard.press("ArrowDown")
    tab_to("Send to Leo")
    keyboard.press("Enter")
    page.wait_for_url("**/documents/join/**")
    tab_to(f"Page number of {Path(files['front']).name}")
    keyboard.press("Control+A")
    keyboard.type("5")
    tab_to("Join the numbered photos")
    keyboard.press("Enter")
    page.locator("[data-notice]").wait_for()
    name = Path(files["back"]).with_suffix(".pdf").name
    assert "Photo ID" in page.locator("[data-document]").filter(has_text=name).inner_text()


def test_pictures_come_by_themselves_where_scripts_run(
    families: Portal, visitor: Visitor, files: dict[str, str]
):
    page = visitor.page
    visitor.sign_in()
    visitor.go(f"{visitor.choose('Leo', '2018/09/03')}documents/")
    page.locator("[name=files]").set_input_files(files["lab"])
    page.get_by_role("button", name="Send to Leo").click()
    row(page, files["lab"]).get_by_role("link").first.click()
    page.get_by_alt_text("Page 1 of 3").wait_for(timeout=20000)


def test_small_pictures_come_beside_the_numbers_typed(
    families: Portal, visitor: Visitor, files: dict[str, str]
):
    page = visitor.page
    visitor.sign_in()
    visitor.go(f"{visitor.choose('Leo', '2018/09/03')}documents/")
    page.locator("[name=files]").set_input_files([files["front"], files["back"]])
    page.locator("[name=join]").check()
    page.get_by_role("button", name="Send to Leo").click()
    page.wait_for_url("**/documents/join/**")
    page.locator("main input[value='1']").fill("7")
    page.locator("main li:nth-child(2) img.thumb").wait_for(timeout=20000)
    page.locator("main li:nth-child(1) img.thumb").wait_for(timeout=20000)
    assert page.locator("main li:nth-child(1) input").input_value() == "7"
    visitor.assert_clean()


def test_a_way_past_the_form(families: Portal, visitor: Visitor, files: dict[str, str]):
    page = visitor.page
    visitor.sign_in()
    visitor.go(f"{visitor.choose('Leo', '2018/09/03')}documents/")
    page.locator("[name=files]").set_input_files(files["front"])
    page.locator("[name=note]").fill("first line\nsecond line")
    page.get_by_role("button", name="Send to Leo").click()
    page.get_by_role("link", name="See what was sent").click()
    banner = page.locator(".chart").bounding_box()
    heading = page.get_by_role("heading", name="Sent to Leo's chart").bounding_box()
    assert banner["y"] + banner["height"] <= heading["y"] < page.viewport_size["height"]
    row(page, files["front"]).get_by_role("link").first.click()
    assert "first line\nsecond line" in page.locator("main").inner_text()


@pytest.mark.parametrize("width", [360])
def test_pictures_do_not_push_the_page(
    families: Portal, visitor: Visitor, files: dict[str, str], width: int
):
    """With text at twice its size too (WCAG 1.4.4)."""
    page = visitor.page
    visitor.sign_in()
    visitor.go(f"{visitor.choose('Leo', '2018/09/03')}documents/")
    page.locator("[name=files]").set_input_files([files["lab"], files["front"]])
    page.get_by_role("button", name="Send to Leo").click()
    for path in (files["lab"], files["front"]):
        documents = page.url
        row(page, path).get_by_role("link").first.click()
        wait_for_pictures(page)
        for size in ("100%", "200%"):
            page.evaluate(f"document.documentElement.style.fontSize = '{size}'")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.goto(documents)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
