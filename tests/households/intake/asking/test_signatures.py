"""A signature stands as it was given: nobody moves or changes it, and voiding it asks again."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, models, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.intake.asking import asked_of
from households.intake.models import Questionnaire, Signature
from tests.cast import NURSE_PASSWORD, practice_today, sign_in_as_staff
from tests.pages import fields_of, text_of, title_of

SIGNATURES = "/admin/intake/signature/"
MAY_CHANGE = {"voided_at", "voided_by", "void_reason"}


@pytest.fixture
def staff(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


@pytest.fixture
def signature(forms, cast) -> Signature:
    consent = forms.form("Consent to treat", kind="consent", needs_signature=True)
    forms.ask(consent)
    return forms.sign(forms.send(consent, cast.mia, "filed"))


def void(browser: Client, signature: Signature, **typed):
    page = f"{SIGNATURES}{signature.pk}/void/"
    return browser.post(page, fields_of(browser.get(page), **typed))


# --- in the database ------------------------------------------------------------------


def other_value(field: models.Field, cast, forms):
    """Something else that the column would take."""
    if field.name == "response":
        return forms.send(forms.form("Other"), cast.mia)
    if field.name == "member":
        return cast.leo
    return {
        models.BigAutoField: 999_999,
        models.UUIDField: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        models.DateTimeField: timezone.now(),
        models.CharField: "declined",
        models.TextField: "Another text",
    }[type(field)]


@pytest.mark.parametrize(
    "name", [field.name for field in Signature._meta.get_fields() if field.name not in MAY_CHANGE]
)
def test_no_column_of_it_changes(signature, cast, forms, name):
    field = Signature._meta.get_field(name)
    before = Signature.objects.values().get()
    with pytest.raises(IntegrityError, match="stands as it was given"), transaction.atomic():
        Signature.objects.filter(pk=signature.pk).update(**{name: other_value(field, cast, forms)})
    assert Signature.objects.values().get() == before


def test_it_is_voided_once_and_stays_so(signature, cast):
    changes = {"voided_at": timezone.now(), "voided_by": cast.nurse_staff, "void_reason": "Wrong."}
    rows = Signature.objects.filter(pk=signature.pk)
    assert rows.update(**changes) == 1
    for again in ({"voided_at": None, "void_reason": ""}, {"void_reason": "Another"}):
        with pytest.raises(IntegrityError, match="stands as it was given"), transaction.atomic():
            rows.update(**again)
    signature.refresh_from_db()
    signature.save()  # as it is


def test_nobody_signs_under_another_persons_form(forms, cast):
    response = forms.send(forms.form(), cast.mia)
    with pytest.raises(IntegrityError, match="stands as it was given"), transaction.atomic():
        forms.sign(response, member=cast.leo)
    assert not Signature.objects.exists()


def test_a_form_is_signed_once(signature, forms):
    with pytest.raises(IntegrityError), transaction.atomic():
        forms.sign(signature.response)


# --- voiding --------------------------------------------------------------------------


def test_voided_with_a_reason_and_asked_again(staff, signature, cast):
    assert asked_of(cast.mia, practice_today())[0].state == "done"
    page = staff.get(f"{SIGNATURES}{signature.pk}/void/")
    assert "Mia Rivera (“Mimi”), 2016/04/27" in text_of(page)
    nothing = void(staff, signature, quick="", words="")
    assert "Say why" in text_of(nothing)
    assert void(staff, signature, quick="wrong-person", words="Sorry.").status_code == 302
    signature.refresh_from_db()
    reason = "This was signed in the wrong person's chart. Sorry."
    assert (signature.void_reason, signature.voided_by) == (reason, cast.nurse_staff)
    (asked,) = asked_of(cast.mia, practice_today())
    assert (asked.state, asked.reason) == ("open", reason)
    entry = AuditEvent.objects.get(action="staff-change", outcome="voided")
    assert (entry.member_id, entry.object_type) == (cast.mia.pk, "signature")
    assert entry.object_id == str(signature.public_id)
    first = signature.voided_at
    page = f"{SIGNATURES}{signature.pk}/void/"
    answer = staff.post(page, {"words": "Again"}, follow=True)
    assert "voided before" in text_of(answer)
    signature.refresh_from_db()
    assert (signature.voided_at, signature.void_reason) == (first, reason)
    assert "Void the signature" not in text_of(staff.get(f"{SIGNATURES}{signature.pk}/change/"))


def test_the_family_reads_why(staff, signature, cast):
    from tests.cast import pick, sign_in

    void(staff, signature, words="The name is not a full name.")
    family = Client()
    sign_in(family, "rivera@example.org")
    home = f"/for/{pick(family, 'Mia', '2016/04/27')}/"
    assert "To be signed again" in text_of(family.get(home))
    assert "The name is not a full name." in text_of(family.get(f"{home}forms/"))


def test_who_may_only_look_voids_nothing(signature, cast):
    account = StaffAccount.objects.create_user("desk@example.org", NURSE_PASSWORD)
    account.user_permissions.set(Permission.objects.filter(codename="view_signature"))
    desk = Client()
    sign_in_as_staff(desk, "desk@example.org")
    clinical = Questionnaire.objects.filter(pk=signature.response.version.questionnaire_id)
    clinical.update(is_clinical=True)
    assert desk.get(f"{SIGNATURES}{signature.pk}/change/").status_code == 302
    clinical.update(is_clinical=False)
    page = desk.get(f"{SIGNATURES}{signature.pk}/change/")
    assert "Consent to treat" in text_of(page)
    assert "Void the signature" not in text_of(page)
    address = f"{SIGNATURES}{signature.pk}/void/"
    assert desk.get(address).status_code == 403
    assert desk.post(address, {"words": "Mine"}).status_code == 403
    signature.refresh_from_db()
    assert signature.voided_at is None


# --- the staff's pages ----------------------------------------------------------------


def test_everything_of_it_can_be_read_and_nothing_changed(staff, signature, cast):
    page = staff.get(f"{SIGNATURES}{signature.pk}/change/")
    assert "Mia Rivera" in title_of(page)
    shown = text_of(page)
    for words in [
        *["Consent to treat", "Accepted", "I agree to be treated.", signature.text_sha256],
        *["Elena Rivera", "mother", "rivera@example.org", "counts"],
    ]:
        assert words in shown, words
    assert f'href="/admin/record/{cast.mia.pk}/form/{signature.response_id}/pdf/"' in (
        page.content.decode()
    )
    forged = {"member": cast.leo.pk, "typed_name": "Somebody"}
    assert staff.post(f"{SIGNATURES}{signature.pk}/change/", forged).status_code == 403
    assert staff.get(f"{SIGNATURES}add/").status_code == 403
    assert staff.post(f"{SIGNATURES}{signature.pk}/delete/", {"post": "yes"}).status_code == 403
    entry = AuditEvent.objects.filter(action="staff-view", object_type="signature").latest("pk")
    assert entry.member_id == cast.mia.pk


def test_hostile_text_is_text(staff, forms, cast):
    signed = forms.sign(
        forms.send(forms.form(), cast.mia), text="<script>x()</script>\n\n<b>Bold</b>"
    )
    page = staff.get(f"{SIGNATURES}{signed.pk}/change/").content.decode()
    assert "<script>x()" not in page
    assert "&lt;b&gt;Bold" in page


def test_one_persons_from_their_page(staff, signature, forms, cast):
    forms.sign(forms.send(forms.form("Another"), cast.leo))
    page = staff.get(f"/admin/households/member/{cast.mia.pk}/change/")
    assert "Consents and signatures" in text_of(page)
    found = staff.post(SIGNATURES, {"search": "1", "q": f"{cast.mia.patient_id} 2016/04/27"})
    listed = text_of(staff.get(f"{SIGNATURES}{found.headers['Location']}"))
    assert "Consent to treat" in listed
    assert "Another" not in listed


@pytest.mark.parametrize(
    ("status", "state", "filtered"),
    [
        ("received", "counts", "counts"),
        ("returned", "returned to the family", "other"),
        ("withdrawn", "taken back by the family", "other"),
    ],
)
def test_the_states_in_the_list(staff, forms, cast, status, state, filtered):
    forms.sign(forms.send(forms.form(), cast.mia, status))
    assert state in text_of(staff.get(SIGNATURES))
    for one in ("counts", "voided", "other"):
        shown = state in text_of(staff.get(SIGNATURES, {"state": one})).partition("Filter")[0]
        listed = "Elena Rivera" in text_of(staff.get(SIGNATURES, {"state": one}))
        assert listed == (one == filtered), (one, shown)


def test_the_list_costs_the_same_at_any_length(staff, signature, forms, cast):
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            staff.get(SIGNATURES)
        return len(seen)

    staff.get(SIGNATURES)
    few = queries()
    for number in range(12):
        forms.sign(forms.send(forms.form(f"Form {number}"), cast.leo))
    assert queries() == few
