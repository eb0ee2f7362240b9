"""One form for each field of the details: what a family types, and what staff correct.

`cleaned_data` holds the field's columns with plain values, and nothing else (SECURITY R-AZ-3). What is on
file already passes as it is, however it is spelled: nobody is held up by an old patient list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.emails import usable_email_key
from accounts.forms import PlainForm
from accounts.widgets import EmailBox, Radios, TextBox, Ticks
from households import matching
from households.demographics import languages, phones, places
from households.demographics.fields import (
    ETHNICITIES,
    MAY,
    RACES,
    SEXES,
    CoverageField,
    Field,
    Values,
)
from households.demographics.models import Contact, Coverage, Details
from households.models import Member

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as Words

_Choices = Iterable[tuple[str, Any]]
_CHOOSE = {"invalid_choice": _("Choose one of these."), "required": _("Choose one of these.")}


# --- boxes ----------------------------------------------------------------------------


def _text(
    model: Any, name: str, label: Words, *, hint: Words = "", missing: Words = "", **attrs: str
) -> forms.CharField:
    """A box for a column. `autocomplete` is off: what is typed here is about the patient, and the browser
    would offer one child's to the other (UX WHO-6)."""
    return forms.CharField(
        label=label,
        help_text=hint,
        required=bool(missing),
        max_length=model._meta.get_field(name).max_length,
        widget=TextBox(attrs={"autocomplete": "off", "spellcheck": "false", **attrs}),
        error_messages={
            "required": missing or _("The practice needs this. Type it here."),
            "max_length": _(
                "This can have %(limit_value)d characters; it has %(show_value)d. Make it shorter."
            ),
        },
    )


class PhoneField(forms.CharField):
    """`on_file` passes as it is."""

    on_file = ""

    def clean(self, value: Any) -> str:
        typed = super().clean(value)
        if not typed or typed in {self.on_file, phones.say(self.on_file)}:
            return self.on_file if typed else ""
        try:
            return phones.tidy(typed)
        except phones.InvalidPhone:
            raise ValidationError(
                _(
                    "Type the phone number with its area code, like (617) 555-0123, and nothing else."
                )
            ) from None


def _phone_box(label: Words) -> PhoneField:
    return PhoneField(
        label=label,
        required=False,
        max_length=40,
        widget=TextBox(attrs={"autocomplete": "off", "inputmode": "tel"}),
        error_messages={
            "required": _("The practice needs this. Type the phone number."),
            "max_length": _("That is too long for a phone number. Type the number only."),
        },
    )


def _one(
    label: Words, choices: _Choices, *, hint: Words = "", missing: Words = "", radios: bool = True
) -> forms.ChoiceField:
    listed = [(value, word) for value, word in choices]
    if not radios:
        listed = [("", _("Choose one") if missing else _("Not given")), *listed]
    elif not missing:
        listed = [*listed, ("", _("Not given"))]
    return forms.ChoiceField(
        label=label,
        help_text=hint,
        required=bool(missing),
        choices=listed,
        widget=Radios if radios else forms.Select,
        error_messages={**_CHOOSE, **({"required": missing} if missing else {})},
    )


def _several(label: Words, choices: _Choices, hint: Words = "") -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label,
        help_text=hint,
        required=False,
        choices=list(choices),
        widget=Ticks,
        error_messages={
            "required": _("The practice needs this. Tick what is right."),
            "invalid_choice": _("Choose one of these."),
        },
    )


def _tick(label: Words) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False)


# --- forms ----------------------------------------------------------------------------


class ChangeForm(PlainForm):
    """`on_file`: what is on file now. `is_required`: whether the practice needs an answer."""

    # The columns that have to be answered where the practice requires the field.
    needed: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, *args: Any, on_file: Values | None = None, is_required: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.on_file = on_file or {}
        for name, field in self.fields.items():
            if isinstance(field, PhoneField):
                field.on_file = self.on_file.get(name, "")
            if isinstance(field, forms.ChoiceField) and not isinstance(
                field, forms.MultipleChoiceField
            ):
                self._offer(field, self.on_file.get(name))
            if is_required and name in self.needed:
                field.required = True

    @staticmethod
    def _offer(field: forms.ChoiceField, on_file: Any) -> None:
        """What is on file stays to be chosen, also where the list does not know it."""
        listed = list(field.choices)  # type: ignore[arg-type] # a callable of choices lists them too
        if on_file and on_file not in dict(listed):
            field.choices = [(on_file, on_file), *listed]

    def suggestions(self) -> Iterable[str]:
        """Words for the box with `list="suggestions"`, which takes any other too."""
        return ()

    @classmethod
    def typed(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` as they stand in the boxes."""
        return {
            name: phones.say(value)
            if isinstance(cls.base_fields.get(name), PhoneField) and value
            else value
            for name, value in values.items()
        }


class LegalNameForm(ChangeForm):
    first_name = _text(
        Member, "first_name", _("First name"), missing=_("Type the legal first name.")
    )
    middle_name = _text(Member, "middle_name", _("Middle name"))
    last_name = _text(Member, "last_name", _("Last name"))
    suffix = _text(Member, "suffix", _("Suffix"), hint=_("For example: Jr."))
    needed = ("first_name", "last_name")


class DateOfBirthForm(ChangeForm):
    date_of_birth = forms.CharField(
        label=_("Date of birth"),
        help_text=_("YYYY/MM/DD, for example 2016/04/27"),
        max_length=matching.LONGEST_DATE,
        widget=TextBox(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={
            "required": _("Type the date of birth, year first, like 2016/04/27."),
            "max_length": _("Type the date of birth year first, like this: 2016/04/27."),
        },
    )

    def clean_date_of_birth(self) -> str:
        try:
            day = matching.date_of_birth(
                self.cleaned_data["date_of_birth"], today=timezone.localdate()
            )
        except matching.InvalidDate as error:
            raise ValidationError(str(error), code="invalid-date") from None
        return day.isoformat()

    @classmethod
    def typed(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: (value or "").replace("-", "/") for name, value in values.items()}


class SexForm(ChangeForm):
    sex = _one(_("Sex on file"), SEXES, missing=_("Choose one of these."))


class EmailForm(ChangeForm):
    email = forms.CharField(
        label=_("Primary email"),
        help_text=_("Everyone with the same primary email shares one portal login."),
        max_length=Member._meta.get_field("email").max_length,
        widget=EmailBox(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
        ),
        error_messages={
            "required": _("Type the email address."),
            "max_length": _("That is too long for an email address. Type it again."),
        },
    )

    def clean_email(self) -> str:
        email = self.cleaned_data["email"]
        usable_email_key(email)
        return email


class PreferredNameForm(ChangeForm):
    preferred_name = _text(
        Member,
        "preferred_name",
        _("Preferred name"),
        hint=_("The first name that everybody uses, if it is another one."),
    )
    needed = ("preferred_name",)


class PronounsForm(ChangeForm):
    pronouns = _text(
        Details, "pronouns", _("Pronouns"), hint=_("For example: she/her, he/him, they/them")
    )
    needed = ("pronouns",)


class GenderIdentityForm(ChangeForm):
    gender_identity = _text(
        Details, "gender_identity", _("Gender identity"), hint=_("In your own words.")
    )
    needed = ("gender_identity",)


class MaritalStatusForm(ChangeForm):
    marital_status = _one(_("Marital status"), Details.MaritalStatus.choices)
    needed = ("marital_status",)


class OccupationForm(ChangeForm):
    occupation = _text(Details, "occupation", _("Occupation"))
    needed = ("occupation",)


class RaceForm(ChangeForm):
    race = _several(_("Race"), RACES, _("Tick all that are right."))
    needed = ("race",)


class EthnicityForm(ChangeForm):
    ethnicity = _one(_("Ethnicity"), ETHNICITIES)
    needed = ("ethnicity",)


class AddressForm(ChangeForm):
    address_1 = _text(Member, "address_1", _("Street"))
    address_2 = _text(Member, "address_2", _("Apartment or unit"))
    city = _text(Member, "city", _("City"))
    state = _text(
        Member,
        "state",
        _("State"),
        hint=_("Two letters, like MA, or the name. Abroad: the region, if there is one."),
    )
    postal_code = _text(Member, "postal_code", _("ZIP code"))
    country = forms.ChoiceField(
        label=_("Country"), required=False, choices=places.countries, error_messages=_CHOOSE
    )
    needed = ("address_1", "city", "postal_code")

    def clean_country(self) -> str:
        """ "" is the practice's own."""
        country = self.cleaned_data["country"]
        return "" if country == places.COUNTRY else country

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        typed = cleaned.get("state", "")
        if typed and typed != self.on_file.get("state") and "country" in cleaned:
            try:
                cleaned["state"] = places.state(typed, cleaned["country"])
            except places.UnknownState:
                self.add_error(
                    "state",
                    _("We do not know this state. Type its two letters, like MA, or its name."),
                )
        return cleaned

    @classmethod
    def typed(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        return {**values, "country": values.get("country") or places.COUNTRY}


class MobilePhoneForm(ChangeForm):
    mobile_phone = _phone_box(_("Mobile phone"))
    mobile_may = _several(_("On this phone the practice may"), MAY)
    needed = ("mobile_phone",)


class HomePhoneForm(ChangeForm):
    home_phone = _phone_box(_("Home phone"))
    home_may = _several(_("On this phone the practice may"), MAY[:2])
    needed = ("home_phone",)


class WorkPhoneForm(ChangeForm):
    work_phone = _phone_box(_("Work phone"))
    work_may = _several(_("On this phone the practice may"), MAY[:2])
    needed = ("work_phone",)


class CommunicationForm(ChangeForm):
    contact_by = _one(_("Best way to get in touch"), Details.ContactBy.choices)
    contact_note = _text(
        Details,
        "contact_note",
        _("Note"),
        hint=_("For example: not before 5 pm"),
    )
    needed = ("contact_by",)


class LanguageForm(ChangeForm):
    preferred_language = _text(
        Member,
        "preferred_language",
        _("Language"),
        hint=_("The language you like best to speak with the practice."),
        list="suggestions",
    )
    interpreter = _one(_("Is an interpreter needed?"), Details.Interpreter.choices)
    needed = ("preferred_language", "interpreter")

    def clean_preferred_language(self) -> str:
        return languages.tidy(self.cleaned_data["preferred_language"])

    def suggestions(self) -> Iterable[str]:
        return languages.names().values()

    @classmethod
    def typed(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        return {**values, "preferred_language": languages.say(values.get("preferred_language", ""))}


class ContactForm(ChangeForm):
    name = _text(Contact, "name", _("Name"), missing=_("Type the name."))
    relationship = _one(
        _("Who they are to the patient"),
        Contact.Relationship.choices,
        missing=_("Choose who they are to the patient."),
        radios=False,
    )
    phone = _phone_box(_("Phone"))
    other_phone = _phone_box(_("Other phone"))
    is_guardian = _tick(_("Legal guardian: may decide for the patient"))
    is_emergency = _tick(_("Call them in an emergency"))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        phone_missing = "phone" in cleaned and not cleaned["phone"]
        if cleaned.get("is_emergency") and phone_missing:
            self.add_error("phone", _("Type the phone number to call in an emergency."))
        return cleaned


class DoctorForm(ChangeForm):
    doctor_name = _text(Details, "doctor_name", _("Name of the doctor"))
    doctor_practice = _text(Details, "doctor_practice", _("Practice or clinic"))
    doctor_phone = _phone_box(_("Phone"))
    needed = ("doctor_name",)


class PharmacyForm(ChangeForm):
    pharmacy_name = _text(Details, "pharmacy_name", _("Name of the pharmacy"))
    pharmacy_address = _text(
        Details, "pharmacy_address", _("Address"), hint=_("Street and city are enough.")
    )
    pharmacy_phone = _phone_box(_("Phone"))
    needed = ("pharmacy_name",)


class CoverageForm(ChangeForm):
    payer = _text(Coverage, "payer", _("Insurance company"))
    plan = _text(Coverage, "plan", _("Plan"))
    member_number = _text(
        Coverage, "member_number", _("Member number"), hint=_("As the card has it.")
    )
    group_number = _text(Coverage, "group_number", _("Group number"))
    subscriber = _one(_("Whose policy is it?"), Coverage.Relationship.choices)
    subscriber_name = _text(
        Coverage,
        "subscriber_name",
        _("Name on the policy"),
        hint=_("If it is somebody other than the patient."),
    )
    needed = ("payer", "member_number")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not cleaned["payer"] and any(cleaned.values()):
            self.add_error(
                "payer", _("Type the insurance company, or leave every box empty for no insurance.")
            )
        # Nothing in any box: no insurance.
        return cleaned if any(cleaned.values()) or self.errors else {}


_FORMS: dict[str, type[ChangeForm]] = {
    "legal_name": LegalNameForm,
    "date_of_birth": DateOfBirthForm,
    "sex": SexForm,
    "email": EmailForm,
    "preferred_name": PreferredNameForm,
    "pronouns": PronounsForm,
    "gender_identity": GenderIdentityForm,
    "marital_status": MaritalStatusForm,
    "occupation": OccupationForm,
    "race": RaceForm,
    "ethnicity": EthnicityForm,
    "address": AddressForm,
    "mobile_phone": MobilePhoneForm,
    "home_phone": HomePhoneForm,
    "work_phone": WorkPhoneForm,
    "communication": CommunicationForm,
    "language": LanguageForm,
    "contacts": ContactForm,
    "doctor": DoctorForm,
    "pharmacy": PharmacyForm,
}


def form_of(field: Field) -> type[ChangeForm]:
    return CoverageForm if isinstance(field, CoverageField) else _FORMS[field.key]
