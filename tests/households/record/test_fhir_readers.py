"""What is exported, as readers that we did not write see it (tests/fhir)."""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
from pathlib import Path

from households.record.archive import write_zip
from households.record.fhir_bundle import bundle_of
from tests.cast import household, member
from tests.fhir_readers import HERE, problems_of
from tests.households.record.conftest import HOSTILE, document, every_status, fill, record, sent


def of_kind(bundle, kind):
    return next(
        entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind
    )


def test_nothing_is_wrong_and_what_is_wrong_is_found(cast, rich, none_known, tmp_path: Path):
    """One run for all: loading the readers takes longer than reading."""
    strange = member(
        "<b>", "#panic()", "2001/01/01", "strange@example.org", preferred_name="{{7*7}}"
    )
    fill(strange, household("strange@example.org"), cast.nurse_staff, HOSTILE)
    mixed = member("Many", "States", "2010/10/10", "states@example.org")
    every_status(mixed, household("states@example.org"))
    people = (cast.mia, none_known, cast.elena, strange, mixed)
    good = [bundle_of(record(one)) for one in people]
    # As it stands in a zip, beside papers of any name.
    document(sent(cast.mia, cast.rivera, "document"), "Labor Żółć (2).png")
    out = io.BytesIO()
    write_zip(record(cast.mia), out)
    with zipfile.ZipFile(out) as archive:
        good.append(json.loads(archive.read("record.json")))

    broken = copy.deepcopy(good[0])
    allergy = of_kind(broken, "AllergyIntolerance")
    allergy["verificationStatus"]["coding"][0]["code"] = "entered-in-error"
    of_kind(broken, "Patient")["gender"] = "hostile"
    of_kind(broken, "Immunization")["invented"] = True
    of_kind(broken, "Goal")["subject"]["reference"] = "urn:uuid:elsewhere"

    found = problems_of(tmp_path, *good, broken)
    assert [one for one in found if not one["file"].endswith("6.json")] == []
    caught = {(one["reader"], one["id"].split("/")[0]) for one in found}
    assert caught - {("medplum", "Bundle")} == {
        ("medplum", "AllergyIntolerance"),  # ait-2: a mistake has no clinical status
        ("fhir", "Patient"),
        ("fhir", "Immunization"),
        ("medplum", "Immunization"),
        ("references", "Goal"),
    }


def test_the_readers_are_pinned_and_come_from_nowhere_in_particular():
    lock = (HERE / "package-lock.json").read_text()
    assert "://" not in lock
    assert '"resolved"' not in lock
    versions = re.findall(
        r'": "(.+)"', (HERE / "package.json").read_text().split("dependencies")[1]
    )
    assert len(versions) == 3
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
