"""Everybody's answers to one form, for the owner: a column for each question, and no text that is run."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.record.form_table import safe
from tests.cast import NURSE_PASSWORD, sign_in_as_staff
from tests.households.record.conftest import DAY
from tests.households.record.test_forms import every_answer, every_kind
from tests.pages import text_of

PAGE = "/admin/form-answers/"


@pytest.fixture
def staff(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


@pytest.fixture
def form(forms):
    form = forms.form("Everything", published=False)
    forms.publish(form, {**every_kind(), "url": form.url, "version": "1"})
    return form


def download(browser: Client, form, kind: str = "csv") -> str:
    answer = browser.get(f"{PAGE}{form.public_id}/{kind}/")
    assert answer.status_code == 200
    assert answer.streaming
    return b"".join(answer.streaming_content).decode()


def rows(browser: Client, form) -> list[dict[str, str]]:
    text = download(browser, form)
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def line(text: str) -> list[dict]:
    return [{"linkId": "text", "item": [{"linkId": "a", "answer": [{"valueString": text}]}]}]


def test_a_row_for_each_response_and_a_column_for_each_question(staff, form, forms, cast):
    scores = [{"link_id": "e", "text": "Total", "value": 12, "unit": "points"}]
    sent = forms.send(form, cast.mia, at=DAY, items=every_answer(), scores=scores)
    forms.send(form, cast.other_mia, "filed", items=line("Only this"))
    (first, second) = rows(staff, form)
    assert first == {
        "Response": str(sent.public_id),
        "Patient id": cast.mia.patient_id,
        "Name": "Mia Rivera",
        "Date of birth": "2016-04-27",
        "Sent": "2026-11-20T10:00:00-05:00",
        "Filled in by": "Elena Rivera (a parent or guardian)",
        "Status": "Received",
        "Version": "1",
        "Decision": "",
        "Signed by": "",
        "A line": "'=SUM(A1) #panic()",
        "Several lines": "First line\nsecond line",
        "A page": "https://example.org/",
        "Yes or no": "No",
        "Whole": "0",
        "With a point": "37.5",
        "How much": "4 hours",
        "Which day": "2026/11",
        "When": "2026/11/27, 09:30",
        "What time": "07:05",
        "One of these": "Some days",
        "One of these, or another": "Something else",
        "Any of these": "Some days; Twice",
        "Who": "Dr. Ada Stone",
        "A picture": "rash.png",
        "Nobody answered this": "",
        "Name [q]": "Rex; Bello",
        "Scores": "Total: 12 points",
    }
    assert (second["Name"], second["A line"], second["Whole"]) == ("Mia Okafor", "Only this", "")


def test_what_does_not_stand_is_not_in_it(staff, form, forms, cast):
    forms.send(form, cast.mia, "returned", items=line("returned"))
    forms.send(form, cast.mia, "withdrawn", items=line("taken back"))
    forms.begin(form, cast.leo, items=line("a draft"))
    voided = forms.send(form, cast.elena, items=line("voided"))
    forms.sign(voided, voided_at=timezone.now(), void_reason="Wrong.")
    first = forms.send(form, cast.ada, "filed", items=line("corrected"))
    forms.send(form, cast.ada, items=line("correction"), corrects=first)
    stays = forms.send(form, cast.other_mia, "filed", items=line("stays"))
    forms.send(form, cast.other_mia, "returned", items=line("a bad one"), corrects=stays)
    signed = forms.send(form, cast.max, items=line("signed"))
    forms.sign(signed, decision="declined")
    forms.send(forms.form("Another form"), cast.mia)
    found = rows(staff, form)
    assert {row["A line"] for row in found} == {"correction", "stays", "signed"}
    assert {(row["Decision"], row["Signed by"]) for row in found} == {
        ("", ""),
        ("Declined", "Elena Rivera"),
    }
    ids = {json.loads(one)["status"] for one in download(staff, form, "ndjson").splitlines()}
    assert ids == {"completed", "amended"}


def test_questions_of_older_versions_stand_behind_those_of_the_newest(staff, form, forms, cast):
    forms.send(form, cast.mia, items=line("old"))
    question = {"linkId": "new", "type": "string", "text": "New question"}
    again = {"linkId": "a", "type": "string", "text": "A line, said better"}
    forms.publish(
        form, {**every_kind(), "url": form.url, "version": "2", "item": [question, again]}
    )
    newer = [{"linkId": "new", "answer": [{"valueString": "new"}]}]
    forms.send(form, cast.leo, items=newer)
    found = rows(staff, form)
    assert [*found[0]][10:14] == ["New question", "A line, said better", "Several lines", "A page"]
    assert [(row["New question"], row["A line, said better"]) for row in found] == [
        ("", "old"),
        ("new", ""),
    ]


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1 555 0100", "'+1 555 0100"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "'=1+1"),
        ("\r=1+1", "'=1+1"),
        ("  =1+1", "'=1+1"),
        ("＝1+1", "'＝1+1"),
        ("-5", "-5"),
        ("-5.25", "-5.25"),
        ("5 = 5", "5 = 5"),
        ('a"b,c;d', 'a"b,c;d'),
        ("nul\x00l", "nul l"),
        ("\ud800", ""),
    ],
)
def test_no_cell_is_run(staff, form, forms, cast, typed, written):
    assert safe(typed) == written
    if "\x00" not in typed and "\ud800" not in typed:  # PostgreSQL keeps neither
        forms.send(form, cast.mia, items=line(typed))
        assert rows(staff, form)[0]["A line"] == written


def test_fhir_line_by_line(staff, form, forms, cast):
    from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse

    forms.send(form, cast.mia, at=DAY, items=every_answer())
    forms.send(form, cast.leo, items=line("Only this"))
    made = [json.loads(one) for one in download(staff, form, "ndjson").splitlines()]
    for one in made:
        QuestionnaireResponse.model_validate(one)
    assert made[0]["item"] == every_answer()
    assert made[0]["authored"] == "2026-11-20T10:00:00-05:00"
    assert made[0]["subject"]["identifier"] == {"value": cast.mia.patient_id}
    assert made[1]["subject"]["display"] == "Leo Rivera"


def test_as_many_queries_for_many_as_for_one(staff, form, forms, cast):
    def queries(kind: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            download(staff, form, kind)
        return len(seen)

    forms.send(form, cast.mia, items=every_answer())
    download(staff, form)
    few = {kind: queries(kind) for kind in ("csv", "ndjson")}
    for number in range(30):
        forms.send(form, cast.leo, items=line(f"Number {number}"))
    assert {kind: queries(kind) for kind in ("csv", "ndjson")} == few


def test_the_page_leads_to_both_and_the_export_is_in_the_audit(staff, form, forms, cast):
    forms.form("Never published", published=False)
    index = text_of(staff.get("/admin/"))
    assert "Answers to a form, to download" in index
    page = staff.get(PAGE)
    assert "Everything" in text_of(page)
    assert "Never published" not in text_of(page)
    for kind in ("csv", "ndjson"):
        assert f'href="{PAGE}{form.public_id}/{kind}/"' in page.content.decode()
        answer = staff.get(f"{PAGE}{form.public_id}/{kind}/")
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="answers-20')
        assert answer.headers["Cache-Control"] == "no-store"
        entry = AuditEvent.objects.get(action="export", outcome=kind)
        assert (entry.object_type, entry.object_id) == ("questionnaire", str(form.public_id))
        assert entry.staff_id == cast.nurse_staff.pk


def test_owners_only(form, forms, cast):
    forms.send(form, cast.mia, items=line("Secret"))
    clinician = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    clinician.user_permissions.set(Permission.objects.all())
    browser = Client()
    sign_in_as_staff(browser, "desk@example.org")
    assert browser.get(PAGE).status_code == 403
    for kind in ("csv", "ndjson"):
        assert browser.get(f"{PAGE}{form.public_id}/{kind}/").status_code == 403
    assert "to download" not in text_of(browser.get("/admin/"))
    assert not AuditEvent.objects.filter(action="export").exists()
