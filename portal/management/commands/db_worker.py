"""The background worker, as django_tasks_db has it, but for what it leaves behind: its log lines say whose
they are, and of a task that is done nothing is kept that was handed to it or that an error said.

Before django_tasks_db in INSTALLED_APPS, so that this is the `db_worker` that is found.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from django.core.management.base import CommandError
from django_tasks_db.management.commands import db_worker
from django_tasks_db.models import DBTaskResult

from portal.logs import lines_of_task

logger = logging.getLogger(__name__)

_NOTHING: dict[str, Any] = {"args": [], "kwargs": {}}
# As Python writes a place of a traceback; what else stands in one may be a value.
_PLACE = re.compile(r'^  File ".+", line \d+, in [\w<>]+$', re.MULTILINE)


class TaskWorker(db_worker.Worker):
    def run_task(self, db_task_result: DBTaskResult) -> None:
        with lines_of_task(str(db_task_result.pk)):
            super().run_task(db_task_result)
        places = _PLACE.findall(db_task_result.traceback)
        DBTaskResult.objects.filter(pk=db_task_result.pk).finished().update(
            args_kwargs=_NOTHING, traceback="\n".join(places)
        )


db_worker.Worker = TaskWorker  # type: ignore[misc] # its command makes what this names


class Command(db_worker.Command):
    def handle(self, **options: Any) -> None:
        try:
            super().handle(**options)
        except Exception:
            # Python's own traceback would be printed with what the database said.
            logger.exception("The background worker ended early")
            raise CommandError("The background worker ended early.") from None
