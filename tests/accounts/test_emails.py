from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.emails import email_key, usable_email_key


@pytest.mark.parametrize(
    "typed",
    [
        "rivera@example.org",
        " Rivera@Example.ORG ",
        "rivera@example.org.",
        "\u00a0rivera@example.org\u200b",
        "\ufeffrivera@example.org\r\n",
    ],
)
def test_one_mailbox_has_one_key(typed):
    assert usable_email_key(typed) == "rivera@example.org"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("mike@example.org", "m\u0131ke@example.org"),  # dotless i
        ("kim@example.org", "\u212aim@example.org"),  # Kelvin sign, which case folding turns into k
        ("sam@example.org", "\u017fam@example.org"),  # long s, which case folding turns into s
        ("ann@example.org", "\u0430nn@example.org"),  # Cyrillic a
        ("a.b@example.org", "ab@example.org"),
        ("a+x@example.org", "a@example.org"),
    ],
)
def test_two_mailboxes_have_two_keys(a, b):
    assert email_key(a) != email_key(b)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "no email"),
        ("none", "name@example.org"),
        ("n/a", "name@example.org"),
        ("a@example.org; b@example.org", "more than one"),
        ("a@example.org b@example.org", "more than one"),
        ("\u0430nn@example.org", "CYRILLIC"),
        ("x" * 250 + "@example.org", "254"),
        ("a\0b@example.org", "name@example.org"),
    ],
)
def test_unusable_address_says_the_fix(typed, words):
    with pytest.raises(ValidationError, match=words):
        usable_email_key(typed)


@given(st.text(max_size=300))
def test_key_is_its_own_key(typed):
    assert email_key(email_key(typed)) == email_key(typed)
