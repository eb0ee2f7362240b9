from django.db import migrations

SECTIONS = (
    *("allergies", "medications", "conditions", "procedures", "family", "immunizations"),
    *("screenings", "lifestyle", "birth", "pregnancy", "wellbeing", "practitioners", "goals"),
)
PRIVATE = {"pregnancy", "wellbeing"}


def begin_with_all(apps, schema_editor):
    """Every topic is asked until the practice says otherwise."""
    SectionSetting = apps.get_model("history", "SectionSetting")
    for section in SECTIONS:
        SectionSetting.objects.get_or_create(
            section=section, defaults={"is_private": section in PRIVATE}
        )


class Migration(migrations.Migration):
    dependencies = [("history", "0001_begin")]

    operations = [migrations.RunPython(begin_with_all, migrations.RunPython.noop)]
