"""The warning before an unused sign-in ends, and the list of browsers that are signed in."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Portal, Visitor

MINUTE = 60 * 1000


def test_the_warning_can_be_put_off_again_and_again(families: Portal, visitor: Visitor):
    """UX TO-2, WCAG 2.2.1: the focus is on staying, the time left is told politely and in few words, and ten
    times are not the end."""
    page = visitor.page
    page.clock.install()
    visitor.sign_in()
    visitor.choose("Leo", "2018/09/03")
    dialog = page.get_by_role("dialog", name="Are you still there?")
    assert not dialog.is_visible()
    page.clock.fast_forward(12 * MINUTE)
    assert not dialog.is_visible()
    for time in range(10):
        page.clock.fast_forward((13 if time else 1) * MINUTE + 2000)
        assert dialog.is_visible()
        expect(dialog.get_by_role("button", name="Stay signed in")).to_be_focused()
        expect(dialog.get_by_role("status")).to_have_text(
            "You will be signed out in less than 2 minutes."
        )
        with page.expect_response("**/session/stay/") as staying:
            page.keyboard.press("Enter" if time % 2 else "Escape")
        assert staying.value.status == 204
        expect(dialog).not_to_be_visible()

    page.clock.fast_forward(13 * MINUTE + 2000)
    told = [dialog.get_by_role("status").inner_text()]
    for _second in range(110):
        page.clock.run_for(1000)
        words = dialog.get_by_role("status").inner_text()
        if words != told[-1]:
            told.append(words)
    assert told == [
        f"You will be signed out in less than {left}."
        for left in ("2 minutes", "1 minute", "40 seconds", "20 seconds")
    ]
    dialog.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login/")


def test_silence_leaves_the_page(families: Portal, visitor: Visitor):
    """Nobody reads what stands on a screen that was left: the page asks for itself again, which the server
    answers with the sign-in page once the session is over there."""
    page = visitor.page
    page.clock.install()
    visitor.sign_in()
    visitor.choose("Leo", "2018/09/03")
    expect(page.locator("[data-bound-member]")).to_have_count(1)
    families.query(
        "UPDATE accounts_householdsession SET idle_limit = %s WHERE ended_at IS NULL",
        "00:00:00.1" if families.database_url else 100_000,
    )
    with page.expect_navigation(url="**/login/**"):
        page.clock.fast_forward(15 * MINUTE + 5000)
    assert page.get_by_text("You were signed out to keep health information private").is_visible()
    expect(page.locator("[data-bound-member]")).to_have_count(0)
    families.query(
        "UPDATE accounts_householdsession SET idle_limit = %s WHERE ended_at IS NULL",
        "00:15:00" if families.database_url else 15 * 60 * 1_000_000,
    )


def test_a_phone_that_was_lost_is_signed_out(families: Portal, visitor: Visitor):
    page = visitor.page
    lost = visitor.context.browser.new_context()  # type: ignore[union-attr] # it has one
    lost_page = lost.new_page()
    lost_page.goto(f"{families.url}/login/")
    lost_page.get_by_label("Email").fill("chen@example.org")
    lost_page.get_by_label("Password", exact=True).fill("meadow copper violin raft")
    lost_page.get_by_role("button", name="Sign in").click()
    lost_page.wait_for_url("**/who/")
    visitor.sign_in("chen@example.org")
    page.wait_for_url("**/who/")
    visitor.go("/account/")
    rows = page.locator("[data-session]")
    assert rows.first.get_by_text("This browser").is_visible()
    visitor.assert_clean()
    page.get_by_role("button", name="Sign this browser out").first.click()
    expect(page.locator("[data-notice]")).to_have_text("That browser is signed out.")
    lost_page.goto(f"{families.url}/account/")
    assert "/login/" in lost_page.url
    visitor.go("/account/")
    assert page.locator("h1").inner_text() == "Your account"
    lost.close()
