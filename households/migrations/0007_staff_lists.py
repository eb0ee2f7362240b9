from django.db import migrations, models

from households import trigram


class Migration(migrations.Migration):
    """What the staff's lists and searches of people go by, at any size of the practice."""

    dependencies = [("households", "0006_settings_and_logo")]

    operations = [
        migrations.AddIndex(
            model_name="member",
            index=models.Index(
                fields=["last_name_key", "first_name_key", "id"], name="member_by_name"
            ),
        ),
        migrations.RunPython(trigram.put, trigram.lift),
    ]
