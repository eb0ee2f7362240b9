"""The practice's side: old and new side by side, accept, correct and accept, return, and who may."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.audit.models import AuditEvent
from accounts.models import StaffAccount
from households.history.models import Allergy, EntryChange, Fact, SectionSetting, SectionState
from households.submissions.models import Submission
from tests.cast import NURSE_PASSWORD, sign_in_as_staff
from tests.households.history.conftest import ADMIN, Desk, entries_on, page_of
from tests.pages import fields_of, text_of

SETTINGS = "/admin/history/sectionsetting/"


def rows_of(answer) -> dict[str, list[str]]:
    """Of the only part of a page: the cells of each line, by its label."""
    return {
        " ".join(row.findtext("th").split()): [
            " ".join(cell.text_content().split()) for cell in row.xpath("td")
        ]
        for row in page_of(answer).xpath("//*[@data-part][1]//tbody/tr")
    }


# --- who may --------------------------------------------------------------------------


@pytest.fixture
def front_desk(cast) -> Desk:
    """Sees what came, but not that a history did."""
    staff = StaffAccount.objects.create_user(
        "front@practice.example", NURSE_PASSWORD, name="Fay Front"
    )
    wanted = Permission.objects.filter(
        codename__in=["view_submission", "view_member", "change_member"]
    )
    staff.user_permissions.set(wanted)
    client = Client()
    sign_in_as_staff(client, "front@practice.example")
    return Desk(client)


def test_a_front_desk_sees_nothing_of_a_history_not_even_that_it_came(mia, front_desk):
    mia.add("allergies", substance="Penicillin")
    change = EntryChange.objects.get()
    inbox = front_desk.client.get("/admin/submissions/submission/")
    assert inbox.status_code == 200
    for word in ("Medical history", "Allergies", "Mia", "Penicillin"):
        assert word not in text_of(inbox)
    its_page = f"/admin/submissions/submission/{change.submission_id}/change/"
    assert front_desk.client.get(its_page).status_code == 404
    pages = [
        f"{ADMIN}/",
        f"{ADMIN}/?decision=waiting",
        f"{ADMIN}/of/{change.submission_id}/",
        f"{ADMIN}/{change.pk}/change/",
        f"{ADMIN}/{change.pk}/history/",
        f"{ADMIN}/{change.pk}/edit/",
        SETTINGS,
    ]
    for page in pages:
        answer = front_desk.client.get(page)
        assert answer.status_code == 403, page
        assert "Penicillin" not in answer.content.decode()
    for page in ("accept", "return", "edit"):
        typed = {"words": "No.", "substance": "x"}
        assert front_desk.client.post(f"{ADMIN}/{change.pk}/{page}/", typed).status_code == 403
    assert (
        front_desk.client.post(f"{ADMIN}/of/{change.submission_id}/accept-all/").status_code == 403
    )
    assert "history/entrychange" not in front_desk.client.get("/admin/").content.decode()
    change.refresh_from_db()
    assert (change.decision, change.submission.status) == ("waiting", "received")


def test_who_may_only_look_decides_nothing(mia, front_desk):
    staff = StaffAccount.objects.get(email="front@practice.example")
    staff.user_permissions.add(Permission.objects.get(codename="view_entrychange"))
    mia.add("allergies", substance="Penicillin")
    change = EntryChange.objects.get()
    page = front_desk.page_of(change)
    assert "Penicillin" in text_of(page)
    assert not page_of(page).xpath("//form[contains(@action, '/accept/')]")
    assert front_desk.client.post(f"{ADMIN}/{change.pk}/accept/").status_code == 403
    change.submission.refresh_from_db()
    assert change.submission.status == "received"


# --- looking --------------------------------------------------------------------------


def test_old_and_new_stand_side_by_side(mia, desk):
    entry = mia.add("allergies", substance="Penicillin", severity="mild", since="2019/04")
    desk.accept(EntryChange.objects.get())
    mia.send(f"allergies/{entry.public_id}/", severity="severe", note="Ask us first")
    page = desk.page_of(EntryChange.objects.latest("pk"))
    rows = rows_of(page)
    assert rows["How severe"] == ["Mild", "Severe: needed help at once"]
    assert rows["Since"] == ["April 2019", "April 2019"]
    assert rows["Note"] == ["–", "Ask us first"]
    assert rows["Status"] == ["Current", "Current"]
    assert "On file now" not in text_of(page)
    assert "Medical history: Allergies" in text_of(page)
    assert "Mia Rivera" in text_of(page)


def test_the_list_names_what_waits_first_and_costs_the_same_for_many(mia, desk):
    mia.add("allergies", substance="Penicillin")
    desk.accept(EntryChange.objects.get())
    mia.add("allergies", substance="Nuts")
    page = desk.client.get(f"{ADMIN}/")
    assert text_of(page).index("Nuts, added") < text_of(page).index("Penicillin, added")
    changes = []
    for number in range(2):
        with CaptureQueriesContext(connection) as queries:
            desk.client.get(f"{ADMIN}/")
        with CaptureQueriesContext(connection) as of_one:
            desk.page_of(EntryChange.objects.latest("pk"))
        changes.append((len(queries), len(of_one)))
        if not number:
            desk.page_of(EntryChange.objects.latest("pk"))
            for name in range(20):
                mia.add("medications", name=f"Vitamin {name}", kind="supplement")
            desk.page_of(EntryChange.objects.latest("pk"))
    assert changes[0][0] == changes[1][0]
    # The first look marks the submission as seen, which the second page has behind it.
    assert changes[1][1] <= changes[0][1]


# --- deciding -------------------------------------------------------------------------


def test_accepting_confirms_it_and_the_family_sees_that(mia, desk):
    entry = mia.add("allergies", substance="Penicillin")
    change = EntryChange.objects.get()
    assert desk.accept(change).status_code == 302
    entry.refresh_from_db()
    change.refresh_from_db()
    assert (entry.is_confirmed, entry.version) == (True, 1)
    assert (change.decision, change.submission.status) == ("accepted", "filed")
    assert entries_on(mia.get("allergies/")) == [("active", "accepted", "Penicillin")]
    assert "Confirmed by the practice" in text_of(mia.get("allergies/"))
    assert "Waiting for the practice" not in text_of(mia.get())
    assert AuditEvent.objects.filter(action="staff-change", outcome="accepted").count() == 1


def test_correcting_writes_a_new_state_and_keeps_what_was_typed(mia, desk):
    entry = mia.add("medications", name="amoxicilin", kind="prescribed", since="2024")
    change = EntryChange.objects.get()
    answer = desk.correct(change, name="amoxicillin", since="2024/05", status="error", member="1")
    assert answer.status_code == 302
    entry.refresh_from_db()
    change.refresh_from_db()
    assert (entry.name, entry.since, entry.status) == ("amoxicillin", "2024-05", "active")
    assert (entry.is_confirmed, entry.version) == (True, 2)
    assert (change.decision, change.values["name"]) == ("edited", "amoxicilin")
    assert change.edited_values == entry.values()
    past = text_of(mia.get(f"medications/{entry.public_id}/past/"))
    for shown in ("amoxicilin", "The practice corrected it to", "amoxicillin", "May 2024"):
        assert shown in past
    assert "amoxicillin" in text_of(desk.page_of(change))
    # The family goes on from the corrected state, without a conflict.
    assert mia.send(f"medications/{entry.public_id}/", dose="1 capsule").status_code == 302
    entry.refresh_from_db()
    assert (entry.name, entry.dose) == ("amoxicillin", "1 capsule")
    latest = EntryChange.objects.latest("pk")
    assert (latest.before["name"], latest.version) == ("amoxicillin", 3)


def test_a_correction_that_cannot_be_is_told(mia, desk):
    mia.add("medications", name="Iron", kind="supplement")
    change = EntryChange.objects.get()
    answer = desk.correct(change, name="", since="05/2024")
    assert answer.status_code == 200
    assert "Type the name, as it stands on the box." in text_of(answer)
    change.refresh_from_db()
    assert change.decision == "waiting"


def test_an_answer_to_a_question_can_be_corrected(mia, desk):
    mia.send("birth/add/", term="early", **{"term-detail": "32 weaks"})
    desk.correct(EntryChange.objects.get(), detail="32 weeks")
    fact = Fact.objects.get()
    assert (fact.value, fact.detail, fact.is_confirmed) == ("early", "32 weeks", True)


def test_none_is_accepted_and_cannot_be_corrected(mia, desk, cast):
    mia.send("allergies/", answer="none")
    change = EntryChange.objects.get()
    page = desk.page_of(change)
    assert rows_of(page) == {"Answer": ["Not answered yet", "None: no allergies that we know of"]}
    assert not page_of(page).xpath("//a[contains(@href, '/edit/')]")
    desk.accept(change)
    change.refresh_from_db()
    assert (change.decision, change.submission.status) == ("accepted", "filed")
    state = SectionState.objects.for_member(cast.mia).get(section="allergies")
    assert state.answer == "none"


def test_ending_is_accepted_and_cannot_be_corrected(mia, desk):
    entry = mia.add("allergies", substance="Penicillin")
    desk.accept(EntryChange.objects.get())
    mia.send(f"allergies/{entry.public_id}/end/", status="ended")
    change = EntryChange.objects.latest("pk")
    assert rows_of(desk.page_of(change))["Status"] == ["Current", "Ended"]
    assert desk.client.get(f"{ADMIN}/{change.pk}/edit/").status_code == 302
    desk.accept(change)
    entry.refresh_from_db()
    assert (entry.status, entry.is_confirmed) == ("ended", True)


def test_what_changed_on_file_meanwhile_is_shown_before_it_is_replaced(mia, desk):
    entry = mia.add("allergies", substance="Penicillin")
    change = EntryChange.objects.get()
    opened = page_of(desk.page_of(change))
    [form] = [one for one in opened.forms if one.action.endswith(f"/{change.pk}/accept/")]
    Allergy.objects.filter(pk=entry.pk).update(substance="Cephalosporins", version=2)
    desk.client.post(form.action, dict(form.form_values()))
    change.refresh_from_db()
    assert change.decision == "waiting"
    page = desk.page_of(change)
    assert "On file now" in text_of(page)
    assert rows_of(page)["Substance"] == ["–", "Cephalosporins", "Penicillin"]
    desk.accept(change)
    entry.refresh_from_db()
    assert (entry.substance, entry.version, entry.is_confirmed) == ("Penicillin", 3, True)


def test_a_change_that_the_family_replaced_meanwhile_is_not_accepted(mia, desk):
    entry = mia.add("allergies", substance="Penicillin")
    change = EntryChange.objects.get()
    [form] = [one for one in page_of(desk.page_of(change)).forms if one.action.endswith("/accept/")]
    typed = dict(form.form_values())
    mia.send(f"allergies/{entry.public_id}/", substance="Amoxicillin")
    answer = desk.client.post(form.action, typed, follow=True)
    assert "Nothing was accepted" in text_of(answer)
    entry.refresh_from_db()
    assert (entry.substance, entry.is_confirmed) == ("Amoxicillin", False)
    # With nothing left to decide the first envelope is put away, the second one waits.
    desk.page_of(change)
    statuses = Submission.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["filed", "received"]


def at_the_same_moment(*presses: tuple[Client, str, dict]) -> list[int]:
    """Each client posts its fields to its address; the status of each answer."""

    def press(one: tuple[Client, str, dict]) -> int:
        client, address, fields = one
        try:
            return client.post(address, fields).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(presses)) as threads:
        return list(threads.map(press, presses))


@pytest.mark.django_db(transaction=True)
def test_family_and_practice_at_the_same_moment_lose_nothing_and_block_nobody(mia, desk):
    """The family changes what the practice is accepting: whoever comes first, both get an answer, and what
    stands is what the family said last or what the practice saw."""
    entry = mia.add("allergies", substance="Penicillin")
    page = f"allergies/{entry.public_id}/"
    for number in range(6):
        change = EntryChange.objects.latest("pk")
        if number % 2:
            [form] = [
                one
                for one in page_of(desk.page_of(change)).forms
                if one.action.endswith(f"/{change.pk}/accept/")
            ]
            deciding = (desk.client, form.action, dict(form.form_values()))
        else:
            address = f"{ADMIN}/{change.pk}/edit/"
            fields = fields_of(desk.client.get(address), note=f"Seen {number}")
            deciding = (desk.client, address, fields)
        fields = fields_of(mia.get(page), reaction=f"Rash {number}")
        family, practice = at_the_same_moment(
            (mia.client, f"{mia.history}{page}", fields), deciding
        )
        assert practice == 302
        assert family in {302, 409}
        entry.refresh_from_db()
        change.refresh_from_db()
        assert change.decision in {"accepted", "edited", "replaced"}
        if family == 302:
            assert (entry.reaction, entry.is_confirmed) == (f"Rash {number}", False)
        else:
            assert (change.decision, entry.is_confirmed) == ("edited", True)
            mia.send(page, reaction=f"Rash {number}")


def test_part_of_what_came_is_returned_and_part_kept(mia, desk):
    mia.add("allergies", substance="Penicillin")
    mia.add("allergies", substance="Something")
    first, second = EntryChange.objects.order_by("pk")
    assert first.submission == second.submission
    desk.accept(first)
    desk.give_back(second, "What is it?")
    second.refresh_from_db()
    assert second.submission.status == "partly"
    assert "What is it?" in text_of(mia.get("allergies/"))


def test_all_that_waits_is_accepted_at_once(mia, desk):
    for number in range(3):
        mia.add("medications", name=f"Vitamin {number}", kind="supplement")
    submission = Submission.objects.get()
    answer = desk.client.post(f"{ADMIN}/of/{submission.pk}/accept-all/")
    assert answer.status_code == 302
    assert set(EntryChange.objects.values_list("decision", flat=True)) == {"accepted"}
    submission.refresh_from_db()
    assert submission.status == "filed"


def test_nothing_has_changed_leads_somewhere_too(mia, desk):
    mia.send("allergies/", answer="none")
    page = mia.get("allergies/")
    form = next(one for one in page_of(page).forms if one.xpath(".//*[@name='confirm']"))
    mia.post("allergies/", **{**dict(form.form_values()), "confirm": "1"})
    submission = Submission.objects.latest("pk")
    answer = desk.client.get(f"{ADMIN}/of/{submission.pk}/")
    assert "confirmed that nothing has changed" in text_of(answer)


# --- the practice's choices -----------------------------------------------------------


def test_topics_are_switched_in_the_list(mia, desk):
    page = desk.client.get(SETTINGS)
    assert "Allergies" in text_of(page)
    assert page_of(page).xpath("//form[@id='changelist-form']//input[@name='_save']")
    boxes = page_of(page).xpath("//input[@type='checkbox']/@aria-label")
    assert len(set(boxes)) == 26
    assert "Mental wellbeing: Private" in boxes
    typed = fields_of(page, "changelist-form", _save="Save")
    goals = SectionSetting.objects.get(section="goals")
    [name] = [
        key.replace("-id", "-is_asked")
        for key, value in typed.items()
        if key.endswith("-id") and value == [str(goals.pk)]
    ]
    del typed[name]
    assert desk.client.post(SETTINGS, typed).status_code == 302
    goals.refresh_from_db()
    assert not goals.is_asked
    assert SectionSetting.objects.filter(is_asked=True).count() == 12
    assert mia.get("goals/").status_code == 404
    assert AuditEvent.objects.filter(object_type="sectionsetting").exists()


def test_a_topic_is_neither_added_nor_deleted_nor_made_another(desk):
    goals = SectionSetting.objects.get(section="goals")
    assert desk.client.get(f"{SETTINGS}add/").status_code == 403
    assert desk.client.post(f"{SETTINGS}{goals.pk}/delete/", {"post": "yes"}).status_code == 403
    page = desk.client.get(f"{SETTINGS}{goals.pk}/change/")
    desk.client.post(
        f"{SETTINGS}{goals.pk}/change/",
        fields_of(page, "sectionsetting_form", section="birth", is_private="on"),
    )
    goals.refresh_from_db()
    assert (goals.section, goals.is_private) == ("goals", True)
