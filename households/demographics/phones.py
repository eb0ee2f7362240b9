"""Phone numbers in every spelling, kept as E.164 where they are numbers that exist.

A number that could be one, such as seven digits without an area code, is kept as it was typed; text that
is no number is refused. What is on file already is read back as well as can be and never rewritten here.
"""

from __future__ import annotations

from households.demographics.places import COUNTRY


class InvalidPhone(ValueError):
    """Text that no phone can be called by."""


def tidy(typed: str) -> str:
    """As it is kept: "+16175550123", "+16175550123 ext. 12"; as typed where it is only possible. Raises
    InvalidPhone."""
    # Imported where used: the table of the world's numbers is large.
    import phonenumbers

    try:
        number = phonenumbers.parse(typed, COUNTRY)
    except phonenumbers.NumberParseException:
        raise InvalidPhone from None
    if not phonenumbers.is_valid_number(number):
        if not phonenumbers.is_possible_number(number):
            raise InvalidPhone
        return " ".join(typed.split())
    extension = f" ext. {number.extension}" if number.extension else ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) + extension


def say(kept: str) -> str:
    """As people here write it: "(617) 555-0123 ext. 12"; abroad "+44 20 7946 0958"."""
    number = _exists(kept)
    if number is None:
        return kept
    import phonenumbers

    style = phonenumbers.PhoneNumberFormat
    at_home = phonenumbers.region_code_for_number(number) == COUNTRY
    return phonenumbers.format_number(number, style.NATIONAL if at_home else style.INTERNATIONAL)


def may_be_wrong(kept: str) -> bool:
    """Whether it is kept as typed, because no such number is known to exist."""
    return bool(kept) and _exists(kept) is None


def _exists(kept: str):  # type: ignore[no-untyped-def] # the library comes in with the first number only
    if not kept:
        return None
    import phonenumbers

    try:
        number = phonenumbers.parse(kept, COUNTRY)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None
