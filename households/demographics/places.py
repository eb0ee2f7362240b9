"""Countries, and the states of the practice's own."""

from __future__ import annotations

from functools import cache

# The practice's own. Phones without a country's code are of it, and addresses that name none.
COUNTRY = "US"
# Mail to the armed forces: the postal service's three states that ISO does not list.
_ARMED_FORCES = {"AA", "AE", "AP"}


class UnknownState(ValueError):
    """Text that is no state of the country, though its states are known here."""


@cache
def countries() -> tuple[tuple[str, str], ...]:
    """Code and name of every country, the practice's own first."""
    # Imported where used: the lists are large, and most processes never need them.
    import pycountry

    named = {
        country.alpha_2: getattr(country, "common_name", country.name)
        for country in pycountry.countries
    }
    others = sorted((name, code) for code, name in named.items() if code != COUNTRY)
    return ((COUNTRY, named[COUNTRY]), *((code, name) for name, code in others))


def country_name(code: str) -> str:
    """ "" is the practice's own."""
    return dict(countries()).get(code or COUNTRY, code)


def state(typed: str, country: str) -> str:
    """Two letters for a state of the practice's country, as typed elsewhere. Raises UnknownState."""
    words = " ".join(typed.split())
    if not words or (country or COUNTRY) != COUNTRY:
        return words
    found = _states().get(words.rstrip(".").casefold())
    if found is None:
        raise UnknownState
    return found


@cache
def _states() -> dict[str, str]:
    import pycountry

    known = {code.casefold(): code for code in _ARMED_FORCES}
    for subdivision in pycountry.subdivisions.get(country_code=COUNTRY):
        code = subdivision.code.partition("-")[2]
        known |= {code.casefold(): code, subdivision.name.casefold(): code}
    return known
