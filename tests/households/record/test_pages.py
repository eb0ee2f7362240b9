"""The family's page and its two files, through the gate."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client

from accounts.audit.models import AuditEvent
from households.history.models import SectionSetting
from tests.cast import pick, sign_in
from tests.pages import fields_of, text_of, title_of

FILES = ["pdf", "fhir"]


@pytest.fixture
def nothing_private(db) -> None:
    SectionSetting.objects.update(is_private=False)


def body(answer) -> bytes:
    return b"".join(answer.streaming_content)


def test_page_says_what_it_is_and_offers_both_files(rich, mia, nothing_private):
    answer = mia.get(mia.record)
    assert title_of(answer).startswith("Mia – Record")
    page = answer.content.decode()
    assert "Mimi's record" in text_of(answer)
    assert f'href="{mia.record}pdf/"' in page
    assert f'href="{mia.record}fhir/"' in page
    assert "Left out" not in page
    assert page.count("data-bound-member") == 1
    assert "Penicillin" not in page


@pytest.mark.parametrize(
    ("kind", "content_type", "ending", "begins"),
    [("pdf", "application/pdf", "pdf", b"%PDF-"), ("fhir", "application/fhir+json", "json", b"{")],
)
def test_files_are_to_keep_and_never_pages(rich, mia, kind, content_type, ending, begins):
    answer = mia.get(f"{mia.record}{kind}/")
    data = body(answer)
    assert data.startswith(begins)
    assert answer.headers["Content-Type"] == content_type
    name = re.fullmatch(r'attachment; filename="(.+)"', answer.headers["Content-Disposition"])[1]
    assert re.fullmatch(rf"record-20\d\d-\d\d-\d\d\.{ending}", name)
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "no-store" in answer.headers["Cache-Control"]
    assert int(answer.headers["Content-Length"]) == len(data)


def test_the_name_has_the_practices_day(rich, mia, cast):
    from households.models import Practice

    days = set()
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):  # 25 hours apart
        Practice.objects.update_or_create(pk=1, defaults={"time_zone": zone})
        Practice.forget()
        days.add(mia.get(f"{mia.record}fhir/").headers["Content-Disposition"])
    assert len(days) == 2


def test_the_bundle_is_of_the_open_chart(rich, mia, cast):
    bundle = json.loads(body(mia.get(f"{mia.record}fhir/")))
    patients = [
        entry["resource"]["id"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    ]
    assert patients == [str(cast.mia.public_id)]


def test_the_brother_and_the_stranger_get_their_own(rich, mia, cast):
    for email, name, born in (
        ("rivera@example.org", "Leo", "2018/09/03"),
        ("okafor@example.org", "Mia", "2016/04/27"),
    ):
        client = Client()
        sign_in(client, email)
        data = body(client.get(f"/for/{pick(client, name, born)}/record/fhir/"))
        assert b"Penicillin" not in data
        assert str(cast.mia.public_id).encode() not in data


@pytest.mark.parametrize("kind", ["", "pdf/", "fhir/"])
def test_a_page_of_before_the_switch_gives_nothing(rich, mia, kind):
    pick(mia, "Leo", "2018/09/03")
    answer = mia.get(f"{mia.record}{kind}")
    assert answer.status_code == 409
    assert not answer.streaming
    assert not AuditEvent.objects.filter(action="export").exists()


@pytest.mark.parametrize("kind", FILES)
def test_each_download_is_in_the_audit(rich, mia, cast, kind):
    body(mia.get(f"{mia.record}{kind}/"))
    event = AuditEvent.objects.get(action="export")
    assert (event.outcome, event.object_type, event.object_id) == ("ok", "record", kind)
    assert (event.member_id, event.account_id) == (cast.mia.pk, cast.rivera.pk)
    assert event.session_id and not event.staff_id


def test_what_cannot_be_recorded_is_not_handed_out(rich, mia, monkeypatch):
    from accounts import audit

    real = audit.record

    def refuse(action, *args, **kwargs):
        if action == "export":
            raise RuntimeError("the audit is full")
        real(action, *args, **kwargs)

    monkeypatch.setattr(audit, "record", refuse)
    with pytest.raises(RuntimeError, match="full"):
        mia.get(f"{mia.record}pdf/")


def test_private_topics_are_left_out_and_the_page_says_so(rich, mia, nothing_private):
    SectionSetting.objects.filter(section="wellbeing").update(is_private=True)
    assert "keeps these topics private: Mental wellbeing." in text_of(mia.get(mia.record))
    bundle = body(mia.get(f"{mia.record}fhir/")).decode()
    assert str(rich["sleep"].public_id) not in bundle
    assert str(rich["tobacco"].public_id) in bundle


def test_alone_on_a_login_nothing_is_private(cast):
    from tests.households.record.conftest import fill

    SectionSetting.objects.update(is_private=True)
    rows = fill(cast.nurse_member, cast.nurse, None)
    client = Client()
    sign_in(client, "nurse@example.org")
    page = f"/for/{pick(client, 'Nora', '1990/01/15')}/record/"
    assert "Left out" not in text_of(client.get(page))
    assert str(rows["sleep"].public_id) in body(client.get(f"{page}fhir/")).decode()


@pytest.mark.parametrize("kind", ["", "pdf/", "fhir/"])
def test_nothing_can_be_sent_there(rich, mia, kind):
    assert mia.post(f"{mia.record}{kind}").status_code == 405


def test_the_same_queries_with_much_and_with_nothing(
    rich, mia, cast, django_assert_num_queries, django_assert_max_num_queries
):
    from households.models import Practice

    Practice.remembered()
    with django_assert_num_queries(5):
        mia.get(mia.record)
    for kind in FILES:
        with django_assert_num_queries(26):
            mia.get(f"{mia.record}{kind}/")
    other = Client()
    sign_in(other, "rivera@example.org")
    page = f"/for/{pick(other, 'Leo', '2018/09/03')}/record/"
    with django_assert_num_queries(26):
        other.get(f"{page}fhir/")


def test_what_the_pages_of_the_history_save_comes_out(mia, cast, staff):
    """From the family's press of the button, over the practice's, to the files."""
    from households.history.models import EntryChange

    history = mia.record.replace("/record/", "/history/")
    page = mia.get(f"{history}allergies/add/")
    typed = fields_of(page, substance="Peanuts", reaction="Swelling", since="2024/3")
    assert mia.post(f"{history}allergies/add/", typed).status_code == 302
    page = mia.get(f"{history}conditions/")
    assert (
        mia.post(f"{history}conditions/", {**fields_of(page), "answer": "none"}).status_code == 302
    )

    bundle = json.loads(body(mia.get(f"{mia.record}fhir/")))
    resources = [entry["resource"] for entry in bundle["entry"]]
    (allergy,) = [one for one in resources if one["resourceType"] == "AllergyIntolerance"]
    assert (allergy["code"], allergy["onsetDateTime"]) == ({"text": "Peanuts"}, "2024-03")
    assert allergy["verificationStatus"]["coding"][0]["code"] == "unconfirmed"
    (condition,) = [one for one in resources if one["resourceType"] == "Condition"]
    assert condition["code"]["coding"][0]["code"] == "no-known-problems"

    for change in EntryChange.objects.for_member(cast.mia):
        address = f"/admin/history/entrychange/{change.pk}/accept/"
        review = staff.get(f"/admin/history/entrychange/of/{change.submission_id}/")
        form = next(one for one in page_forms(review) if one.action == address)
        assert staff.post(address, dict(form.form_values())).status_code == 302
    bundle = json.loads(body(mia.get(f"{mia.record}fhir/")))
    statuses = {
        one["resourceType"]: one["verificationStatus"]["coding"][0]["code"]
        for entry in bundle["entry"]
        for one in [entry["resource"]]
        if "verificationStatus" in one
    }
    assert statuses == {"AllergyIntolerance": "confirmed", "Condition": "confirmed"}
    verifiers = [
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]
        .get("agent", [{}])[0]
        .get("type", {})
        .get("coding", [{}])[0]
        .get("code")
        == "verifier"
    ]
    assert len(verifiers) == 2


def page_forms(answer):
    import lxml.html

    return lxml.html.fromstring(answer.content.decode()).forms
