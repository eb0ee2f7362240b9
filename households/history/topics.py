"""The words of every topic: what is asked, what "None" means there, and the questions of those topics that
are questions and not lists. A question's word and the words of its answers stand in the database: they are
never changed, only added to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from households.history.models import Section

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

Choices = Sequence[tuple[str, "StrOrPromise"]]


@dataclass(frozen=True)
class Words:
    """What the page of a topic says, with the person's %(name)s. `yes` is the answer that leads on to
    adding, `add` the link to it; `ended` what it is called when something in the list is over, "" where
    nothing there can be."""

    asks: StrOrPromise
    none: StrOrPromise
    add: StrOrPromise = ""
    yes: StrOrPromise = ""
    ended: StrOrPromise = ""
    notice: StrOrPromise = ""


WORDS: dict[str, Words] = {
    Section.ALLERGIES: Words(
        asks=_(
            "Is there anything that makes %(name)s ill: a medicine, a food, an insect sting, pollen, latex? "
            "An allergy can show as a rash, swelling, trouble breathing or a bad stomach."
        ),
        none=_("None: no allergies that we know of"),
        add=_("Add an allergy"),
        yes=_("Yes, add an allergy"),
        ended=_("It is over: this does no harm any more"),
    ),
    Section.MEDICATIONS: Words(
        asks=_(
            "What does %(name)s take? Everything counts: medicines from a doctor, medicines from the shop, "
            "vitamins, herbs and other supplements, drops, creams, inhalers and shots. It helps to have "
            "the boxes at hand."
        ),
        none=_("None: %(name)s takes nothing"),
        add=_("Add a medicine or supplement"),
        yes=_("Yes, add a medicine or supplement"),
        ended=_("Stopped: %(name)s does not take it any more"),
    ),
    Section.CONDITIONS: Words(
        asks=_(
            "Has a doctor told you of a health problem (a condition) of %(name)s's, such as asthma, high "
            "blood pressure or migraine? Old ones count too."
        ),
        none=_("None: no health problems that we know of"),
        add=_("Add a health problem"),
        yes=_("Yes, add a health problem"),
        ended=_("It is over: the problem has gone away"),
    ),
    Section.PROCEDURES: Words(
        asks=_("Has %(name)s had an operation (surgery), or stayed in a hospital overnight?"),
        none=_("None: never"),
        add=_("Add an operation or stay"),
        yes=_("Yes, add an operation or stay"),
    ),
    Section.FAMILY: Words(
        asks=_(
            "Which health problems run in the family? We ask about relatives by blood: parents, brothers "
            "and sisters, grandparents, aunts and uncles. One health problem of one relative at a time."
        ),
        none=_("None that we know of"),
        add=_("Add a health problem of a relative"),
        yes=_("Yes, add a health problem of a relative"),
    ),
    Section.IMMUNIZATIONS: Words(
        asks=_(
            "Which vaccines (shots) has %(name)s had? If you have a vaccine card, you can send a photo of "
            "it under Documents instead."
        ),
        none=_("None: no vaccines"),
        add=_("Add a vaccine"),
        yes=_("Yes, add a vaccine"),
    ),
    Section.SCREENINGS: Words(
        asks=_("Which check-ups (screenings) has %(name)s had, and when was the last one?"),
        none=_("None: no check-ups"),
        add=_("Add a check-up"),
        yes=_("Yes, add a check-up"),
    ),
    Section.LIFESTYLE: Words(
        asks=_("A few questions about daily life. Answer those that you want to answer."),
        none=_("Nothing to tell"),
    ),
    Section.BIRTH: Words(
        asks=_("How did life begin for %(name)s? Answer what you know, and leave out the rest."),
        none=_("Nothing to tell"),
    ),
    Section.PREGNANCY: Words(
        asks=_("Questions about periods and pregnancy. Answer those that you want to answer."),
        none=_("This does not apply to %(name)s"),
    ),
    Section.WELLBEING: Words(
        asks=_("How is %(name)s feeling? Answer those questions that you want to answer."),
        none=_("Nothing to tell"),
        notice=_(
            "Nobody reads this right away. If you think of hurting yourself or somebody else, call 911, "
            "or call or text 988 at any hour."
        ),
    ),
    Section.PRACTITIONERS: Words(
        asks=_(
            "Who else looks after %(name)s's health: other doctors, a dentist, a therapist, a midwife?"
        ),
        none=_("None: nobody else"),
        add=_("Add a doctor or therapist"),
        yes=_("Yes, add a doctor or therapist"),
        ended=_("%(name)s does not go there any more"),
    ),
    Section.GOALS: Words(
        asks=_("What worries you about %(name)s's health, and what would you like to reach?"),
        none=_("None: no worries, no goals"),
        add=_("Add a worry or a goal"),
        yes=_("Yes, add a worry or a goal"),
        ended=_("It is settled"),
    ),
}


# --- topics that are questions --------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """`topic` stands in the database. `detail`, `since` and `until` are the labels of further boxes, ""
    where there is none; `until` may lie ahead where that is what is asked for. `says_all` are the answers
    after which those boxes have nothing to add. `from_age` is the age from which on it is asked."""

    topic: str
    asks: StrOrPromise
    choices: Choices = ()
    detail: StrOrPromise = ""
    since: StrOrPromise = ""
    until: StrOrPromise = ""
    until_may_be_ahead: bool = False
    says_all: Sequence[str] = ()
    from_age: int = 0


_YES_NO: Choices = (("yes", _("Yes")), ("no", _("No")), ("not-sure", _("Not sure")))
_IN_PERSON = ("in-person", _("I would rather talk about it"))
_USE: Choices = (
    ("never", _("Never")),
    ("former", _("Not any more")),
    ("some", _("Some days")),
    ("daily", _("Every day")),
)

QUESTIONS: dict[str, tuple[Question, ...]] = {
    Section.LIFESTYLE: (
        Question(
            "tobacco",
            _("Tobacco: cigarettes, vapes, cigars, chewing tobacco"),
            choices=_USE,
            detail=_("Tobacco: what, and how much a day"),
            since=_("Tobacco: since when"),
            until=_("Tobacco: until when, if it is over"),
            says_all=["never"],
            from_age=10,
        ),
        Question(
            "smoke-at-home",
            _("Does somebody smoke or vape at home?"),
            choices=_YES_NO,
        ),
        Question(
            "alcohol",
            _("Alcohol: beer, wine, liquor"),
            choices=(
                ("never", _("Never")),
                ("former", _("Not any more")),
                ("monthly", _("Once a month or less")),
                ("weekly", _("Most weeks")),
                ("daily", _("Most days")),
            ),
            detail=_("Alcohol: how much on a day with alcohol"),
            says_all=["never"],
            from_age=10,
        ),
        Question(
            "caffeine",
            _("Caffeine: coffee, tea, cola, energy drinks"),
            choices=(
                ("none", _("None")),
                ("some", _("1 or 2 drinks a day")),
                ("much", _("3 drinks a day or more")),
            ),
        ),
        Question(
            "substances",
            _("Other substances, such as cannabis"),
            choices=(*_USE, _IN_PERSON),
            detail=_("Other substances: what, and how often"),
            says_all=["never"],
            from_age=10,
        ),
        Question(
            "exercise",
            _("Moving enough to get warm or out of breath (exercise)"),
            choices=(
                ("rarely", _("Hardly ever")),
                ("some", _("1 or 2 days a week")),
                ("often", _("3 days a week or more")),
            ),
            detail=_("Exercise: what kind"),
        ),
        Question(
            "sleep",
            _("Sleep"),
            choices=(
                ("good", _("Good most nights")),
                ("mixed", _("Some bad nights")),
                ("poor", _("Bad most nights")),
            ),
            detail=_("Sleep: how many hours a night, what disturbs it"),
        ),
        Question(
            "diet",
            _("Food (diet)"),
            choices=(
                ("everything", _("A bit of everything")),
                ("vegetarian", _("Vegetarian")),
                ("vegan", _("Vegan")),
                ("special", _("A special diet")),
            ),
            detail=_("Food: what is left out, and why"),
            says_all=["everything"],
        ),
        Question(
            "work-hazards",
            _("Work with noise, dust, chemicals, heavy loads or night shifts"),
            choices=_YES_NO,
            detail=_("Work: what kind, and with what"),
            says_all=["no"],
            from_age=14,
        ),
    ),
    Section.BIRTH: (
        Question(
            "term",
            _("When did the birth come?"),
            choices=(
                ("on-time", _("About on time")),
                ("early", _("More than 3 weeks early")),
                ("late", _("More than 2 weeks late")),
                ("not-sure", _("Not sure")),
            ),
            detail=_("Birth: after how many weeks of pregnancy, if you know"),
            says_all=["on-time"],
        ),
        Question(
            "delivery",
            _("How was the birth?"),
            choices=(
                ("vaginal", _("Through the birth canal (vaginal)")),
                ("assisted", _("The same with a vacuum cup or forceps")),
                ("cesarean", _("By operation (C-section)")),
                ("not-sure", _("Not sure")),
            ),
        ),
        Question("birth-weight", _("Weight at birth"), detail=_("Weight at birth")),
        Question(
            "newborn-care",
            _("Was special care needed after the birth?"),
            choices=_YES_NO,
            detail=_("Special care: what for, and how long"),
            says_all=["no"],
        ),
        Question(
            "feeding",
            _("Milk in the first months"),
            choices=(
                ("breast", _("Breast milk")),
                ("formula", _("Formula")),
                ("both", _("Both")),
                ("not-sure", _("Not sure")),
            ),
        ),
        Question(
            "milestones",
            _("Sitting, walking and talking came when they should (development)"),
            choices=_YES_NO,
            detail=_("Development: what came late, or what worries you"),
            says_all=["yes"],
        ),
        Question(
            "school",
            _("Is learning or school hard?"),
            choices=_YES_NO,
            detail=_("School: what is hard, and what helps"),
            says_all=["no"],
            from_age=4,
        ),
    ),
    Section.PREGNANCY: (
        Question(
            "periods",
            _("Periods"),
            choices=(
                ("not-yet", _("Not started yet")),
                ("regular", _("Regular")),
                ("irregular", _("Not regular")),
                ("ended", _("They have ended (menopause)")),
            ),
            since=_("First day of the last period"),
            detail=_("Periods: pain, heavy bleeding or anything else"),
            says_all=["not-yet"],
        ),
        Question(
            "pregnant",
            _("Pregnant now"),
            choices=(
                ("yes", _("Yes")),
                ("no", _("No")),
                ("trying", _("No, and hoping to be soon")),
                ("not-sure", _("Not sure")),
                _IN_PERSON,
            ),
            until=_("The day the baby should come, if pregnant (due date)"),
            until_may_be_ahead=True,
            says_all=["no", "trying"],
        ),
        Question(
            "pregnancies",
            _("Pregnancies before"),
            choices=(("none", _("None")), ("some", _("One or more")), _IN_PERSON),
            detail=_("Pregnancies: how many, how many births, any problems"),
            says_all=["none"],
        ),
        Question("breastfeeding", _("Breastfeeding now"), choices=_YES_NO),
        Question(
            "birth-control",
            _("Birth control (contraception)"),
            choices=(("yes", _("Yes")), ("no", _("No")), _IN_PERSON),
            detail=_("Birth control: which kind"),
            says_all=["no"],
        ),
    ),
    Section.WELLBEING: (
        Question(
            "mood",
            _("Mood in the last two weeks"),
            choices=(
                ("good", _("Mostly good")),
                ("mixed", _("Up and down")),
                ("low", _("Mostly low")),
                _IN_PERSON,
            ),
            detail=_("Mood: what you want us to know"),
        ),
        Question(
            "worry",
            _("Worries that are hard to stop (anxiety)"),
            choices=(
                ("rarely", _("Hardly ever")),
                ("some", _("Some days")),
                ("often", _("Most days")),
                _IN_PERSON,
            ),
        ),
        Question(
            "stress",
            _("Stress at home, school or work"),
            choices=(
                ("little", _("Little")),
                ("some", _("Some")),
                ("much", _("A lot")),
                _IN_PERSON,
            ),
            detail=_("Stress: where it comes from"),
        ),
        Question(
            "safe-at-home",
            _("Feeling safe at home"),
            choices=(("yes", _("Yes")), ("no", _("No")), _IN_PERSON),
        ),
        Question(
            "mental-care",
            _("Counseling, therapy or other help"),
            choices=(
                ("never", _("Never")),
                ("former", _("In the past")),
                ("now", _("Now")),
            ),
            detail=_("Help: what for, and with whom"),
            says_all=["never"],
        ),
    ),
}

QUESTION: dict[str, Question] = {
    question.topic: question for questions in QUESTIONS.values() for question in questions
}
