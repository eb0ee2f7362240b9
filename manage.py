#!/usr/bin/env python
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if sys.argv[1:2] == ["serve"]:
        # Settings load before the command runs; this machine, without TLS, unless told otherwise.
        os.environ.setdefault("PORTAL_LOCAL", "1")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # Whoever installs the portal needs the sentence, not where it was raised.
        sys.exit(f"The settings do not fit. {error}")
