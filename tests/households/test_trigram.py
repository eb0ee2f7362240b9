"""Finding people by the middle of a name or an email, where PostgreSQL has the index for it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

from households import trigram
from tests.cast import member, sign_in_as_staff

MEMBERS = "/admin/households/member/"


@pytest.fixture
def staff(cast, client) -> Client:
    sign_in_as_staff(client)
    return client


def found(staff: Client, words: str) -> list[str]:
    answer = staff.post(MEMBERS, {"q": words, "search": "Search"}, follow=True)
    return [person.full_name for person in answer.context_data["cl"].result_list]


def test_the_middle_finds_where_there_is_the_index_and_the_page_says_which(staff):
    member("Marisol", "de la Cruz", "1970/01/02", "harbor.light@example.org")
    page = staff.get(MEMBERS).content.decode()
    if connection.vendor == "postgresql":
        assert trigram.has_trigrams()
        assert found(staff, "lacr") == ["Marisol de la Cruz"]
        assert found(staff, "soli dela") == []
        assert found(staff, "riso elacru") == ["Marisol de la Cruz"]
        assert found(staff, "light@exa") == ["Marisol de la Cruz"]
        assert "or a part of it" in page
    else:
        assert not trigram.has_trigrams()
        assert found(staff, "lacr") == []
        assert "Beginning of a name" in page
    assert found(staff, "delac") == ["Marisol de la Cruz"]
    assert found(staff, "la") == []  # too short for a middle; nobody begins so


def test_of_many_who_are_found_a_thousand_are_listed(staff, monkeypatch):
    from accounts.staff_pages import ShortCountPaginator

    monkeypatch.setattr(ShortCountPaginator, "most", 3)
    assert len(found(staff, "riv")) == 3
    assert found(staff, "rivera, elena") == ["Elena Rivera"]


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no such index")
def test_without_the_index_the_beginnings_find(staff, monkeypatch):
    monkeypatch.setattr(trigram, "_known", {str(connection.settings_dict["NAME"]): False})
    assert found(staff, "ivera") == []
    assert len(found(staff, "river")) == 5
