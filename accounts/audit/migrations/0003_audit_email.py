from django.db import migrations, models

from accounts.audit import append_only


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]
    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("object_type", "email")),
                fields=["object_id", "-id"],
                name="audit_email",
            ),
        ),
        migrations.RunPython(append_only.put_before_chain, append_only.put_before_chain),
    ]
