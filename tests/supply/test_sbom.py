"""`make sbom`: what a portal is made of, in the words of CycloneDX."""

from __future__ import annotations

import json
import subprocess
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from requirements.lockfile import ROOT, project, read
from requirements.sbom import bill


def test_it_is_written_where_make_says_and_is_the_same_each_time(tmp_path):
    paths = [tmp_path / "one.json", tmp_path / "two" / "sbom.json"]
    for path in paths:
        command = [sys.executable, "-m", "requirements.sbom", str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert f"{len(bill()['components'])} packages" in done.stdout
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert json.loads(paths[0].read_text()) == bill()


def test_it_keeps_cyclonedx_1_6():
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    document = bill()
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert validator.validate_str(json.dumps(document)) is None
    document["components"][0]["type"] = "thing"
    assert validator.validate_str(json.dumps(document)) is not None


def test_it_names_every_package_of_a_portal_with_version_hashes_and_licence():
    locked = {
        one.name: one
        for name in ("s3.txt", "run.txt")
        for one in read(ROOT / "requirements" / name)
    }
    components = {one["name"]: one for one in bill()["components"]}
    assert components.keys() == locked.keys()
    for name, component in components.items():
        assert component["version"] == locked[name].version
        assert [one["content"] for one in component["hashes"]] == list(locked[name].hashes)
        assert component["licenses"][0]["expression"]
        url = PackageURL.from_string(component["purl"])
        assert (url.type, url.name, url.version) == ("pypi", name, locked[name].version)


def test_it_says_who_asked_for_what():
    document = bill()
    components = {one["name"]: one for one in document["components"]}

    def said(name: str) -> tuple[str, str]:
        return components[name]["scope"], components[name]["properties"][0]["value"]

    assert said("django") == ("required", "direct")
    assert said("sqlparse") == ("required", "transitive")
    assert said("boto3") == ("optional", "direct")
    assert said("jmespath") == ("optional", "transitive")
    needs = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    own = document["metadata"]["component"]
    assert (own["name"], own["version"]) == ("kinchart", project()["version"])
    assert components["django"]["purl"] in needs[own["bom-ref"]]
    assert components["sqlparse"]["purl"] in needs[components["django"]["purl"]]
    assert components["sqlparse"]["purl"] not in needs[own["bom-ref"]]
    # From the portal one gets to every package.
    reached, ahead = set(), [own["bom-ref"]]
    while ahead:
        ref = ahead.pop()
        if ref not in reached:
            reached.add(ref)
            ahead += needs[ref]
    assert reached == needs.keys()


def test_another_package_is_another_document(tmp_path):
    for name in ("run.txt", "s3.txt"):
        text = (ROOT / "requirements" / name).read_text()
        (tmp_path / name).write_text(text.replace("six==1.17.0", "six==1.17.1"))
    assert bill(tmp_path)["serialNumber"] != bill()["serialNumber"]
