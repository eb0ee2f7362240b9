"""Queries that are built once give what the queryset gives, each time anew."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.compiled import Compiled
from accounts.models import HouseholdAccount, HouseholdSession
from households.models import Binding, Member
from tests.cast import pick, sign_in

pytestmark = pytest.mark.django_db


def _of_session():
    return Compiled(
        lambda session: Binding.objects.select_related("member", "session__account").filter(
            session=session, ended_at=None
        ),
        int,
    )


def _fields(instance):
    return {
        field.attname: getattr(instance, field.attname) for field in instance._meta.concrete_fields
    }


def test_instances_are_the_querysets_with_what_it_fetches(client, cast, django_assert_num_queries):
    sign_in(client, "rivera@example.org")
    pick(client, "Mia", "2016/04/27")
    session = HouseholdSession.objects.get()
    ask = _of_session()
    for _time in range(2):
        with django_assert_num_queries(1):
            (found,) = ask(session.pk)
            related = found.member, found.session, found.session.account
        wanted = Binding.objects.select_related("member", "session__account").get()
        assert _fields(found) == _fields(wanted)
        assert [_fields(one) for one in related] == [
            _fields(one) for one in (wanted.member, wanted.session, wanted.session.account)
        ]
        assert type(found) is Binding
        assert not found._state.adding
        assert found._state.db == "default"
    assert ask(session.pk)[0] is not ask(session.pk)[0]
    assert ask(session.pk + 1) == []


def test_tuples_are_the_querysets(cast):
    columns = ("email", "date_of_birth", "public_id", "portal_access", "list_values", "pk")

    def of(email_key, status):
        members = Member.objects.filter(email_key=email_key, status=status).order_by("pk")
        return members.values_list(*columns)

    ask = Compiled(of, str, str)
    assert ask("rivera@example.org", "active") == [*of("rivera@example.org", "active")]
    assert len(ask("rivera@example.org", "active")) == 5
    assert ask("okafor@example.org", "active") == [*of("okafor@example.org", "active")]
    assert ask("rivera@example.org", "inactive") == []


def test_an_id_is_found_as_each_database_keeps_it(cast):
    ask = Compiled(
        lambda public_id, email_key: Member.objects.filter(
            public_id=public_id, email_key=email_key
        ),
        uuid.UUID,
        str,
    )
    assert ask(cast.mia.public_id, "rivera@example.org") == [cast.mia]
    assert ask(cast.mia.public_id, "okafor@example.org") == []
    assert ask(uuid.uuid4(), "rivera@example.org") == []


def test_each_value_goes_to_its_own_place(cast):
    ask = Compiled(
        lambda last_name, email_key, first_name: Member.objects.filter(
            email_key=email_key, first_name=first_name, last_name=last_name
        ),
        str,
        str,
        str,
    )
    assert ask("Rivera", "rivera@example.org", "Leo") == [cast.leo]
    assert ask("Leo", "rivera@example.org", "Rivera") == []
    # Nothing that is given is read as SQL, or as one of the places.
    assert ask("Rivera", "rivera@example.org", "' OR '1'='1") == []
    assert ask("Rivera", "rivera@example.org", "%s") == []


def test_a_value_that_the_statement_does_not_ask_for_is_a_mistake(cast):
    ask = Compiled(lambda email_key, unused: Member.objects.filter(email_key=email_key), str, str)
    with pytest.raises(AssertionError):
        ask("rivera@example.org", "x")


@pytest.mark.django_db(transaction=True)
def test_what_one_thread_built_another_asks_on_its_own_connection():
    HouseholdAccount.objects.create(email_key="a@example.org", password="")
    ask = Compiled(lambda email_key: HouseholdAccount.objects.filter(email_key=email_key), str)
    assert len(ask("a@example.org")) == 1

    def in_a_thread(_number: int) -> int:
        try:
            return len(ask("a@example.org"))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        assert [*threads.map(in_a_thread, range(4))] == [1] * 4
