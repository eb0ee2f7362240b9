from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IntakeConfig(AppConfig):
    """Forms and consents. The label cannot be "forms"."""

    name = "households.intake"
    label = "intake"
    verbose_name = _("forms and consents")
