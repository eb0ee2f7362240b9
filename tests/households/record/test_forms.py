"""Forms and consents come out again: as FHIR, printed, as text, each for its own member and as what it is."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
import zoneinfo
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.intake.models import QuestionnaireResponse
from tests.cast import NURSE_PASSWORD, pick, sign_in, sign_in_as_staff
from tests.fhir_readers import problems_of
from tests.households.record.conftest import DAY, record
from tests.households.record.test_typesetting import pages_of
from tests.pages import text_of


@pytest.fixture(autouse=True)
def at_the_practice():
    with timezone.override(zoneinfo.ZoneInfo("America/New_York")):
        yield


CODING = {"system": "urn:practice", "code": "some", "display": "Some days"}
DOCUMENT = uuid.UUID("6f9619ff-8b86-4d01-b42d-00cf4fc964ff")


def question(link_id: str, kind: str, text: str, **more) -> dict:
    return {"linkId": link_id, "type": kind, "text": text, **more}


def every_kind() -> dict:
    """A question of each kind, groups that repeat, and a question that nobody answered."""
    options = {"answerOption": [{"valueCoding": CODING}]}
    return {
        "resourceType": "Questionnaire",
        "status": "active",
        "title": "Everything",
        "item": [
            question("text", "group", "In words", item=[
                question("a", "string", "A line"),
                question("b", "text", "Several lines"),
                question("c", "url", "A page"),
                question("d", "boolean", "Yes or no"),
            ]),
            question("numbers", "group", "In numbers", item=[
                question("e", "integer", "Whole"),
                question("f", "decimal", "With a point"),
                question("g", "quantity", "How much"),
                question("h", "date", "Which day"),
                question("i", "dateTime", "When"),
                question("j", "time", "What time"),
            ]),
            question("choices", "group", "By choosing", item=[
                question("k", "choice", "One of these", **options),
                question("l", "open-choice", "One of these, or another", **options),
                question("m", "choice", "Any of these", repeats=True, **options),
                question("n", "reference", "Who"),
                question("o", "attachment", "A picture"),
                question("p", "string", "Nobody answered this"),
            ]),
            question("pets", "group", "Pets", repeats=True, item=[question("q", "string", "Name")]),
        ],
    }  # fmt: skip


def every_answer() -> list[dict]:
    def item(link_id: str, *answers: dict) -> dict:
        return {"linkId": link_id, "answer": list(answers)}

    return [
        {"linkId": "text", "item": [
            item("a", {"valueString": "=SUM(A1) #panic()"}),
            item("b", {"valueString": "First line\nsecond line"}),
            item("c", {"valueUri": "https://example.org/"}),
            item("d", {"valueBoolean": False}),
        ]},
        {"linkId": "numbers", "item": [
            item("e", {"valueInteger": 0}),
            item("f", {"valueDecimal": 37.5}),
            item("g", {"valueQuantity": {"value": 4, "unit": "hours"}}),
            item("h", {"valueDate": "2026-11"}),
            item("i", {"valueDateTime": "2026-11-27T09:30:00-05:00"}),
            item("j", {"valueTime": "07:05:00"}),
        ]},
        {"linkId": "choices", "item": [
            item("k", {"valueCoding": CODING}),
            item("l", {"valueString": "Something else"}),
            item("m", {"valueCoding": CODING}, {"valueCoding": {**CODING, "display": "Twice"}}),
            item("n", {"valueReference": {"display": "Dr. Ada Stone"}}),
            item("o", {"valueAttachment": {
                "contentType": "image/png", "url": f"urn:uuid:{DOCUMENT}", "title": "rash.png",
            }}),
        ]},
        {"linkId": "pets", "item": [item("q", {"valueString": "Rex"})]},
        {"linkId": "pets", "item": [item("q", {"valueString": "Bello"})]},
    ]  # fmt: skip


@pytest.fixture
def everything(forms, cast) -> QuestionnaireResponse:
    form = forms.form("Everything", published=False)
    version = forms.publish(form, {**every_kind(), "url": form.url, "version": "1"})
    scores = [{"link_id": "e", "text": "Total", "value": 12, "unit": "points"}]
    return forms.send(form, cast.mia, at=DAY, version=version, items=every_answer(), scores=scores)


@pytest.fixture
def consent(forms, cast) -> QuestionnaireResponse:
    form = forms.form("Consent to treat", kind="consent", needs_signature=True)
    response = forms.send(form, cast.mia, "filed", at=DAY)
    text = "Consent to treat\n\nI agree that Mia is treated here.\n\nÄ #panic() {{7*7}}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    forms.sign(response, text=text, text_sha256=digest, signed_at=DAY)
    return response


def bundle(member) -> dict:
    from households.record.fhir_bundle import bundle_of

    return bundle_of(record(member))


def resources(member, kind: str) -> list[dict]:
    entries = bundle(member)["entry"]
    return [one["resource"] for one in entries if one["resource"]["resourceType"] == kind]


def void(response: QuestionnaireResponse) -> None:
    signature = response.signature
    signature.voided_at, signature.void_reason = timezone.now(), "Signed in the wrong chart."
    signature.save()


# --- FHIR -----------------------------------------------------------------------------


def test_every_answer_comes_out_as_it_was_given(everything, cast):
    (one,) = resources(cast.mia, "QuestionnaireResponse")
    assert one["id"] == str(everything.public_id)
    assert one["questionnaire"] == f"{everything.version.questionnaire.url}|1"
    assert (one["status"], one["authored"]) == ("completed", "2026-11-20T10:00:00-05:00")
    assert one["subject"]["reference"] == f"urn:uuid:{cast.mia.public_id}"
    assert one["source"]["display"] == "Elena Rivera (a parent or guardian)"
    assert one["item"] == every_answer()
    assert resources(cast.leo, "QuestionnaireResponse") == []
    assert resources(cast.mia, "Consent") == []


def test_short_moments_come_out_as_fhir_spells_them(forms, cast):
    form = forms.form()
    answers = [
        {"linkId": "a", "answer": [{"valueDateTime": "2026-11-27T09:30"}]},
        {"linkId": "b", "answer": [{"valueTime": "07:05"}, {"valueTime": "07:06:07"}]},
        {"linkId": "c", "answer": [{"valueDateTime": "2026-11"}]},
    ]
    forms.send(form, cast.mia, items=answers)
    (one,) = resources(cast.mia, "QuestionnaireResponse")
    given = [answer for item in one["item"] for answer in item["answer"]]
    assert given == [
        {"valueDateTime": "2026-11-27T09:30:00-05:00"},
        {"valueTime": "07:05:00"},
        {"valueTime": "07:06:07"},
        {"valueDateTime": "2026-11"},
    ]


def test_a_consent_says_what_was_decided_and_to_which_text(consent, cast):
    (one,) = resources(cast.mia, "Consent")
    assert one["id"] == str(consent.signature.public_id)
    assert (one["status"], one["provision"]["type"]) == ("active", "permit")
    assert one["category"][0]["coding"][0]["code"] == "59284-0"
    assert one["patient"]["reference"] == f"urn:uuid:{cast.mia.public_id}"
    assert one["performer"] == [{"display": "Elena Rivera (mother)"}]
    text = base64.b64decode(one["sourceAttachment"]["data"]).decode()
    assert text == consent.signature.text
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    assert [policy["uri"] for policy in one["policy"]] == [
        f"{consent.version.questionnaire.url}|1",
        f"ni:///sha-256;{digest}",
    ]
    (response,) = resources(cast.mia, "QuestionnaireResponse")
    (extension,) = response["extension"]
    assert extension["url"].endswith("/questionnaireresponse-signature")
    signature = extension["valueSignature"]
    assert base64.b64decode(signature["data"]).decode() == "Elena Rivera"
    assert signature["type"][0]["code"] == "1.2.840.10065.1.12.1.7"
    assert one["provision"]["data"][0]["reference"]["reference"] == f"urn:uuid:{response['id']}"


def test_a_declined_one_is_rejected(forms, cast):
    form = forms.form("Photo consent", kind="consent", needs_signature=True)
    forms.sign(forms.send(form, cast.mia), decision="declined")
    (one,) = resources(cast.mia, "Consent")
    assert (one["status"], one["provision"]["type"]) == ("rejected", "deny")


def test_a_voided_one_is_inactive_and_says_why(consent, cast):
    void(consent)
    (one,) = resources(cast.mia, "Consent")
    assert one["status"] == "inactive"
    (response,) = resources(cast.mia, "QuestionnaireResponse")
    assert response["status"] == "stopped"
    assert "extension" not in response
    targets = [{"reference": f"urn:uuid:{response['id']}"}, {"reference": f"urn:uuid:{one['id']}"}]
    (voided,) = [each for each in resources(cast.mia, "Provenance") if "reason" in each]
    assert voided["target"] == targets
    assert voided["reason"] == [{"text": "Signed in the wrong chart."}]


def test_who_filled_it_in_and_what_it_corrects(everything, forms, cast):
    form = everything.version.questionnaire
    later = forms.send(form, cast.mia, version=everything.version, corrects=everything)
    statuses = {one["id"]: one["status"] for one in resources(cast.mia, "QuestionnaireResponse")}
    assert statuses == {str(everything.public_id): "completed", str(later.public_id): "amended"}
    found = {one["target"][0]["reference"]: one for one in resources(cast.mia, "Provenance")}
    assert "entity" not in found[f"urn:uuid:{everything.public_id}"]
    second = found[f"urn:uuid:{later.public_id}"]
    assert second["entity"] == [
        {"role": "revision", "what": {"reference": f"urn:uuid:{everything.public_id}"}}
    ]
    assert second["agent"][0]["who"]["display"] == "Elena Rivera (a parent or guardian)"


@pytest.mark.parametrize("status", ["returned", "withdrawn"])
def test_what_came_back_is_never_completed(everything, consent, cast, status):
    for response in (everything, consent):
        response.submission.status, response.submission.reason = status, "Please say more."
        response.submission.save()
    responses = resources(cast.mia, "QuestionnaireResponse")
    consents = resources(cast.mia, "Consent")
    if status == "withdrawn":
        assert responses == consents == []
    else:
        assert {one["status"] for one in responses} == {"stopped"}
        assert [one["status"] for one in consents] == ["inactive"]


def test_a_draft_is_no_record(forms, cast):
    draft = forms.begin(forms.form("Half of it"), cast.mia, items=every_answer())
    assert resources(cast.mia, "QuestionnaireResponse") == []
    assert "Half of it" not in _printed_record(cast.mia)
    assert draft.is_draft


def test_other_readers_find_nothing_wrong(everything, consent, forms, cast, tmp_path: Path):
    """With every kind of answer, accepted, declined, voided, returned and corrected ones."""
    Path(tmp_path).mkdir(exist_ok=True)
    form = forms.form("Photo consent", kind="consent", needs_signature=True)
    forms.sign(forms.send(form, cast.mia), decision="declined")
    gone = forms.send(form, cast.mia, "returned")
    forms.sign(gone)
    voided = forms.send(consent.version.questionnaire, cast.mia, corrects=consent)
    forms.sign(voided)
    void(voided)
    signed = forms.form("Intake", needs_signature=True)
    forms.sign(forms.send(signed, cast.mia))
    made = bundle(cast.mia)
    kinds = [one["resource"]["resourceType"] for one in made["entry"]]
    assert (kinds.count("QuestionnaireResponse"), kinds.count("Consent")) == (6, 4)
    assert problems_of(tmp_path, made) == []


# --- printed and as text --------------------------------------------------------------


def _printed_record(member) -> str:
    from households.record.typesetting import record_pdf

    return " ".join(pages_of(record_pdf(record(member))))


def printed(response: QuestionnaireResponse) -> bytes:
    from households.models import Practice
    from households.record.reading import sent_forms
    from households.record.typesetting import form_pdf

    return form_pdf(sent_forms(response.member).get(pk=response.pk), Practice.load())


READ = [
    *["=SUM(A1) #panic()", "First line second line", "https://example.org/", "No", "37.5"],
    *["4 hours", "2026/11", "2026/11/27, 09:30", "07:05", "Some days", "Something else", "Twice"],
    *["Dr. Ada Stone", "rash.png", "Rex", "Bello"],
]


def test_a_form_as_pdf_says_it_all(everything):
    whole = " ".join(pages_of(printed(everything)))
    for words in [*READ, "Everything", "Mia Rivera", "born 2016/04/27", "In numbers", "Pets"]:
        assert words in whole, words
    assert "Nobody answered this Not given" in whole
    assert "Total 12 points" in whole
    assert "Filled in by Elena Rivera (a parent or guardian)" in whole
    assert "Page 1 of" in whole


def test_a_consent_as_pdf_has_the_text_and_the_signature(consent):
    whole = " ".join(pages_of(printed(consent)))
    for words in [
        *["Consent to treat", "I agree that Mia is treated here.", "Ä #panic() {{7*7}}"],
        *["Decision Accepted", "Signed by Elena Rivera", "Relationship mother"],
        *["2026/11/20, 10:00", consent.signature.text_sha256],
    ]:
        assert words in whole, words
    void(consent)
    consent.refresh_from_db()
    whole = " ".join(pages_of(printed(consent)))
    assert "Voided by the practice" in whole
    assert "Signed in the wrong chart." in whole


def test_the_same_bytes_each_time(everything, consent):
    for response in (everything, consent):
        assert printed(response) == printed(response)


def test_the_record_has_the_forms_that_count(everything, consent, forms, cast):
    forms.send(
        everything.version.questionnaire,
        cast.mia,
        version=everything.version,
        corrects=everything,
        items=[{"linkId": "text", "item": [{"linkId": "a", "answer": [{"valueString": "Later"}]}]}],
    )
    forms.send(forms.form("Sent back"), cast.mia, "returned")
    whole = _printed_record(cast.mia)
    assert "Form: Everything" in whole
    assert "Later" in whole
    assert "First line" not in whole  # corrected
    assert "Sent back" not in whole
    assert "I agree that Mia is treated here." in whole
    assert "Form:" not in _printed_record(cast.leo)


def test_as_text_to_paste(everything, consent, cast):
    from households.record.plain_text import plain_text
    from households.record.words import chapters_of

    texts = [
        plain_text(one) for one in chapters_of(record(cast.mia)) if one.slug.startswith("form")
    ]
    assert len(texts) == 2
    for words in [*READ[2:], "A line: =SUM(A1) #panic()", "Section: Pets: number 2"]:
        assert words in texts[0], words
    assert "Signature: Elena Rivera" in texts[1]
    assert not [
        line for text in texts for line in text.splitlines() if line[:1] in "=+-@\t" and line
    ]


# --- the family's and the staff's way -------------------------------------------------


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_the_family_keeps_a_copy_of_its_own(everything, consent, forms, cast, client):
    sign_in(client, "rivera@example.org")
    home = f"/for/{pick(client, 'Mia', '2016/04/27')}/"
    page = f"{home}record/forms/"
    answer = client.get(f"{page}{everything.public_id}/pdf/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="form-2026-11-20.pdf"'
    assert "First line" in " ".join(pages_of(body(answer)))
    event = AuditEvent.objects.get(action="download", object_type="form")
    assert (event.member_id, event.object_id) == (cast.mia.pk, str(everything.public_id))
    others = [
        forms.send(everything.version.questionnaire, cast.leo),
        forms.send(everything.version.questionnaire, cast.other_mia),
        forms.send(everything.version.questionnaire, cast.mia, "withdrawn"),
        forms.begin(everything.version.questionnaire, cast.mia),
    ]
    for other in [other.public_id for other in others] + [uuid.uuid4()]:
        assert client.get(f"{page}{other}/pdf/").status_code == 404
    assert client.post(f"{page}{everything.public_id}/pdf/").status_code == 405


def test_the_page_of_what_was_sent_leads_to_its_copy(everything, cast, client):
    sign_in(client, "rivera@example.org")
    home = f"/for/{pick(client, 'Mia', '2016/04/27')}/"
    page = client.get(f"{home}forms/{everything.public_id}/").content.decode()
    assert f'href="{home}record/forms/{everything.public_id}/pdf/"' in page


def test_staff_get_each_form_in_three_ways(everything, consent, cast, client):
    sign_in_as_staff(client)
    page = f"/admin/record/{cast.mia.pk}/form/{everything.pk}/"
    assert "First line" in " ".join(pages_of(body(client.get(f"{page}pdf/"))))
    one = json.loads(body(client.get(f"{page}fhir/")))
    assert (one["resourceType"], one["item"]) == ("QuestionnaireResponse", every_answer())
    assert "A line: =SUM(A1) #panic()" in body(client.get(f"{page}txt/")).decode()
    events = AuditEvent.objects.filter(action="export", object_type="form")
    assert {event.member_id for event in events} == {cast.mia.pk}
    assert events.count() == 3
    for kind in ("pdf", "fhir", "txt"):
        assert (
            client.get(f"/admin/record/{cast.leo.pk}/form/{everything.pk}/{kind}/").status_code
            == 404
        )
        assert client.get(f"/admin/record/{cast.mia.pk}/form/{2**70}/{kind}/").status_code == 404
    text = text_of(client.get(f"/admin/record/{cast.mia.pk}/"))
    assert re.search("Form: Everything.*Form: Consent to treat", text)


def test_who_may_not_see_forms_gets_none(everything, cast):
    desk = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    rights = ["view_member", "view_document", "view_entrychange"]
    desk.user_permissions.set(Permission.objects.filter(codename__in=rights))
    browser = Client()
    sign_in_as_staff(browser, "desk@example.org")
    page = f"/admin/record/{cast.mia.pk}/"
    assert "Form: Everything" not in text_of(browser.get(page))
    for kind in ("pdf", "fhir", "txt"):
        assert browser.get(f"{page}form/{everything.pk}/{kind}/").status_code == 403
    assert browser.get(f"{page}fhir/").status_code == 403  # nor the whole


def test_the_staffs_page_of_a_form_leads_to_all_three(everything, cast, client):
    sign_in_as_staff(client)
    page = client.get(
        f"/admin/intake/questionnaireresponse/of/{everything.submission_id}/", follow=True
    )
    for kind in ("pdf", "fhir", "txt"):
        address = f"/admin/record/{cast.mia.pk}/form/{everything.pk}/{kind}/"
        assert f'href="{address}"' in page.content.decode()
