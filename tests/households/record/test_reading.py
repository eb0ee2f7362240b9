"""What is gathered, in words: the answers of sections, who said so, private topics, and the cost."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.cast import household, member
from tests.households.record.conftest import (
    HOSTILE,
    add,
    answered,
    every_status,
    fill,
    record,
    sent,
)


def chapter(one, slug, **how):
    from households.record.words import chapters_of

    (found,) = [each for each in chapters_of(record(one, **how)) if each.slug == slug]
    return found


def text(one, slug, **how):
    from households.record.plain_text import plain_text

    return plain_text(chapter(one, slug, **how))


def queries(one, **how):
    from households.models import Practice
    from households.record.reading import record_of
    from households.record.words import chapters_of

    practice = Practice.load()
    with CaptureQueriesContext(
        connection,
    ) as seen:
        made = record_of(one, practice=practice, **how)
        chapters_of(made)
    return [each["sql"] for each in seen]


def test_always_the_same_number_of_queries(cast, rich, none_known):
    from tests.households.record.conftest import document

    full = queries(cast.mia)
    for number in range(3):
        came = sent(cast.mia, cast.rivera, "document")
        document(came, f"{number}.png")
    every_status(cast.leo, cast.rivera)
    assert len(queries(cast.mia)) == len(queries(cast.leo)) == len(queries(cast.elena)) == len(full)
    assert len(full) == 20
    assert len(queries(cast.mia, for_login=cast.rivera)) == len(full) + 3


def test_a_bundle_asks_nothing_more(cast, rich):
    from households.record.fhir_bundle import bundle_of
    from households.record.typesetting import record_pdf

    made = record(cast.mia)
    with CaptureQueriesContext(connection) as seen:
        bundle_of(made)
        record_pdf(made)
    assert len(seen) == 0


def test_answers_in_words(cast, rich, none_known):
    assert chapter(cast.leo, "allergies").answer == "None known"
    assert chapter(cast.elena, "allergies").answer == "Not asked"
    answered(sent(cast.elena, cast.rivera), "goals", "not-sure")
    assert chapter(cast.elena, "goals").answer == "Not sure"
    assert chapter(cast.mia, "allergies").answer == ""


def test_none_now_keeps_what_was(cast):
    from households.history.models import Medication

    came = sent(cast.elena, cast.rivera)
    add(Medication, came, name="Iron", kind="otc", status="ended")
    answered(came, "medications", "none")
    found = chapter(cast.elena, "medications")
    assert found.answer == "None known now"
    assert ("Status", "Ended") in found.items[0].lines


def test_mistakes_are_not_shown(cast, rich):
    rich["allergy"].status = "error"
    rich["allergy"].save()
    assert "Penicillin" not in text(cast.mia, "allergies")
    assert chapter(cast.mia, "allergies").answer == "Nothing listed now"


def test_ended_contacts_and_insurances_are_not_shown(cast, rich):
    from tests.households.record.conftest import DAY

    for row in (rich["contact"], rich["coverage"]):
        row.ended_at = DAY
        row.save()
    assert chapter(cast.mia, "contacts").answer == "Nothing on file"
    assert "Blue Hills" not in text(cast.mia, "insurance")


def test_who_reported_and_whether_the_practice_confirmed(cast, rich):
    (allergy,) = chapter(cast.mia, "allergies").items
    assert allergy.said == (
        "Reported by Elena Rivera (a parent or guardian), 2026/11/20. Confirmed by the practice."
    )
    (condition,) = chapter(cast.mia, "conditions").items
    assert condition.said.endswith("Not yet confirmed by the practice.")
    assert chapter(cast.mia, "conditions").said == (
        "Last confirmed 2026/11/20 by Elena Rivera (a parent or guardian)."
    )


def test_nobody_elses(cast, rich, none_known):
    from households.record.plain_text import plain_text
    from households.record.words import chapters_of

    fill(cast.other_mia, cast.okafor, cast.nurse_staff, "Okafor secret")
    for one in (cast.mia, cast.leo, cast.elena):
        whole = "".join(map(plain_text, chapters_of(record(one))))
        assert "Okafor secret" not in whole
        assert ("Penicillin" in whole) == (one == cast.mia)


def test_a_topic_that_is_not_asked_is_left_out_unless_something_is_known(cast, rich):
    from households.history.models import SectionSetting
    from households.record.words import chapters_of

    SectionSetting.objects.filter(section__in=["birth", "allergies"]).update(is_asked=False)
    assert "birth" in {each.slug for each in chapters_of(record(cast.mia))}
    slugs = {each.slug for each in chapters_of(record(cast.elena))}
    assert "birth" not in slugs and "allergies" not in slugs and "goals" in slugs


def test_private_topics_are_left_out_where_a_login_is_shared(cast, rich):
    from households.history.models import SectionSetting
    from households.record.words import chapters_of, withheld_words

    SectionSetting.objects.filter(section="wellbeing").update(is_private=True)
    shared = record(cast.mia, for_login=cast.rivera)
    assert "wellbeing" not in {each.slug for each in chapters_of(shared)}
    assert "Mental wellbeing" in withheld_words(shared.withheld)
    for whole in (record(cast.mia), record(cast.nurse_member, for_login=cast.nurse)):
        assert "wellbeing" in {each.slug for each in chapters_of(whole)}
        assert withheld_words(whole.withheld) == ""


def test_a_topic_that_makes_no_sense_for_this_person_is_left_out(cast):
    from households.record.words import chapters_of

    slugs = {
        one: {each.slug for each in chapters_of(record(one))} for one in (cast.elena, cast.leo)
    }
    assert "birth" not in slugs[cast.elena] and "pregnancy" in slugs[cast.elena]
    assert "birth" in slugs[cast.leo]


def test_questions_and_answers_in_the_words_in_which_they_were_asked(cast, rich):
    (tobacco,) = chapter(cast.mia, "lifestyle").items
    assert tobacco.title == "Tobacco: cigarettes, vapes, cigars, chewing tobacco"
    assert ("Answer", "Never") in tobacco.lines
    assert ("Tobacco: since when", "2020") in tobacco.lines


@pytest.mark.parametrize(
    ("field", "gone"),
    [
        ("address", "1 Main St"),
        ("mobile_phone", "555-0199"),
        ("race", "White"),
        ("occupation", "Pupil"),
        ("doctor", "Dr. Ada Stone"),
        ("pharmacy", "Corner Pharmacy"),
        ("contacts", "555 0103"),
        ("primary_insurance", "Blue Hills"),
        ("preferred_name", "Mimi"),
    ],
)
def test_what_the_practice_hides_is_hidden_from_families_and_not_from_staff(
    cast, rich, field, gone
):
    from households.demographics.models import FieldSetting
    from households.history.models import Medication
    from households.models import Member
    from households.record.fhir_bundle import record_json
    from households.record.plain_text import plain_text
    from households.record.words import chapters_of

    Medication.objects.for_member(cast.mia).delete()  # its prescriber is the same doctor
    Member.objects.filter(pk=cast.mia.pk).update(
        address_1="1 Main St", city="Boston", mobile_phone="617-555-0199"
    )
    cast.mia.refresh_from_db()
    FieldSetting.objects.filter(field=field).update(shown="hidden")
    for how, is_there in (({"for_login": cast.rivera}, False), ({}, True)):
        made = record(cast.mia, **how)
        for whole in ("".join(map(plain_text, chapters_of(made))), record_json(made).decode()):
            assert (gone in whole) == is_there
            assert "Rivera" in whole
    assert cast.mia.preferred_name == "Mimi"
    assert cast.mia.address_1 == "1 Main St"


def test_who_somebody_is_cannot_be_hidden(cast, rich):
    from households.demographics.models import FieldSetting

    FieldSetting.objects.update(shown="hidden")
    found = chapter(cast.mia, "details", for_login=cast.rivera)
    assert found.items[0].title == "Mia Rivera"
    assert [label for label, _value in found.items[0].lines] == ["Date of birth", "Email"]


# --- as text to copy ------------------------------------------------------------------


def test_one_fact_a_line(cast, rich):
    assert text(cast.mia, "allergies") == (
        "Allergies\n"
        "Last confirmed 2026/11/20 by Elena Rivera (a parent or guardian).\n"
        "\n"
        "Substance: Penicillin\n"
        "What it is: Medicine\n"
        "Kind: Allergy\n"
        "Reaction: Hives\n"
        "How severe: Severe: needed help at once\n"
        "Since: 2021/05\n"
        "Note: Twice\n"
        "Reported by Elena Rivera (a parent or guardian), 2026/11/20. Confirmed by the practice.\n"
    )


def test_address_is_one_fact(cast, rich):
    cast.mia.address_1, cast.mia.city, cast.mia.postal_code = "1 Main St", "Boston", "02101"
    assert "Address: 1 Main St Boston 02101 United States\n" in text(cast.mia, "details")


@pytest.mark.parametrize("typed", ["=1+1", "+1", "-1", "@x", "\t=1+1", "\r\n=1+1", "\x0b=1+1"])
def test_no_line_is_a_formula(cast, rich, typed):
    from households.record.plain_text import plain_text
    from households.record.words import Chapter, Item

    rich["allergy"].substance = rich["allergy"].note = f"nuts{typed}" if typed[0] < " " else typed
    rich["allergy"].save()
    lines = text(cast.mia, "allergies").split("\n")
    assert not [line for line in lines if line.startswith(("=", "+", "-", "@", "\t"))]
    assert not [line for line in lines if "\t" in line or "\r" in line or "\x0b" in line]
    by_itself = plain_text(Chapter("x", typed, [Item(typed, typed, [(typed, typed)], typed)]))
    assert not [line for line in by_itself.split("\n") if line.startswith(("=", "+", "-", "@"))]


def test_hostile_text_is_text(cast):
    from households.record.plain_text import plain_text
    from households.record.words import chapters_of

    strange = member("Mia", "Strange", "2001/01/01", "strange@example.org")
    fill(strange, household("strange@example.org"), cast.nurse_staff, HOSTILE)
    whole = "".join(map(plain_text, chapters_of(record(strange))))
    assert "Substance: #panic() {{7*7}} <script>alert(1)</script> $x$ *b* @ref" in whole
    assert not [c for c in whole if c in "\u202e\u2066\x01\x1b\x85\t\r"]


# --- its parts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "fhir", "shown"),
    [
        ("2021", "2021", "2021"),
        ("2021-05", "2021-05", "2021/05"),
        ("2021-05-31", "2021-05-31", "2021/05/31"),
        ("2021-13", "", "2021-13"),
        ("2021-02-30", "", "2021-02-30"),
        ("0000", "", "0000"),
        ("２０２１", "", "２０２１"),
        ("21", "", "21"),
        ("2021-05\n", "2021-05", "2021/05"),
        ("winter", "", "winter"),
        ("", "", ""),
    ],
)
def test_partial_dates(kept, fhir, shown):
    from households.record.partial_dates import fhir_date, shown_date

    assert (fhir_date(kept), shown_date(kept)) == (fhir, shown)


def test_clean_text():
    from households.record.cleaning import clean, one_line

    assert clean("a\r\nb\rc\u2028d\x85e") == "a\nb\nc\nd\ne"
    assert clean(" a\x00b\ud800c\ufffe\U0001ffff ") == "a b c"
    assert clean("\u202eabc\u2069") == "abc"
    assert clean("نص\u200f \u200d") == "نص\u200f \u200d"
    assert clean(None) == ""
    assert one_line(" a\n\tb ") == "a b"
