"""`manage.py serve`, which is what `make run` starts: the whole portal in one foreground process tree."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from portal.processes import Child, keep_running

_GRACEFUL_SECONDS = 30
# A task that took its worker down with it this often is not tried again.
_MOST_STARTS = 5


class Command(BaseCommand):
    help = "Serve the whole portal on 127.0.0.1:PORT, web and background worker, until Ctrl-C or SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)  # health data: for the portal's own login only
        try:
            self.serve()
        except KeyboardInterrupt:
            raise CommandError("Stopped before the portal was ready.", returncode=130) from None

    def serve(self) -> None:
        listener = _listen()
        _prepare_database()
        _refuse_known_passwords()
        _collect_static()
        lines = _load_demo() or _first_steps()
        for line in [*_welcome(), *lines, "", "Press Ctrl-C to stop."]:
            self.say(line)
        connection.close()
        ended_well = keep_running(
            [
                Child("web server", _web_command(listener), pass_fds=[listener.fileno()]),
                Child("background worker", _worker_command(), before_start=make_ready_again),
            ],
            stop_seconds=_GRACEFUL_SECONDS + 5,
            say=self.say,
            on_stop=listener.close,
        )
        if not ended_well:
            raise CommandError("Stopped, but not everything had finished.")
        self.say("Stopped.")

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _listen() -> socket.socket:
    """The listening socket, held here and handed to the web server: a restarted one goes on with it, and
    no browser is turned away meanwhile."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", settings.PORT))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        raise CommandError(
            f"Port {settings.PORT} cannot be used ({getattr(error, 'strerror', None) or error}). Stop the "
            "program that listens there, or choose another port: make run PORT=8001"
        ) from None
    return listener


def _prepare_database() -> None:
    try:
        connection.ensure_connection()
    except Error as error:
        database = settings.DATABASES["default"]
        place = (
            f"{database['HOST']}:{database['PORT'] or 5432}"
            if database["HOST"]
            else database["NAME"]
        )
        raise CommandError(
            f"The database at {place} cannot be reached ({type(error).__name__}). Is it running, and does "
            "DATABASE_URL name it, with its user and password?"
        ) from None
    loader = MigrationLoader(connection)
    ours = {label for label, _name in loader.disk_migrations}
    newer = sorted(
        f"{label} {name}"
        for label, name in loader.applied_migrations
        if label in ours and (label, name) not in loader.disk_migrations
    )
    if newer:
        raise CommandError(
            f"The database was written by a newer version of the portal ({newer[0]}). Start that version, "
            "or restore a backup made by this one. Nothing was changed."
        )
    call_command("migrate", interactive=False, verbosity=0)


def _refuse_known_passwords() -> None:
    """The demo's family password stands in the README: such a database is for trying out."""
    if not settings.PORTAL_HTTPS:
        return
    from portal.demo import opens_with_printed_password

    if opens_with_printed_password():
        raise CommandError(
            "This database holds the made-up practice, and a login whose password everybody can read. Begin "
            "with an empty database: another PORTAL_DATA, or another DATABASE_URL."
        )


def _collect_static() -> None:
    """Copy and compress style sheets, scripts and pictures, unless these very files were done before."""
    fingerprint = hashlib.sha256()
    for finder in get_finders():
        for path, storage in sorted(finder.list([]), key=lambda found: found[0]):
            status = Path(storage.path(path)).stat()
            fingerprint.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    done = Path(settings.STATIC_ROOT) / ".collected"
    if done.exists() and done.read_text() == fingerprint.hexdigest():
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    done.write_text(fingerprint.hexdigest())


def _load_demo() -> list[str]:
    if not settings.PORTAL_DEMO:
        return []
    from portal.demo import load_demo

    lines = load_demo()
    return ["", *lines] if lines is not None else []


def _first_steps() -> list[str]:
    """What a practice's own portal still lacks."""
    from accounts.models import StaffAccount
    from households.models import Member

    steps = []
    if not StaffAccount.objects.exists():
        steps.append("  No staff account yet:     .venv/bin/python manage.py createsuperuser")
    if not Member.objects.exists():
        steps.append(
            "  No patients on file yet:  .venv/bin/python manage.py import_roster FILE --dry-run"
        )
    if steps:
        where = f"PORTAL_DATA={settings.DATA}"
        steps = ["", f"To do, in another terminal with the same settings ({where}):", *steps]
    return steps


def _welcome() -> list[str]:
    return [
        f"Kinchart listens on http://127.0.0.1:{settings.PORT}/",
        "",
        f"  Families   {settings.PORTAL_URL}/",
        f"  Staff      {settings.PORTAL_URL}/admin/",
        f"  Mails      {_where_mails_go()}",
        f"  Data       {settings.DATA}",
        f"  Viruses    {_who_looks_for_viruses()}",
    ]


def _where_mails_go() -> str:
    backend = settings.EMAIL_BACKEND.split(".")[-2]
    if backend == "filebased":
        return f"files in {settings.EMAIL_FILE_PATH}"
    if backend == "smtp":
        return f"sent by {settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    return backend


def _who_looks_for_viruses() -> str:
    if settings.SCANNER is None:
        return "files are not scanned: PORTAL_SCANNER is not set"
    return "files are scanned, and wait unopened while the scanner does not answer"


def _web_command(listener: socket.socket) -> list[str]:
    # Where the server keeps its heartbeat files: never on a disk that may stall.
    # Gunicorn's heartbeat, no file of ours.
    heartbeats = "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(settings.UPLOADING)  # noqa: S108
    return [
        *[sys.executable, "-m", "gunicorn", "portal.wsgi"],
        *["--config", "python:portal.web_server"],
        *["--bind", f"fd://{listener.fileno()}"],
        *["--workers", str(settings.PORTAL_WORKERS), "--threads", str(settings.PORTAL_THREADS)],
        *["--graceful-timeout", str(_GRACEFUL_SECONDS)],
        *["--worker-tmp-dir", heartbeats],
    ]


def _worker_command() -> list[str]:
    manage = settings.BASE_DIR / "manage.py"
    options = ["--queue-name", "*", "--no-startup-delay", "--interval", "0.5", "--no-reload"]
    return [sys.executable, str(manage), "db_worker", *options]


def make_ready_again() -> None:
    """Tasks that a dead worker left half done become ready again: there is one worker, and it is about to
    start. Tasks are written so that doing one twice is harmless."""
    # Imported here: `make run` has no tables before this command has made them.
    from households.desk import staff_mail

    try:
        for task in DBTaskResult.objects.running():
            if len(task.worker_ids) < _MOST_STARTS:
                task.status, task.started_at = "READY", None
            else:
                task.status, task.finished_at = "FAILED", timezone.now()
            task.save(update_fields=["status", "started_at", "finished_at"])
        staff_mail.keep_looking()
    finally:
        connection.close()
