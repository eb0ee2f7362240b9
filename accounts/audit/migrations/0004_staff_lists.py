from django.db import migrations, models

from accounts.audit import append_only


class Migration(migrations.Migration):
    """What the audit is listed and searched by, at any length."""

    dependencies = [("audit", "0003_audit_email")]

    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                fields=["staff_id", "-id"],
                name="audit_staff",
                condition=models.Q(("staff_id__isnull", False)),
            ),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["action", "-id"], name="audit_action"),
        ),
        migrations.RunPython(append_only.put_before_chain, append_only.put_before_chain),
    ]
