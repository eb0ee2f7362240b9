"""A form filled in on a phone, with and without JavaScript, and with the keyboard alone; every page of it by
the rules of WCAG."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Portal, Visitor, begins, sign_in_as_staff
from tests.households.intake.filling.conftest import ITEMS, definition

WITH_AND_WITHOUT = pytest.mark.parametrize(
    "javascript", [True, False], ids=["with JavaScript", "without JavaScript"]
)


@pytest.fixture(scope="module")
def forms(families: Portal) -> Portal:
    """A form that everybody may fill in, and a consent, in the portal's own database."""
    whole = {"form": definition(ITEMS), "consent": definition(CONSENT, title="Consent to treat")}
    families.manage("shell", "-c", PUBLISH.format(whole=json.dumps(json.dumps(whole))))
    return families


CONSENT = [{"linkId": "1", "type": "display", "text": "I agree that the practice treats my child."}]
PUBLISH = """
import json
from households.intake.definitions import sha256_of
from households.intake.models import Questionnaire, QuestionnaireVersion
for kind, whole in json.loads({whole}).items():
    form, made = Questionnaire.objects.get_or_create(
        url="urn:test:" + kind,
        defaults=dict(title=whole["title"], kind=kind, is_offered=True),
    )
    if made:
        QuestionnaireVersion.objects.create(
            questionnaire=form, number=1, status="published", definition=whole,
            sha256=sha256_of(whole),
        )
"""


def begin(page: Page, home: str, title: str) -> None:
    page.get_by_role("link", name=title).click()
    page.get_by_role("button", name="Start for").click()


def go_on(page: Page) -> None:
    page.locator(".actions").get_by_role("button", name="Continue").click()


@pytest.mark.timeout(180)  # many pages, each looked at by every rule
@WITH_AND_WITHOUT
def test_a_form_on_a_phone(forms: Portal, visitor: Visitor, javascript: bool):
    page = visitor.page

    def look() -> None:
        if javascript:
            visitor.assert_clean()

    visitor.sign_in()
    name, born = ("Mia", "2016/04/27") if javascript else ("Leo", "2018/09/03")
    home = visitor.choose(name, born)
    visitor.go(f"{home}forms/")
    look()
    page.get_by_role("link", name="Before the visit").click()
    look()
    page.get_by_role("button", name=f"Start for {name}").click()
    look()
    go_on(page)
    expect(page).to_have_title(begins(f"{name} – Error:"))
    look()
    page.get_by_label("Yes").check()
    go_on(page)
    # The question that the answer brings up stands on the same page, before the way on.
    assert "brings up more" in page.locator("[data-asks-more]").inner_text()
    look()
    page.get_by_label("To what?").fill("Peanuts")
    page.get_by_label("When did it begin?").fill("27/04/2019")
    go_on(page)
    assert page.get_by_label("When did it begin?").input_value() == "27/04/2019"
    page.get_by_label("When did it begin?").fill("2019/04/27")
    go_on(page)

    page.get_by_label("Name").fill("Iron")
    page.get_by_role("button", name="Add another").click()
    look()
    page.get_by_label("Name").nth(1).fill("Zinc")
    # Enter goes on; it does not remove an entry, whose button comes first.
    page.get_by_label("Name").nth(1).press("Enter")
    page.get_by_label("Several days").check()
    page.get_by_label("Other: write it in").fill("Music")
    look()
    page.get_by_role("button", name="Save and come back later").click()
    expect(page.locator("[data-form][data-status=in-progress]")).to_have_count(1)
    assert "988" in page.locator("[data-danger]").inner_text()
    look()
    # Gone on with at the first open page: this one was not passed with Continue.
    page.get_by_role("link", name="Before the visit").click()
    assert page.get_by_label("Several days").is_checked()
    go_on(page)

    expect(page).to_have_title(begins(f"{name} – Check {name}'s answers before you send them"))
    for words in ("Peanuts", "2019/04/27", "Iron", "Zinc", "Music", "Not given"):
        assert words in page.locator("main").inner_text()
    assert "911" in page.locator("[data-danger]").inner_text()
    look()
    page.locator("[data-section] a").filter(has_text="Medicine").click()
    page.get_by_role("button").filter(has_text="number 2").click()
    go_on(page)
    assert "Zinc" not in page.locator("main").inner_text()
    page.get_by_role("button", name=f"Send {name}'s answers").click()
    assert f"{name}'s answers are sent" in page.locator("h1").inner_text()
    look()
    page.reload()
    assert "Peanuts" in page.locator("main").inner_text()
    page.get_by_role("button", name="Correct and send again").click()
    look()
    visitor.go(f"{home}forms/")
    expect(page.locator("[data-form][data-status=received]")).to_have_count(1)
    look()


def test_with_the_keyboard_alone(forms: Portal, visitor: Visitor):
    page, keyboard = visitor.page, visitor.page.keyboard

    def tab_to(words: str) -> None:
        for _press in range(80):
            keyboard.press("Tab")
            if words in page.evaluate(
                "(e => [e.textContent.trim(), e.labels?.[0]?.textContent, "
                "e.closest('fieldset')?.firstElementChild.textContent].join(' '))"
                "(document.activeElement)"
            ):
                return
        raise AssertionError(f"Tab never reaches {words}")

    visitor.sign_in("okafor@example.org")
    visitor.go(f"{visitor.choose('Ada', '1979/11/30')}forms/")
    tab_to("Before the visit")
    keyboard.press("Enter")
    page.wait_for_url("**/start/**")
    tab_to("Start for Ada")
    keyboard.press("Enter")
    page.wait_for_url("**/page/**")
    tab_to("Any allergy?")
    keyboard.press("ArrowUp")
    assert page.get_by_label("No", exact=True).is_checked()
    tab_to("Continue")
    keyboard.press("Enter")
    page.get_by_label("Name").wait_for()
    tab_to("Name")
    keyboard.type("Iron")
    tab_to("Add another")
    keyboard.press("Enter")
    page.get_by_role("heading", name="Medicine: number 2").wait_for()
    tab_to("Continue")
    keyboard.press("Enter")
    page.get_by_text("What helps?").wait_for()
    tab_to("Continue")
    keyboard.press("Enter")
    page.wait_for_url("**/check/")
    tab_to("Send Ada's answers")
    keyboard.press("Enter")
    page.get_by_role("heading", name="Ada's answers are sent").wait_for()


@pytest.mark.parametrize("width", [320, 1280])
def test_a_consent_and_the_staffs_page(forms: Portal, visitor: Visitor, width: int):
    page = visitor.page
    visitor.sign_in()
    home = visitor.choose("Elena", "1985/04/12")
    visitor.go(f"{home}forms/")
    page.get_by_role("link", name="Consent to treat").last.click()
    if page.get_by_role("button", name="Start for Elena").count():
        page.get_by_role("button", name="Start for Elena").click()
    if page.get_by_role("button", name="Correct and send again").count():
        page.get_by_role("button", name="Correct and send again").click()
    visitor.assert_clean()
    page.get_by_role("button", name="Send Elena's answers").click()
    assert "Choose whether you accept" in page.locator("[data-error-summary]").inner_text()
    visitor.assert_clean()
    page.get_by_label("I accept").check()
    page.get_by_label("Your full name").fill("Elena Rivera")
    page.get_by_label("What you are to the patient").fill("I am the patient")
    page.get_by_label("My typed name is my signature.").check()
    page.get_by_role("button", name="Send Elena's answers").click()
    assert "Accepted" in page.locator("[data-signature]").inner_text()
    visitor.assert_clean()

    sign_in_as_staff(page, forms)
    visitor.go("/admin/intake/questionnaireresponse/")
    page.get_by_role("link", name="Elena Rivera").first.click()
    assert "Elena Rivera, 1985/04/12" in page.locator(".portal-person").inner_text()
    visitor.assert_clean()
