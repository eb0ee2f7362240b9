"""Where files lie when PORTAL_S3_BUCKET is set: an S3-compatible store. Needs requirements/s3.txt.

The bytes still come and go through the portal only: no address of the store is ever handed out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from s3transfer.exceptions import RetriesExceededError
from storages.backends.s3 import S3Storage

# An upload or a page waits for the store in the request: at most about a minute, not botocore's five.
_CONNECT_SECONDS = 5
_READ_SECONDS = 15
_TRIES = 3
# A file goes in one piece: it is there whole or not at all, and is read from the disk as it is sent. Parts
# would be held in memory, and those of an upload that broke off lie in the store unseen.
_LARGEST_PIECE = 5 * 1024**3


class S3Files(S3Storage):  # type: ignore[misc]  # it comes without types
    """django-storages' own. What goes wrong is an OSError here too, so that the portal knows one kind."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("client_config", _config(options.get("endpoint_url") or ""))
        options.setdefault(
            "transfer_config",
            TransferConfig(multipart_threshold=_LARGEST_PIECE, use_threads=False),
        )
        super().__init__(**options)

    def _open(self, name: str, mode: str = "rb") -> File:
        with _as_os_error():
            # Fetched now: an error is one of opening, not of the first byte in the middle of an answer.
            return super()._open(name, mode).open()

    def _save(self, name: str, content: File) -> str:
        with _as_os_error():
            return super()._save(name, content)

    def delete(self, name: str) -> None:
        with _as_os_error():
            super().delete(name)

    def exists(self, name: str) -> bool:
        with _as_os_error():
            return super().exists(name)

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        with _as_os_error():
            return super().listdir(name)

    def size(self, name: str) -> int:
        with _as_os_error():
            return super().size(name)

    def get_modified_time(self, name: str) -> datetime:
        with _as_os_error():
            return super().get_modified_time(name)

    def url(self, *args: Any, **options: Any) -> str:
        raise ValueError("No file of a family has an address of its own: the portal hands it out.")


def _config(endpoint: str) -> Config:
    """How to speak to the store at `endpoint`; "" is Amazon's own."""
    elsewhere = {
        # Other stores rarely have a host name for each bucket, and not all know Amazon's newest checksums.
        "s3": {"addressing_style": "path"},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
    }
    return Config(
        signature_version="s3v4",
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        **(elsewhere if endpoint else {}),
    )


@contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        if answer.get("Code") in {"404", "NoSuchKey", "NotFound"}:
            raise FileNotFoundError("not in the store") from None
        raise OSError(f"the store refused: {answer.get('Code', 'no reason given')}") from None
    except (BotoCoreError, RetriesExceededError) as error:
        raise OSError(f"the store does not answer: {type(error).__name__}") from None
