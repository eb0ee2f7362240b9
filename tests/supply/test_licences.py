"""A package under another kind of licence does not come in unseen."""

from __future__ import annotations

import re
from importlib import metadata

import pytest
from license_expression import get_spdx_licensing

from requirements.lockfile import ROOT, project, read
from requirements.sbom import licences

# What software under Apache-2.0 may need while it runs. The LGPL's and MPL's terms bind their own files,
# which the portal loads and does not change; GPL and AGPL would bind the portal, and are not here.
ALLOWED = {
    *["Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0"],
    *["LGPL-2.1-only", "LGPL-3.0-only", "MPL-2.0", "Unlicense"],
}
# How the makers of packages write what SPDX has a name for.
SPELLINGS = {
    "BSD": r"BSD",
    "MIT": r"MIT",
    "Apache": r"Apache",
    "LGPL": r"LGPL|Lesser General Public",
    "MPL": r"MPL|Mozilla",
    "PSF": r"PSF|Python Software Foundation",
    "Unlicense": r"Unlicense|Public Domain",
}


def runtime() -> set[str]:
    return {
        one.name for name in ("run.txt", "s3.txt") for one in read(ROOT / "requirements" / name)
    }


def test_somebody_read_the_licence_of_every_package():
    assert sorted(runtime() - licences().keys()) == [], "read it, then add it to licences.toml"
    assert sorted(licences().keys() - runtime()) == [], "not needed any more"
    assert list(licences()) == sorted(licences())


@pytest.mark.parametrize("name", sorted(licences()))
def test_a_portal_under_apache_2_may_need_it(name):
    expression = get_spdx_licensing().parse(licences()[name], validate=True, strict=True)
    assert {symbol.key for symbol in expression.symbols} <= ALLOWED


def test_the_portal_says_its_own():
    assert project()["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("name", sorted(licences()))
def test_the_package_says_the_same_of_itself(name):
    """Where its metadata says anything: a package that changes its licence is looked at again."""
    said = metadata.metadata(name)
    theirs = " ".join(
        [
            said["License-Expression"] or "",
            (said["License"] or "")[:200],
            *(one for one in said.get_all("Classifier") or [] if one.startswith("License ::")),
        ]
    ).strip()
    if said["License-Expression"]:
        assert said["License-Expression"] == licences()[name]
    families = [family for family in SPELLINGS if family in licences()[name]]
    assert families
    if theirs:
        assert any(re.search(SPELLINGS[family], theirs, re.I) for family in families), theirs
    assert not re.search(r"(?<![L])GPL|Affero", theirs), theirs
