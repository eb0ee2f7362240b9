from django.db import migrations

KINDS = (
    "Insurance card",
    "Photo ID",
    "Referral",
    "Lab result",
    "Imaging report",
    "Vaccination record",
    "List of medicines",
    "Discharge papers",
    "Form from school or work",
    "Guardianship or court paper",
    "Something else",
)


def give_submissions(apps, schema_editor):
    """Every document that was sent before gets its submission."""
    Document = apps.get_model("documents", "Document")
    Submission = apps.get_model("submissions", "Submission")
    for document in Document.objects.filter(submission=None).iterator():
        document.submission = Submission.objects.create(
            member_id=document.member_id,
            kind="document",
            sent_at=document.sent_at,
            sent_by_id=document.sent_by_id,
            sent_in_id=document.sent_in_id,
        )
        document.save(update_fields=["submission"])


def begin_the_list(apps, schema_editor):
    """A list of kinds to start from; the practice changes it in admin."""
    DocumentKind = apps.get_model("documents", "DocumentKind")
    for position, name in enumerate(KINDS, start=1):
        DocumentKind.objects.get_or_create(name=name, defaults={"position": position * 10})


class Migration(migrations.Migration):
    dependencies = [("documents", "0002_both_ways")]

    operations = [
        migrations.RunPython(give_submissions, migrations.RunPython.noop),
        migrations.RunPython(begin_the_list, migrations.RunPython.noop),
    ]
