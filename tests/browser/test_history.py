"""A penicillin allergy and two supplements, on a phone: with a mouse, without JavaScript, with the keyboard
alone; and every page of the history by the rules of WCAG."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Portal, Visitor, begins, sign_in_as_staff

WITH_AND_WITHOUT = pytest.mark.parametrize(
    "javascript", [True, False], ids=["with JavaScript", "without JavaScript"]
)


def entry(page: Page, title: str):
    return page.locator("[data-entry]").filter(has_text=title)


@pytest.mark.timeout(120)  # many pages, each looked at by every rule
@WITH_AND_WITHOUT
def test_an_allergy_and_two_supplements(families: Portal, visitor: Visitor, javascript: bool):
    page = visitor.page

    def look() -> None:
        if javascript:
            visitor.assert_clean()

    visitor.sign_in()
    # One of two people: each run finds a history that nobody has answered.
    home = visitor.choose(*(("Mia", "2016/04/27") if javascript else ("Leo", "2018/09/03")))
    name = "Mia" if javascript else "Leo"
    visitor.go(f"{home}history/")
    look()
    assert "0 of 13 topics answered" in page.locator("main").inner_text()
    page.get_by_role("link", name="Allergies").click()
    look()
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_title(begins(f"{name} – Error:"))
    page.get_by_label("Yes, add an allergy").check()
    page.get_by_role("button", name="Continue").click()
    look()
    page.get_by_label("What happens").fill("A rash all over")
    page.get_by_label("Since when?").fill("04/2019")
    page.get_by_role("button", name=f"Save in {name}").click()
    assert "Type what it is" in page.locator("[data-error-summary]").inner_text()
    assert page.get_by_label("What happens").input_value() == "A rash all over"
    page.get_by_label("What is it?").fill("Penicillin")
    page.get_by_label("Since when?").fill("2019/04")
    page.get_by_role("button", name=f"Save in {name}").click()
    assert f"Saved in {name}'s chart" in page.locator("[data-notice]").inner_text()
    assert entry(page, "Penicillin").get_attribute("data-status") == "active"
    assert "April 2019" in entry(page, "Penicillin").inner_text()
    look()

    visitor.go(f"{home}history/medications/")
    page.get_by_label("Yes, add a medicine or supplement").check()
    page.get_by_role("button", name="Continue").click()
    look()
    for supplement in ("Vitamin D", "Fish oil"):
        page.get_by_label("Name", exact=True).fill(supplement)
        page.get_by_label("Supplement:").check()
        page.get_by_label("How often").fill("every morning")
        page.get_by_role("button", name=f"Save in {name}").click()
        if supplement == "Vitamin D":
            page.get_by_role("link", name="Add another").click()
    expect(page.locator("[data-entry]")).to_have_count(2)
    entry(page, "Fish oil").get_by_role("link", name="Over or a mistake").click()
    look()
    page.get_by_label("Stopped:").check()
    page.get_by_role("button", name=f"Save in {name}").click()
    assert entry(page, "Fish oil").get_attribute("data-status") == "ended"
    look()
    entry(page, "Fish oil").get_by_role("link", name="Past").click()
    look()
    expect(page.locator("[data-state]")).to_have_count(2)
    visitor.go(f"{home}history/medications/")
    # After today's additions the next thing is another one.
    assert "second" in page.get_by_role("button", name="Nothing has changed").get_attribute("class")
    page.get_by_role("button", name="Nothing has changed").click()
    assert "nothing has changed" in page.locator("[data-notice]").inner_text()
    assert "2 of 13 topics answered" in page.locator("main").inner_text()


def test_with_the_keyboard_alone(families: Portal, visitor: Visitor):
    page, keyboard = visitor.page, visitor.page.keyboard

    def tab_to(words: str) -> None:
        for _press in range(80):
            keyboard.press("Tab")
            if words in page.evaluate(
                "(e => [e.name, e.textContent.trim(), e.labels?.[0]?.textContent].join(' '))"
                "(document.activeElement)"
            ):
                return
        raise AssertionError(f"Tab never reaches {words}")

    visitor.sign_in()
    visitor.go(f"{visitor.choose('Elena', '1985/04/12')}history/")
    tab_to("Allergies")
    keyboard.press("Enter")
    page.wait_for_url("**/allergies/")
    tab_to("None: no allergies")
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    tab_to("Continue")
    keyboard.press("Enter")
    page.wait_for_url("**/allergies/add/")
    tab_to("What is it?")
    keyboard.type("Penicillin")
    tab_to("Save in Elena")
    keyboard.press("Enter")
    page.wait_for_url("**/allergies/")
    page.locator("[data-notice]").wait_for()
    for supplement in ("Vitamin D", "Fish oil"):
        page.goto(page.url.replace("/allergies/", "/medications/add/").split("?")[0])
        tab_to("Name")
        keyboard.type(supplement)
        tab_to("Prescribed medicine")
        keyboard.press("ArrowUp")
        tab_to("Save in Elena")
        keyboard.press("Enter")
        page.wait_for_url("**/medications/")
        page.goto(page.url.replace("/medications/", "/allergies/"))
    page.goto(page.url.replace("/allergies/", "/medications/"))
    expect(page.locator("[data-entry]")).to_have_count(2)
    assert entry(page, "Fish oil").inner_text().count("Supplement") == 1


@pytest.mark.timeout(120)
@pytest.mark.parametrize("width", [320, 1280])
def test_questions_a_private_topic_and_a_conflict(
    families: Portal, visitor: Visitor, browser: Browser, width: int
):
    page = visitor.page
    visitor.expected.add(409)
    visitor.sign_in("okafor@example.org")
    home = visitor.choose("Ada", "1979/11/30")
    visitor.go(f"{home}history/lifestyle/")
    visitor.assert_clean()
    # More is asked after an answer that has more to it, and what holds something stays.
    more = page.get_by_label("Tobacco: what, and how much a day")
    if width == 320:
        assert not more.is_visible()
        page.get_by_label("Some days").first.check()
        more.fill("two")
        page.get_by_label("Never", exact=True).first.check()
        assert more.is_visible()
        more.fill("")
        page.get_by_label("No answer").first.check()
        assert not more.is_visible()
        page.get_by_role("button", name="Save Ada's answers").click()
        assert page.evaluate("document.activeElement.hasAttribute('data-error-summary')")
        page.get_by_label("Every day").first.check()
        page.get_by_role("button", name="Save Ada's answers").click()
        visitor.go(f"{home}history/lifestyle/")
    visitor.assert_clean()
    page.get_by_role("link", name="Change the answers").click()
    visitor.assert_clean()

    visitor.go(f"{home}history/wellbeing/")
    visitor.assert_clean()
    page.get_by_label("Mostly low").check()
    page.get_by_label("Mood: what you want us to know").fill("cries at night")
    page.get_by_role("button", name="Save Ada's answers").click()
    visitor.go(f"{home}history/wellbeing/")
    assert "kept private" in page.locator("[data-private]").inner_text()
    assert "cries at night" not in page.content()
    visitor.assert_clean()

    visitor.go(f"{home}history/conditions/add/")
    page.get_by_label("What is it called?").fill(f"Migraine {width}")
    page.get_by_role("button", name="Save in Ada").click()
    entry(page, f"Migraine {width}").get_by_role("link", name="Change").click()
    visitor.assert_clean()
    other = visitor.context.new_page()
    other.goto(page.url)
    other.get_by_label("Who treats it?").fill("Dr. Ito")
    other.get_by_role("button", name="Save in Ada").click()
    other.locator("[data-notice]").wait_for()
    page.get_by_label("Who treats it?").fill("Nobody")
    page.get_by_role("button", name="Save in Ada").click()
    assert page.locator("[data-theirs]").inner_text() == "Dr. Ito"
    assert page.locator("[data-mine]").inner_text() == "Nobody"
    visitor.assert_clean()
    page.get_by_role("button", name="Save what I typed").click()
    assert "Nobody" in entry(page, f"Migraine {width}").inner_text()

    # The practice returns it with a reason.
    desk = browser.new_context().new_page()
    sign_in_as_staff(desk, families)
    desk.goto(f"{families.url}/admin/history/entrychange/?section=conditions&decision=waiting")
    desk.get_by_role("row").filter(has_text=f"Migraine {width}").get_by_role("link").first.click()
    part = desk.locator("[data-part]").filter(has=desk.get_by_role("button", name="Accept"))
    part.locator("summary").last.click()
    part.locator("[name=words]").last.fill("Since when?")
    part.get_by_role("button", name="Return it to the family").last.click()
    desk.get_by_text("Returned. The family reads the reason").wait_for()
    desk.context.close()
    visitor.go(f"{home}history/conditions/")
    assert "Since when?" in entry(page, f"Migraine {width}").inner_text()
    visitor.assert_clean()
    visitor.go(f"{home}history/")
    assert "Returned by the practice" in page.locator("[data-topic=conditions]").inner_text()
    visitor.assert_clean()
