"""The test house: an empty data folder, a real database, and surprises that fail the test.

Settings are read from the environment when they load, so everything here that sets it runs first.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

if settings.configured:
    pytest.exit(
        "Unset DJANGO_SETTINGS_MODULE: the tests set up their own environment.", returncode=4
    )

# What a developer has set for `make run` must not decide whether a test passes.
for name in [*os.environ]:
    if name.startswith("PORTAL_") or name in {
        "SECRET_KEY",
        "ALLOWED_HOSTS",
        "DEBUG",
        "EMAIL_URL",
        "PORT",
    }:
        del os.environ[name]
DATA = Path(tempfile.mkdtemp(prefix="portal-tests-"))
atexit.register(shutil.rmtree, DATA, ignore_errors=True)
(DATA / "static").mkdir()
(DATA / "audit-key").write_text("a key of nobody's, with more than 32 characters\n")
os.environ["PORTAL_DATA"] = str(DATA)
os.environ["PORTAL_LOCAL"] = "1"
os.environ["PORTAL_DEMO"] = "0"
os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
# The browser's driver leaves an event loop running in the process that later runs other tests.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

from tests.undefined import Undefined  # noqa: E402 # the settings come first

settings.TEMPLATES[0]["OPTIONS"]["string_if_invalid"] = Undefined()
# Stored names with a hash in them need `collectstatic` first; the pages are the same without.
settings.STORAGES["staticfiles"]["BACKEND"] = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
)
if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, as in `make run`: in memory there is no WAL, no lock to wait for and no second connection.
    settings.DATABASES["default"]["TEST"] = {"NAME": str(DATA / "test.sqlite3")}

# Read by now. Left there, pytest's parallel processes would load settings before they come through here,
# and share this data folder.
del os.environ["DJANGO_SETTINGS_MODULE"]

pytest_plugins = ["tests.cast", "tests.clamav", "tests.forms_on_file"]


@pytest.fixture(autouse=True)
def cheap_hashes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 at its lowest cost. `@pytest.mark.real_hashes` keeps the portal's own."""
    if request.node.get_closest_marker("real_hashes") is None:
        from accounts.passwords import PortalArgon2Hasher

        monkeypatch.setattr(PortalArgon2Hasher, "time_cost", 1)
        monkeypatch.setattr(PortalArgon2Hasher, "memory_cost", 8)


@pytest.fixture(autouse=True)
def one_practice_in_each_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """None from the test before, and read once: a count of queries must not hang on the clock."""
    from households.models import Practice

    monkeypatch.setattr(Practice, "REMEMBER_SECONDS", 3600)
    Practice.forget()


@pytest.fixture(autouse=True)
def anchor_of_no_entries() -> None:
    """The audit is empty again, and its anchor would miss what the test before has written."""
    begin_the_anchor()


def begin_the_anchor() -> None:
    from accounts.audit import anchor

    anchor.path().write_bytes(anchor.content(anchor.MIGRATION, ()))


@pytest.fixture(scope="session", autouse=True)
def flush_may_empty_the_audit() -> Iterator[None]:
    """Tests with real transactions end with Django's flush, which the triggers of what only grows refuse.
    Here, and nowhere in the product, they are lifted for it and put back, in the flush's own transaction."""
    from django.db.backends.base.operations import BaseDatabaseOperations

    from accounts.audit import append_only
    from households.submissions import moved

    flush = BaseDatabaseOperations.execute_sql_flush

    def flush_with_triggers_lifted(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        vendor = self.connection.vendor
        lift = [*append_only.LIFT[vendor], *moved.LIFT[vendor]]
        flush(self, [*lift, *sql_list, *append_only.PUT[vendor], *moved.PUT[vendor]])
        begin_the_anchor()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", flush_with_triggers_lifted)
        yield


@pytest.fixture
def run_tasks(db: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """A function that runs the queue's ready tasks with the real worker and returns their results.

    `later=True` runs the delayed ones too, as if their time had come. A task that raised fails the
    test, unless `failing=True` says that it should.
    """
    from django.utils import timezone
    from django_tasks_db.management.commands import db_worker
    from django_tasks_db.models import DBTaskResult

    # The worker would close the connection that holds the test's own transaction.
    monkeypatch.setattr(db_worker, "close_old_connections", lambda: None)

    def run(*, later: bool = False, failing: bool = False) -> list[DBTaskResult]:
        waiting = DBTaskResult.objects.filter(status="READY")
        if later:
            waiting.filter(run_after__year__lt=9999).update(run_after=timezone.now())
        ready = list(waiting.ready().values_list("pk", flat=True))
        db_worker.Worker(
            queue_names=["*"],
            excluded_queue_names=[],
            interval=0,
            batch=True,
            backend_name="default",
            startup_delay=False,
            max_tasks=None,
            worker_id="tests",
        ).run()
        results = list(DBTaskResult.objects.filter(pk__in=ready))
        broken = [result.traceback for result in results if result.status == "FAILED"]
        assert failing or not broken, "\n".join(broken)
        return results

    return run


# Each has a portal of its own to start, and a PostgreSQL server does not let in two of everything.
IN_ONE_PROCESS = ("tests/browser/", "tests/hostile/", "tests/portal/test_serve.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Parallel processes take single tests, except of those folders. By path: xdist 3.8 writes the group
    of a mark where pytest 9.2 no longer reads it."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPath(LoadScopeScheduling):  # type: ignore[misc] # xdist comes without types
        def _split_scope(self, nodeid: str) -> str:
            return next((path for path in IN_ONE_PROCESS if nodeid.startswith(path)), nodeid)

    return ByPath(config, log)


def pytest_report_header() -> str:
    engine = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]
    return f"database: {engine}, python {sys.version_info.major}.{sys.version_info.minor}"
