"""Every real form that nobody here wrote is imported and can be drawn, in time; what is worst about each is
written down. They lie beside the repository where it was made; everywhere, our own of tests/data are read."""

from __future__ import annotations

import datetime
import json
import time
from pathlib import Path

import pytest

from households.intake.bundled import bundled_lists
from households.intake.engine.evaluation import begin, evaluate
from households.intake.engine.items import read_definition
from households.intake.importing import form_read, parse
from households.intake.validating import validated
from tests.questionnaires import REAL, files

NOW = datetime.datetime(2026, 11, 27, 12, tzinfo=datetime.UTC)

# The worst that the import has to say: "" is nothing at all.
WORST = {
    "all-types": "warn",
    "conditions": "repair",
    "medicines": "",
    "scores": "",
    "aehrc-715": "repair",
    "aehrc-aucoreallergyintolerance": "repair",
    "aehrc-aucorecondition": "repair",
    "aehrc-aucorepatient": "repair",
    "aehrc-cvd-check": "repair",
    "aehrc-cvd-risk": "repair",
    "android-component-attachment": "repair",
    "android-component-date-picker": "repair",
    "android-component-repeated-group": "repair",
    "android-component-slider-with-validation": "repair",
    "android-component-text-fields-with-validation": "repair",
    "android-mypain-questionnaire": "warn",
    "android-new-patient-registration-paginated": "repair",
    "android-questionnaire-immzcregisterclient": "repair",
    "android-sample-questionnaire": "repair",
    "core-3141": "repair",
    "core-bb": "",
    "core-phq-9-questionnaire": "repair",
    "core-qs1": "repair",
    "emcare-ccc-b18-21-symptoms-2m-m": "warn",
    "emcare-ccc-b22-assessmentstests": "repair",
    "emcare-ccc-b22-breastfeeding": "repair",
    "emcare-ccca-registration-p": "warn",
    "emcare-cccb-registration-e": "warn",
    "intake-hopkins-schizophrenia-consult": "warn",
    "intake-mgh-allergy-intake": "warn",
    "intake-mgh-hrscc": "",
    "intake-nyu-fgp-demographic": "",
    "intake-nyu-multi-physician-neuro": "warn",
    "intake-patient-intake-questionnaire-entry0": "warn",
    "intake-stanford-ir-demographics": "",
    "intake-stanford-ir-dvt": "",
    "intake-stanford-ortho-intake": "warn",
    "lhc-calculatedexpression": "repair",
    "lhc-enablewhen-test": "repair",
    "lhc-enablewhenoncalculatedvaluefromfhirpath": "repair",
    "lhc-hidden-extension": "repair",
    "lhc-nested-repeating-groups-that-contain-an-item-with-answervalueset": "repair",
    "lhc-phq9": "repair",
    "lhc-q-items-under-repeating-choice-item": "repair",
    "lhc-quantity-units": "repair",
    "lhc-variable-scope-test": "repair",
    "nordic-hdir-mental-abc-nb-no-v0-08": "warn",
    "opensrp-assets-resources-sample-patient-registration": "repair",
    "opensrp-covid-19-assessment-questionnaire-en-fhir": "repair",
    "opensrp-eir-adverse-event-questionnaire": "repair",
    "opensrp-extractions-covid19-questionnaire": "repair",
    "opensrp-vital-signs-metric-questionnaire": "repair",
    "other-cardiologyform": "warn",
    "other-mypain-questionnaire-ufl": "repair",
    "other-sdc-loinc-ahrq": "repair",
    "other-simple-initial-visit-bundle-entry4": "",
    "other-situation": "warn",
    "screen-asrs-v1-1": "warn",
    "screen-cage": "",
    "screen-dast-10": "warn",
    "screen-faam": "warn",
    "screen-ipss": "warn",
    "screen-koos": "warn",
    "screen-phq-9": "repair",
    "screen-steadi-referral": "",
    "sdc-all-data-types": "warn",
    "sdc-bundle-questionnaire-sdc-profile-example-entry1": "warn",
    "sdc-bundle-questionnaire-sdc-profile-example-entry3": "warn",
    "sdc-cap": "warn",
    "sdc-demographics": "warn",
    "sdc-form-behavior": "repair",
    "sdc-framingham-hchd-lhc": "warn",
    "sdc-initialvalue-multiple": "warn",
    "sdc-loinc": "repair",
    "sdc-render": "repair",
    "sdc-weight-height-tracking-panel": "warn",
    "who-ancb6": "repair",
    "who-ancb7": "repair",
    "who-ancb8": "warn",
    "who-ancb9": "repair",
}
FILES = files()
only_with_them = pytest.mark.skipif(not REAL.is_dir(), reason="the real forms are not here")


def read(path: Path):
    return form_read(parse(path.read_bytes()), set(bundled_lists()))


def test_every_file_is_written_down():
    real = {path.stem for path in FILES if path.parent == REAL}
    ours = {path.stem for path in FILES} - real
    assert ours and ours <= WORST.keys()
    assert not real or real == WORST.keys() - ours


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_imported_and_drawn(path):
    began = time.thread_time()
    form = read(path)
    took = time.thread_time() - began
    levels = [finding.level for finding in form.findings]
    worst = next((level for level in ("refuse", "repair", "warn") if level in levels), "")
    assert worst == WORST[path.stem]
    assert took < 2
    definition = read_definition(form.definition, {})
    nodes = evaluate(definition, begin(definition, patient=None, now=NOW), now=NOW)
    drawn = {node.item.link_id for node in nodes.walk()}
    asked = {item.link_id for item in definition.walk() if item.is_question}
    assert asked and asked <= drawn


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_dropped_in_silence(path):
    """Every question of the file is there afterwards, and what was repaired is valid and stays as it is."""
    form = read(path)
    kept = json.dumps(form.definition)
    for text in texts(json.loads(path.read_text())["item"]):
        assert json.dumps(text.strip())[1:-1] in kept, text
    again, findings = validated(form.definition)
    assert (again, findings) == (form.definition, [])
    second = form_read(form.definition, set(bundled_lists()))
    assert second.definition == form.definition
    assert [one for one in second.findings if one.level != "warn"] == []


def texts(items):
    for item in items:
        if item.get("text"):
            yield item["text"]
        yield from texts(item.get("item", []))


@only_with_them
def test_item_9_of_the_phq_is_marked():
    form = read(REAL / "lhc-phq9.json")
    marked = [item for item in read_definition(form.definition).walk() if item.danger_weight == 1]
    assert len(marked) == 1 and "better off dead" in marked[0].text
    assert [one.rule for one in form.findings if one.rule == "danger"] == ["danger"]


@only_with_them
def test_conditions_of_the_wrong_type_are_read_as_the_questions_type():
    form = read(REAL / "lhc-enablewhen-test.json")
    says = [one.says for one in form.findings if one.rule == "condition-type"]
    assert len(says) == 4 and all("was read as a" in one for one in says)


@only_with_them
def test_limits_where_fhir_has_none_are_moved():
    form = read(REAL / "opensrp-vital-signs-metric-questionnaire.json")
    definition = read_definition(form.definition)
    weight = definition.by_link_id["vital-signs-body-wight_kg"]
    assert (weight.min_value, weight.max_value) == ({"valueInteger": 0}, {"valueInteger": 999})
