"""A file that a command writes for its caller: whole or not at all, and for nobody else to read."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from django.core.management.base import CommandError


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[IO[bytes]]:
    """A file for its owner alone, which has its name once it is whole and on the disk. It never takes the
    place of another, also of one that came meanwhile."""
    if os.path.lexists(target):
        raise CommandError(f"{target} is there already. Nothing was written.")
    try:
        # mkstemp, below, makes it readable for nobody else.
        # The block below closes it; here is only said why it cannot be made.
        file = tempfile.NamedTemporaryFile(dir=target.parent, prefix=".export-", delete=False)  # noqa: SIM115
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror or error}") from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _give_name(Path(file.name), target)
    except OSError as error:
        raise CommandError(f"{target} was not written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file.name)


def _give_name(made: Path, target: Path) -> None:
    try:
        os.link(made, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError from None
        os.rename(made, target)
