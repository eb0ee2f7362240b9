"""Where a weakness is reported: RFC 9116, and nothing said that nobody vouches for."""

from __future__ import annotations

import datetime
import re

import pytest
from django.utils import timezone

CONTACT = "mailto:security@practice.example"
TXT = "/.well-known/security.txt"


@pytest.fixture
def contact(settings):
    settings.SECURITY_CONTACT = CONTACT
    settings.PORTAL_URL = "https://portal.example"


def fields(text: str) -> dict[str, str]:
    """Every field once, as RFC 9116 writes a line."""
    lines = text.splitlines()
    assert all(re.fullmatch(r"[A-Z][A-Za-z-]+: \S[ -~]*", line) for line in lines), lines
    found = dict(line.split(": ", 1) for line in lines)
    assert len(found) == len(lines)
    return found


@pytest.mark.django_db
def test_it_says_whom_to_tell_and_until_when_that_holds(client, contact):
    answer = client.get(TXT)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    said = fields(answer.content.decode())
    assert said == {
        "Contact": CONTACT,
        "Expires": said["Expires"],
        "Preferred-Languages": "en",
        "Canonical": f"https://portal.example{TXT}",
        "Policy": "https://portal.example/security-policy.txt",
    }
    expires = datetime.datetime.fromisoformat(said["Expires"])
    # RFC 9116: in time zone and all, ahead, and by less than a year. Ours: about a month.
    assert expires.tzinfo is not None
    assert datetime.timedelta(days=28) < expires - timezone.now() <= datetime.timedelta(days=30)


@pytest.mark.django_db
def test_the_policy_is_the_one_in_the_repository(client, contact, settings):
    answer = client.get("/security-policy.txt")
    assert answer.content.decode() == (settings.BASE_DIR / "SECURITY.md").read_text()
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
def test_without_a_contact_nothing_is_promised(client):
    assert client.get(TXT).status_code == 404
    assert client.get("/security-policy.txt").status_code == 404


@pytest.mark.django_db
def test_it_names_the_configured_host_and_no_other(client, contact, settings):
    settings.ALLOWED_HOSTS = ["portal.example", "other.example"]
    answer = client.get(TXT, headers={"host": "other.example"})
    assert "other.example" not in answer.content.decode()


@pytest.mark.django_db
def test_without_tls_it_names_no_address_that_the_rfc_forbids(client, contact, settings):
    settings.PORTAL_URL = "http://127.0.0.1:8000"
    assert set(fields(client.get(TXT).content.decode())) == {
        *["Contact", "Expires", "Preferred-Languages"]
    }


@pytest.mark.django_db
@pytest.mark.parametrize("address", [TXT, "/security-policy.txt"])
def test_it_is_read_by_anybody_and_written_by_nobody(client, contact, address):
    assert client.head(address).status_code == 200
    assert client.post(address).status_code == 405
    assert client.get(address).cookies == {}


def test_the_policy_says_what_a_reporter_needs(settings):
    policy = (settings.BASE_DIR / "SECURITY.md").read_text()
    for heading in (
        "How to report",
        "What we promise",
        "In scope",
        "Not a finding",
        "Safe harbour",
    ):
        assert f"\n## {heading}\n" in policy
    # An address of nobody's is worse than none, and no release is named that has gone by since.
    assert not re.search(r"[\w.]+@[\w.]+|https?://|\b\d+\.\d+\.\d+", policy)
    for command in re.findall(r"`make (\w+)`", policy):
        assert re.search(rf"^{command}:", (settings.BASE_DIR / "Makefile").read_text(), re.M), (
            command
        )
