"""The demo practice: loaded into an empty database only, and good for the whole errand."""

from __future__ import annotations

import hashlib
import io
import re
import stat

import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from accounts import passwords
from accounts.models import HouseholdAccount, StaffAccount
from accounts.staff import second_factor
from households.documents.models import Document, DocumentRequest
from households.intake.models import Ask, MemberAsk, Questionnaire, QuestionnaireVersion
from households.models import Member, MemberOwned, Practice
from households.submissions.models import Submission
from portal import demo
from portal.management.commands.serve import _refuse_known_passwords
from tests.cast import household, member, pick, sign_in, sign_in_as_staff
from tests.pages import text_of
from tests.totp import code_of


def staff_login() -> list[str]:
    return (settings.DATA / "demo-staff-login").read_text().split()


def remove_charts() -> None:
    """They hold on to the people they are about, and to what they came in."""
    owned = [model for model in apps.get_models() if issubclass(model, MemberOwned)]
    for model in sorted(owned, key=[DocumentRequest, Submission].count):
        model.objects.all().delete()
    # Of the practice's own: who published and who asked.
    for model in (Ask, QuestionnaireVersion, Questionnaire):
        model.objects.all().delete()


def test_the_lines_say_what_to_open_and_whom_to_be(db):
    text = "\n".join(demo.load_demo())
    email, password, _key = staff_login()
    for shown in [
        f"{settings.PORTAL_URL}/login/",
        f"{settings.PORTAL_URL}/admin/",
        f"rivera@family.example, password: {demo.FAMILY_PASSWORD}",
        f"{settings.PORTAL_URL}/password/",
        "moreno@family.example: the link comes by mail",
        "Mia, 2016/04/27",
        "José, 1979/09/15",
        "Joseph, 1983/11/02 (or Joe)",
        f"{email}, password: {password}",
        str(settings.DATA / "demo-staff-login"),
    ]:
        assert shown in text


def test_a_practice_does_not_begin_with_people_whose_password_is_printed(db, settings):
    _refuse_known_passwords()  # of nobody
    demo.load_demo()
    _refuse_known_passwords()  # to try the portal on
    settings.PORTAL_HTTPS = True
    with pytest.raises(CommandError, match="a login whose password everybody can read"):
        _refuse_known_passwords()
    # Whatever else was made of it: the password counts.
    StaffAccount.objects.filter(email=demo.STAFF).update(email="somebody@practice.example")
    with pytest.raises(CommandError):
        _refuse_known_passwords()
    HouseholdAccount.objects.update(password=passwords.hashed("another one that nobody printed"))
    _refuse_known_passwords()


def test_every_person_printed_can_be_chosen(client, db):
    lines = demo.load_demo()
    sign_in(client, demo.READY, demo.FAMILY_PASSWORD)
    people = [re.match(r"      (\w+), ([\d/]+)", line) for line in lines]
    chosen = [person.groups() for person in people if person][:5]
    assert [first for first, _born in chosen] == ["Elena", "Joseph", "Mia", "Leo", "Lia"]
    for first_name, born in [*chosen, ("joe", "1983/11/02")]:
        assert pick(client, first_name, born)


def test_the_second_household_is_set_up_through_a_mail(client, db, run_tasks, mailoutbox):
    demo.load_demo()
    assert HouseholdAccount.objects.get(email_key=demo.TO_SET_UP).has_password is False
    client.post("/password/", {"email": demo.TO_SET_UP})
    run_tasks()
    assert [mail.to for mail in mailoutbox] == [[demo.TO_SET_UP]]


def test_one_child_has_the_name_and_birth_date_of_a_child_of_the_other_household(db):
    demo.load_demo()
    mias = Member.objects.filter(first_name="Mia", date_of_birth="2016-04-27")
    assert {mia.email_key for mia in mias} == {demo.READY, demo.TO_SET_UP}


def test_the_staff_password_is_new_each_time_and_only_its_owner_can_read_it(db):
    demo.load_demo()
    email, first, key = staff_login()
    path = settings.DATA / "demo-staff-login"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    sign_in_as_staff(Client(), email, first)
    passwords.StrongEnough().validate(first)

    remove_charts()
    for model in (Member, HouseholdAccount, StaffAccount):
        model.objects.all().delete()
    demo.load_demo()
    assert staff_login()[1] != first
    assert staff_login()[2] != key


def printed_code() -> str:
    out = io.StringIO()
    call_command("demo_code", stdout=out)
    return out.getvalue().strip()


def test_the_owner_signs_in_with_the_code_that_the_command_prints(db, client, settings):
    settings.PORTAL_DEMO = True
    assert "manage.py demo_code" in "\n".join(demo.load_demo())
    email, password, key = staff_login()
    for _time in range(2):  # the second one at once: it is the next code
        answer = client.post("/admin/login/", {"username": email, "password": password})
        assert answer.headers["Location"] == "/admin/login/code/"
        code = printed_code()
        assert code in {code_of(key), code_of(key, 1)}
        answer = client.post("/admin/login/code/", {"otp_token": code})
        assert answer.headers["Location"] == "/admin/"
        client.post("/admin/logout/")
    with pytest.raises(CommandError, match="Ask again in"):
        printed_code()


def test_the_demos_code_is_for_the_demo_alone(db, settings):
    settings.PORTAL_DEMO = True
    with pytest.raises(CommandError, match="not here"):
        printed_code()
    owner = StaffAccount.objects.create_superuser(demo.STAFF, "a-real-one-of-that-name")
    second_factor.device_give(owner, second_factor.new_secret())
    with pytest.raises(CommandError, match="not here"):
        printed_code()
    settings.LOCAL_RUN = False
    with pytest.raises(CommandError, match="local run"):
        printed_code()


def test_the_family_password_passes_the_portals_own_rules(db):
    passwords.StrongEnough().validate(demo.FAMILY_PASSWORD, words=("Harbor Family Medicine",))
    with pytest.raises(ValidationError):
        passwords.StrongEnough().validate("harbor medicine", words=("Harbor Family Medicine",))


@pytest.mark.parametrize(
    "somebody",
    [
        lambda: member("Real", "Person", "1990/01/01", ""),
        lambda: household("real@example.org"),
        lambda: StaffAccount.objects.create_user("real@example.org", None),
    ],
    ids=["member", "household account", "staff account"],
)
def test_nothing_is_loaded_beside_anybody_real(db, somebody):
    somebody()
    assert demo.load_demo() is None
    assert not Practice.objects.exists()
    assert not Member.objects.filter(patient_id="D001").exists()
    assert not StaffAccount.objects.filter(email=demo.STAFF).exists()


def test_a_second_start_prints_the_same_logins_and_changes_nothing(db):
    printed = demo.load_demo()
    login = staff_login()
    assert demo.load_demo() == printed
    assert staff_login() == login
    assert Member.objects.count() == len(demo.PEOPLE)
    assert (Document.objects.count(), DocumentRequest.objects.count()) == (3, 1)


def test_a_second_start_without_the_kept_password_prints_the_rest(db):
    demo.load_demo()
    (settings.DATA / "demo-staff-login").unlink()
    text = "\n".join(demo.load_demo())
    assert demo.FAMILY_PASSWORD in text
    assert "owner@harbor.example, password: not kept any more" in text


@pytest.mark.parametrize("gone", [StaffAccount, Member], ids=["staff account", "members"])
def test_nothing_of_the_demo_is_printed_once_it_is_gone(db, gone):
    demo.load_demo()
    remove_charts()
    gone.objects.all().delete()
    assert demo.load_demo() is None


# --- papers ---------------------------------------------------------------------------


def test_the_family_meets_papers_in_every_state(client, db):
    demo.load_demo()
    sign_in(client, demo.READY, demo.FAMILY_PASSWORD)
    papers = {}
    for first_name, born in {
        "Elena": "1985/04/12",
        "Mia": "2016/04/27",
        "Leo": "2020/02/29",
    }.items():
        key = pick(client, first_name, born)
        for document in Document.objects.filter(member__first_name=first_name):
            answer = client.get(f"/for/{key}/documents/{document.public_id}/")
            assert answer.status_code == 200
            papers[first_name] = document.status
    assert papers == {"Elena": "filed", "Mia": "new", "Leo": "returned"}
    returned = Submission.objects.get(status="returned", kind="document")
    assert "blurry" in returned.reason
    asked = DocumentRequest.objects.get()
    assert asked.member.called == "Mia"
    assert asked.what == "Insurance card, both sides"
    assert (asked.due_on - timezone.localdate()).days == 10


def test_the_papers_are_real_files(client, db):
    """Each is what its row says, and passes as an upload of a family."""
    demo.load_demo()
    sign_in(client, demo.READY, demo.FAMILY_PASSWORD)
    key = pick(client, "Lia", "2020/02/29")
    for document in Document.objects.all():
        with document.file.open("rb") as file:
            data = file.read()
        assert hashlib.sha256(data).hexdigest() == document.sha256
        assert len(data) == document.size
        again = SimpleUploadedFile(document.name, data, document.content_type)
        assert client.post(f"/for/{key}/documents/", {"files": again}).status_code == 302


def test_other_households_have_none_of_it(db):
    demo.load_demo()
    assert {document.member.email_key for document in Document.objects.all()} == {demo.READY}
    assert {asked.member.email_key for asked in DocumentRequest.objects.all()} == {demo.READY}


# --- charts ---------------------------------------------------------------------------


def test_a_child_has_a_rich_history_and_an_adult_none_known(client, db):
    demo.load_demo()
    sign_in(client, demo.READY, demo.FAMILY_PASSWORD)
    mias = f"/for/{pick(client, 'Mia', '2016/04/27')}/"
    home = text_of(client.get(mias))
    assert "Details Returned: look at it again" in home
    assert "Medical history 10 of 13 topics answered" in home
    details = text_of(client.get(f"{mias}demographics/"))
    assert "Waiting for the practice since" in details
    assert "A digit is missing in this number." in details
    medicines = text_of(client.get(f"{mias}history/medications/"))
    for word in ("Albuterol inhaler", "Vitamin D3", "Magnesium gummies", "Iron syrup"):
        assert word in medicines
    elenas = f"/for/{pick(client, 'Elena', '1985/04/12')}/"
    for topic in ("allergies", "medications", "conditions"):
        page = client.get(f"{elenas}history/{topic}/").content.decode()
        assert 'data-answer-given="none"' in page


def test_staff_have_something_of_each_kind_to_look_at(client, db):
    demo.load_demo()
    sign_in_as_staff(client, *staff_login()[:2])
    waiting = Submission.objects.filter(status="received").order_by("pk")
    assert {one.kind for one in waiting} == {"demographics", "history"}
    for submission in waiting:
        page = f"/admin/submissions/submission/{submission.pk}/change/"
        assert "Mia Rivera, 2016/04/27" in text_of(client.get(page, follow=True))


# --- forms ----------------------------------------------------------------------------


def test_the_family_is_asked_three_forms_and_the_practice_has_more(db):
    demo.load_demo()
    published = QuestionnaireVersion.objects.filter(status="published")
    assert {one.questionnaire.title for one in published.select_related("questionnaire")} == {
        "Mood in the last two weeks (PHQ-9)",
        "New patient: medical, family and social history",
        "Consent to treat",
    }
    assert Questionnaire.objects.count() == 9
    assert Questionnaire.objects.get(title="Consent to treat").is_consent
    assert Ask.objects.get().whom == Ask.Whom.EVERYONE
    asked = {(one.member.first_name, one.questionnaire.title) for one in MemberAsk.objects.all()}
    assert asked == {
        ("Mia", "New patient: medical, family and social history"),
        ("Elena", "Mood in the last two weeks (PHQ-9)"),
    }
