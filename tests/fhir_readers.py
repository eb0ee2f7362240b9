"""Two readers of FHIR R4 that nobody here wrote, from npm: what they find wrong with a Bundle."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "fhir"
BUILD = Path(__file__).parents[1] / "build"
NODE, NPM = shutil.which("node"), shutil.which("npm")


def problems_of(folder: Path, *bundles: Any) -> list[dict[str, str]]:
    """`folder` is for the files. Skips the test, and says so, on a machine without Node and npm."""
    modules = _modules()
    assert NODE
    files = []
    for number, bundle in enumerate(bundles):
        files.append(folder / f"{number}.json")
        files[-1].write_text(json.dumps(bundle))
    answer = subprocess.run(
        [NODE, HERE / "check.mjs", *files],
        env={**os.environ, "MODULES": str(modules)},
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert answer.returncode == 0, answer.stderr
    found: list[dict[str, str]] = json.loads(answer.stdout)
    return found


def _modules() -> Path:
    """The folder they are installed in: once for each lock file, whichever test comes first."""
    if not (NODE and NPM):
        missing = "FHIR is not read by others: there is no Node with npm on this machine"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    lock = (HERE / "package-lock.json").read_bytes()
    folder = BUILD / f"fhir-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(HERE / name, folder)
            install = subprocess.run(
                [str(NPM), "ci"], cwd=folder, capture_output=True, text=True, timeout=50
            )
            assert install.returncode == 0, install.stderr
            (folder / "installed").touch()
    return folder
