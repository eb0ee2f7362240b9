"""The questions and answers of the topics that are asked as questions (daily life, birth, pregnancy,
wellbeing), in words, and their codes where LOINC has one that everybody uses (FORMS 3)."""

from __future__ import annotations

from households.history.models import Fact
from households.record.cleaning import one_line

# LOINC, used with its notice: this file holds codes of LOINC (loinc.org), which is copyright of the
# Regenstrief Institute and free to use under its licence.
_LOINC = {
    "tobacco": ("72166-2", "Tobacco smoking status"),
    "smoking": ("72166-2", "Tobacco smoking status"),
    "alcohol": ("74013-4", "Alcoholic drinks per day"),
    "pregnancy": ("82810-3", "Pregnancy status"),
    "pregnant": ("82810-3", "Pregnancy status"),
}


def question(fact: Fact) -> str:
    return _from_word(fact.topic)


def answer(fact: Fact) -> str:
    return _from_word(fact.value)


def loinc(fact: Fact) -> tuple[str, str] | None:
    """The code and name of the question; None where only its words stand for it."""
    return _LOINC.get(fact.topic)


def _from_word(word: str) -> str:
    """ "current-some-days" as "Current some days"."""
    words = one_line(word.replace("-", " ").replace("_", " "))
    return words[:1].upper() + words[1:]
