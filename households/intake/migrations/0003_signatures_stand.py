from django.db import migrations

from households.intake import signed


class Migration(migrations.Migration):
    dependencies = [("intake", "0002_published_is_frozen")]

    operations = [migrations.RunPython(signed.put, signed.lift)]
