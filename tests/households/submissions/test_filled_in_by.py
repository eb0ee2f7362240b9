"""Who is filling this in: asked once for each choice of a person, stamped on everything that is sent."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.audit.models import AuditEvent
from households.models import Binding, KeptText
from households.submissions.models import Submission
from tests.cast import pick, sign_in, sign_in_as_staff
from tests.files import png
from tests.pages import fields_of, text_of, title_of

ASKED = "who is filling this in?"
GUARDIAN = {"filled_in_by": "guardian", "filled_in_name": "Elena Rivera"}


@pytest.fixture
def family(cast, client) -> Client:
    sign_in(client, "rivera@example.org")
    return client


def send(client: Client, key: str, colour: str = "red") -> Submission:
    answer = client.post(f"/for/{key}/documents/", {"files": png("card.png", colour)})
    assert answer.status_code == 302
    return Submission.objects.latest("pk")


def stamp(submission: Submission) -> tuple[str, str]:
    submission.refresh_from_db()
    return submission.filled_in_by, submission.filled_in_name


def test_a_name_typed_on_an_old_page_is_back_and_then_let_go(family):
    old = pick(family, "Mia", "2016/04/27")
    pick(family, "Leo", "2018/09/03")
    answer = family.post(f"/for/{old}/filled-in-by/", GUARDIAN)
    assert answer.status_code == 409
    assert "What you typed is kept" in text_of(answer)
    page = f"/for/{pick(family, 'Mia', '2016/04/27')}/filled-in-by/"
    back = fields_of(family.get(page))
    assert (back["filled_in_by"], back["filled_in_name"]) == (["guardian"], ["Elena Rivera"])
    assert family.post(page, back).status_code == 302
    assert not KeptText.objects.exists()


def test_nobody_is_asked_before_something_is_sent(family):
    key = pick(family, "Mia", "2016/04/27")
    for page in ("", "documents/"):
        assert ASKED not in text_of(family.get(f"/for/{key}/{page}"))


def test_asked_on_every_page_from_the_first_sending_until_it_is_said(family):
    key = pick(family, "Mia", "2016/04/27")
    first = send(family, key)
    assert stamp(first) == ("", "")
    for page in ("", "documents/"):
        assert ASKED in text_of(family.get(f"/for/{key}/{page}"))
    asking = family.get(f"/for/{key}/filled-in-by/?next=/for/{key}/documents/")
    assert title_of(asking).startswith("Mia")
    answer = family.post(f"/for/{key}/filled-in-by/", fields_of(asking, **GUARDIAN))
    assert answer.headers["Location"] == f"/for/{key}/documents/"
    page = family.get(f"/for/{key}/documents/")
    assert "data-notice" in page.content.decode()
    assert ASKED not in text_of(page)
    assert stamp(first) == ("guardian", "Elena Rivera")
    second = send(family, key, "green")
    assert stamp(second) == ("guardian", "Elena Rivera")
    assert ASKED not in text_of(family.get(f"/for/{key}/documents/"))


def test_asked_again_for_the_next_person_with_the_name_at_hand(family):
    key = pick(family, "Mia", "2016/04/27")
    mias = send(family, key)
    family.post(f"/for/{key}/filled-in-by/", GUARDIAN)
    key = pick(family, "Elena", "1985/04/12")
    elenas = send(family, key)
    assert stamp(elenas) == ("", "")
    asking = family.get(f"/for/{key}/filled-in-by/")
    assert fields_of(asking)["filled_in_name"] == ["Elena Rivera"]
    assert "filled_in_by" not in fields_of(asking)
    family.post(f"/for/{key}/filled-in-by/", {**GUARDIAN, "filled_in_by": "patient"})
    assert stamp(elenas) == ("patient", "Elena Rivera")
    assert stamp(mias) == ("guardian", "Elena Rivera")


def test_a_later_choice_of_the_same_person_stamps_nothing_of_the_first(family):
    key = pick(family, "Mia", "2016/04/27")
    first = send(family, key)
    pick(family, "Leo", "2018/09/03")
    key = pick(family, "Mia", "2016/04/27")
    send(family, key, "green")
    family.post(f"/for/{key}/filled-in-by/", GUARDIAN)
    assert stamp(first) == ("", "")


def test_another_login_of_the_name_hears_nothing_of_it(family, cast):
    key = pick(family, "Mia", "2016/04/27")
    send(family, key)
    family.post(f"/for/{key}/filled-in-by/", GUARDIAN)
    other = Client()
    sign_in(other, "okafor@example.org")
    key = pick(other, "Mia", "2016/04/27")
    asking = other.get(f"/for/{key}/filled-in-by/")
    assert "filled_in_name" not in fields_of(asking)
    assert "Elena" not in text_of(asking)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"filled_in_by": "guardian", "filled_in_name": "  "}, "Type your name."),
        ({"filled_in_by": "", "filled_in_name": "Elena"}, "Choose who you are."),
        ({"filled_in_by": "owner", "filled_in_name": "Elena"}, "Choose one of these."),
        ({"filled_in_by": "guardian", "filled_in_name": "E" * 121}, "too long"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(family, typed, words):
    key = pick(family, "Mia", "2016/04/27")
    sent = send(family, key)
    answer = family.post(f"/for/{key}/filled-in-by/", typed)
    assert answer.status_code == 422
    assert words in text_of(answer)
    page = answer.content.decode()
    assert "data-error-summary" in page
    (leads_to,) = {link.split('"')[0] for link in page.split('href="#id_')[1:]}
    assert f'id="id_{leads_to}"' in page
    assert title_of(answer).startswith("Mia – Error:")
    assert fields_of(answer)["filled_in_name"] == [typed["filled_in_name"]]
    assert stamp(sent) == ("", "")


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example/", "https://evil.example/", "/who/", "/for/x/", "\\/evil"]
)
def test_it_leads_back_into_the_same_chart_only(family, elsewhere):
    key = pick(family, "Mia", "2016/04/27")
    answer = family.post(f"/for/{key}/filled-in-by/", {**GUARDIAN, "next": elsewhere})
    assert answer.headers["Location"] == f"/for/{key}/"


def test_an_old_page_says_nothing_for_the_next_person(family, cast):
    key = pick(family, "Mia", "2016/04/27")
    send(family, key)
    leos = pick(family, "Leo", "2018/09/03")
    assert family.post(f"/for/{key}/filled-in-by/", GUARDIAN).status_code == 409
    assert not Binding.objects.exclude(filled_in_by="").exists()
    assert ASKED not in text_of(family.get(f"/for/{leos}/"))


def test_the_practice_and_the_family_read_who_it_was(family, cast):
    key = pick(family, "Mia", "2016/04/27")
    sent = send(family, key)
    staff = Client()
    sign_in_as_staff(staff)
    page = f"/admin/documents/document/of/{sent.pk}/"
    assert "nobody said" in text_of(staff.get(page, follow=True))
    family.post(f"/for/{key}/filled-in-by/", GUARDIAN)
    words = "Elena Rivera (a parent or guardian)"
    assert words in text_of(staff.get(page, follow=True))
    assert words in text_of(staff.get("/admin/submissions/submission/"))
    row = family.get(f"/for/{key}/documents/").content.decode()
    document = row.split("data-document")[1].split('href="')[1].split('"')[0]
    assert words in text_of(family.get(document))


def test_it_is_in_the_audit_without_the_name(family):
    key = pick(family, "Mia", "2016/04/27")
    send(family, key)
    family.post(f"/for/{key}/filled-in-by/", GUARDIAN)
    entry = AuditEvent.objects.filter(outcome="filled-in-by").get()
    assert (entry.action, entry.object_type) == ("send", "submission")
    assert not AuditEvent.objects.filter(object_id__contains="Elena").exists()
