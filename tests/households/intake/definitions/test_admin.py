"""The staff's pages of forms: import with its report first, versions and their buttons, lists of choices."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.intake.models import Questionnaire, QuestionnaireVersion, ValueSet
from tests.cast import sign_in_as_staff
from tests.households.intake.definitions.forms import form, item, upload, value_set
from tests.pages import fields_of

IMPORT = "/admin/intake/questionnaire/import/"


def kept_of(answer) -> str:
    assert answer.status_code == 200, answer.status_code
    return fields_of(answer, "confirm")["kept"]


def test_a_file_is_shown_first_and_saved_with_a_second_press(staff):
    odd = form(item("a", "choice"), item("b", extension=[{"url": "https://x.example/odd"}]))
    shown = staff.post(IMPORT, {"file": upload(odd)})
    page = shown.content.decode()
    assert "Nothing is saved yet." in page and "a new form" in page
    assert "“Words of a”: It is a choice of nothing: shown as a box to type in." in page
    assert "The form uses odd (b)." in page
    assert Questionnaire.objects.count() == 0
    kept = kept_of(shown)
    saved = staff.post(IMPORT, {"kept": kept, "confirm": "1"}, follow=True)
    assert "a new form" in saved.content.decode()
    version = QuestionnaireVersion.objects.get()
    assert saved.redirect_chain[-1][0] == f"/admin/intake/questionnaireversion/{version.pk}/change/"
    assert version.status == "draft" and len(version.report) == 2
    # Pressed twice: the file is gone, and nothing is there twice.
    again = staff.post(IMPORT, {"kept": kept, "confirm": "1"})
    assert again.status_code == 422 and "Choose it again" in again.content.decode()
    assert QuestionnaireVersion.objects.count() == 1


def test_a_bad_file_says_what_to_do(staff):
    for data, says in ((b"<xml/>", "XML"), (b"", "empty"), (b"{}", "resourceType")):
        answer = staff.post(IMPORT, {"file": upload(data)})
        assert answer.status_code == 422 and says in answer.content.decode()
    assert staff.post(IMPORT, {}).status_code == 422


def test_nobody_confirms_somebody_elses_file(staff, cast):
    kept = kept_of(staff.post(IMPORT, {"file": upload(form(item("a")))}))
    other = StaffAccount.objects.create_superuser("o@example.org", "staff-lantern-orchid-45")
    client = Client()
    sign_in_as_staff(client, other.email, "staff-lantern-orchid-45")
    assert client.post(IMPORT, {"kept": kept, "confirm": "1"}).status_code == 422
    assert client.post(IMPORT, {"kept": "../../etc", "confirm": "1"}).status_code == 422


def test_a_refused_form_cannot_be_confirmed(staff):
    shown = staff.post(IMPORT, {"file": upload(form(item("a", "bogus")))})
    assert "cannot be imported" in shown.content.decode()
    staff.post(IMPORT, {"file": upload(form(item("a", "bogus"))), "confirm": "1"})
    assert Questionnaire.objects.count() == 0


def test_lists_are_imported_and_exported_as_they_were(staff):
    staff.post(IMPORT, {"file": upload(value_set()), "confirm": "1"})
    (on_file,) = ValueSet.objects.all()
    assert [one["code"] for one in on_file.concepts] == ["red", "blue"]
    page = staff.get(f"/admin/intake/valueset/{on_file.pk}/change/").content.decode()
    assert "Red" in page and "blue" in page
    exported = staff.get(f"/admin/intake/valueset/{on_file.pk}/export/")
    assert json.loads(exported.content)["compose"] == value_set()["compose"]


def test_a_bundled_list_comes_with_the_first_form_that_names_it(staff):
    asks = form(item("a", "choice", answerValueSet="http://loinc.org/vs/LL358-3"))
    staff.post(IMPORT, {"file": upload(asks), "confirm": "1"})
    (on_file,) = ValueSet.objects.all()
    assert [one["weight"] for one in on_file.concepts] == [0, 1, 2, 3]
    assert QuestionnaireVersion.objects.get().report == []


def test_buttons_of_a_version(staff, keep):
    version = keep()
    page = f"/admin/intake/questionnaireversion/{version.pk}"
    assert "A draft: no family sees it." in staff.get(f"{page}/change/").content.decode()
    stale = staff.post(f"{page}/publish/", {"revision": version.revision + 1}, follow=True)
    assert "somebody else was here first" in stale.content.decode()
    done = staff.post(f"{page}/publish/", {"revision": version.revision}, follow=True)
    assert "Published. It is frozen now" in done.content.decode()
    exported = staff.get(f"{page}/export/")
    assert exported.headers["Content-Disposition"] == 'attachment; filename="test-form-1.json"'
    assert json.loads(exported.content)["status"] == "active"
    draft = staff.post(f"{page}/draft/", follow=True)
    assert "A new draft." in draft.content.decode()
    second = QuestionnaireVersion.objects.get(number=2)
    gone = staff.post(
        f"/admin/intake/questionnaireversion/{second.pk}/discard/",
        {"revision": second.revision},
        follow=True,
    )
    assert "The draft is gone." in gone.content.decode()
    assert "Retired." in staff.post(f"{page}/retire/", follow=True).content.decode()
    assert QuestionnaireVersion.objects.get().status == "retired"


def test_settings_of_a_form(staff, keep):
    questionnaire = keep().questionnaire
    address = f"/admin/intake/questionnaire/{questionnaire.pk}/change/"
    typed = fields_of(staff.get(address)) | {"kind": "consent", "needs_signature": "on"}
    assert staff.post(address, typed).status_code == 302
    questionnaire.refresh_from_db()
    assert questionnaire.is_consent and questionnaire.needs_signature


@pytest.mark.parametrize("verb", ["view", "change", "nothing"])
def test_permissions(keep, verb):
    version = keep()
    helper = StaffAccount.objects.create_user("h@example.org", "staff-lantern-orchid-46")
    helper.is_staff = True
    helper.save()
    if verb != "nothing":
        models = ("questionnaire", "questionnaireversion")
        helper.user_permissions.set(
            Permission.objects.filter(codename__in=[f"{verb}_{model}" for model in models])
        )
    client = Client()
    sign_in_as_staff(client, helper.email, "staff-lantern-orchid-46")
    page = f"/admin/intake/questionnaireversion/{version.pk}"
    may_see, may_change = verb != "nothing", verb == "change"
    for address in (f"{page}/change/", f"{page}/export/", "/admin/intake/questionnaire/"):
        assert client.get(address).status_code == (200 if may_see else 403), address
    assert client.get(IMPORT).status_code == 403
    assert client.post(IMPORT, {"file": upload(form(item("z")))}).status_code == 403
    assert client.post("/admin/intake/questionnaire/starters/").status_code == 403
    for word in ("retire", "draft", "publish", "discard"):
        answer = client.post(f"{page}/{word}/", {"revision": 1})
        assert answer.status_code == (302 if may_change else 403), word
    if not may_change:
        assert ("Publish" in client.get(f"{page}/change/").content.decode()) is False
        assert QuestionnaireVersion.objects.get().status == "draft"


def test_buttons_are_posts(staff, keep):
    version = keep()
    for word in ("publish", "retire", "draft", "discard"):
        address = f"/admin/intake/questionnaireversion/{version.pk}/{word}/"
        assert staff.get(address).status_code == 405
    assert staff.post(f"/admin/intake/questionnaireversion/{10**30}/publish/").status_code == 404


def test_the_lists_ask_a_fixed_number_of_queries(staff, keep, django_assert_max_num_queries):
    keep()
    with django_assert_max_num_queries(20) as few:
        staff.get("/admin/intake/questionnaire/")
    for number in range(12):
        keep(form(item("a"), url=f"https://forms.example/{number}", title=f"Form {number}"))
    with django_assert_max_num_queries(len(few)):
        page = staff.get("/admin/intake/questionnaire/").content.decode()
    assert "Form 11" in page


def test_starters_are_added_once(staff):
    for count in (9, 0):
        before = Questionnaire.objects.count()
        staff.post("/admin/intake/questionnaire/starters/")
        assert Questionnaire.objects.count() - before == count
    imports = AuditEvent.objects.filter(outcome="import-new", object_type="questionnaireversion")
    assert imports.count() == 9
