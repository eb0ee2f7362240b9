"""Emails that are nearly the one that is said, at the same cost for any practice."""

from __future__ import annotations

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import HouseholdAccount
from households.close_emails import close_to, distance, is_slip, provider_meant


@pytest.fixture
def on_file(db):
    emails = [
        *("rivera@example.org", "elena.rivera@gmail.com", "okafor@example.org", "chen@example.org"),
        *("maria@example.org", "maria@example.net", "info@example.org", "al@example.org"),
    ]
    HouseholdAccount.objects.bulk_create(HouseholdAccount(email_key=email) for email in emails)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("riverra@example.org", ["rivera@example.org"]),
        ("irvera@example.org", ["rivera@example.org"]),
        ("rivea@example.org", ["rivera@example.org"]),
        ("tivera@example.org", ["rivera@example.org"]),
        ("rivera@exmaple.org", ["rivera@example.org"]),
        ("rivera@gmail.com", ["rivera@example.org"]),
        ("rivera+kids@example.org", ["rivera@example.org"]),
        ("elenarivera@gmail.com", ["elena.rivera@gmail.com"]),
        ("elena.rivera@gmial.com", ["elena.rivera@gmail.com"]),
        ("elena.rivrea@gmial.com", ["elena.rivera@gmail.com"]),
        ("maria@example.com", ["maria@example.net", "maria@example.org"]),
        ("rivera@example.org", []),
        ("nobody@example.org", []),
        ("zz@example.org", []),
        ("a@example.org", ["al@example.org"]),
        ("@example.org", []),
        ("rivera", []),
        ("", []),
        ("x" * 300 + "@example.org", []),
        ("%@%", []),
        ("\U0010ffff@example.org", []),
    ],
)
def test_what_is_close(on_file, said, found):
    assert close_to(said) == found


def test_at_most_three_and_the_nearest_first(db):
    HouseholdAccount.objects.bulk_create(
        HouseholdAccount(email_key=f"rivera@{name}.example")
        for name in ["harbo", "bay", "sea", "x"]
    )
    found = close_to("rivera@harbor.example")
    assert len(found) == 3
    assert found[0] == "rivera@harbo.example"


@pytest.mark.parametrize(
    ("domain", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("gmai.com", "gmail.com"),
        ("hotmial.com", "hotmail.com"),
        ("yaho.com", "yahoo.com"),
        ("iclod.com", "icloud.com"),
        ("comcast.nte", "comcast.net"),
        ("harbor.con", "harbor.com"),
        ("gmail.com", ""),
        ("ymail.com", ""),
        ("mail.com", ""),
        ("example.org", ""),
        ("", ""),
    ],
)
def test_slips_in_a_providers_name(domain, meant):
    assert provider_meant(domain) == meant


def test_a_slip_is_one_letter_or_two_neighbours():
    assert is_slip("rivera@x.example", "rivrea@x.example")
    assert is_slip("rivera@x.example", "rivera@y.example")
    assert not is_slip("rivera@x.example", "rivera@x.example")
    assert not is_slip("rivera@x.example", "rovero@x.example")
    assert not is_slip("rivera@x.example", "rivara@y.example")
    assert (distance("", "abc"), distance("abc", ""), distance("ab", "ba")) == (3, 3, 1)


def test_it_costs_the_same_at_any_size(on_file):
    with CaptureQueriesContext(connection) as few:
        close_to("riverra@example.org")
    HouseholdAccount.objects.bulk_create(
        [HouseholdAccount(email_key=f"river{n}@example.org") for n in range(3000)],
        batch_size=1000,
    )
    begun = time.perf_counter()
    with CaptureQueriesContext(connection) as many:
        found = close_to("riverra@example.org")
    assert found[0] == "rivera@example.org"
    assert len(many) == len(few) <= 5
    assert all("LIMIT" in query["sql"] for query in many.captured_queries)
    assert time.perf_counter() - begun < 1
