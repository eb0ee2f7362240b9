from django.db import migrations, models

FIELDS = [
    *["legal_name", "date_of_birth", "sex", "email"],
    *["preferred_name", "pronouns", "gender_identity", "marital_status", "occupation", "race"],
    *["ethnicity", "address", "mobile_phone", "home_phone", "work_phone", "communication"],
    *["language", "contacts", "doctor", "pharmacy", "primary_insurance", "secondary_insurance"],
]


def make_settings(apps, schema_editor):
    FieldSetting = apps.get_model("demographics", "FieldSetting")
    for field in FIELDS:
        FieldSetting.objects.get_or_create(field=field)


class Migration(migrations.Migration):
    dependencies = [
        ("demographics", "0001_begin"),
    ]

    operations = [
        migrations.AddField(
            model_name="detailchange",
            name="taken_back_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name="fieldsetting",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("accepts_itself", False),
                    models.Q(
                        (
                            "field__in",
                            ("legal_name", "date_of_birth", "sex", "email", "preferred_name"),
                        ),
                        _negated=True,
                    ),
                    _connector="OR",
                ),
                name="identity_is_never_accepted_by_itself",
            ),
        ),
        migrations.RunPython(make_settings, migrations.RunPython.noop),
    ]
