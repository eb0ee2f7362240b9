"""Where a web server finds the portal."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

# All that is loaded by now stays. Looking through it again after every few hundred new objects cost a
# twentieth of each page (measured by `make bench`).
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 20, 20)
