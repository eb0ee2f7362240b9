"""The floor: the least that Django does for a page with our duties. Nothing of the portal is in it.

Security, session, CSRF and auth middleware; stock sign-in form; a home of about 5 KB with the session, the
user and three indexed look-ups. Serves as a WSGI application: FLOOR_DATA names its folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django
from django.conf import settings

DATA = Path(os.environ["FLOOR_DATA"])

settings.configure(
    SECRET_KEY="the floor keeps no secrets, but Django asks for a long key",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA / "floor.sqlite3",
            "CONN_MAX_AGE": None,
            "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    LOGIN_URL="/login/",
    USE_TZ=True,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ],
                "loaders": [
                    (
                        "django.template.loaders.cached.Loader",
                        [
                            (
                                "django.template.loaders.locmem.Loader",
                                {
                                    "base.html": "<!DOCTYPE html><html lang=en><head><title>{% block title %}"
                                    "{% endblock %}</title></head><body>{% for message in messages %}"
                                    "<p>{{ message }}</p>{% endfor %}{% block main %}{% endblock %}"
                                    "</body></html>",
                                    "login.html": "{% extends 'base.html' %}{% block title %}Sign in"
                                    "{% endblock %}{% block main %}<h1>Sign in</h1><form method=post>"
                                    "{% csrf_token %}{{ form.as_p }}<button>Sign in</button></form>"
                                    "{% endblock %}",
                                    "home.html": "{% extends 'base.html' %}{% block title %}Home"
                                    "{% endblock %}"
                                    "{% block main %}<h1>{{ user.username }}</h1>{% for one in found %}"
                                    "<p>{{ one.name }} {{ one.codename }}</p>{% endfor %}<ul>"
                                    "{% for row in rows %}<li><a href='/page/{{ row }}/'>A line of the page,"
                                    " number {{ row }}, as long as lines of a page are</a></li>{% endfor %}"
                                    "</ul>{% endblock %}",
                                },
                            )
                        ],
                    )
                ],
            },
        }
    ],
)
django.setup()

from django.contrib.auth.decorators import login_required  # noqa: E402 # the settings come first
from django.contrib.auth.models import Permission, User  # noqa: E402 # the settings come first
from django.contrib.auth.views import LoginView  # noqa: E402 # the settings come first
from django.core.management import call_command  # noqa: E402 # the settings come first
from django.core.wsgi import get_wsgi_application  # noqa: E402 # the settings come first
from django.shortcuts import render  # noqa: E402 # the settings come first
from django.urls import path  # noqa: E402 # the settings come first


@login_required
def home(request):
    found = [Permission.objects.get(pk=pk) for pk in (1, 2, 3)]
    return render(request, "home.html", {"found": found, "rows": range(45)})


urlpatterns = [
    path("login/", LoginView.as_view(template_name="login.html", next_page="/")),
    path("", home),
]

application = get_wsgi_application()

if __name__ == "__main__" and sys.argv[1:] == ["prepare"]:
    call_command("migrate", verbosity=0)
    User.objects.create_user("floor", password="floor")
