"""The audit: one table that only ever grows.

Database triggers (migration 0002) refuse every change and removal, on SQLite and PostgreSQL, for the
application's own database login too, and a chain shows what was changed behind their back (SECURITY R-AL-3):
append_only.py, chain.py, anchor.py, verifying.py. No foreign keys: an entry outlives what it names.
No names, emails, health values, file names, passwords or tokens (R-AL-2): ids and fixed words only.
"""

from django.db import models


class AuditEvent(models.Model):
    at = models.DateTimeField(auto_now_add=True)
    action = models.CharField(max_length=40)
    outcome = models.CharField(max_length=40, blank=True)
    staff_id = models.BigIntegerField(null=True)
    account_id = models.BigIntegerField(null=True)
    session_id = models.BigIntegerField(null=True)
    member_id = models.BigIntegerField(null=True)
    object_type = models.CharField(max_length=40, blank=True)
    object_id = models.CharField(max_length=40, blank=True)
    client_address = models.GenericIPAddressField(null=True)
    # Where it stands in its chain, and what joins it to the entry before (chain.py).
    lane = models.SmallIntegerField(default=0, editable=False)
    place = models.BigIntegerField(default=0, editable=False)
    mac = models.CharField(max_length=80, blank=True, editable=False)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            # Whatever goes wrong, no two entries follow the same one.
            models.UniqueConstraint(fields=["lane", "place"], name="audit_place"),
        ]
        indexes = [
            models.Index(fields=["member_id", "-id"], name="audit_member"),
            models.Index(fields=["account_id", "-id"], name="audit_account"),
            models.Index(
                fields=["staff_id", "-id"],
                name="audit_staff",
                condition=models.Q(staff_id__isnull=False),
            ),
            models.Index(fields=["action", "-id"], name="audit_action"),
            # What was tried with an address, on file or not (accounts/emails.py email_mark).
            models.Index(
                fields=["object_id", "-id"],
                name="audit_email",
                condition=models.Q(object_type="email"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.outcome}".strip()
