"""Every setting of the portal, read from the environment. Safe by default.

The README has a table of the variables; a test holds the table against this file.
"""

import importlib.util
import re
import secrets
import sys
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


class _Env(environ.Env):  # type: ignore[misc]  # it has no types
    """Names the variable that cannot be read; Python's own message names only what stands in it."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError:
            given = self.ENVIRON.get(var, "")
            raise ImproperlyConfigured(
                f"{var} has to be a whole number; it is “{given}”."
            ) from None


env = _Env()


# --- where things are -----------------------------------------------------------------

DATA = Path(env.str("PORTAL_DATA", default=str(BASE_DIR / "var"))).resolve()
UPLOADING = DATA / "tmp"
DATA.parent.mkdir(parents=True, exist_ok=True)
for _folder in (DATA, UPLOADING):
    # Health data lies here: for the portal's own login only.
    _folder.mkdir(mode=0o700, exist_ok=True)
PORT = env.int("PORT", default=8000)
# `manage.py serve`, which is what `make run` starts, sets this: a machine to try the portal on.
LOCAL_RUN = env.bool("PORTAL_LOCAL", default=False)
PORTAL_URL = env.str("PORTAL_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
# On means production: what is unsafe there is refused below.
PORTAL_HTTPS = env.bool("PORTAL_HTTPS", default=not LOCAL_RUN)
PORTAL_DEMO = env.bool("PORTAL_DEMO", default=LOCAL_RUN and not PORTAL_HTTPS)
PORTAL_WORKERS = env.int("PORTAL_WORKERS", default=2)
PORTAL_THREADS = env.int("PORTAL_THREADS", default=4)
SENDFILE = env.str("PORTAL_SENDFILE", default="")
if SENDFILE not in {"", "X-Accel-Redirect", "X-Sendfile"}:
    raise ImproperlyConfigured(
        f"PORTAL_SENDFILE is “{SENDFILE}”. It can be X-Accel-Redirect (nginx), X-Sendfile (Apache, "
        "lighttpd), or empty: then the portal sends files itself."
    )


def _kept_secret() -> str:
    """The signing key kept in PORTAL_DATA, readable by its owner only.

    Made there by `make run` and by `manage.py`; a production server only reads it, so that a
    mistyped PORTAL_DATA cannot silently start a second portal with a key of its own.
    """
    path = DATA / "secret-key"
    if not path.exists():
        if not (LOCAL_RUN or Path(sys.argv[0]).name == "manage.py"):
            raise ImproperlyConfigured(
                "SECRET_KEY is not set. Set it to a long random text, or start with `make run`, "
                "which makes one and keeps it in PORTAL_DATA."
            )
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text().strip()


def _can_be_guessed(key: str) -> bool:
    """Too short, of too few different characters, or an example that somebody forgot to replace."""
    letters = re.sub(r"[^a-z]", "", key.lower())
    samples = ("djangoinsecure", "changeme", "changethis", "replaceme", "secretkey", "placeholder")
    return len(key) < 32 or len(set(key)) < 10 or any(word in letters for word in samples)


DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or _kept_secret()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"] if LOCAL_RUN else [])
if PORTAL_HTTPS and "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS may not hold '*': name the portal's host.")
if PORTAL_HTTPS and PORTAL_DEMO:
    raise ImproperlyConfigured(
        "PORTAL_DEMO makes a login whose password everybody can read: never beside PORTAL_HTTPS."
    )
if PORTAL_HTTPS and _can_be_guessed(SECRET_KEY):
    raise ImproperlyConfigured(
        "SECRET_KEY can be guessed, and whoever has it can forge links and cookies. Set it to what this "
        "prints: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
    )
if PORTAL_HTTPS and DEBUG:
    raise ImproperlyConfigured("DEBUG shows health data in error pages: never beside PORTAL_HTTPS.")


# --- the portal's own limits ----------------------------------------------------------

LINK_SECONDS = env.int("PORTAL_LINK_SECONDS", default=86400)
IDLE_SECONDS = env.int("PORTAL_IDLE_SECONDS", default=900)
ABSOLUTE_SECONDS = env.int("PORTAL_ABSOLUTE_SECONDS", default=28800)
STAFF_ABSOLUTE_SECONDS = env.int("PORTAL_STAFF_ABSOLUTE_SECONDS", default=43200)
PASSWORD_MIN = max(8, env.int("PORTAL_PASSWORD_MIN", default=15))
FILE_MB = env.int("PORTAL_FILE_MB", default=25)
HOUSEHOLD_MB = env.int("PORTAL_HOUSEHOLD_MB", default=2000)
HOUSEHOLD_FILES = env.int("PORTAL_HOUSEHOLD_FILES", default=1000)
# More are counted, and said to be too many, but not kept.
FILES_AT_ONCE = 20
TRUSTED_PROXIES = env.int("PORTAL_TRUSTED_PROXIES", default=0)


def _socket_address(variable: str, given: str) -> str | tuple[str, int] | None:
    """A path (`/run/x`, `unix:/run/x`), or host and port (`host:port`, `tcp://host:port`)."""
    if not given:
        return None
    path = re.fullmatch(r"(?:unix:(?://)?)?(/.*[^/])", given)
    if path:
        return path[1]
    host = re.fullmatch(r"(?:tcp://)?(?:\[([\da-fA-F:]+)\]|([\w.-]+)):(\d{1,5})", given, re.ASCII)
    if host and 0 < int(host[3]) < 2**16:
        return host[1] or host[2], int(host[3])
    raise ImproperlyConfigured(
        f"{variable} has to be a path such as /run/clamav/clamd.ctl, or a host and a port such as "
        f"127.0.0.1:3310; it is “{given}”."
    )


def _security_contact(given: str) -> str:
    """Where a finding is reported, as RFC 9116 writes it: one address, which has to fit on one line."""
    is_mail = re.fullmatch(r"mailto:[^\s@,<>]+@[\w.-]+\.[a-z]{2,}", given, re.ASCII | re.IGNORECASE)
    is_page = re.fullmatch(r"https://[\w.-]+(:\d+)?(/[!-~]*)?", given, re.ASCII)
    if given and not (is_mail or is_page):
        raise ImproperlyConfigured(
            "PORTAL_SECURITY_CONTACT has to be an address such as mailto:security@practice.example or "
            f"https://practice.example/security; it is “{given}”."
        )
    return given


# Empty: there is no /.well-known/security.txt, and `check --deploy` says so.
SECURITY_CONTACT = _security_contact(env.str("PORTAL_SECURITY_CONTACT", default="").strip())
# None: the keys in PORTAL_DATA/audit-key, which is made when first needed. Several are parted by commas, and
# the last one writes.
AUDIT_KEYS = [key.strip() for key in env.str("PORTAL_AUDIT_KEY", default="").split(",")]
AUDIT_KEYS = [key for key in AUDIT_KEYS if key]
if any(len(key) < 32 for key in AUDIT_KEYS):
    raise ImproperlyConfigured(
        "PORTAL_AUDIT_KEY has to be a random text of at least 32 characters."
    )
AUDIT_ANCHOR = Path(env.str("PORTAL_AUDIT_ANCHOR", default=str(DATA / "audit-anchor"))).resolve()

# None: files are not scanned for viruses.
SCANNER = _socket_address("PORTAL_SCANNER", env.str("PORTAL_SCANNER", default="").strip())


# --- Django ---------------------------------------------------------------------------

INSTALLED_APPS = [
    # Before Django's own auth, whose createsuperuser it replaces.
    "accounts.apps.AccountsConfig",
    "portal.admin.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_otp.plugins.otp_totp",
    # Before django_tasks_db, whose db_worker it replaces.
    "portal.apps.PortalConfig",
    "django_tasks_db",
    "accounts.audit.apps.AuditConfig",
    "households.apps.HouseholdsConfig",
    "households.submissions.apps.SubmissionsConfig",
    "households.documents.apps.DocumentsConfig",
    "households.demographics.apps.DemographicsConfig",
    "households.history.apps.HistoryConfig",
    "households.intake.apps.IntakeConfig",
    "households.record.apps.RecordConfig",
    "households.overview.apps.OverviewConfig",
    "households.desk.apps.DeskConfig",
    # After our apps, so that templates/django/forms/ replaces Django's own form templates.
    "django.forms",
]

MIDDLEWARE = [
    "portal.middleware.every_answer",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.every_request",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.sessions.household_session",
    "accounts.staff.door.end_idle_staff_session",
    "households.practice.practice_of_request",
    "django.contrib.messages.middleware.MessageMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA / 'portal.sqlite3'}")}
_database = DATABASES["default"]
_database["CONN_MAX_AGE"] = None
_database["CONN_HEALTH_CHECKS"] = True
if "sqlite" in _database["ENGINE"]:
    # Stock SQLite settings lose concurrent writes: WAL lets readers go on while one writes, IMMEDIATE
    # takes the write lock at the start so that the busy timeout applies (SECURITY R-RE-3). FULL waits for
    # the disk, as PostgreSQL does: with NORMAL a power cut takes back what was just acknowledged (R-RE-1).
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
            "PRAGMA cache_size=-16000; PRAGMA temp_store=MEMORY"
        ),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Staff are Django users. Families are accounts.HouseholdAccount and never touch this.
AUTH_USER_MODEL = "accounts.StaffAccount"
AUTHENTICATION_BACKENDS = ["accounts.staff.door.StaffBackend"]
LOGIN_URL = "login"
PASSWORD_HASHERS = ["accounts.passwords.PortalArgon2Hasher"]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "accounts.passwords.StrongEnough"}]

# Attempts at codes are counted by accounts/throttle.py, like all others. A clock is off by a step at most:
# one that is followed wherever it goes lets older and older codes in.
OTP_TOTP_THROTTLE_FACTOR = 0
OTP_TOTP_SYNC = False

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="filemail://")
vars().update(EMAIL_CONFIG)
if EMAIL_CONFIG["EMAIL_BACKEND"].endswith("filebased.EmailBackend"):
    EMAIL_FILE_PATH = str(DATA / "mail")
EMAIL_TIMEOUT = 20

LANGUAGE_CODE = "en-us"
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
# A tenth of a page's cost, and of no use to anybody before there is a second language.
USE_I18N = len(LANGUAGES) > 1
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA / "static"
WHITENOISE_ALLOW_ALL_ORIGINS = False
S3_BUCKET = env.str("PORTAL_S3_BUCKET", default="")
S3_ENDPOINT = env.str("PORTAL_S3_ENDPOINT", default="")
S3_REGION = env.str("PORTAL_S3_REGION", default="us-east-1")
S3_ENCRYPTION = env.str("PORTAL_S3_ENCRYPTION", default="AES256")


def _files() -> dict[str, Any]:
    """Where the families' files lie. None of them has an address of its own; the portal hands them out."""
    if not S3_BUCKET:
        return {
            "BACKEND": "households.documents.storage.LocalFiles",
            "OPTIONS": {
                "location": DATA / "files",
                # The web server that sends them is of the files' group (deploy/nginx.conf).
                "file_permissions_mode": 0o640 if SENDFILE else 0o600,
                "directory_permissions_mode": 0o750 if SENDFILE else 0o700,
            },
        }
    if not all(importlib.util.find_spec(package) for package in ("boto3", "storages")):
        raise ImproperlyConfigured(
            "Files in S3 (PORTAL_S3_BUCKET) need requirements/s3.txt: "
            ".venv/bin/pip install --require-hashes -r requirements/s3.txt"
        )
    # Not what the browser said it is: that is the family's word. No ACL is sent: without one an object is
    # private, and buckets whose ACLs are off, as Amazon makes them, refuse a request that has one.
    parameters = {"ContentType": "application/octet-stream"}
    if S3_ENCRYPTION:
        parameters["ServerSideEncryption"] = S3_ENCRYPTION
    return {
        "BACKEND": "households.documents.storage_s3.S3Files",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": S3_ENDPOINT or None,
            "region_name": S3_REGION,
            "location": "files",
            "file_overwrite": False,
            "object_parameters": parameters,
            # Fetched files wait in PORTAL_DATA, not in the worker's memory.
            "max_memory_size": 1024 * 1024,
        },
    }


STORAGES = {
    "default": _files(),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Nothing of a family is written outside PORTAL_DATA, not even for a moment.
FILE_UPLOAD_TEMP_DIR = UPLOADING
FILE_UPLOAD_HANDLERS = ["households.documents.receiving.ReceivingHandler"]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
# A form with more files than this is no family's.
DATA_UPLOAD_MAX_NUMBER_FILES = 5 * FILES_AT_ONCE

# --- browser rules --------------------------------------------------------------------

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# The `__Host-` prefix makes a browser refuse the cookie without TLS, a path or another host's hand in it.
_prefix = "__Host-" if PORTAL_HTTPS else ""
FAMILY_COOKIE = f"{_prefix}family"
SESSION_COOKIE_NAME = f"{_prefix}staff"
SESSION_COOKIE_AGE = STAFF_ABSOLUTE_SECONDS
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{_prefix}csrf"
CSRF_COOKIE_AGE = None
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.errors.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PORTAL_HTTPS
SECURE_SSL_REDIRECT = PORTAL_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31536000 if PORTAL_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PORTAL_HTTPS
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Not no-referrer: browsers then send "Origin: null" with every form, which the CSRF check refuses.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# W002 asks for a middleware that sets one header; portal.middleware sets it.
SILENCED_SYSTEM_CHECKS = ["security.W002"]
MESSAGE_STORAGE = "portal.notices.NoticeCookie"
NOTICE_COOKIE = f"{_prefix}notices"

# --- logs: what happened, never to whom -----------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "portal.logs.LineFormatter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "level": "WARNING",
            "stream": sys.stderr,
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    # Django's own would mail every error to ADMINS, with the form that was sent and all local values.
    "loggers": {"django": {"handlers": [], "level": "INFO"}},
}
