"""What the family replaces before the practice has decided leaves nothing behind that waits for it."""

from __future__ import annotations

import pytest
from django.test import Client

from households.history.models import Allergy, EntryChange
from households.submissions.models import Submission
from tests.cast import pick, sign_in, sign_in_as_staff
from tests.pages import fields_of


@pytest.fixture
def family(cast, client) -> Client:
    sign_in(client, "rivera@example.org")
    return client


def open_chart(client: Client) -> str:
    return f"/for/{pick(client, 'Mia', '2016/04/27')}/history/"


def post(client: Client, page: str, **typed: str) -> None:
    got = client.post(page, {**fields_of(client.get(page)), **typed})
    assert got.status_code == 302, got.content.decode()


def statuses() -> list[str]:
    return list(Submission.objects.order_by("pk").values_list("status", flat=True))


def test_an_entry_changed_in_a_later_visit(family):
    page = open_chart(family)
    post(family, f"{page}allergies/add/", substance="Penicilin")
    page = open_chart(family)
    allergy = Allergy.objects.get()
    post(family, f"{page}allergies/{allergy.public_id}/", substance="Penicillin")
    assert statuses() == ["withdrawn", "received"]
    waiting = EntryChange.objects.filter(decision="waiting").get()
    assert waiting.values["substance"] == "Penicillin"
    allergy.refresh_from_db()
    assert (allergy.substance, allergy.version) == ("Penicillin", 2)


def test_one_of_two_changed_leaves_the_other_waiting(family):
    page = open_chart(family)
    post(family, f"{page}allergies/add/", substance="Penicilin")
    post(family, f"{page}allergies/add/", substance="Peanuts")
    page = open_chart(family)
    first = Allergy.objects.order_by("pk").first()
    post(family, f"{page}allergies/{first.public_id}/", substance="Penicillin")
    assert statuses() == ["received", "received"]


def test_what_the_practice_had_seen_is_filed(family, cast):
    page = open_chart(family)
    post(family, f"{page}allergies/add/", substance="Penicilin")
    staff = Client()
    sign_in_as_staff(staff)
    seen = Submission.objects.get()
    assert staff.get(f"/admin/history/entrychange/of/{seen.pk}/").status_code == 200
    post(family, f"{page}allergies/{Allergy.objects.get().public_id}/", substance="Penicillin")
    assert statuses() == ["filed", "received"]


def test_another_answer_of_the_whole_topic(family):
    page = open_chart(family)
    post(family, f"{page}conditions/", answer="not-sure")
    page = open_chart(family)
    post(family, f"{page}conditions/", answer="none")
    assert statuses() == ["withdrawn", "received"]


def test_answers_to_questions(family):
    page = open_chart(family)
    post(family, f"{page}lifestyle/add/", caffeine="some")
    page = open_chart(family)
    post(family, f"{page}lifestyle/add/", caffeine="none")
    assert statuses() == ["withdrawn", "received"]
