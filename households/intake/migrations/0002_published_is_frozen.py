from django.db import migrations

from households.intake import frozen


class Migration(migrations.Migration):
    dependencies = [("intake", "0001_initial")]

    operations = [migrations.RunPython(frozen.put, frozen.lift)]
