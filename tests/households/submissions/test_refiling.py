"""Moving what was sent for the wrong person: who may, to whom, what both families see then, and that it is
done whole or not at all. Documents are moved here; what is special to a kind is tested with its slice."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import lxml.html
import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from accounts.audit.models import AuditEvent
from households.documents.models import Document
from households.submissions.models import Refiling, Submission
from households.submissions.refiling import (
    ChangedMeanwhile,
    fingerprint_of,
    plan_of,
    submission_refile,
)
from tests.cast import member, pick, sign_in
from tests.files import png
from tests.moving import REASON, Mover, front_desk, owner, page_of
from tests.pages import fields_of, text_of, title_of


class Chart(Client):
    """A browser with somebody's chart open."""

    def __init__(self, first_name: str, born: str, email: str = "rivera@example.org") -> None:
        super().__init__()
        sign_in(self, email)
        self.home = f"/for/{pick(self, first_name, born)}/"

    def at(self, inside: str = "") -> Any:
        answer = self.get(f"{self.home}{inside}")
        if answer.streaming:
            b"".join(answer)  # to its end, where it is closed
        return answer


@pytest.fixture
def mia(cast) -> Chart:
    return Chart("Mia", "2016/04/27")


@pytest.fixture
def leo(cast) -> Chart:
    return Chart("Leo", "2018/09/03")


@pytest.fixture
def staff(cast) -> Mover:
    return front_desk()


@pytest.fixture
def paper(mia, cast) -> Submission:
    """A paper of Leo's in Mia's chart."""
    return sent(mia, cast.mia)


def sent(chart: Chart, person: Any, name: str = "lab-of-leo.png") -> Submission:
    answer = chart.post(f"{chart.home}documents/", {"files": png(name), "note": "blood test"})
    assert answer.status_code == 302
    return Document.objects.for_member(person).latest("pk").submission


def request_of(cast) -> Any:
    request = RequestFactory().post("/admin/")
    request.user = cast.nurse_staff
    return request


def refile(cast, submission: Submission, to: Any, **changes: Any) -> Refiling:
    """As the page does it, without the page."""
    submission = Submission.objects.select_related("member").get(pk=submission.pk)
    confirmed = fingerprint_of(submission, to, plan_of(submission, to))
    given = {"reason": REASON, "confirmed": confirmed, "to": to, **changes}
    return submission_refile(request=request_of(cast), submission=submission, **given)


def everything() -> list[Any]:
    """Whose each row is, and how it stands."""
    submissions = Submission.objects.order_by("pk").values_list("pk", "member", "status")
    documents = Document.objects.order_by("pk").values_list("pk", "member", "request", "file")
    return [*submissions, *documents, Refiling.objects.count()]


# --- who may, and to whom -------------------------------------------------------------


@pytest.mark.parametrize("lacking", ["refile_submission", "change_document", "view_member"])
def test_without_a_permission_nothing_is_shown_and_nothing_moves(paper, cast, lacking):
    confirmed = fields_of(front_desk().preview(paper, cast.leo))
    staff, before = front_desk(lacking), everything()
    assert staff.client.get(page_of(paper)).status_code == 403
    assert staff.preview(paper, cast.leo).status_code == 403
    assert staff.client.post(page_of(paper), confirmed).status_code == 403
    assert staff.client.post(page_of(paper), {"search": "1", "words": "leo"}).status_code == 403
    assert everything() == before


def test_a_family_has_no_such_page(paper, mia, cast):
    assert mia.get(page_of(paper)).status_code == 302
    assert mia.post(page_of(paper), {"to": cast.leo.pk, "reason": REASON}).status_code == 302
    assert not Refiling.objects.exists()


@pytest.mark.parametrize("name", ["ada", "other_mia", "mia", "nobody", "words", "huge"])
def test_a_forged_person_is_nobody(paper, staff, cast, name):
    """Another household, the same person again, nobody at all."""
    confirmed, before = fields_of(staff.preview(paper, cast.leo)), everything()
    posted = {"nobody": 999_999, "words": "leo", "huge": "9" * 30}.get(name)
    posted = posted or getattr(cast, name).pk
    typed = {"to": posted, "reason": REASON}
    assert staff.client.post(page_of(paper), typed).status_code == 404
    assert staff.client.post(page_of(paper), {**confirmed, "to": posted}).status_code == 404
    assert everything() == before


def test_who_left_the_household_is_nobody(paper, staff, cast):
    confirmed = fields_of(staff.preview(paper, cast.leo))
    cast.leo.email = "elsewhere@example.org"
    cast.leo.save()
    assert staff.client.post(page_of(paper), confirmed).status_code == 404
    assert staff.client.get(page_of(paper)).status_code == 200
    assert not Refiling.objects.exists()


def test_no_such_thing(staff, cast):
    for number in (999_999, 2**70):
        page = f"/admin/submissions/submission/{number}/refile/"
        assert staff.client.get(page).status_code == 404
        assert staff.client.post(page, {"to": cast.leo.pk, "reason": REASON}).status_code == 404


def test_the_people_to_choose_from_are_told_apart(paper, staff, cast):
    twin = member("Leo", "Rivera", "2018/09/03", "rivera@example.org", mrn="MRN-77")
    cast.max.portal_access = False
    cast.max.save()
    page = staff.client.get(page_of(paper))
    text = text_of(page)
    years = cast.leo.age
    assert f"Leo Rivera, 2018/09/03, {years} years old, record {cast.leo.patient_id}" in text
    assert f"Leo Rivera, 2018/09/03, {years} years old, record {twin.mrn}" in text
    assert "No family can open this chart now: no portal access." in text
    assert "Okafor" not in text
    assert "Somebody in another household" not in text
    radios = lxml.html.fromstring(page.content.decode()).xpath("//input[@name='to']")
    assert cast.mia.pk not in {int(one.get("value")) for one in radios}
    assert "Mia Rivera (“Mimi”), 2016/04/27" in text


@pytest.mark.parametrize("reason", ["", "   ", "ab", "1234 !!", "x" * 401])
def test_without_a_reason_nothing_goes_on(paper, staff, cast, reason):
    answer = staff.preview(paper, cast.leo, reason)
    assert answer.status_code == 422
    assert title_of(answer).startswith("Error:")
    assert "What you typed is still there".lower() in text_of(answer).lower()
    confirmed = fields_of(staff.preview(paper, cast.leo), reason=reason)
    assert staff.client.post(page_of(paper), confirmed).status_code == 422
    assert not Refiling.objects.exists()


def test_nobody_chosen(paper, staff):
    answer = staff.client.post(page_of(paper), {"reason": REASON})
    assert answer.status_code == 422
    assert "Choose the person it is about." in text_of(answer)
    assert REASON in answer.content.decode()


# --- what is refused, and what comes between ------------------------------------------


def test_what_was_taken_back_or_returned_is_not_moved(paper, staff, mia, cast):
    document = Document.objects.get()
    owner().client.post(f"/admin/documents/document/{document.pk}/return/", {"words": "Blurry."})
    assert "file it first" in staff.refused(paper, cast.leo)
    other = sent(mia, cast.mia, "other.png")
    document = Document.objects.get(submission=other)
    mia.post(f"{mia.home}documents/{document.public_id}/withdraw/")
    assert "took it back" in staff.refused(other, cast.leo)
    assert not Refiling.objects.exists()


def test_changed_between_reading_and_confirming(paper, staff, mia, cast):
    """The family takes it back while staff read what will happen."""
    preview = staff.preview(paper, cast.leo)
    document = Document.objects.get()
    mia.post(f"{mia.home}documents/{document.public_id}/withdraw/")
    before = everything()
    answer = staff.confirm(paper, preview)
    assert answer.status_code == 422
    assert "took it back" in text_of(answer)
    assert everything() == before


def test_a_colleague_files_it_meanwhile(paper, staff, cast):
    preview = staff.preview(paper, cast.leo)
    document = Document.objects.get()
    owner().client.post(f"/admin/documents/document/{document.pk}/file/")
    answer = staff.confirm(paper, preview)
    assert answer.status_code == 409
    assert "Nothing was moved: something was changed" in text_of(answer)
    assert "It was filed for Mia Rivera" in text_of(answer)
    assert not Refiling.objects.exists()
    assert staff.confirm(paper, answer).status_code == 302
    paper.refresh_from_db()
    assert (paper.member, paper.status, paper.filed_at) == (cast.leo, "seen", None)


def test_pressed_twice_it_moves_once(paper, staff, cast):
    preview = staff.preview(paper, cast.leo)
    assert staff.confirm(paper, preview).status_code == 302
    # Leo is no choice any more: he has it.
    assert staff.confirm(paper, preview).status_code == 404
    assert Refiling.objects.count() == 1


def test_a_colleague_moved_it_to_somebody_else(paper, staff, cast):
    mine, theirs = staff.preview(paper, cast.leo), staff.preview(paper, cast.lia)
    assert staff.confirm(paper, theirs).status_code == 302
    answer = staff.confirm(paper, mine)
    assert answer.status_code == 409
    assert "Lia Rivera" in text_of(answer)
    paper.refresh_from_db()
    assert paper.member == cast.lia
    assert Refiling.objects.count() == 1


def test_a_plan_that_nobody_read_is_not_carried_out(paper, cast):
    with pytest.raises(ChangedMeanwhile):
        refile(cast, paper, cast.leo, confirmed="0" * 64)
    plan = plan_of(paper, cast.lia)
    with pytest.raises(ChangedMeanwhile):
        refile(cast, paper, cast.leo, confirmed=fingerprint_of(paper, cast.lia, plan))
    assert not Refiling.objects.exists()


# --- moved ----------------------------------------------------------------------------


def pages_of_document(document: Document) -> list[str]:
    one = f"documents/{document.public_id}/"
    return [one, f"{one}file/", f"{one}thumbnail/", f"{one}pages/1/"]


def test_the_one_family_has_it_and_the_other_has_not(paper, staff, mia, leo, cast, run_tasks):
    run_tasks()
    document = Document.objects.get()
    for page in pages_of_document(document):
        assert mia.at(page).status_code == 200, page
        assert leo.at(page).status_code == 404, page
    assert "lab-of-leo.png" in text_of(mia.at("documents/"))
    preview = staff.preview(paper, cast.leo)
    for word in ("lab-of-leo.png", "Leo Rivera", "Mia Rivera", REASON):
        assert word in text_of(preview), word
    moved = staff.confirm(paper, preview)
    assert "lab" not in moved.headers["Location"]
    for page in pages_of_document(document):
        assert mia.at(page).status_code == 404, page
        assert leo.at(page).status_code == 200, page
    assert mia.post(f"{mia.home}documents/{document.public_id}/withdraw/").status_code == 404
    assert "lab-of-leo.png" not in text_of(mia.at("documents/"))
    assert "lab-of-leo.png" in text_of(leo.at("documents/"))
    assert "Moved by the practice" in text_of(leo.at(f"documents/{document.public_id}/"))
    document.refresh_from_db()
    assert document.file.storage.exists(document.file.name)


def test_both_families_are_told_and_nothing_of_the_other(paper, staff, mia, leo, cast):
    staff.move(paper, cast.leo)
    told = text_of(mia.at())
    assert "Moved by the practice: a document that was sent here by mistake" in told
    for word in ("Leo", "lab-of-leo", REASON, "blood"):
        assert word not in told, word
    told = text_of(leo.at())
    assert "Moved here by the practice: a document" in told
    for word in ("Mia", "Mimi", REASON):
        assert word not in told, word
    lia = Chart("Lia", "2020/02/29")
    assert "oved" not in text_of(lia.at()).replace("removed", "")
    detail = text_of(leo.at(f"documents/{Document.objects.get().public_id}/"))
    assert REASON not in detail
    assert "Mia" not in detail


def test_the_home_asks_no_more_for_it(paper, staff, mia, cast):
    with CaptureQueriesContext(
        connection,
    ) as before:
        mia.at()
    staff.move(paper, cast.leo)
    with CaptureQueriesContext(connection) as after:
        mia.at()
    assert len(after) == len(before)


def test_the_trail(paper, staff, cast):
    Submission.objects.update(filled_in_by="patient", filled_in_name="Elena Rivera")
    refiling = staff.move(paper, cast.leo)
    assert (refiling.from_member, refiling.member) == (cast.mia, cast.leo)
    assert (refiling.staff.email, refiling.reason) == ("desk@example.org", REASON)
    assert (refiling.submission, refiling.is_across) == (paper, False)
    # "The patient" was said of Mia, and is not said of Leo.
    paper.refresh_from_db()
    assert (paper.filled_in_by, paper.filled_in_name, paper.sent_under) == ("", "", None)
    assert paper.sent_by == cast.rivera
    document = Document.objects.get()
    page = text_of(staff.client.get(f"/admin/documents/document/{document.pk}/change/"))
    assert "Moved from Mia Rivera (“Mimi”), 2016/04/27 to Leo Rivera, 2018/09/03 by desk@" in page
    assert f"because: “{REASON}”." in page
    assert "filled in by Elena Rivera (the patient)" in page
    listed = text_of(staff.client.get("/admin/submissions/refiling/"))
    assert "Mia Rivera" in listed and "Leo Rivera" in listed
    for words in ("mia riv", "leo riv"):
        found = staff.client.post(
            "/admin/submissions/refiling/", {"search": "1", "q": words}, follow=True
        )
        assert "Leo Rivera" in text_of(found), words
    found = staff.client.post(
        "/admin/submissions/refiling/", {"search": "1", "q": "okafor"}, follow=True
    )
    assert "Leo Rivera" not in text_of(found)
    row = staff.client.get(f"/admin/submissions/refiling/{refiling.pk}/change/")
    assert REASON in text_of(row)
    assert (
        staff.client.post(f"/admin/submissions/refiling/{refiling.pk}/change/").status_code == 403
    )
    assert (
        staff.client.post(f"/admin/submissions/refiling/{refiling.pk}/delete/").status_code == 403
    )


def test_who_may_not_see_a_kind_sees_nothing_of_its_trail(paper, staff, cast):
    refiling = staff.move(paper, cast.leo)
    desk = front_desk("view_document", "change_document")
    assert "Leo Rivera" not in text_of(desk.client.get("/admin/submissions/refiling/"))
    row = desk.client.get(f"/admin/submissions/refiling/{refiling.pk}/change/", follow=True)
    assert REASON not in text_of(row)


def test_the_audit_of_both_people(paper, staff, cast):
    staff.client.get(page_of(paper))
    staff.move(paper, cast.leo)
    rows = AuditEvent.objects.filter(outcome__startswith="refile")
    found = {(row.action, row.outcome, row.member_id) for row in rows}
    assert found == {
        ("staff-view", "refile", cast.mia.pk),
        ("staff-view", "refile-preview", cast.mia.pk),
        ("staff-view", "refile-preview", cast.leo.pk),
        ("staff-change", "refiled-away", cast.mia.pk),
        ("staff-change", "refiled-here", cast.leo.pk),
    }
    assert {(row.object_type, row.object_id) for row in rows} == {
        ("document", str(paper.public_id))
    }
    assert {row.staff_id for row in rows} == {Refiling.objects.get().staff_id}


def test_back_again(paper, staff, cast):
    """Moved by mistake: the second move has a row of its own, and both stay."""
    staff.move(paper, cast.leo)
    staff.move(paper, cast.mia, "It was hers after all")
    paper.refresh_from_db()
    assert paper.member == cast.mia
    ways = Refiling.objects.order_by("pk").values_list("from_member", "member")
    assert [*ways] == [(cast.mia.pk, cast.leo.pk), (cast.leo.pk, cast.mia.pk)]
    page = owner().client.get(f"/admin/documents/document/{Document.objects.get().pk}/change/")
    assert text_of(page).count("Moved from") == 2


@pytest.mark.parametrize("change", [{"reason": "Other"}, {"member": "lia"}, {"was": {}}])
def test_the_trail_stands_as_it_was_written(paper, staff, cast, change):
    refiling = staff.move(paper, cast.leo)
    values = {name: getattr(cast, one) if name == "member" else one for name, one in change.items()}
    with pytest.raises(IntegrityError, match="stands as it was written"), transaction.atomic():
        Refiling.objects.filter(pk=refiling.pk).update(**values)
    with pytest.raises(IntegrityError, match="stands as it was written"), transaction.atomic():
        Refiling.objects.filter(pk=refiling.pk).delete()


# --- whole or not at all --------------------------------------------------------------


def test_a_failure_at_the_end_leaves_everything_where_it_was(paper, cast):
    """The last thing written is the trail, which the database does not take without a reason."""
    before, audited = everything(), AuditEvent.objects.count()
    with pytest.raises(IntegrityError, match="refiled_with_a_reason"), transaction.atomic():
        refile(cast, paper, cast.leo, reason="")
    assert everything() == before
    assert AuditEvent.objects.count() == audited


# --- another household ----------------------------------------------------------------


def test_the_front_desk_moves_nothing_to_another_household(paper, staff, cast):
    page = staff.client.post(page_of(paper), {"search": "1", "words": "ada okafor"})
    assert page.status_code == 403
    assert "Okafor" not in text_of(page)


def test_an_owner_finds_somebody_and_says_it_twice(paper, mia, cast):
    boss, ada = owner(), Chart("Ada", "1979/11/30", "okafor@example.org")
    document = Document.objects.get()
    nobody = boss.client.post(page_of(paper), {"search": "1", "words": ""})
    assert "Nobody was found" in text_of(nobody)
    assert "Leo Rivera" in text_of(nobody)  # the household is still there to choose from
    found = boss.client.post(page_of(paper), {"search": "1", "words": "okafor, ada"})
    assert "Ada Okafor, 1979/11/30" in text_of(found)
    first = boss.preview(paper, cast.ada)
    assert "This is another household" in text_of(first)
    assert "rivera@example.org" in text_of(first) and "okafor@example.org" in text_of(first)
    second = boss.confirm(paper, first)
    assert (second.status_code, Refiling.objects.count()) == (200, 0)
    assert "I am sure that this is about Ada Okafor" in text_of(second)
    # Without the tick, and with the tick but without the second question, nothing happens.
    unsure = boss.confirm(paper, second)
    assert "Put the tick" in text_of(unsure)
    assert Refiling.objects.count() == 0
    forged = {**fields_of(first), "sure": "on", "again": "0" * 64}
    assert boss.client.post(page_of(paper), forged).status_code == 200
    forged["again"] = forged["confirmed"]
    assert boss.client.post(page_of(paper), forged).status_code == 200
    assert Refiling.objects.count() == 0
    assert ada.at(f"documents/{document.public_id}/").status_code == 404
    done = boss.confirm(paper, unsure, sure="on")
    assert done.status_code == 302
    assert Refiling.objects.get().is_across
    assert ada.at(f"documents/{document.public_id}/file/").status_code == 200
    assert mia.at(f"documents/{document.public_id}/file/").status_code == 404
    for chart in (ada, mia):
        home = text_of(chart.at())
        assert "rivera@" not in home and "okafor@" not in home
    outcomes = {*AuditEvent.objects.values_list("outcome", "member_id")}
    assert ("refiled-away-across", cast.mia.pk) in outcomes
    assert ("refiled-here-across", cast.ada.pk) in outcomes


def test_the_second_answer_is_for_that_plan_only(paper, cast):
    """Ada's household changed its email after the question."""
    boss = owner()
    second = boss.confirm(paper, boss.preview(paper, cast.ada))
    cast.ada.email = "somebody@example.org"
    cast.ada.save()
    answer = boss.confirm(paper, second, sure="on")
    assert answer.status_code == 409
    assert "somebody@example.org" in text_of(answer)
    assert not Refiling.objects.exists()


def test_a_person_without_an_email_shares_a_household_with_nobody(paper, cast):
    loner = member("Sol", "Rivera", "2001/01/01", "")
    cast.mia.email = ""
    cast.mia.save()
    staff = front_desk()
    page = staff.client.get(page_of(paper))
    assert "Nobody else on file has the same email" in text_of(page)
    assert staff.preview(paper, loner).status_code == 404
    assert "This is another household" in text_of(owner().preview(paper, loner))


# --- at the same moment ---------------------------------------------------------------


def at_once(*acts: Any) -> list[Any]:
    """Each in a thread of its own, with its own connection, all let go together."""
    gate, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(number: int) -> None:
        try:
            gate.wait(timeout=20)
            results[number] = acts[number]()
        except Exception as error:
            results[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


@pytest.mark.django_db(transaction=True)
def test_two_moves_at_once(paper, cast):
    first, second = owner(), owner()
    to_leo, to_lia = first.preview(paper, cast.leo), second.preview(paper, cast.lia)
    results = at_once(
        lambda: first.confirm(paper, to_leo).status_code,
        lambda: second.confirm(paper, to_lia).status_code,
    )
    assert sorted(results) == [302, 409], results
    paper.refresh_from_db()
    won = cast.leo if results[0] == 302 else cast.lia
    assert paper.member == won
    assert Document.objects.get().member == won
    assert Refiling.objects.get().member == won


@pytest.mark.django_db(transaction=True)
def test_moved_while_the_family_takes_it_back(paper, mia, cast):
    boss, document = owner(), Document.objects.get()
    preview = boss.preview(paper, cast.leo)
    withdraw = f"{mia.home}documents/{document.public_id}/withdraw/"
    moved, taken = at_once(
        lambda: boss.confirm(paper, preview).status_code,
        lambda: mia.post(withdraw).status_code,
    )
    paper.refresh_from_db()
    if moved == 302:
        assert (taken, paper.member, paper.status) == (404, cast.leo, "received")
        assert Document.objects.get().file
    else:
        assert (moved, taken) in {(409, 302), (422, 302)}
        assert (paper.member, paper.status) == (cast.mia, "withdrawn")
        assert not Refiling.objects.exists()


def test_ids_of_others_are_not_in_addresses(paper, staff, cast):
    """Whom it went to stands in no address and in no cookie's message."""
    answer = staff.confirm(paper, staff.preview(paper, cast.leo))
    said = answer.headers["Location"] + str(answer.cookies)
    for word in ("Leo", "Mia", "rivera", str(cast.leo.public_id), REASON):
        assert word not in said
    assert uuid.UUID(str(paper.public_id))


# --- pages that were opened before ----------------------------------------------------


def pressed(staff: Mover, page: Any, action: str, **typed: Any) -> Any:
    """Press the button of a page that was opened before, with all that stood in its form."""
    (form,) = [
        form
        for form in lxml.html.fromstring(page.content.decode()).forms
        if (form.get("action") or "").partition("?")[0].endswith(action)
    ]
    fields = {**dict(form.form_values()), **typed}
    return staff.client.post(form.get("action"), fields, follow=True)


@pytest.mark.parametrize(
    ("action", "typed"),
    [
        ("/document/{}/file/", {}),
        ("/submission/{}/file/", {}),
        ("/document/{}/return/", {"words": "Mia's name is not on it."}),
    ],
)
def test_a_button_on_the_page_of_the_wrong_person_does_nothing(paper, cast, action, typed):
    """What staff read was said of Mia: nothing is filed for Leo, and his family reads no word of it."""
    boss, document = owner(), Document.objects.get()
    page = boss.client.get(f"/admin/documents/document/{document.pk}/change/")
    boss.move(paper, cast.leo)
    number = document.pk if "document" in action else paper.pk
    answer = pressed(boss, page, action.format(number), **typed)
    assert "this was moved to another person" in text_of(answer)
    assert "Leo Rivera, 2018/09/03" in text_of(answer)
    paper.refresh_from_db()
    assert (paper.status, paper.reason) == ("seen", "")
