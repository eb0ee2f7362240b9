"""The answers of a clinical form are not for the front desk: it sees that one came, for whom, and whether it
suggests danger (PRODUCT H7)."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import StaffAccount
from households.documents.models import Document
from households.intake.models import Questionnaire, QuestionnaireResponse
from households.intake.starters import starters_add
from households.submissions.models import Submission
from households.submissions.sight import CLINICAL_DOCUMENT
from tests.cast import NURSE_PASSWORD, sign_in_as_staff
from tests.households.intake.filling.conftest import filled, published
from tests.pages import text_of

LIST = "/admin/intake/questionnaireresponse/"
SECRETS = ("Every day", "Any allergy", "Before the visit")


def somebody(role: str) -> Client:
    email = f"{role.split()[0].lower()}@practice.example"
    staff = StaffAccount.objects.create_user(email, NURSE_PASSWORD)
    staff.groups.add(Group.objects.get(name=role))
    client = Client()
    sign_in_as_staff(client, email)
    return client


@pytest.fixture
def desk(cast) -> Client:
    return somebody("Front desk")


@pytest.fixture
def urgent(mia, cast) -> QuestionnaireResponse:
    filled(mia, published(), harm="2")
    return QuestionnaireResponse.objects.for_member(cast.mia).get()


def test_the_front_desk_sees_that_somebody_has_to_react_and_no_answer(urgent, desk):
    pages = [LIST, "/admin/submissions/submission/", "/admin/", f"{LIST}{urgent.pk}/change/"]
    for address in pages:
        page = text_of(desk.get(address))
        assert "Mia Rivera" in page, address
        assert "DANGER" in page, address
        for secret in SECRETS:
            assert secret not in page, (address, secret)
    page = text_of(desk.get(f"{LIST}of/{urgent.submission.pk}/", follow=True))
    assert "Nobody has read it yet. Tell a clinician now, by name and birth date." in page
    assert "2016/04/27" in page


def test_it_stays_unseen_until_somebody_reads_it_who_may(urgent, desk):
    desk.get(f"{LIST}{urgent.pk}/change/")
    for address in (LIST, "/admin/submissions/submission/"):
        for action in ("mark_seen", "mark_filed"):
            row = urgent.pk if address == LIST else urgent.submission.pk
            desk.post(address, {"action": action, "_selected_action": [row], "index": 0})
    for word in ("file", "return"):
        assert desk.post(f"{LIST}{urgent.pk}/{word}/", {"words": "No."}).status_code == 403
    urgent.submission.refresh_from_db()
    assert urgent.submission.status == "received"
    clinician = somebody("Clinician")
    assert "Every day" in text_of(clinician.get(f"{LIST}{urgent.pk}/change/"))
    urgent.submission.refresh_from_db()
    assert urgent.submission.status == "seen"
    page = text_of(desk.get(f"{LIST}{urgent.pk}/change/"))
    assert "Somebody who may read the answers has opened it." in page


def test_it_is_not_copied_exported_or_found_by_its_form(urgent, desk, cast):
    record = f"/admin/record/{cast.mia.pk}/"
    assert desk.get(record).status_code == 200
    for address in (record, f"/admin/submissions/submission/{urgent.submission.pk}/text/"):
        page = desk.get(address).content.decode()
        assert not [secret for secret in SECRETS if secret in page], address
    for kind in ("pdf", "fhir", "zip"):
        assert desk.get(f"{record}{kind}/").status_code == 403
    for kind in ("pdf", "fhir", "txt"):
        assert desk.get(f"{record}form/{urgent.pk}/{kind}/").status_code == 404
    form = urgent.version.questionnaire
    Questionnaire.objects.create(title="Insurance", url="urn:insurance", is_clinical=False)
    assert text_of(desk.get(f"{LIST}?form={form.pk}")).count("Mia Rivera") == 0
    assert "Before the visit" not in text_of(desk.get(LIST))


def test_a_form_that_is_not_clinical_is_read_and_filed_at_the_front_desk(urgent, desk):
    Questionnaire.objects.update(is_clinical=False)
    assert "Every day" in text_of(desk.get(f"{LIST}{urgent.pk}/change/"))
    assert desk.post(f"{LIST}{urgent.pk}/file/").status_code == 302
    urgent.submission.refresh_from_db()
    assert urgent.submission.status == "filed"


def test_a_paper_in_a_clinical_form_is_an_answer_too(mia, desk, cast):
    from tests.files import png

    mia.client.post(f"/for/{mia.key}/documents/", {"files": png("rash.png")})
    document = Document.objects.get()
    Submission.objects.filter(pk=document.submission_id).update(about=CLINICAL_DOCUMENT)
    page = f"/admin/documents/document/{document.pk}/"
    for address in (f"{page}download/", f"{page}pages/1/", f"{page}file/"):
        assert desk.get(address).status_code in {404, 405}, address
    assert desk.post(f"{page}file/").status_code == 404
    for address in ("/admin/documents/document/", "/admin/submissions/submission/", "/admin/"):
        assert "Mia Rivera" not in text_of(desk.get(address)), address
    assert "rash.png" not in desk.get(f"/admin/record/{cast.mia.pk}/").content.decode()
    refile = f"/admin/submissions/submission/{document.submission_id}/refile/"
    assert desk.get(refile).status_code in {403, 404}


@pytest.mark.django_db
def test_forms_are_clinical_until_somebody_says_otherwise():
    starters_add(request=None)
    clinical = dict(Questionnaire.objects.values_list("url", "is_clinical"))
    told = {url.rpartition(":")[2]: is_clinical for url, is_clinical in clinical.items()}
    assert {name for name, is_clinical in told.items() if not is_clinical} == {
        "consent-to-treat",
        "privacy-notice",
    }
    assert len(told) > 6
