"""Languages: kept as BCP 47 codes where the words are known, as typed where they are not.

Patient lists bring "English", "en", "en-US" and "eng"; all of them are read back as English.
"""

from __future__ import annotations

from functools import cache


@cache
def names() -> dict[str, str]:
    """Code and name of every language with a code of two letters, in the order of the names."""
    # Imported where used: the lists are large, and most processes never need them.
    import pycountry
    from django.conf.locale import LANG_INFO

    named = {
        language.alpha_2: LANG_INFO.get(language.alpha_2, {}).get("name", language.name)
        for language in pycountry.languages
        if hasattr(language, "alpha_2")
    }
    return dict(sorted(named.items(), key=lambda one: one[1]))


def tidy(typed: str) -> str:
    """The code of a language that was typed by its name; what was typed where nobody knows it. Codes of
    three letters are not looked for: with ASL people mean a language that is not the code's."""
    words = " ".join(typed.split())
    return words if words in names() else _by_name().get(words.casefold(), words)


def say(kept: str) -> str:
    """Its name; what is on file where nobody knows it."""
    code = kept.strip().replace("_", "-").partition("-")[0]
    if len(code) == 2 and (name := names().get(code.casefold())):
        return name
    if len(code) == 3 and (name := _by_three_letters().get(code)):
        return name
    named = _by_name().get(kept.strip().casefold())
    return say(named) if named and named != kept else kept


@cache
def _by_name() -> dict[str, str]:
    import pycountry

    found = {language.name.casefold(): _code(language) for language in pycountry.languages}
    return found | {name.casefold(): code for code, name in names().items()}


@cache
def _by_three_letters() -> dict[str, str]:
    """Names by the codes of three letters, as HL7 messages write them; capitals only of those that have
    two letters too."""
    import pycountry

    found = {}
    for language in pycountry.languages:
        name = names().get(_code(language), language.name)
        for code in (language.alpha_3, getattr(language, "bibliographic", "")):
            found[code] = name
            if hasattr(language, "alpha_2"):
                found[code.upper()] = name
    return found


def _code(language: object) -> str:
    return getattr(language, "alpha_2", None) or str(getattr(language, "alpha_3", ""))
