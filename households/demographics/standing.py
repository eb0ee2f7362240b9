"""How a member's details stand: what is on file, what the family sent that waits, what was returned.

Only read here. Whoever changes something compares the fingerprint of what they saw with what stands now.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.crypto import salted_hmac

from households.demographics.fields import CONTACTS, FIELDS, Field, OnFile, Values
from households.demographics.models import DetailChange, FieldSetting
from households.models import Member

Decision = DetailChange.Decision
_CHANGEABLE = (FieldSetting.Shown.EDITABLE, FieldSetting.Shown.REQUIRED)
# How long a page says that something was accepted.
_STAYS_ACCEPTED = datetime.timedelta(days=30)


@dataclass(frozen=True)
class Standing:
    """One field, or one contact: what is on file and the latest that was sent for it, if anything was."""

    field: Field
    row: str
    on_file: Values
    change: DetailChange | None
    confirmed_at: datetime.datetime | None = None

    @property
    def waiting(self) -> DetailChange | None:
        return self.change if self.change is not None and self.change.waits else None

    @property
    def returned(self) -> DetailChange | None:
        """To do, until another one is sent or the family says that what is on file is correct."""
        change = self.change
        if change is None or change.decision != Decision.RETURNED:
            return None
        return change if _is_open(change.decided_at, self.confirmed_at) else None

    @property
    def accepted(self) -> DetailChange | None:
        change = self.change
        if change is None or change.decision not in {Decision.ACCEPTED, Decision.EDITED}:
            return None
        assert change.decided_at is not None
        lately = timezone.now() - change.decided_at < _STAYS_ACCEPTED
        return change if lately else None

    @property
    def standing_values(self) -> Values:
        """What will be on file once the practice accepts what waits."""
        return self.on_file if self.waiting is None else self.waiting.values

    @property
    def fingerprint(self) -> str:
        """What somebody saw who opened the page of this field."""
        return _fingerprint([self._seen])

    @property
    def _seen(self) -> list[Any]:
        waiting = self.waiting and str(self.waiting.public_id)
        # Not the row: that of a new contact is given out when it is sent.
        return [self.field.key, self.on_file, waiting]


def _fingerprint(seen: list[list[Any]]) -> str:
    text = json.dumps(seen, sort_keys=True)
    return salted_hmac("demographics.seen", text, algorithm="sha256").hexdigest()[:32]


def _is_open(returned_at: datetime.datetime | None, confirmed_at: datetime.datetime | None) -> bool:
    return returned_at is not None and (confirmed_at is None or confirmed_at < returned_at)


# --- one field ------------------------------------------------------------------------


def standing_of(member: Member, field: Field, row: str = "") -> Standing:
    on_file = OnFile.of(member)
    sent = DetailChange.objects.for_member(member).filter(field=field.key, row=row)
    change = sent.select_related("submission").order_by("-pk").first()
    return Standing(field, row, field.read(on_file, row), change, on_file.details.confirmed_at)


# --- all of them ----------------------------------------------------------------------


def field_settings() -> dict[str, FieldSetting]:
    """What the practice does with each field. Asked every time: it decides who may see what."""
    settings = {setting.field: setting for setting in FieldSetting.objects.all()}
    return {key: settings.get(key) or FieldSetting(field=key) for key in FIELDS}


@dataclass(frozen=True)
class AllStanding:
    """Everything of one member that the practice shows to families, in the order of the registry."""

    on_file: OnFile
    settings: dict[str, FieldSetting]
    standings: list[Standing]

    @classmethod
    def of(cls, member: Member) -> AllStanding:
        """Five queries, whatever is there."""
        on_file = OnFile.of(member)
        settings = field_settings()
        latest = {
            (change.field, change.row): change
            for change in DetailChange.objects.for_member(member).latest_of_each()
        }
        standings = []
        for key, field in FIELDS.items():
            if not settings[key].is_shown:
                continue
            rows = _contact_rows(on_file, latest) if field.repeats else [""]
            found = [
                Standing(
                    field,
                    row,
                    field.read(on_file, row),
                    latest.get((key, row)),
                    on_file.details.confirmed_at,
                )
                for row in rows
            ]
            # A new contact that was returned is let go with “This is all correct”.
            standings += [
                one for one in found if not one.row or one.on_file or one.waiting or one.returned
            ]
        return cls(on_file, settings, standings)

    @property
    def fingerprint(self) -> str:
        """What somebody saw who opened the page of all of them."""
        return _fingerprint([standing._seen for standing in self.standings])

    def of_field(self, field: Field) -> list[Standing]:
        return [standing for standing in self.standings if standing.field is field]

    def missing(self) -> list[Field]:
        """What the practice needs and nobody has given, not even in what waits."""
        return [
            field
            for key, field in FIELDS.items()
            if self.settings[key].is_required
            and not any(field.is_answered(one.standing_values) for one in self.of_field(field))
        ]


def _contact_rows(on_file: OnFile, latest: dict[tuple[str, str], DetailChange]) -> Iterable[str]:
    """The contacts on file, then those who would be new or again: sent and waiting, or returned."""
    rows = [str(contact.public_id) for contact in on_file.contacts]
    undecided = {Decision.WAITING, Decision.RETURNED}
    others = [
        row
        for (field, row), change in latest.items()
        if field == CONTACTS.key and change.decision in undecided and change.values
    ]
    return [*rows, *(row for row in others if row not in rows)]


def field_label(key: str) -> str:
    """What a field is called, for pages that only know its key."""
    return str(FIELDS[key].label)
