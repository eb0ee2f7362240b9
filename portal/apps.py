import logging

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        # Python prints warnings with their words, which may hold a value; as lines of the log they lose them.
        logging.captureWarnings(True)
