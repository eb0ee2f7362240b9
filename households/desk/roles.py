"""Who at the practice may do what: one table, from which migrations fill the groups of staff (PRODUCT H7).

An owner may do everything, also manage staff; that is no row of the table (StaffAccount.is_owner).

A permission is handed to its role once, by the migration that brings its row: `hand_out` names the rows
that are new. So whatever a practice changes at its groups afterwards stays as it is: permissions added,
permissions taken away, and groups that were deleted. A row without its migration fails a test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps as real_apps
from django.db.models import Model

from accounts.models import OWNERS

FRONT_DESK, CLINICIAN, AUDITOR = "Front desk", "Clinician", "Auditor"
ROLES = (FRONT_DESK, CLINICIAN, AUDITOR)
_WORDS = {"v": "view", "a": "add", "c": "change", "d": "delete"}

# Of each model what front desk, clinician and auditor may: v view, a add, c change, d delete. "x" is a
# permission that belongs to no such word. The auditor reads everything and changes nothing.
TABLE: dict[str, tuple[str, str, str]] = {
    # Families
    "households.member": ("vac", "vac", "v"),
    "households.alsocalled": ("vacd", "vacd", "v"),
    "accounts.householdaccount": ("vc", "vc", "v"),
    # What families sent, and what the practice asks for. No history, not even that there is one, and no
    # answers of clinical forms at the front desk (households/submissions/sight.py).
    "submissions.submission": ("vc", "vc", "v"),
    "submissions.refile_submission": ("x", "x", ""),
    "submissions.refiling": ("v", "v", "v"),
    "documents.document": ("vac", "vac", "v"),
    "documents.documentrequest": ("vac", "vac", "v"),
    "demographics.detailchange": ("vc", "vc", "v"),
    "history.entrychange": ("", "vc", "v"),
    "intake.questionnaireresponse": ("vc", "vc", "v"),
    "intake.view_clinical_answers": ("", "x", "x"),
    "intake.signature": ("v", "vc", "v"),
    "intake.ask": ("vac", "vac", "v"),
    "intake.memberask": ("vac", "vac", "v"),
    # Forms: the front desk may look at what it asks families to fill in.
    "intake.questionnaire": ("v", "vac", "v"),
    "intake.questionnaireversion": ("v", "vacd", "v"),
    "intake.valueset": ("", "vac", "v"),
    # The practice's settings, its staff and the audit are the owners'.
    "households.practice": ("", "", "v"),
    "documents.documentkind": ("", "", "v"),
    "demographics.fieldsetting": ("", "", "v"),
    "history.sectionsetting": ("", "", "v"),
    "desk.rosterimport": ("", "", "v"),
    "desk.staffmailsubscription": ("", "", "v"),
    "accounts.staffaccount": ("", "", "v"),
    "auth.group": ("", "", "v"),
    "audit.auditevent": ("", "", "v"),
}


def permissions_of(role: str, *rows: str) -> set[str]:
    """What `role` may do by the table, or by these rows of it, such as {"households.view_member"}."""
    column = ROLES.index(role)
    found = set()
    for row in rows or TABLE:
        app_label, name = row.split(".")
        for letter in TABLE[row][column]:
            codename = name if letter == "x" else f"{_WORDS[letter]}_{name}"
            found.add(f"{app_label}.{codename}")
    return found


def hand_out(*rows: str) -> Callable[[Any, Any], None]:
    """For `migrations.RunPython`: give the permissions of these rows of the table to the groups of the roles,
    as far as they are there. Without rows, of all, and the groups are made."""

    def forwards(apps: Any, schema_editor: Any) -> None:
        groups = apps.get_model("auth", "Group").objects
        if not rows:
            for role in (*ROLES, OWNERS):
                groups.get_or_create(name=role)
        for role in ROLES:
            group = groups.filter(name=role).first()
            if group is not None:
                named = sorted(permissions_of(role, *rows))
                group.permissions.add(*(_permission(apps, name) for name in named))

    return forwards


def _permission(apps: Any, name: str) -> Any:
    """The row of a permission. On a new database Django makes them only after all migrations."""
    app_label, codename = name.split(".")
    model, words = _meaning(app_label, codename)
    content_type, _made = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app_label, model=model._meta.model_name
    )
    permission, _made = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=codename, defaults={"name": words}
    )
    return permission


def _meaning(app_label: str, codename: str) -> tuple[type[Model], str]:
    """The model that a permission is about, and its name, as Django itself would write it. Raises KeyError
    for one that there is not."""
    known = {}
    for model in real_apps.get_app_config(app_label).get_models():
        meta = model._meta
        for word in meta.default_permissions:
            known[f"{word}_{meta.model_name}"] = (
                model,
                f"Can {word} {meta.verbose_name_raw}",
            )
        known |= {own: (model, str(words)) for own, words in meta.permissions}
    return known[codename]
