"""The bill of materials: every package that a portal runs with, as CycloneDX 1.6 JSON.

`make sbom` writes build/sbom.json. It is made from the lock files and from licences.toml alone: no network,
nothing installed, and the same bytes each time.
"""

from __future__ import annotations

import json
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

from requirements.lockfile import ROOT, Locked, project, read

LOCKS = {"required": "run.txt", "optional": "s3.txt"}


def licences() -> dict[str, str]:
    """What each package is under, as somebody read it."""
    return dict(tomllib.loads((ROOT / "requirements" / "licences.toml").read_text()))


def bill(folder: Path = ROOT / "requirements") -> dict[str, Any]:
    """The whole document."""
    packages: dict[str, tuple[str, Locked]] = {}
    for scope, name in LOCKS.items():
        for locked in read(folder / name):
            packages.setdefault(locked.name, (scope, locked))
    known = licences()
    about = project()
    own = f"{about['name']}@{about['version']}"
    refs = {name: _purl(locked) for name, (_scope, locked) in packages.items()} | {
        about["name"]: own
    }
    components = [
        {
            "type": "library",
            "bom-ref": refs[name],
            "name": name,
            "version": locked.version,
            "scope": scope,
            # Of every file of this version that may be installed.
            "hashes": [{"alg": "SHA-256", "content": one} for one in locked.hashes],
            "licenses": [{"expression": known[name]}],
            "purl": refs[name],
            "properties": [
                {
                    "name": "kinchart:dependency",
                    "value": "direct" if about["name"] in locked.wanted_by else "transitive",
                }
            ],
        }
        for name, (scope, locked) in sorted(packages.items())
    ]
    needs: dict[str, list[str]] = {name: [] for name in refs}
    for name, (_scope, locked) in packages.items():
        for wanting in locked.wanted_by:
            needs[wanting].append(refs[name])
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": about["name"],
                "version": about["version"],
                "description": about["description"],
                "licenses": [{"expression": about["license"]}],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": refs[name], "dependsOn": sorted(wanted)}
            for name, wanted in sorted(needs.items())
        ],
    }
    # Another content is another document; the same content is the same.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return document | {"serialNumber": serial.urn}


def _purl(locked: Locked) -> str:
    return f"pkg:pypi/{locked.name}@{locked.version}"


def main(arguments: list[str]) -> int:
    path = Path(arguments[0] if arguments else ROOT / "build" / "sbom.json")
    document = bill()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.write(f"{path}: {len(document['components'])} packages\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
