"""Every field of a member's details, in one place: what it is called, where it lies, how it reads in words.

What stands on file in a field is a dict of its columns with plain values, which JSON can carry: that is what
a page shows, what a change is from and to, and what accepting one writes. A field whose columns lie in rows
of their own (contacts, insurances) is {} where there is no row.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from households.demographics import languages, phones, places
from households.demographics.models import NEVER_BY_ITSELF, Contact, Coverage, Details
from households.models import Member

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Words

Values = dict[str, Any]


@dataclass(frozen=True)
class OnFile:
    """What is on file of one member: the rows themselves."""

    member: Member
    details: Details
    contacts: Sequence[Contact]
    coverages: Sequence[Coverage]

    @classmethod
    def of(cls, member: Member) -> OnFile:
        """Three queries, whatever is on file."""
        details = Details.objects.for_member(member).first()
        return cls(
            member=member,
            details=details or Details(member=member),
            contacts=list(Contact.objects.for_member(member).in_force()),
            coverages=list(Coverage.objects.for_member(member).in_force()),
        )


# --- columns --------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """One value of a field. `say` puts it in words; `speaks` says that a family knows without its label
    what it is."""

    name: str
    label: Words
    say: Callable[[Any], str] = str
    on_member: bool = False
    speaks: bool = False

    def plain(self, value: Any) -> Any:
        """What a row holds, for JSON."""
        return value.isoformat() if isinstance(value, datetime.date) else value

    def as_kept(self, value: Any, row: Any) -> Any:
        """What `row` holds for a plain value."""
        if row._meta.get_field(self.name).get_internal_type() == "DateField":
            return datetime.date.fromisoformat(value) if value else None
        return value

    def empty(self, row: type[Any]) -> Any:
        return row._meta.get_field(self.name).get_default()

    def words(self, values: Mapping[str, Any]) -> str:
        value = values.get(self.name)
        return "" if value in (None, "", []) else self.say(value)


def _one_of(choices: Any) -> Callable[[Any], str]:
    """In the words of `choices`; what is on file in other words is said as it is."""

    def say(value: Any) -> str:
        return str(dict(choices).get(value, value))

    return say


def _several_of(choices: Any) -> Callable[[Any], str]:
    say = _one_of(choices)
    return lambda values: ", ".join(say(value) for value in values)


def _yes_no(value: Any) -> str:
    return _("Yes") if value else _("No")


def _day(value: str) -> str:
    return value.replace("-", "/")


# As patient lists write it: one letter of HL7 table 0001, which FHIR's administrative gender follows.
SEXES = (
    ("F", gettext_lazy("Female")),
    ("M", gettext_lazy("Male")),
    ("O", gettext_lazy("Other")),
    ("U", gettext_lazy("Unknown")),
)
# CDC race and ethnicity codes, as US Core names the categories; the last one is HL7's "asked but declined".
DECLINED = ("ASKU", gettext_lazy("I would rather not say"))
RACES = (
    ("1002-5", gettext_lazy("American Indian or Alaska Native")),
    ("2028-9", gettext_lazy("Asian")),
    ("2054-5", gettext_lazy("Black or African American")),
    ("2118-8", gettext_lazy("Middle Eastern or North African")),
    ("2076-8", gettext_lazy("Native Hawaiian or Other Pacific Islander")),
    ("2106-3", gettext_lazy("White")),
    ("2131-1", gettext_lazy("Another race")),
    DECLINED,
)
ETHNICITIES = (
    ("2135-2", gettext_lazy("Hispanic or Latino")),
    ("2186-5", gettext_lazy("Not Hispanic or Latino")),
    DECLINED,
)
MAY = (
    ("voice", gettext_lazy("Call")),
    ("message", gettext_lazy("Leave a voice message")),
    ("text", gettext_lazy("Send text messages")),
)


# --- fields ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """A field whose columns stand on the member and its details.

    `answer`: the columns of which one must hold something for the field to be answered. `is_request`: the
    practice is asked to correct it. `may_be_copied`: from another member chosen in the same session.
    """

    key: str
    label: Words
    group: Words
    columns: tuple[Column, ...]
    answer: tuple[str, ...] = ()
    is_request: bool = False
    may_be_copied: bool = False
    # How a family reads it, where the columns one by one would not read well.
    compact: Callable[[Values], list[str]] | None = field(default=None, repr=False)

    @property
    def never_by_itself(self) -> bool:
        return self.key in NEVER_BY_ITSELF

    @property
    def repeats(self) -> bool:
        """Whether there may be several of it, each with a row of its own."""
        return False

    def read(self, on_file: OnFile, row: str = "") -> Values:
        """What is on file. `row` is the public id of one, of a field that repeats."""
        return {
            column.name: column.plain(getattr(self._lies_on(on_file, column), column.name))
            for column in self.columns
        }

    def write(self, on_file: OnFile, values: Values, row: str = "") -> set[str]:
        """Put `values` on file. Call with the member's row locked. Returns the member's own columns that
        are other than before."""
        before: dict[bool, Values] = {True: {}, False: {}}
        for column in self.columns:
            record = self._lies_on(on_file, column)
            stood = getattr(record, column.name)
            plain = values.get(column.name, column.empty(type(record)))
            after = column.as_kept(plain, record)
            if stood != after:
                setattr(record, column.name, after)
                before[column.on_member][column.name] = stood
        if before[False]:
            new = on_file.details.pk is None
            on_file.details.save(update_fields=None if new else set(before[False]))
        if before[True]:
            on_file.member.note_list_values(before[True])
            keys = {"email_key", "first_name_key", "preferred_name_key", "last_name_key"}
            on_file.member.save(update_fields={*before[True], *keys, "list_values", "updated_at"})
        return set(before[True])

    def words(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Label and value of every column, "" where it holds nothing."""
        return [(str(column.label), column.words(values)) for column in self.columns]

    def shown(self, values: Values) -> list[tuple[str, str]]:
        """The same for the family: only what is there, and no label where it needs none."""
        if self.compact is not None:
            return [("", line) for line in self.compact(values) if line]
        return [
            ("" if column.speaks else str(column.label), words)
            for column in self.columns
            if (words := column.words(values)) and values[column.name] is not False
        ]

    def is_answered(self, values: Values) -> bool:
        return any(values.get(name) not in (None, "", [], False) for name in self.answer)

    def same(self, one: Values, other: Values) -> bool:
        """Whether both say the same, however each is spelled."""
        return self.words(one) == self.words(other)

    def spelled_as(self, before: Values, values: Values) -> Values:
        """`values`, but what says the same as `before` in the spelling that it has there: sending a page
        rewrites nothing that was not changed on it."""
        if not values or not before:
            return values
        return {
            column.name: before.get(column.name, values[column.name])
            if column.words(before) == column.words(values)
            else values[column.name]
            for column in self.columns
            if column.name in values
        }

    def to_copy(self, values: Values, source: Member) -> Values:
        """What of `values`, which are `source`'s, holds for another member too."""
        return values

    def _lies_on(self, on_file: OnFile, column: Column) -> Any:
        return on_file.member if column.on_member else on_file.details


@dataclass(frozen=True)
class CoverageField(Field):
    """One insurance. Another one in its place is a row of its own: the one before has ended."""

    rank: str = ""

    def read(self, on_file: OnFile, row: str = "") -> Values:
        coverage = self._on_file(on_file)
        return {} if coverage is None else _values_of(coverage, self.columns)

    def write(self, on_file: OnFile, values: Values, row: str = "") -> set[str]:
        if values == self.read(on_file):
            return set()
        coverage = self._on_file(on_file)
        if coverage is not None:
            coverage.ended_at = timezone.now()
            coverage.save()
        if self.is_answered(values):
            known = {column.name: values.get(column.name, "") for column in self.columns}
            Coverage.objects.create(member=on_file.member, rank=self.rank, **known)
        return set()

    def to_copy(self, values: Values, source: Member) -> Values:
        # Whose policy it is, as seen from another person, is for the family to say.
        if not values:
            return values
        holder = values.get("subscriber_name", "")
        if values.get("subscriber") == Coverage.Relationship.SELF:
            holder = source.full_name
        return {**values, "subscriber": "", "subscriber_name": holder}

    def _on_file(self, on_file: OnFile) -> Coverage | None:
        return next((one for one in on_file.coverages if one.rank == self.rank), None)


@dataclass(frozen=True)
class ContactsField(Field):
    """The people around a member. One is changed in its row, which keeps its id; one that is taken off has
    ended."""

    @property
    def repeats(self) -> bool:
        return True

    def read(self, on_file: OnFile, row: str = "") -> Values:
        contact = next((one for one in on_file.contacts if str(one.public_id) == row), None)
        return {} if contact is None else _values_of(contact, self.columns)

    def write(self, on_file: OnFile, values: Values, row: str = "") -> set[str]:
        public_id = uuid.UUID(row)
        # One that has ended meanwhile too: accepting a change to it means that they are a contact again.
        contact = Contact.objects.for_member(on_file.member).filter(public_id=public_id).first()
        if contact is None:
            contact = Contact(member=on_file.member, public_id=public_id)
        if values:
            for column in self.columns:
                setattr(contact, column.name, values.get(column.name, column.empty(Contact)))
            contact.ended_at = None
            contact.save()
        elif contact.pk and contact.ended_at is None:
            contact.ended_at = timezone.now()
            contact.save()
        return set()

    def to_copy(self, values: Values, source: Member) -> Values:
        # The mother of one is the spouse of another.
        return {**values, "relationship": ""} if values else values


def _values_of(row: Any, columns: Sequence[Column]) -> Values:
    return {column.name: column.plain(getattr(row, column.name)) for column in columns}


# --- the registry ---------------------------------------------------------------------

_PERSON = gettext_lazy("Person")
_ABOUT = gettext_lazy("About")
_REACH = gettext_lazy("Address and phone")
_LANGUAGE = gettext_lazy("Language")
_CONTACTS = gettext_lazy("Guardians and emergency contacts")
_CARE = gettext_lazy("Doctor and pharmacy")
_INSURANCE = gettext_lazy("Insurance")


def _full_name(values: Values) -> list[str]:
    names = ("first_name", "middle_name", "last_name", "suffix")
    return [" ".join(filter(None, (values.get(name, "") for name in names)))]


def _address_lines(values: Values) -> list[str]:
    city, state, code = (values.get(name, "") for name in ("city", "state", "postal_code"))
    place = ", ".join(filter(None, [city, " ".join(filter(None, [state, code]))]))
    abroad = places.country_name(values["country"]) if values.get("country") else ""
    return [values.get("address_1", ""), values.get("address_2", ""), place, abroad]


def _phone(key: str, label: Words, on_member: bool) -> Field:
    may = Column(f"{key.partition('_')[0]}_may", gettext_lazy("The practice may"), _several_of(MAY))
    number = Column(key, label, phones.say, on_member, speaks=True)
    return Field(key, label, _REACH, (number, may), (key,), may_be_copied=True)


def _coverage(rank: Coverage.Rank) -> CoverageField:
    return CoverageField(
        key=f"{rank.value}_insurance",
        label=rank.label,
        group=_INSURANCE,
        columns=(
            Column("payer", gettext_lazy("Insurance company"), speaks=True),
            Column("plan", gettext_lazy("Plan")),
            Column("member_number", gettext_lazy("Member number")),
            Column("group_number", gettext_lazy("Group number")),
            Column(
                "subscriber", gettext_lazy("Whose policy"), _one_of(Coverage.Relationship.choices)
            ),
            Column("subscriber_name", gettext_lazy("Name on the policy")),
        ),
        answer=("payer",),
        may_be_copied=True,
        rank=rank.value,
    )


_ALL = (
    Field(
        "legal_name",
        gettext_lazy("Legal name"),
        _PERSON,
        (
            Column("first_name", gettext_lazy("First name"), on_member=True),
            Column("middle_name", gettext_lazy("Middle name"), on_member=True),
            Column("last_name", gettext_lazy("Last name"), on_member=True),
            Column("suffix", gettext_lazy("Suffix"), on_member=True),
        ),
        ("first_name",),
        is_request=True,
        compact=_full_name,
    ),
    Field(
        "date_of_birth",
        gettext_lazy("Date of birth"),
        _PERSON,
        (Column("date_of_birth", gettext_lazy("Date of birth"), _day, True, speaks=True),),
        ("date_of_birth",),
        is_request=True,
    ),
    Field(
        "sex",
        gettext_lazy("Sex on file"),
        _PERSON,
        (Column("sex", gettext_lazy("Sex on file"), _one_of(SEXES), True, speaks=True),),
        ("sex",),
        is_request=True,
    ),
    Field(
        "email",
        gettext_lazy("Primary email"),
        _PERSON,
        (Column("email", gettext_lazy("Primary email"), on_member=True, speaks=True),),
        ("email",),
        is_request=True,
    ),
    Field(
        "preferred_name",
        gettext_lazy("Preferred name"),
        _ABOUT,
        (Column("preferred_name", gettext_lazy("Preferred name"), on_member=True, speaks=True),),
        ("preferred_name",),
    ),
    Field(
        "pronouns",
        gettext_lazy("Pronouns"),
        _ABOUT,
        (Column("pronouns", gettext_lazy("Pronouns"), speaks=True),),
        ("pronouns",),
    ),
    Field(
        "gender_identity",
        gettext_lazy("Gender identity"),
        _ABOUT,
        (Column("gender_identity", gettext_lazy("Gender identity"), speaks=True),),
        ("gender_identity",),
    ),
    Field(
        "marital_status",
        gettext_lazy("Marital status"),
        _ABOUT,
        (
            Column(
                "marital_status",
                gettext_lazy("Marital status"),
                _one_of(Details.MaritalStatus.choices),
                speaks=True,
            ),
        ),
        ("marital_status",),
    ),
    Field(
        "occupation",
        gettext_lazy("Occupation"),
        _ABOUT,
        (Column("occupation", gettext_lazy("Occupation"), speaks=True),),
        ("occupation",),
    ),
    Field(
        "race",
        gettext_lazy("Race"),
        _ABOUT,
        (Column("race", gettext_lazy("Race"), _several_of(RACES), speaks=True),),
        ("race",),
    ),
    Field(
        "ethnicity",
        gettext_lazy("Ethnicity"),
        _ABOUT,
        (Column("ethnicity", gettext_lazy("Ethnicity"), _one_of(ETHNICITIES), speaks=True),),
        ("ethnicity",),
    ),
    Field(
        "address",
        gettext_lazy("Address"),
        _REACH,
        (
            Column("address_1", gettext_lazy("Street"), on_member=True),
            Column("address_2", gettext_lazy("Apartment or unit"), on_member=True),
            Column("city", gettext_lazy("City"), on_member=True),
            Column("state", gettext_lazy("State"), on_member=True),
            Column("postal_code", gettext_lazy("ZIP code"), on_member=True),
            Column("country", gettext_lazy("Country"), places.country_name),
        ),
        ("address_1", "city"),
        may_be_copied=True,
        compact=_address_lines,
    ),
    _phone("mobile_phone", gettext_lazy("Mobile phone"), True),
    _phone("home_phone", gettext_lazy("Home phone"), True),
    _phone("work_phone", gettext_lazy("Work phone"), False),
    Field(
        "communication",
        gettext_lazy("Best way to get in touch"),
        _REACH,
        (
            Column(
                "contact_by",
                gettext_lazy("Best way"),
                _one_of(Details.ContactBy.choices),
                speaks=True,
            ),
            Column("contact_note", gettext_lazy("Note")),
        ),
        ("contact_by",),
    ),
    Field(
        "language",
        gettext_lazy("Language"),
        _LANGUAGE,
        (
            Column(
                "preferred_language", gettext_lazy("Language"), languages.say, True, speaks=True
            ),
            Column(
                "interpreter",
                gettext_lazy("Interpreter needed"),
                _one_of(Details.Interpreter.choices),
            ),
        ),
        ("preferred_language",),
    ),
    ContactsField(
        "contacts",
        gettext_lazy("Contacts"),
        _CONTACTS,
        (
            Column("name", gettext_lazy("Name"), speaks=True),
            Column(
                "relationship",
                gettext_lazy("Relationship"),
                _one_of(Contact.Relationship.choices),
                speaks=True,
            ),
            Column("phone", gettext_lazy("Phone"), phones.say),
            Column("other_phone", gettext_lazy("Other phone"), phones.say),
            Column("is_guardian", gettext_lazy("Legal guardian"), _yes_no),
            Column("is_emergency", gettext_lazy("Emergency contact"), _yes_no),
        ),
        ("name",),
        may_be_copied=True,
    ),
    Field(
        "doctor",
        gettext_lazy("Primary care doctor"),
        _CARE,
        (
            Column("doctor_name", gettext_lazy("Name"), speaks=True),
            Column("doctor_practice", gettext_lazy("Practice or clinic")),
            Column("doctor_phone", gettext_lazy("Phone"), phones.say),
        ),
        ("doctor_name", "doctor_practice"),
    ),
    Field(
        "pharmacy",
        gettext_lazy("Pharmacy"),
        _CARE,
        (
            Column("pharmacy_name", gettext_lazy("Name"), speaks=True),
            Column("pharmacy_address", gettext_lazy("Address"), speaks=True),
            Column("pharmacy_phone", gettext_lazy("Phone"), phones.say),
        ),
        ("pharmacy_name",),
        may_be_copied=True,
    ),
    _coverage(Coverage.Rank.PRIMARY),
    _coverage(Coverage.Rank.SECONDARY),
)

FIELDS: dict[str, Field] = {one.key: one for one in _ALL}
CONTACTS = FIELDS["contacts"]
