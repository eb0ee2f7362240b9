"""The questions and answers of the topics that are asked as questions (daily life, birth, pregnancy,
wellbeing), in the words in which they were asked, and their codes where LOINC has one that everybody uses
(FORMS 3)."""

from __future__ import annotations

from households.history.models import Fact
from households.history.topics import QUESTION
from households.record.cleaning import one_line

# Codes and names of LOINC (loinc.org), which is copyright of the Regenstrief Institute and free to use.
Code = tuple[str, str]
_QUESTIONS: dict[str, Code] = {
    "tobacco": ("72166-2", "Tobacco smoking status"),
    "alcohol": ("74013-4", "Alcoholic drinks per day"),
    "pregnant": ("82810-3", "Pregnancy status"),
}
_ANSWERS: dict[tuple[str, str], Code] = {
    ("pregnant", "yes"): ("LA15173-0", "Pregnant"),
    ("pregnant", "no"): ("LA26683-5", "Not pregnant"),
    ("pregnant", "trying"): ("LA26683-5", "Not pregnant"),
    ("pregnant", "not-sure"): ("LA4489-6", "Unknown"),
}
# Dates that are no beginning and no end of what is asked, but facts of their own: topic and column.
_DATES: dict[tuple[str, str], Code] = {
    ("pregnant", "until"): ("11778-8", "Delivery date Estimated"),
    ("periods", "since"): ("8665-2", "Last menstrual period start date"),
}


def question(fact: Fact) -> str:
    asked = QUESTION.get(fact.topic)
    return str(asked.asks) if asked else _from_word(fact.topic)


def answer(fact: Fact) -> str:
    asked = QUESTION.get(fact.topic)
    words = dict(asked.choices) if asked else {}
    return str(words[fact.value]) if fact.value in words else _from_word(fact.value)


def labels(fact: Fact) -> tuple[str, str, str]:
    """Of `detail`, `since` and `until`; "" where the question has no such box."""
    asked = QUESTION.get(fact.topic)
    return (str(asked.detail), str(asked.since), str(asked.until)) if asked else ("", "", "")


def code_of_question(fact: Fact) -> Code | None:
    """None where only its words stand for it."""
    return _QUESTIONS.get(fact.topic)


def code_of_answer(fact: Fact) -> Code | None:
    return _ANSWERS.get((fact.topic, fact.value))


def codes_of_dates(fact: Fact) -> dict[str, Code]:
    """The columns `since` and `until`, where they hold another date than from when to when."""
    return {column: code for (topic, column), code in _DATES.items() if topic == fact.topic}


def _from_word(word: str) -> str:
    """ "current-some-days" as "Current some days"."""
    words = one_line(word.replace("-", " ").replace("_", " "))
    return words[:1].upper() + words[1:]
