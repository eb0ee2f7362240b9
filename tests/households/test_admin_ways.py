"""From a person to their documents and their login, and back: what the front desk clicks all day."""

from __future__ import annotations

import lxml.html
import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import StaffAccount
from tests.cast import NURSE_PASSWORD, pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.pages import text_of


@pytest.fixture
def staff(cast, client) -> Client:
    """Both Mias, who share name and birth date, sent a document."""
    for email in ("rivera@example.org", "okafor@example.org"):
        family = Client()
        sign_in(family, email)
        key = pick(family, "Mia", "2016/04/27")
        family.post(f"/for/{key}/documents/", {"files": png(), "note": f"from {email}"})
    sign_in_as_staff(client)
    return client


def tools_of(answer):
    return lxml.html.fromstring(answer.content.decode()).find_class("object-tools")[0]


def member_page(staff: Client, member):
    return staff.get(f"/admin/households/member/{member.pk}/change/")


@pytest.mark.parametrize("tool", ["Documents", "What was sent"])
def test_from_a_member_to_what_is_theirs(staff, cast, tool):
    forms = tools_of(member_page(staff, cast.mia)).findall(".//form")
    (form,) = [form for form in forms if form.findtext(".//button") == tool]
    assert form.get("method") == "post"
    fields = {**dict(form.form_values()), "search": "1"}
    found = staff.post(form.get("action"), fields, follow=True)
    assert "Mia Rivera 2016/04/27" in text_of(found)
    assert "Okafor" not in text_of(found)
    assert "Mia" not in found.redirect_chain[-1][0]


def test_from_a_member_to_the_login_that_opens_them(staff, cast):
    tools = tools_of(member_page(staff, cast.mia))
    (link,) = [a for a in tools.iter("a") if a.text == "Household account"]
    assert "rivera@example.org" in text_of(staff.get(link.get("href")))


def test_from_a_document_to_the_person(staff, cast):
    listed = lxml.html.fromstring(staff.get("/admin/documents/document/").content.decode())
    (row,) = [row for row in listed.iter("tr") if "Mia Rivera" in row.text_content()]
    document = staff.get(row.find(".//a").get("href"))
    assert f'href="/admin/households/member/{cast.mia.pk}/change/"' in document.content.decode()


def test_no_way_is_shown_that_is_closed(staff, cast):
    desk = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    desk.user_permissions.add(Permission.objects.get(codename="view_member"))
    sign_in_as_staff(staff, "desk@example.org")
    tools = tools_of(member_page(staff, cast.mia))
    assert tools.findall(".//form") == []
    assert "Household account" not in tools.text_content()


def test_the_button_against_a_wait_stands_there_only_while_there_is_one(staff, cast):
    page = f"/admin/accounts/householdaccount/{cast.rivera.pk}/change/"
    assert "Let them try again now" not in text_of(staff.get(page))
    family = Client()
    for _attempt in range(5):
        family.post("/login/", {"email": "rivera@example.org", "password": "wrong"})
    assert "Let them try again now" in text_of(staff.get(page))


def test_the_staff_door_has_a_heading_and_our_words(db, client):
    page = lxml.html.fromstring(client.get("/admin/login/").content.decode())
    assert [heading.text for heading in page.iter("h1")] == ["Staff sign-in"]
    assert "Log in" not in page.text_content()
    sent = [box.get("value") for box in page.iter("input") if box.get("type") == "submit"]
    assert sent == ["Sign in"]
