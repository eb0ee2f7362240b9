"""The instructions for families: one text in every place, as text, as a page and as a sheet with a code."""

from __future__ import annotations

import re

import lxml.html
import pytest
from django.conf import settings
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.qr_codes import qr_code
from households.instructions import as_text, instructions
from households.models import Practice
from tests.pages import text_of

GENERAL, SHEET = "/admin/help-text/", "/admin/help-text/handout/"


def words(text: str) -> list[str]:
    """Without what only a list's numbers and points add to plain text."""
    bare = re.sub(r"^(?:\d+\.|-) ", "", text, flags=re.MULTILINE)
    return bare.split()


def copied(answer, box: str) -> str:
    page = lxml.html.fromstring(answer.content.decode())
    return page.get_element_by_id(box).text.removeprefix("\n")


def main_words(answer, inside: str = "main") -> list[str]:
    """What a person reads of the instructions on a page: without the part to copy and the QR code."""
    page = lxml.html.fromstring(answer.content.decode())
    main = page.get_element_by_id("main") if inside == "main" else page.find_class(inside)[0]
    for other in [*main.find_class("on-screen"), *main.find_class("qr")]:
        other.drop_tree()
    return " ".join(main.itertext()).split()


@pytest.fixture
def practice(db) -> Practice:
    return Practice.objects.create(
        pk=1,
        name="Harbor & Sons' Medicine",
        phone="(617) 555-0123",
        hours="Monday to Friday, 8 to 5",
        address="1 Harbor Street, Boston",
        sender="hello@harbor.example",
    )


def household_page(cast, what: str) -> str:
    return f"/admin/accounts/householdaccount/{cast.rivera.pk}/{what}/"


# --- who may --------------------------------------------------------------------------


def test_a_familys_email_is_for_those_who_may_see_logins(cast, with_permissions):
    browser = with_permissions("households.view_member")
    for what in ("instructions", "handout"):
        assert browser.get(household_page(cast, what)).status_code == 403
    allowed = with_permissions("accounts.view_householdaccount", email="other@example.org")
    for what in ("instructions", "handout"):
        assert "rivera@example.org" in text_of(allowed.get(household_page(cast, what)))


def test_nobody_opens_them_without_signing_in_as_staff(cast):
    for address in (GENERAL, SHEET, household_page(cast, "instructions")):
        assert Client().get(address).headers["Location"].startswith("/admin/login/")


def test_a_login_that_does_not_exist(staff):
    for number in ("0", "99999", str(2**70)):
        assert staff.get(f"/admin/accounts/householdaccount/{number}/handout/").status_code == 404
    assert staff.post(GENERAL).status_code == 405


# --- one text -------------------------------------------------------------------------


def test_the_public_page_the_text_and_the_sheet_say_the_same(staff, practice):
    public = staff.get("/help/family/")
    text = copied(public, "help-text")
    assert text == as_text(instructions(practice))
    assert copied(staff.get(GENERAL), "help_text") == text
    assert main_words(public) == words(text)
    assert main_words(staff.get(SHEET), "handout") == words(text)
    for fact in (practice.name, practice.phone, practice.hours, practice.address, practice.sender):
        assert fact in text
    assert settings.PORTAL_URL in text


def test_a_familys_own_sheet_adds_its_email_and_nobodys_name(cast, staff, practice):
    general = as_text(instructions(practice)).splitlines()
    page = staff.get(household_page(cast, "instructions"))
    own = copied(page, "help_text").splitlines()
    (changed,) = [line for line in own if line not in general]
    assert changed.endswith("file for you: rivera@example.org")
    assert len(own) == len(general)
    sheet = staff.get(household_page(cast, "handout"))
    assert main_words(sheet, "handout") == words("\n".join(own))
    for answer in (page, sheet):
        shown = text_of(answer)
        for private in ("Mia", "Leo", "Elena", "2016/04/28", "Rivera"):
            assert private not in shown.replace("rivera@", ""), private
    assert list(
        AuditEvent.objects.filter(account_id=cast.rivera.pk, action="staff-view").values_list(
            "object_type", flat=True
        )
    ) == ["handout", "instructions"]


def test_without_a_phone_or_an_address_no_line_is_empty(staff, db):
    text = copied(staff.get(GENERAL), "help_text")
    assert text.endswith("Questions? Call us\n\nYour practice\n")
    assert "\n\n\n" not in text


def test_the_text_can_be_taken_without_scripts(staff):
    page = lxml.html.fromstring(staff.get(GENERAL).content.decode())
    box = page.get_element_by_id("help_text")
    assert box.tag == "textarea"
    assert box.get("readonly") is not None
    (button,) = page.xpath("//button[@data-copy='help_text']")
    assert button.get("hidden") is not None, "shown by the script that makes it work"


# --- the QR code ----------------------------------------------------------------------


def test_the_code_stands_in_the_page_itself_and_is_named(staff):
    page = lxml.html.fromstring(staff.get(SHEET).content.decode())
    (drawing,) = page.find_class("qr")[0].iter("svg")
    assert drawing.get("role") == "img"
    assert drawing.get("aria-label") == f"QR code that opens {settings.PORTAL_URL}"
    code = qr_code(settings.PORTAL_URL)
    assert drawing.find("path").get("d") == code.path
    assert not page.xpath("//*[@style]")


def test_the_code_has_its_finders_and_a_quiet_zone():
    """ISO/IEC 18004: three squares of seven modules in the corners, four modules of white around."""
    code = qr_code("https://portal.harbor.example")
    black = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)", code.path)}
    assert {x for x, _y in black} | {y for _x, y in black} == set(range(4, code.size - 4))
    far = code.size - 5
    for left, top in ((4, 4), (far - 6, 4), (4, far - 6)):
        ring = {(left + x, top + y) for x in range(7) for y in range(7) if {x, y} & {0, 6}}
        assert ring <= black
        assert (left + 1, top + 1) not in black
        assert (left + 3, top + 3) in black
    assert (code.size - 8) % 4 == 1
