"""What `manage.py check --deploy` says of this portal beside what Django says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as Warned

_HERE = {"", "localhost", "127.0.0.1", "::1"}


def security_contact_is_set(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Somebody has to be told of a weakness."""
    if settings.SECURITY_CONTACT:
        return []
    return [
        Warned(
            "Nobody is named to whom a weakness of this portal is reported.",
            hint="Set PORTAL_SECURITY_CONTACT to an address that somebody reads, such as "
            "mailto:security@practice.example.",
            id="portal.W001",
        )
    ]


def lines_are_encrypted(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """What leaves this machine for the mail server, the database or the store is encrypted (ASVS 12.3.1)."""
    return list(_open_lines())


def _open_lines() -> Iterator[CheckMessage]:
    smtp = settings.EMAIL_BACKEND.endswith("smtp.EmailBackend")
    encrypted = settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL
    if smtp and not encrypted and settings.EMAIL_HOST not in _HERE:
        yield Warned(
            f"Mails, with the links that set passwords, go to {settings.EMAIL_HOST} unencrypted.",
            hint="Set EMAIL_URL to smtp+tls:// or smtp+ssl://.",
            id="portal.W002",
        )
    database = settings.DATABASES["default"]
    host = database.get("HOST") or ""
    elsewhere = "postgresql" in database["ENGINE"] and host not in _HERE and host[0] != "/"
    # Less than verify-full talks to whoever answers.
    if elsewhere and database.get("OPTIONS", {}).get("sslmode") != "verify-full":
        yield Warned(
            f"The database at {host} may be asked unencrypted, or be somebody else.",
            hint="Add ?sslmode=verify-full to DATABASE_URL, and sslrootcert= with the certificate of who "
            "signed the database's.",
            id="portal.W003",
        )
    store = urlsplit(settings.S3_ENDPOINT)
    if settings.S3_BUCKET and store.scheme == "http" and (store.hostname or "") not in _HERE:
        yield Warned(
            f"Documents go to {store.hostname} unencrypted.",
            hint="Set PORTAL_S3_ENDPOINT to an https address.",
            id="portal.W004",
        )
