"""A form is built with the keyboard alone, on a phone and at a desk, with and without scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Portal, Visitor, sign_in_as_staff

_FOCUSED = """() => {
    const focused = document.activeElement, label = focused.labels && focused.labels[0]
    const words = (label || focused).textContent || ''
    return [words.trim().replace(/\\s+/g, ' '), focused.tagName]
}"""


class Keyboard:
    """Somebody without a mouse."""

    def __init__(self, visitor: Visitor) -> None:
        self.page = visitor.page

    def tab_to(self, words: str, tags: tuple[str, ...]) -> None:
        for _step in range(150):
            self.page.keyboard.press("Tab")
            text, tag = self.page.evaluate(_FOCUSED)
            if text.startswith(words) and tag in tags:
                return
        pytest.fail(f"the keyboard does not get to {words}")

    def press(self, words: str) -> None:
        self.tab_to(words, ("A", "BUTTON"))
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def type(self, label: str, words: str) -> None:
        self.tab_to(label, ("INPUT", "TEXTAREA"))
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(words)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("width", "javascript"), [(360, False), (1280, True)], ids=["phone, no script", "desk"]
)
def test_a_form_is_built_with_the_keyboard(
    portal: Portal, visitor: Visitor, width: int, javascript: bool
) -> None:
    visitor.expected |= {422}
    page, keys = visitor.page, Keyboard(visitor)
    sign_in_as_staff(page, portal)

    def is_clean() -> None:
        if javascript:  # axe is a script too
            visitor.assert_clean()
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    visitor.go("/admin/intake/questionnaire/new/")
    keys.type("Title", f"New patient visit at {width}")
    keys.type("Title of the first section", "About you")
    is_clean()
    keys.press("Make the form")
    keys.press("Add a question: About you")
    is_clean()
    keys.press("Yes or no")
    keys.type("Question", "Do you smoke?")
    keys.press("Save and add another")
    keys.press("Choose one")
    keys.type("Question", "How often?")
    keys.type("Choices", "Daily\nDaily")
    keys.press("Save")
    is_clean()
    assert page.locator(".errornote").inner_text().count("“Daily” stands in lines 1 and 2.") == 1
    keys.type("Choices", "Daily\nNow and then")
    keys.press("Save")
    is_clean()
    keys.press("How often?")
    keys.press("Save and add a condition")
    keys.press("Do you smoke?")
    is_clean()
    page.keyboard.press("Tab")
    keys.tab_to("Yes", ("INPUT",))
    page.keyboard.press("Space")
    keys.press("Save the condition")
    assert "“Do you smoke?” is “Yes”" in page.locator("#content").inner_text()
    is_clean()
    keys.press("Save")
    keys.press("Copy: Do you smoke?")
    keys.press("Down: Do you smoke? (copy)")
    # The focus stays with the question that moves.
    assert page.evaluate(_FOCUSED)[0] == "Up: Do you smoke? (copy)"
    keys.press("Move to…: Do you smoke? (copy)")
    is_clean()
    page.go_back()
    keys.press("Delete: Do you smoke? (copy)")
    is_clean()
    keys.press("Delete")
    expect(page.locator(".builder-row")).to_have_count(3)
    is_clean()
