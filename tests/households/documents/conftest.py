"""A family with a chart open, and the practice at its own pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from tests.cast import pick, sign_in, sign_in_as_staff

ADMIN = "/admin/documents"


@pytest.fixture
def mia(cast, client) -> Client:
    """A client with Mia's chart open; `client.home` and `client.documents` are addresses of hers."""
    return open_chart(client, "rivera@example.org", "Mia", "2016/04/27")


def open_chart(client: Client, email: str, first_name: str, date_of_birth: str) -> Client:
    sign_in(client, email)
    client.home = f"/for/{pick(client, first_name, date_of_birth)}/"  # type: ignore[attr-defined] # a mark of ours on the client
    client.documents = f"{client.home}documents/"  # type: ignore[attr-defined] # a mark of ours on the client
    return client


@dataclass
class Desk:
    """Somebody at the practice, who does everything through admin's pages."""

    client: Client

    def ask(self, member: Any, what: str = "Insurance card", **typed: Any) -> Any:
        from households.documents.models import DocumentRequest

        self._post(f"documentrequest/ask/{member.pk}/", {"what": what, **typed})
        return DocumentRequest.objects.for_member(member).latest("pk")

    def close(self, asked: Any) -> None:
        self._post(f"documentrequest/{asked.pk}/close/")

    def share(self, member: Any, file: Any, **typed: Any) -> Any:
        from households.documents.models import Document

        self._post(f"document/share/{member.pk}/", {"file": file, **typed})
        return Document.objects.for_member(member).latest("pk")

    def unshare(self, document: Any) -> None:
        self._post(f"document/{document.pk}/unshare/")

    def see(self, document: Any) -> None:
        answer = self.client.get(f"{ADMIN}/document/{document.pk}/change/")
        assert answer.status_code == 200

    def file(self, document: Any) -> None:
        self._post(f"document/{document.pk}/file/")

    def give_back(self, document: Any, reason: str = "The photo is blurry.") -> None:
        self._post(f"document/{document.pk}/return/", {"words": reason})

    def _post(self, page: str, typed: dict[str, Any] | None = None) -> None:
        answer = self.client.post(f"{ADMIN}/{page}", typed or {})
        assert answer.status_code == 302, answer.content.decode()


@pytest.fixture
def desk(cast) -> Desk:
    client = Client()
    sign_in_as_staff(client)
    return Desk(client)
