import logging

from django.apps import AppConfig
from django.core.checks import Tags, register


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        from portal.checks import lines_are_encrypted, security_contact_is_set

        register(security_contact_is_set, Tags.security, deploy=True)
        register(lines_are_encrypted, Tags.security, deploy=True)
        # Python prints warnings with their words, which may hold a value; as lines of the log they lose them.
        logging.captureWarnings(True)
