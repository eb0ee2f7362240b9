"""Forms are clinical until the practice says otherwise; consents, which hold a decision and no answers, are not."""

from typing import Any

from django.db import migrations, models


def free_consents(apps: Any, schema_editor: Any) -> None:
    forms = apps.get_model("intake", "Questionnaire")
    forms.objects.filter(kind="consent").update(is_clinical=False)


class Migration(migrations.Migration):
    dependencies = [("intake", "0003_signatures_stand")]

    operations = [
        migrations.AddField(
            model_name="questionnaire",
            name="is_clinical",
            field=models.BooleanField(
                default=True,
                help_text="The front desk sees that it came and whether it suggests danger, but not the "
                "answers. Take the tick away where the front desk is to read them, such as for insurance or "
                "a pick-up list.",
                verbose_name="clinical",
            ),
        ),
        migrations.AlterModelOptions(
            name="questionnaireresponse",
            options={
                "ordering": ["-started_at", "-pk"],
                "permissions": [
                    ("view_clinical_answers", "Can read the answers of clinical forms")
                ],
                "verbose_name": "filled form",
                "verbose_name_plural": "filled forms",
            },
        ),
        migrations.RunPython(free_consents, migrations.RunPython.noop),
    ]
