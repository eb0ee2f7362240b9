from django.db import migrations

from households.desk import roles


class Migration(migrations.Migration):
    """The groups of staff. Rows are named here, not models of other slices: none has to be migrated before."""

    dependencies = [
        ("desk", "0001_roster_imports_and_mail"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(roles.hand_out(), migrations.RunPython.noop)]
