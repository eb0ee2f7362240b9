from django.db import migrations

from accounts.audit import append_only


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    # Every later migration that alters AuditEvent ends with this operation too: SQLite alters a table by
    # building a new one, and the triggers go with the old.
    operations = [migrations.RunPython(append_only.put_before_chain, append_only.lift)]
