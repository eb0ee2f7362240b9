"""Two at once: a family and staff, two browsers of a family, one button pressed twice. Nothing is lost and
nothing is overwritten in silence."""

from __future__ import annotations

import threading
import uuid

import pytest
from django.db import connections

from accounts.audit.models import AuditEvent
from households.demographics.models import Contact, Coverage, DetailChange, Details, FieldSetting
from households.models import KeptText, Member
from households.submissions.models import Submission
from tests.cast import pick
from tests.households.demographics.conftest import Family
from tests.pages import fields_of, text_of, title_of

ADDRESS = {"address_1": "12 Quay Street", "city": "Harbor"}


def another_browser() -> Family:
    return Family().open("Mia", "2016/04/27")


# --- a family and staff ---------------------------------------------------------------


def test_staff_change_it_while_the_family_types(cast, mia):
    opened = fields_of(mia.page("address/"), **ADDRESS)
    Member.objects.filter(pk=cast.mia.pk).update(city="Staffville")
    answer = mia.send("address/", opened)
    assert answer.status_code == 409
    assert title_of(answer).startswith("Mia – Error:")
    words = text_of(answer)
    assert "On file now Staffville" in words
    assert "What you typed 12 Quay Street Harbor" in words
    assert not DetailChange.objects.exists()
    assert Member.objects.get(pk=cast.mia.pk).city == "Staffville"
    assert AuditEvent.objects.filter(action="send", outcome="conflict").count() == 1
    # Send mine all the same.
    assert mia.send("address/", fields_of(answer)).status_code == 302
    change = DetailChange.objects.get()
    assert change.before["city"] == "Staffville"
    assert change.values["city"] == "Harbor"


def test_keeping_what_is_there_sends_nothing(cast, mia):
    opened = fields_of(mia.page("address/"), **ADDRESS)
    Member.objects.filter(pk=cast.mia.pk).update(city="Staffville")
    answer = mia.send("address/", opened)
    assert f'href="{mia.details}"' in answer.content.decode()
    assert not DetailChange.objects.exists()


def test_a_conflict_that_changes_again_is_shown_again(cast, mia):
    opened = fields_of(mia.page("address/"), **ADDRESS)
    Member.objects.filter(pk=cast.mia.pk).update(city="Staffville")
    answer = mia.send("address/", opened)
    Member.objects.filter(pk=cast.mia.pk).update(city="Otherville")
    answer = mia.send("address/", fields_of(answer))
    assert answer.status_code == 409
    assert "Otherville" in text_of(answer)


def test_a_mistake_does_not_make_an_old_page_new(cast, mia):
    opened = fields_of(mia.page("mobile_phone/"), mobile_phone="call me")
    Member.objects.filter(pk=cast.mia.pk).update(mobile_phone="+16175550177")
    answer = mia.send("mobile_phone/", opened)
    assert "area code" in text_of(answer)
    answer = mia.send("mobile_phone/", fields_of(answer, mobile_phone="6175550123"))
    assert "Changed meanwhile" in text_of(answer)
    assert not DetailChange.objects.exists()


def test_ticks_and_choices_come_through_a_conflict(cast, mia):
    opened = fields_of(
        mia.page("mobile_phone/"), mobile_phone="6175550123", mobile_may=["voice", "text"]
    )
    Member.objects.filter(pk=cast.mia.pk).update(mobile_phone="+16175550177")
    answer = mia.send("mobile_phone/", opened)
    mia.send("mobile_phone/", fields_of(answer))
    assert DetailChange.objects.get().values == {
        "mobile_phone": "+16175550123",
        "mobile_may": ["voice", "text"],
    }


def test_staff_save_their_page_after_a_change_was_accepted_by_itself(cast, mia, desk):
    """AD-09, the other way round."""
    FieldSetting.objects.filter(field="address").update(accepts_itself=True)
    address = f"/admin/households/member/{cast.mia.pk}/change/"
    page = fields_of(desk.client.get(address), "member_form", city="Staffville")
    mia.change("address/", **ADDRESS)
    answer = desk.client.post(address, page)
    assert answer.status_code == 200
    assert "Somebody changed this record after you opened it" in text_of(answer)
    assert "Harbor" in text_of(answer)
    assert Member.objects.get(pk=cast.mia.pk).city == "Harbor"


def test_staff_see_what_was_changed_on_file_after_the_family_typed(cast, mia, desk):
    mia.change("address/", **ADDRESS)
    change = DetailChange.objects.get()
    old_page = desk.see(change)
    Member.objects.filter(pk=cast.mia.pk).update(city="Staffville")
    # From the page that does not show it: nothing.
    desk.accept(change, old_page)
    change.refresh_from_db()
    assert change.decision == "waiting"
    page = desk.see(change)
    assert "This was changed on file after the family typed" in text_of(page)
    assert "Staffville" in text_of(page)
    desk.accept(change, page)
    assert Member.objects.get(pk=cast.mia.pk).city == "Harbor"


def test_accept_all_leaves_what_was_changed_meanwhile(cast, mia, desk):
    mia.change("address/", **ADDRESS)
    mia.change("pharmacy/", pharmacy_name="Corner")
    Member.objects.filter(pk=cast.mia.pk).update(city="Staffville")
    desk.accept_all(DetailChange.objects.first())
    decided = dict(DetailChange.objects.values_list("field", "decision"))
    assert decided == {"address": "waiting", "pharmacy": "accepted"}
    assert Member.objects.get(pk=cast.mia.pk).city == "Staffville"


def test_a_correction_from_an_old_page_is_shown_first(cast, mia, desk):
    mia.change("address/", **ADDRESS)
    change = DetailChange.objects.get()
    address = f"/admin/demographics/detailchange/{change.pk}/edit/"
    opened = fields_of(desk.client.get(address), city="Harbortown")
    Member.objects.filter(pk=cast.mia.pk).update(city="Staffville")
    answer = desk.client.post(address, opened)
    assert answer.status_code == 200
    assert "was changed after you opened this page" in text_of(answer)
    assert "City on file now: Staffville" in text_of(answer)
    assert 'value="Harbortown"' in answer.content.decode()
    assert Member.objects.get(pk=cast.mia.pk).city == "Staffville"
    assert desk.client.post(address, fields_of(answer)).status_code == 302
    assert Member.objects.get(pk=cast.mia.pk).city == "Harbortown"


def test_staff_cannot_accept_what_the_family_replaced(cast, mia, desk):
    mia.change("address/", **ADDRESS)
    first = DetailChange.objects.get()
    old_page = desk.see(first)
    mia.change("address/", city="Harborside")
    desk.accept(first, old_page)
    assert Member.objects.get(pk=cast.mia.pk).city == ""
    first.refresh_from_db()
    assert first.decision == "replaced"


def test_the_family_cannot_replace_in_silence_what_staff_accepted(cast, mia, desk):
    mia.change("address/", **ADDRESS)
    opened = fields_of(mia.page("address/"), city="Harborside")
    desk.accept(DetailChange.objects.get())
    answer = mia.send("address/", opened)
    assert answer.status_code == 409
    assert "On file now 12 Quay Street Harbor" in text_of(answer)


# --- two browsers ---------------------------------------------------------------------


def test_two_browsers_change_different_fields_both_are_kept(cast, mia):
    other = another_browser()
    first = fields_of(mia.page("address/"), **ADDRESS)
    second = fields_of(other.page("pharmacy/"), pharmacy_name="Corner")
    assert mia.send("address/", first).status_code == 302
    assert other.send("pharmacy/", second).status_code == 302
    assert {one.field for one in DetailChange.objects.waiting()} == {"address", "pharmacy"}


def test_two_browsers_change_one_field_the_second_sees_both(cast, mia):
    other = another_browser()
    first = fields_of(mia.page("address/"), **ADDRESS)
    second = fields_of(other.page("address/"), address_1="9 Hill", city="Upton")
    mia.send("address/", first)
    answer = other.send("address/", second)
    assert answer.status_code == 409
    assert "Sent and waiting 12 Quay Street Harbor" in text_of(answer)
    assert "What you typed 9 Hill Upton" in text_of(answer)
    assert DetailChange.objects.count() == 1
    assert other.send("address/", fields_of(answer)).status_code == 302
    first_change, second_change = DetailChange.objects.order_by("pk")
    assert (first_change.decision, second_change.decision) == ("replaced", "waiting")


def test_two_browsers_add_contacts_both_are_kept(cast, mia):
    other = another_browser()
    pages = [fields_of(one.page("contacts/new/"), relationship="FRND") for one in (mia, other)]
    for browser, fields, name in zip((mia, other), pages, ("Zoe", "Yan"), strict=True):
        assert browser.send("contacts/new/", {**fields, "name": name}).status_code == 302
    assert DetailChange.objects.waiting().count() == 2


# --- replacing and taking back --------------------------------------------------------


def test_what_is_sent_under_one_choice_comes_as_one_submission(cast, mia):
    mia.change("address/", **ADDRESS)
    mia.change("pharmacy/", pharmacy_name="Corner")
    submission = Submission.objects.get()
    assert {one.submission for one in DetailChange.objects.all()} == {submission}
    # The same field again: still the same.
    mia.change("address/", city="Harborside")
    assert Submission.objects.get().status == Submission.Status.RECEIVED
    another_browser().change("doctor/", doctor_name="Ode")
    assert Submission.objects.count() == 2


def test_a_submission_with_nothing_left_in_it_is_taken_back(cast, mia):
    mia.change("address/", **ADDRESS)
    first = Submission.objects.get()
    another_browser().change("address/", city="Harborside")
    first.refresh_from_db()
    assert first.status == Submission.Status.WITHDRAWN


def test_a_submission_of_which_the_rest_was_decided_is_settled(cast, mia, desk):
    mia.change("address/", **ADDRESS)
    mia.change("pharmacy/", pharmacy_name="Corner")
    submission = Submission.objects.get()
    desk.accept(DetailChange.objects.get(field="pharmacy"))
    submission.refresh_from_db()
    assert submission.status == Submission.Status.SEEN
    mia.change("address/", city="Harborside")
    submission.refresh_from_db()
    assert submission.status == Submission.Status.FILED


def test_a_change_is_taken_back_until_it_was_seen(cast, mia, desk):
    mia.change("address/", **ADDRESS)
    assert "Keep what is on file" in text_of(mia.page("address/"))
    for _press in range(2):
        answer = mia.send("address/keep/", {})
        assert "taken back" in text_of(mia.get(answer.headers["Location"]))
    change = DetailChange.objects.get()
    assert change.decision == "replaced"
    assert change.get_decision_display() == "Taken back by the family"
    assert change.submission.status == Submission.Status.WITHDRAWN
    assert "Waiting" not in text_of(mia.page())

    mia.change("address/", **ADDRESS)
    change = DetailChange.objects.latest("pk")
    desk.see(change)
    assert "Keep what is on file" not in text_of(mia.page("address/"))
    answer = mia.send("address/keep/", {})
    assert "practice has seen" in text_of(mia.get(answer.headers["Location"]))
    change.refresh_from_db()
    assert change.decision == "waiting"


def test_typing_what_is_on_file_again_takes_the_change_back(cast, mia):
    Member.objects.filter(pk=cast.mia.pk).update(city="Harbor")
    mia.change("address/", city="Upton")
    mia.change("address/", city="Harbor")
    assert DetailChange.objects.get().taken_back_at is not None


# --- pressed twice --------------------------------------------------------------------


def test_pressed_twice_it_is_sent_once(cast, mia):
    opened = fields_of(mia.page("address/"), **ADDRESS)
    answers = [mia.send("address/", opened) for _press in range(3)]
    assert {(one.status_code, one.headers["Location"]) for one in answers} == {(302, mia.details)}
    assert DetailChange.objects.count() == 1


def test_pressed_twice_a_new_contact_is_one(cast, mia):
    opened = fields_of(mia.page("contacts/new/"), name="Zoe", relationship="FRND")
    answers = [mia.send("contacts/new/", opened) for _press in range(3)]
    assert {one.status_code for one in answers} == {302}
    assert DetailChange.objects.count() == 1


def test_a_page_brought_back_and_sent_with_something_else_is_not_passed_over(cast, mia):
    """The browser shows the old page as it was, with its number; something else is typed and sent."""
    opened = fields_of(mia.page("pharmacy/"))
    mia.send("pharmacy/", {**opened, "pharmacy_name": "Corner"})
    answer = mia.send("pharmacy/", {**opened, "pharmacy_name": "Main Street"})
    assert answer.status_code == 409
    assert "Sent and waiting Corner" in text_of(answer)
    assert "What you typed Main Street" in text_of(answer)
    again = fields_of(answer)
    assert [mia.send("pharmacy/", again).status_code for _press in range(2)] == [302, 302]
    changes = DetailChange.objects.order_by("pk").values_list("values__pharmacy_name", "decision")
    assert list(changes) == [("Corner", "replaced"), ("Main Street", "waiting")]
    # What was sent first is not there any more: to send it again is no second press.
    assert mia.send("pharmacy/", {**opened, "pharmacy_name": "Corner"}).status_code == 409


def test_somebody_else_typed_on_a_page_brought_back_is_one_more_contact(cast, mia):
    opened = fields_of(mia.page("contacts/new/"), relationship="FRND")
    for name in ("Zoe", "Yan", "Zoe"):
        assert mia.send("contacts/new/", {**opened, "name": name}).status_code == 302
    names = DetailChange.objects.waiting().values_list("values__name", flat=True)
    assert sorted(names) == ["Yan", "Zoe"]


def test_a_change_that_was_taken_back_can_be_sent_again(cast, mia):
    opened = fields_of(mia.page("pharmacy/"), pharmacy_name="Corner")
    mia.send("pharmacy/", opened)
    mia.send("pharmacy/keep/", {})
    answer = mia.send("pharmacy/", opened)
    assert "Sent to Mimi's chart." in text_of(mia.get(answer.headers["Location"]))
    assert DetailChange.objects.waiting().count() == 1


@pytest.mark.parametrize("how", ["typed", "removed", "kept"])
def test_pressed_twice_it_is_taken_back_once(cast, mia, how):
    mia.change("pharmacy/", pharmacy_name="Corner")
    mia.change("contacts/new/", name="Zoe", relationship="FRND")
    row = DetailChange.objects.get(field="contacts").row
    page = {"typed": "pharmacy/", "removed": f"contacts/{row}/remove/"}.get(how, "")
    opened = fields_of(mia.page(page), pharmacy_name="") if page else {}
    page = page or f"contacts/{row}/keep/"
    answers = [mia.send(page, opened) for _press in range(3)]
    assert [one.status_code for one in answers] == [302] * 3
    assert len({one.headers["Location"] for one in answers}) == 1
    assert "Your change is taken back" in text_of(mia.get(answers[-1].headers["Location"]))
    assert DetailChange.objects.exclude(taken_back_at=None).count() == 1


def test_the_back_button_sends_an_old_page_again(cast, mia, desk):
    """After staff accepted, what the old page sends is not sent a second time."""
    opened = fields_of(mia.page("address/"), **ADDRESS)
    mia.send("address/", opened)
    desk.accept(DetailChange.objects.get())
    assert mia.send("address/", opened).status_code == 302
    assert DetailChange.objects.count() == 1


@pytest.mark.parametrize("sending_id", ["", "nonsense", None, "0" * 500])
def test_a_page_without_its_number_is_its_own(cast, mia, sending_id):
    answer = mia.change("address/", sending_id=sending_id, **ADDRESS)
    assert answer.status_code == 302
    assert DetailChange.objects.count() == 1


def test_another_members_page_number_saves_for_each(cast, mia, leo):
    number = str(uuid.uuid4())
    mia.change("address/", sending_id=number, **ADDRESS)
    leo.change("address/", sending_id=number, **ADDRESS)
    assert {one.member for one in DetailChange.objects.all()} == {cast.mia, cast.leo}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("page", "typed"),
    [
        ("address/", ADDRESS),
        ("contacts/new/", {"name": "Zoe", "relationship": "FRND"}),
    ],
)
def test_pressed_five_times_at_once_it_is_sent_once(cast, mia, page, typed):
    """MB-18."""
    opened = fields_of(mia.page(page), **typed)
    answers = in_parallel([lambda: mia_again(mia).send(page, opened)] * 5)
    assert {answer.status_code for answer in answers} == {302}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert DetailChange.objects.count() == 1
    assert Submission.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_pressed_five_times_at_once_it_is_on_file_once(cast, mia):
    for key in ("primary_insurance", "contacts"):
        FieldSetting.objects.update_or_create(field=key, defaults={"accepts_itself": True})
    for page, typed in {
        "primary_insurance/": {"payer": "Blue Plan"},
        "contacts/new/": {"name": "Zoe", "relationship": "FRND"},
    }.items():
        opened = fields_of(mia.page(page), **typed)
        answers = in_parallel([lambda: mia_again(mia).send(page, opened)] * 5)  # noqa: B023 (called here)
        assert {answer.status_code for answer in answers} == {302}
    assert (Coverage.objects.count(), Contact.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_confirmed_five_times_at_once_it_is_confirmed_once(cast, mia):
    fields = fields_of(mia.page())
    answers = in_parallel([lambda: mia_again(mia).send("confirm/", fields)] * 5)
    assert {answer.status_code for answer in answers} == {302}
    assert Submission.objects.count() == 1
    assert Details.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_family_and_staff_at_the_same_moment(cast, mia, desk):
    """Whoever is first, one change is decided and nobody is thrown out."""
    mia.change("address/", **ADDRESS)
    change = DetailChange.objects.get()
    page = desk.see(change)
    opened = fields_of(mia.page("address/"), city="Harborside")
    answers = in_parallel([lambda: mia.send("address/", opened), lambda: desk.accept(change, page)])
    assert {answer.status_code for answer in answers} <= {302, 409}
    change.refresh_from_db()
    city = Member.objects.get(pk=cast.mia.pk).city
    assert (change.decision, city) in {("accepted", "Harbor"), ("replaced", "")}


def mia_again(mia: Family) -> Family:
    """The same browser, for another thread."""
    browser = Family()
    browser.cookies = mia.cookies
    browser.details = mia.details
    return browser


def in_parallel(acts: list) -> list:
    """The answers of all, or the first thing that went wrong."""
    answers: list = [None] * len(acts)
    wrong: list[BaseException] = []
    gate = threading.Barrier(len(acts))

    def run(number: int) -> None:
        try:
            gate.wait()
            answers[number] = acts[number]()
        except BaseException as error:
            wrong.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
    return answers


# --- through the gate -----------------------------------------------------------------


def test_what_was_typed_when_the_chart_was_closed_is_back(cast, mia):
    opened = fields_of(
        mia.page("mobile_phone/"), mobile_phone="6175550123", mobile_may=["voice", "text"]
    )
    pick(mia, "Leo", "2018/09/03")
    assert mia.send("mobile_phone/", opened).status_code == 409
    assert KeptText.objects.get().fields == {
        "mobile_phone": "6175550123",
        "mobile_may": ["voice", "text"],
    }
    mia.open("Mia", "2016/04/27")
    page = mia.page("mobile_phone/")
    assert "What you typed is back" in text_of(page)
    again = fields_of(page)
    assert again["mobile_phone"] == ["6175550123"]
    assert again["mobile_may"] == ["voice", "text"]
    mia.send("mobile_phone/", again)
    assert not KeptText.objects.exists()
    assert DetailChange.objects.get().values["mobile_may"] == ["voice", "text"]


def test_a_page_on_which_nothing_was_typed_is_not_kept(cast, mia):
    opened = fields_of(mia.page())
    pick(mia, "Leo", "2018/09/03")
    assert mia.send("confirm/", opened).status_code == 409
    assert not KeptText.objects.exists()


def test_what_was_typed_is_let_go_when_asked(cast, mia):
    opened = fields_of(mia.page("pharmacy/"), pharmacy_name="Corner")
    pick(mia, "Leo", "2018/09/03")
    mia.send("pharmacy/", opened)
    mia.open("Mia", "2016/04/27")
    mia.send("pharmacy/", {"let_go": "1"})
    assert not KeptText.objects.exists()
    assert "Corner" not in mia.page("pharmacy/").content.decode()
