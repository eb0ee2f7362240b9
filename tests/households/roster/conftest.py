"""The command as an operator runs it, on a file made for the test."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

HEADER = "patient_id,mrn,first_name,last_name,date_of_birth,email,status"


@dataclass
class Outcome:
    status: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.out.rstrip("\n").rpartition("\n")[2]

    def line_of(self, kind: str) -> str:
        """The one line of the report that names this kind."""
        found = [line for line in self.out.splitlines() if f"  {kind}: " in line]
        assert len(found) == 1, f"{kind}: {len(found)} times in\n{self.out}"
        return found[0]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Outcome]:
    """Write `content` to a file and import it. A Path is imported as it is."""

    def run(content: str | bytes | Path, *options: str) -> Outcome:
        if isinstance(content, Path):
            path = content
        else:
            path = tmp_path / "file-without-a-telling-name"
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        out, err = io.StringIO(), io.StringIO()
        status = 0
        try:
            call_command("import_roster", str(path), *options, stdout=out, stderr=err)
        except CommandError as error:
            status = error.returncode
            err.write(str(error))
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        return Outcome(status, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def run_rows(run: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Import CSV rows of the columns patient_id, mrn, first_name, last_name, date_of_birth, email, status."""

    def run_rows(*rows: str, options: tuple[str, ...] = ()) -> Outcome:
        return run("\n".join([HEADER, *rows, ""]), *options)

    return run_rows


@pytest.fixture
def samples() -> Path:
    return Path(__file__).parents[2] / "data" / "rosters"
