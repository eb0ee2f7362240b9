"""The learning picker: staff learn why nobody was chosen, the family learns nothing (PRODUCT B3, B7)."""

from __future__ import annotations

import datetime
import json
import re
import threading

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import throttle
from accounts.audit.models import AuditEvent
from accounts.models import Throttle
from households.misses import KEPT_DAYS, MOST_OF_A_HOUSEHOLD, misses_waiting
from households.models import AlsoCalled, Member, PickerMiss, database_today
from tests.cast import member, pick, sign_in

MIA, LEO, ELENA = ("Mia", "2016/04/27"), ("Leo", "2018/09/03"), ("Elena", "1985/04/12")


@pytest.fixture
def family(cast, client) -> Client:
    sign_in(client, "rivera@example.org")
    return client


def ask(client, first_name, date_of_birth, times=1):
    """Typed at the picker, as often as that; the pauses between are waited for."""
    for _ in range(times):
        Throttle.objects.all().delete()
        answer = client.post("/who/", {"first_name": first_name, "date_of_birth": date_of_birth})
    return answer


def causes() -> list[str]:
    picks = AuditEvent.objects.filter(action="pick").order_by("pk")
    return list(picks.values_list("outcome", flat=True))


def waiting() -> list[tuple[str, str, list[str]]]:
    return [
        (str(miss.cause), miss.row.name, [one.first_name for one in miss.people])
        for miss in misses_waiting(100)
    ]


# --- causes, for staff only -----------------------------------------------------------


def test_each_cause_is_in_the_audit_and_the_family_sees_one_answer(family, cast):
    Member.objects.filter(pk=cast.leo.pk).update(portal_access=False)
    grown = member("Ava", "Rivera", "2008/01/02", "rivera@example.org")
    Member.objects.filter(pk=grown.pk).update(consent_needed_from=database_today())
    typed = {
        ("Mimosa", MIA[1]): "name",
        ("Mia", "2016/04/28"): "date",
        ("Mia", ELENA[1]): "date",  # hers is another day, whoever was born on this one
        ("Leo", LEO[1]): "no-access",
        ("Ava", "2008/01/02"): "age-rule",
        ("Zelda", "2001/01/01"): "no-match",
        ("Ada", "1979/11/30"): "no-match",  # somebody of another household
        ("Leo", "2001/01/01"): "no-match",  # half of somebody whom this login does not open
        ("Ava", "2001/01/01"): "no-match",
        ("Zelda", LEO[1]): "no-match",
    }
    pages = set()
    for name, date in typed:
        answer = ask(family, name, date)
        assert answer.status_code == 422
        text = re.sub(r'value="[^"]*"', "", answer.content.decode())
        own = {"Content-Length", "X-Request-ID"}
        headers = {name: value for name, value in answer.items() if name not in own}
        pages.add((text, json.dumps(headers, sort_keys=True)))
    assert causes() == list(typed.values())
    assert len(pages) == 1


def test_an_adult_kept_off_by_staff_has_no_access_whatever_their_age(family, cast):
    grown = member("Ava", "Rivera", "2008/01/02", "rivera@example.org", portal_access=False)
    Member.objects.filter(pk=grown.pk).update(consent_needed_from=database_today())
    ask(family, "Ava", "2008/01/02")
    assert causes() == ["no-access"]


@pytest.mark.parametrize("status", ["inactive", "deceased"])
def test_who_is_no_patient_any_more_has_no_access(family, cast, status):
    Member.objects.filter(pk=cast.leo.pk).update(status=status)
    ask(family, *LEO)
    assert causes() == ["no-access"]


def test_a_birth_date_that_is_missing_on_file_is_the_date(family, cast):
    Member.objects.filter(pk=cast.leo.pk).update(date_of_birth=None)
    ask(family, *LEO, times=2)
    assert causes() == ["date"] * 2
    assert waiting() == [("date", "Leo", ["Leo"])]


def test_the_ambiguous_page_stays_as_it_was(cast, client):
    sign_in(client, "chen@example.org")
    text = ask(client, "Sam", "2010/05/05").content.decode()
    assert "call" in text
    assert causes() == ["ambiguous"]
    assert waiting() == [("ambiguous", "Sam", ["Sam", "Sam"])]


def test_every_cause_costs_the_family_alike_and_a_hit_nothing(family, cast):
    counted = {}
    for name, date in (("Mimosa", MIA[1]), ("Mia", "2016/04/28"), ("Zelda", "2001/01/01")):
        Throttle.objects.all().delete()
        with CaptureQueriesContext(connection) as found:
            family.post("/who/", {"first_name": name, "date_of_birth": date})
        writes = [
            q for q in found.captured_queries if q["sql"].startswith(("INSERT", "DELETE", "UPDATE"))
        ]
        counted[name] = (len(writes), len(found))
    assert len({writes for writes, _all in counted.values()}) == 1
    # The names of nobody are not looked up: one query, or two, fewer.
    assert (
        max(all_ for _w, all_ in counted.values()) - min(all_ for _w, all_ in counted.values()) <= 2
    )
    with CaptureQueriesContext(connection) as found:
        pick(family, *MIA)
    assert not [q for q in found.captured_queries if "pickermiss" in q["sql"]]


# --- what is learned ------------------------------------------------------------------


def test_typed_once_is_a_slip_and_twice_is_a_task(family, cast):
    ask(family, "Leopold", LEO[1])
    assert waiting() == []
    ask(family, " leopold ", LEO[1])
    assert waiting() == [("name", "Leopold", ["Leo"])]
    assert PickerMiss.objects.get().times == 2


def test_two_sessions_of_one_login_are_one_household(family, cast):
    other = Client()
    sign_in(other, "rivera@example.org")
    ask(family, "Leopold", LEO[1])
    ask(other, "Leopold", LEO[1])
    assert waiting() == [("name", "Leopold", ["Leo"])]


def test_twins_are_both_offered(family, cast):
    ask(family, "Bean", "2020/02/29", times=3)
    assert waiting() == [("name", "Bean", ["Lia", "Max"])]


def test_somebody_elses_name_is_no_nickname(family, cast):
    """The sister's name with the brother's date: the date is perhaps wrong, never the name."""
    ask(family, "Mia", LEO[1], times=3)
    ((cause, name, people),) = waiting()
    assert (cause, name, people) == ("date", "Mia", ["Mia"])
    assert [one.first_name for one in misses_waiting(9)[0].born_then] == ["Leo"]


def test_a_name_that_two_have_says_nothing_about_a_date(cast, client):
    sign_in(client, "chen@example.org")
    ask(client, "Sam", "2010/05/06", times=3)
    assert waiting() == []


@pytest.mark.parametrize("mend", ["also called", "preferred name", "date", "access", "moved"])
def test_it_is_over_once_it_was_dealt_with_anywhere(family, cast, mend):
    ask(family, "Leopold", LEO[1], times=2)
    assert len(waiting()) == 1
    match mend:
        case "also called":
            AlsoCalled.objects.create(member=cast.leo, name="leopold")
        case "preferred name":
            cast.leo.preferred_name = "Leopold"
        case "date":
            cast.leo.date_of_birth = datetime.date(2018, 9, 4)
        case "access":
            cast.leo.portal_access = False
        case "moved":
            cast.leo.email = "leo@example.org"
    cast.leo.save()
    assert waiting() == []
    assert not PickerMiss.objects.exists(), "what was typed is not kept longer than it is of use"


def test_a_wrong_date_is_over_once_the_file_or_the_family_knows_better(family, cast):
    ask(family, "Leo", "2018/03/09", times=2)
    ask(family, "Mia", "2016/04/28", times=2)
    assert waiting() == [("date", "Leo", ["Leo"]), ("date", "Mia", ["Mia"])]
    pick(family, *LEO)
    assert waiting() == [("date", "Mia", ["Mia"])]
    cast.mia.date_of_birth = datetime.date(2016, 4, 28)
    cast.mia.save()
    assert waiting() == []


def test_another_login_that_chooses_the_same_name_changes_nothing(family, cast):
    ask(family, "Mia", "2016/04/28", times=2)
    stranger = Client()
    sign_in(stranger, "okafor@example.org")
    pick(stranger, *MIA)
    assert len(waiting()) == 1


@pytest.mark.parametrize("mend", ["also called", "access", "date", "inactive"])
def test_an_ambiguous_pair_is_over_once_they_can_be_told_apart(cast, client, mend):
    sign_in(client, "chen@example.org")
    ask(client, "Sam", "2010/05/05")
    assert len(waiting()) == 1
    match mend:
        case "also called":
            cast.sam.first_name = "Samuel"
            AlsoCalled.objects.create(member=cast.sam, name="Sammy")
        case "access":
            cast.sam.portal_access = False
        case "date":
            cast.sam.date_of_birth = datetime.date(2010, 5, 6)
        case "inactive":
            cast.sam.status = Member.Status.INACTIVE
    cast.sam.save()
    assert waiting() == []


def test_everything_waiting_costs_the_same_whoever_many_typed(cast, django_assert_max_num_queries):
    from accounts.models import HouseholdAccount

    now = timezone.now()
    for number in range(40):
        email = f"f{number}@example.org"
        account = HouseholdAccount.objects.create(email_key=email)
        born = datetime.date(2010, 1, 1 + number % 28)
        member("Kim", f"Family{number}", f"{born:%Y/%m/%d}", email)
        PickerMiss.objects.create(
            account=account, name="Joe", name_key="joe", date_of_birth=born, cause="name",
            times=2, first_at=now, last_at=now,
        )  # fmt: skip
    with django_assert_max_num_queries(4):
        assert len(misses_waiting(100)) == 40
    with django_assert_max_num_queries(4):
        assert len(misses_waiting(7)) == 7


# --- hostile --------------------------------------------------------------------------


def test_two_hundred_names_do_not_fill_the_table_nor_push_out_what_was_learned(family, cast):
    ask(family, "Leopold", LEO[1], times=3)
    for number in range(200):
        name = "".join(chr(97 + int(digit)) for digit in f"{number:03}")
        ask(family, f"Z{name}", LEO[1])
    assert PickerMiss.objects.count() == MOST_OF_A_HOUSEHOLD + 1
    assert waiting() == [("name", "Leopold", ["Leo"])]
    for number in range(30):
        ask(family, f"Y{chr(97 + number % 26)}{chr(97 + number // 26)}", LEO[1], times=2)
    assert PickerMiss.objects.count() <= 2 * MOST_OF_A_HOUSEHOLD
    assert len(waiting()) == MOST_OF_A_HOUSEHOLD


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("🦁🦁", "🦁🦁"),
        ("L\u0000eo", None),
        ("M" * 60, "M" * 60),
        ("M" * 61, None),
        ("---", None),
        ("<script>", "<script>"),
        ("%s %(name)s {{ x }}", "%s %(name)s {{ x }}"),
        ("Le\u202eo pold", "Le\u202eo pold"),
        ("Łukasz\u0301 ", "Łukasz\u0301"),
        ("'; DROP TABLE households_pickermiss; --", "'; DROP TABLE households_pickermiss; --"),
    ],
)
def test_odd_names_are_kept_as_they_are_or_not_at_all(family, cast, typed, kept):
    for _ in range(2):
        assert ask(family, typed, LEO[1]).status_code == 422
    assert [row.name for row in PickerMiss.objects.all()] == ([kept] if kept else [])
    assert [miss[1] for miss in waiting()] == ([kept] if kept else [])


def test_what_was_typed_stands_nowhere_else(family, cast, caplog):
    ask(family, "Quuxilla", LEO[1], times=2)
    family.get("/who/")
    assert "uuxilla" not in caplog.text
    for event in AuditEvent.objects.values():
        assert "uuxilla" not in str(event).lower()
        assert "2018" not in event["outcome"] + event["object_id"]


def test_what_is_old_is_let_go_with_the_next_miss_of_anybody(family, cast):
    ask(family, "Leopold", LEO[1], times=2)
    PickerMiss.objects.update(last_at=timezone.now() - datetime.timedelta(days=KEPT_DAYS, hours=1))
    stranger = Client()
    sign_in(stranger, "okafor@example.org")
    ask(stranger, "Zelda", "2001/01/01")
    assert not PickerMiss.objects.exists()


def test_the_throttle_counts_exactly_as_before(family):
    for _ in range(5):
        answer = family.post("/who/", {"first_name": "Leopold", "date_of_birth": LEO[1]})
        assert answer.status_code == 422
    answer = family.post("/who/", {"first_name": "Leopold", "date_of_birth": LEO[1]})
    assert answer.status_code == 429
    assert throttle.attempts_of(throttle.PICK, str(PickerMiss.objects.get().account_id)) == 5
    assert PickerMiss.objects.get().times == 5, "what was refused was not looked at"


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_keep_the_same_miss_at_once_keep_one(cast, client):
    sign_in(client, "rivera@example.org")
    start = threading.Barrier(4)
    answers = []

    def worker():
        one = Client()
        one.cookies = client.cookies.copy()
        start.wait()
        try:
            typed = {"first_name": "Leopold", "date_of_birth": LEO[1]}
            answers.append(one.post("/who/", typed).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [422] * 4
    assert PickerMiss.objects.get().times == 4
    assert waiting() == [("name", "Leopold", ["Leo"])]


@pytest.mark.django_db
def test_an_office_email_of_thousands_is_answered_as_fast(client, django_assert_max_num_queries):
    from tests.cast import household

    household("office@example.org")
    people = [
        Member(
            patient_id=f"O{number}", first_name=f"Kim{number}", last_name="Doe",
            date_of_birth=datetime.date(1950, 1, 1) + datetime.timedelta(days=number),
            email="office@example.org",
        )
        for number in range(2000)
    ]  # fmt: skip
    for one in people:
        one.set_keys(18)
    Member.objects.bulk_create(people)
    sign_in(client, "office@example.org")
    # Two of them hold the counters together: BEGIN and COMMIT, where no test holds a transaction open.
    with django_assert_max_num_queries(20):
        ask(client, "Kim", "1951/01/01")
    assert causes() == ["name"]
