"""Which emails on file are nearly the one that somebody says or types: one slip of a finger away, the same
name at another provider, or "gmial.com".

Every look-up is on the index of the accounts' emails, and the comparisons are a few hundred at most, so
that it costs the same at any size of the practice. For staff only: a family is never told of an address.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from functools import lru_cache

from accounts.models import HouseholdAccount
from households.search import starts_with

MOST = 3
# Whole providers, so that ymail.com is not taken for a slip in gmail.com.
PROVIDERS = (
    *("gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "rocketmail.com", "hotmail.com"),
    *(
        "outlook.com",
        "live.com",
        "msn.com",
        "icloud.com",
        "me.com",
        "mac.com",
        "aol.com",
        "aim.com",
    ),
    *("comcast.net", "verizon.net", "att.net", "sbcglobal.net", "bellsouth.net", "cox.net"),
    *("charter.net", "earthlink.net", "optonline.net", "protonmail.com", "proton.me", "gmx.com"),
    *("mail.com", "email.com", "fastmail.com", "zoho.com", "juno.com", "hey.com", "duck.com"),
)
_ENDINGS = {"con": "com", "cmo": "com", "ocm": "com", "comm": "com", "cm": "com", "nte": "net"}
_LETTERS = string.ascii_lowercase + string.digits + "._-+"
_LONGEST_LOCAL = 64  # RFC 5321 section 4.5.3.1.1
_PER_LOOK_UP = 100
_SHORTEST_PREFIX = 3


@lru_cache(maxsize=1000)  # a patient list asks of the same few domains again and again
def provider_meant(domain: str) -> str:
    """The domain that `domain` is a slip of; "" when it is one itself, or like none.

    >>> provider_meant("gmial.com"), provider_meant("ymail.com"), provider_meant("harbor.con")
    ('gmail.com', '', 'harbor.com')
    """
    if not domain or domain in PROVIDERS:
        return ""
    name, _dot, ending = domain.rpartition(".")
    mended = f"{name}.{_ENDINGS.get(ending, ending)}"
    if mended in PROVIDERS:
        return mended
    # Of the short ones too many are one letter apart.
    long_ones = (one for one in PROVIDERS if len(one) > 7 and abs(len(one) - len(mended)) <= 1)
    near = (one for one in long_ones if distance(one, mended) == 1)
    return next(near, "" if mended == domain else mended)


def close_to(key: str) -> list[str]:
    """At most MOST email keys that have a login and are nearest to `key`, which is left out itself."""
    local, domain = _parts(key)
    if not local or not domain:
        return []
    near = []
    for other in _candidates(local, domain):
        rank = _rank(local, domain, other)
        if rank is not None and other != key:
            near.append((rank, other))
    return [other for _rank_of_it, other in sorted(near)[:MOST]]


def is_slip(key: str, other: str) -> bool:
    """Whether one of the two may be the other with a slip of a finger, or another ending such as .com for
    .org, and no more than that."""
    (local, domain), (other_local, other_domain) = _parts(key), _parts(other)
    if local == other_local:
        same_name = domain.rpartition(".")[0] == other_domain.rpartition(".")[0]
        return domain != other_domain and (same_name or distance(domain, other_domain) <= 2)
    return domain == other_domain and distance(local, other_local) == 1


def distance(one: str, other: str) -> int:
    """How many letters must be changed, put in, left out or swapped with the next (optimal string
    alignment) to make `other` of `one`."""
    before: list[int] = []
    row = [*range(len(other) + 1)]
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, its in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _parts(key: str) -> tuple[str, str]:
    local, _at, domain = key.rpartition("@")
    return local[:_LONGEST_LOCAL], domain


def _rank(local: str, domain: str, other: str) -> int | None:
    """The smaller, the nearer; None for what is not near."""
    other_local, other_domain = _parts(other)
    bare, other_bare = _bare(local), _bare(other_local)
    allowed = 1 if len(local) < 6 else 2
    # The cheap question first: of most it is answered by the length.
    if abs(len(bare) - len(other_bare)) > allowed:
        return None
    of_local = distance(bare, other_bare) if bare != other_bare else 0
    if of_local > allowed:
        return None
    of_domain = min(5, distance(domain, other_domain)) if domain != other_domain else 0
    if of_local and of_domain > 2:
        return None
    return 2 * of_local + of_domain


def _bare(local: str) -> str:
    """Without what many providers do not look at: full stops, and what follows a plus sign."""
    return local.partition("+")[0].replace(".", "") or local


def _candidates(local: str, domain: str) -> set[str]:
    domains = {domain, provider_meant(domain)} - {""}
    exact = {f"{one}@{at}" for at in domains for one in {*_one_slip_off(local), _bare(local)}}
    emails = HouseholdAccount.objects.order_by("email_key").values_list("email_key", flat=True)
    found = set(emails.filter(email_key__in=exact)[:_PER_LOOK_UP])
    # The same name elsewhere, with something after a plus sign, and what begins like it.
    beginnings = [f"{local}@", f"{local}+"]
    beginnings += [local[:-2], local[: len(local) // 2 + 1]]
    for begins in beginnings:
        if len(begins) >= _SHORTEST_PREFIX:
            found |= set(emails.filter(starts_with("email_key", begins))[:_PER_LOOK_UP])
    return found


def _one_slip_off(word: str) -> Iterator[str]:
    yield word
    for place in range(len(word) + 1):
        head, tail = word[:place], word[place:]
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in _LETTERS:
            yield head + letter + tail
            if tail:
                yield head + letter + tail[1:]
