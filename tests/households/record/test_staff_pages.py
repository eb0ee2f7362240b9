"""Staff copy a record or take it along; who may see how much of it."""

from __future__ import annotations

import io
import json
import zipfile

import lxml.html
import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from tests.cast import NURSE_PASSWORD, household, member, sign_in_as_staff
from tests.households.record.conftest import HOSTILE, fill
from tests.pages import text_of

FILES = ["pdf", "fhir", "zip"]


def page_of(one):
    return f"/admin/record/{one.pk}/"


def boxes(answer):
    page = lxml.html.fromstring(answer.content.decode())
    return {box.get("id"): box for box in page.xpath("//textarea")}


def somebody_with(*permissions: str) -> Client:
    group = Group.objects.create(name="Some")
    for permission in permissions:
        app, codename = permission.split(".")
        group.permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    account = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD, name="Dee Desk")
    account.groups.add(group)
    client = Client()
    sign_in_as_staff(client, "desk@example.org")
    return client


def test_every_section_stands_in_a_box_to_copy(rich, staff, cast):
    answer = staff.get(page_of(cast.mia))
    found = boxes(answer)
    assert [*found][:5] == ["details", "contacts", "insurance", "allergies", "medications"]
    assert [*found][-2:] == ["goals", "documents"]
    assert found["allergies"].text.startswith("Allergies\n")
    assert "Substance: Penicillin\n" in found["allergies"].text
    page = lxml.html.fromstring(answer.content.decode())
    for slug, box in found.items():
        assert "readonly" in box.attrib
        assert page.xpath(f"//label[@for='{slug}']")
        assert page.xpath(f"//button[@data-copy='{slug}'][@hidden]")
        assert page.xpath(f"//*[@id='{slug}-copied'][@role='status']")
    assert "Mia Rivera (“Mimi”), 2016/04/27" in text_of(answer)


def test_private_topics_are_there_for_staff(rich, staff, cast):
    from households.history.models import SectionSetting

    SectionSetting.objects.update(is_private=True)
    assert "Question: Sleep" in boxes(staff.get(page_of(cast.mia)))["wellbeing"].text


def test_the_persons_page_leads_there(rich, staff, cast):
    answer = staff.get(f"/admin/households/member/{cast.mia.pk}/change/")
    assert f'href="{page_of(cast.mia)}"' in answer.content.decode()


@pytest.mark.parametrize("kind", FILES)
def test_files(rich, staff, cast, kind):
    answer = staff.get(f"{page_of(cast.mia)}{kind}/")
    data = b"".join(answer.streaming_content)
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="record-20')
    assert int(answer.headers["Content-Length"]) == len(data)
    if kind == "pdf":
        assert data.startswith(b"%PDF")
    if kind == "fhir":
        assert str(rich["sleep"].public_id) in json.dumps(json.loads(data))
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert "documents/card.png" in archive.namelist()
    event = AuditEvent.objects.get(action="export")
    assert (event.object_id, event.member_id) == (kind, cast.mia.pk)
    assert event.staff_id == cast.nurse_staff.pk


def test_the_look_is_in_the_audit(rich, staff, cast):
    staff.get(page_of(cast.mia))
    event = AuditEvent.objects.filter(action="staff-view", object_type="record").get()
    assert (event.member_id, event.staff_id) == (cast.mia.pk, cast.nurse_staff.pk)


def test_front_desk_sees_no_history_and_gets_no_file(rich, cast):
    desk = somebody_with("households.view_member", "documents.view_document")
    answer = desk.get(page_of(cast.mia))
    assert [*boxes(answer)] == ["details", "contacts", "insurance", "documents"]
    assert "Penicillin" not in answer.content.decode()
    assert "The medical history is not shown to you." in text_of(answer)
    assert "Download" not in text_of(answer)
    for kind in FILES:
        assert desk.get(f"{page_of(cast.mia)}{kind}/").status_code == 403
    assert not AuditEvent.objects.filter(action="export").exists()


def test_without_the_papers_there_is_no_file_either(rich, cast):
    clinician = somebody_with("households.view_member", "history.view_entrychange")
    answer = clinician.get(page_of(cast.mia))
    assert "allergies" in boxes(answer)
    assert "documents" not in boxes(answer)
    assert "card.png" not in answer.content.decode()
    for kind in FILES:
        assert clinician.get(f"{page_of(cast.mia)}{kind}/").status_code == 403


def test_who_may_see_all_gets_all(rich, cast):
    all_but_one = (
        *("households.view_member", "history.view_entrychange"),
        "documents.view_document",
    )
    all_but_one += ("intake.view_questionnaireresponse",)
    clinician = somebody_with(*all_but_one, "intake.view_clinical_answers")
    for kind in FILES:
        answer = clinician.get(f"{page_of(cast.mia)}{kind}/")
        assert answer.status_code == 200
        assert b"".join(answer.streaming_content)


def test_who_may_not_see_people_sees_nothing(rich, cast):
    other = somebody_with("history.view_entrychange", "documents.view_document")
    for kind in ("", "pdf/", "fhir/", "zip/"):
        assert other.get(f"{page_of(cast.mia)}{kind}").status_code == 403


@pytest.mark.parametrize("pk", [999_999, 2**63, 2**200])
def test_nobody_of_that_number(cast, staff, pk):
    for kind in ("", "pdf/", "fhir/", "zip/"):
        assert staff.get(f"/admin/record/{pk}/{kind}").status_code == 404


@pytest.mark.parametrize("kind", ["", "pdf/", "fhir/", "zip/"])
def test_nothing_can_be_sent_there(rich, cast, staff, kind):
    assert staff.post(f"{page_of(cast.mia)}{kind}").status_code == 405


def test_hostile_text_stays_in_its_box(cast, staff):
    strange = member("</textarea><b>", "Strange", "2001/01/01", "strange@example.org")
    fill(strange, household("strange@example.org"), cast.nurse_staff, f"</textarea>{HOSTILE}")
    answer = staff.get(page_of(strange))
    assert "<script>alert" not in answer.content.decode()
    assert (
        "</textarea>#panic() {{7*7}} <script>alert(1)</script>" in boxes(answer)["allergies"].text
    )


def test_always_the_same_number_of_queries(rich, cast, staff, django_assert_num_queries):
    from households.models import Practice

    Practice.remembered()
    staff.get(page_of(cast.mia))
    with django_assert_num_queries(29):
        staff.get(page_of(cast.mia))
    with django_assert_num_queries(29):
        staff.get(page_of(cast.elena))
