from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("documents", "0003_submissions_and_kinds")]

    operations = [
        migrations.RemoveField(
            model_name="document",
            name="sent_by",
        ),
        migrations.RemoveField(
            model_name="document",
            name="sent_in",
        ),
        migrations.RemoveField(
            model_name="document",
            name="status",
        ),
        migrations.AddConstraint(
            model_name="document",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("sender", "family"), ("submission__isnull", False)),
                    models.Q(("sender", "practice"), ("submission", None)),
                    _connector="OR",
                ),
                name="document_has_a_sender",
            ),
        ),
    ]
