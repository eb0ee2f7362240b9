"""The house rules that a linter does not know. Each rule is a function from a file's text to what breaks it;
the second half feeds every rule something broken, so that none of them sleeps."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader
from django.test.utils import isolate_apps

from accounts.models import StaffAccount
from households.models import Member, MemberOwned, PracticeOwned

ROOT = Path(settings.BASE_DIR)
PACKAGES = ["portal", "accounts", "households"]
Rule = Callable[[str, str], list[str]]

ALLOWED_AT_THE_TOP = {
    *["manage.py", "portal", "accounts", "households", "templates", "static", "tests"],
    *["pyproject.toml", "README.md", "Makefile", "requirements", "locale", "deploy"],
    *["LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "NOTICE"],
}


def python_files(*folders: str) -> Iterator[tuple[str, str]]:
    """The path, as written in the rules, and the text of every module."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def slice_models() -> list[type[MemberOwned]]:
    return [model for model in apps.get_models() if issubclass(model, MemberOwned)]


# --- the rules ------------------------------------------------------------------------

WRITES = {
    *["create", "update", "delete", "save", "bulk_create", "bulk_update", "get_or_create"],
    *["update_or_create", "acreate", "aupdate", "adelete", "asave"],
}
# Whose rows only one module writes, and by which names code gets at them.
WRITERS = {
    "accounts/sessions.py": {"HouseholdSession", "sessions", "household_session", "ended_session"},
    "households/binding.py": {"Binding", "binding"},
}

STAFF_SESSION = {
    *["accounts/staff/door.py", "accounts/staff_pages.py"],
    *["accounts/staff/sign_in.py", "accounts/staff/sessions.py"],
}


def second_writer(path: str, text: str) -> list[str]:
    """Only accounts/sessions.py writes household sessions, only households/binding.py writes choices, and
    only the staff's modules touch Django's session, which is the staff's."""
    found = []
    for node in ast.walk(ast.parse(text)):
        django_session = isinstance(node, ast.Attribute) and node.attr == "session"
        if django_session and _is_request(node.value) and path not in STAFF_SESSION:
            found.append(f"{path}:{node.lineno} uses request.session")
        for owner, names in WRITERS.items():
            if path != owner and _writes(node, names):
                found.append(f"{path}:{node.lineno} writes what only {owner} may write")
    return found


# What in Django makes somebody signed-in staff, by a password alone or by a header.
SIGNS_IN = {
    *["login", "alogin", "LoginView", "PasswordResetConfirmView", "force_login"],
    *["RemoteUserMiddleware", "RemoteUserBackend", "PersistentRemoteUserMiddleware"],
    *["AllowAllUsersModelBackend", "AllowAllUsersRemoteUserBackend"],
}
SESSION_KEYS = {"SESSION_KEY", "BACKEND_SESSION_KEY", "HASH_SESSION_KEY"}


def signs_staff_in(path: str, text: str) -> list[str]:
    """Only accounts/staff/sign_in.py signs staff in, after both steps (SECURITY R-AU-14)."""
    if path == "accounts/staff/sign_in.py":
        return []
    found = []
    for node in ast.walk(ast.parse(text)):
        bad: set[str] = set()
        match node:
            case ast.ImportFrom(module=str(module), names=names) if "django.contrib.auth" in module:
                bad = {alias.name for alias in names} & SIGNS_IN
                bad |= {"its addresses"} if module.endswith(".urls") else set()
            case ast.Attribute(value=ast.Name(id="auth" | "auth_views"), attr=name):
                bad = {name} & SIGNS_IN
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr="login"):
                bad = {"Django's own sign-in"}
            case ast.Constant(value="django.contrib.auth.urls" | "_auth_user_id"):
                bad = {str(node.value)}
            case ast.Subscript(ctx=ast.Store(), slice=ast.Name(id=name)):
                bad = {name} & SESSION_KEYS
        found += [f"{path}:{getattr(node, 'lineno', 0)} signs in by {name}" for name in sorted(bad)]
    return found


def _is_request(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "request") or (
        isinstance(node, ast.Attribute) and node.attr == "request"
    )


def _writes(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name):
            return node.func.id in names and node.func.id[0].isupper()
        return (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in WRITES
            and bool(_names_in(node.func.value) & names)
        )
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(
        isinstance(target, ast.Attribute)
        and (
            (_is_request(target.value) and target.attr in names)
            or bool(_names_in(target.value) & names)
        )
        for target in targets
    )


def _names_in(node: ast.expr) -> set[str]:
    """The names along a chain such as request.household_session.account.sessions.filter(…)."""
    names: set[str] = set()
    while True:
        match node:
            case ast.Attribute():
                names.add(node.attr)
                node = node.value
            case ast.Call():
                node = node.func
            case ast.Subscript():
                node = node.value
            case ast.Name():
                return names | {node.id}
            case _:
                return names


def unscoped_query(path: str, text: str, owned: frozenset[str] | None = None) -> list[str]:
    """What belongs to one member is asked for through the member: `Document.objects.for_member(member)`."""
    if owned is None:
        owned = frozenset(model.__name__ for model in slice_models())
    tree = ast.parse(text)
    local = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in owned
    } | owned
    found = []
    # The others show nothing to families: what a household sent is added up for its limits, the background
    # worker looks up the one document of its task, those in quarantine are counted and asked about, the
    # sweep compares everybody's files with the storage, what everybody answered to one form goes into the
    # owner's table, the staff's inbox asks for the kinds that the visitor may see, and a chart's activity
    # hides what was moved to somebody else.
    scoped = {
        *["for_member", "create", "sent_by_household", "for_worker", "in_quarantine"],
        *["with_bytes", "of_form", "of_kinds", "away_from", "not_theirs"],
    }
    for node in ast.walk(tree):
        bad = ""
        match node:
            case ast.Attribute(
                attr=method, value=ast.Attribute(attr="objects", value=ast.Name(id=model))
            ):
                bad = f"{model}.objects.{method}" if model in local and method not in scoped else ""
            case ast.Attribute(attr="_default_manager" | "_base_manager", value=ast.Name(id=model)):
                bad = f"{model}._default_manager" if model in local else ""
            case ast.Call(func=ast.Name(id=function), args=[ast.Name(id=model), *_]):
                bad = (
                    f"{function}({model}, …)"
                    if function.endswith("_or_404") and model in local
                    else ""
                )
            case ast.Assign(value=ast.Attribute(attr="objects", value=ast.Name(id=model))):
                bad = f"{model}.objects kept for later" if model in local else ""
            case ast.Call(args=arguments) if any(
                isinstance(one, ast.Attribute)
                and one.attr == "objects"
                and isinstance(one.value, ast.Name)
                and one.value.id in local
                for one in arguments
            ):
                bad = "a slice model's manager handed on"
        if bad:
            found.append(f"{path}:{node.lineno} {bad}")  # type: ignore[attr-defined] # every node here has a line
    return found


def uses_signals(path: str, text: str) -> list[str]:
    """What happens after what is written where it happens."""
    found = []
    for node in ast.walk(ast.parse(text)):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        if any(name.startswith("django.dispatch") or name.endswith(".signals") for name in modules):
            found.append(f"{path}:{getattr(node, 'lineno', 0)} imports signals")
    return found


def takes_an_empty_post_for_none(path: str, text: str) -> list[str]:
    """`Form(request.POST or None)` is an unanswered form when a POST brings nothing, and the view goes on as
    if it was valid: accounts.requests.posted."""
    return [
        f"{path}:{node.lineno} fills a form with request.POST or None"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.BoolOp)
        and isinstance(node.op, ast.Or)
        and isinstance(node.values[0], ast.Attribute)
        and node.values[0].attr == "POST"
    ]


def has_no_subject(path: str, text: str) -> list[str]:
    """A module is named after what it is about."""
    parts = {part.removesuffix(".py") for part in Path(path).parts}
    vague = parts & {"utils", "util", "common", "core", "helpers", "helper", "misc", "services"}
    return [f"{path} says nothing: {', '.join(vague)}"] if vague else []


def prints(path: str, text: str) -> list[str]:
    """Commands speak through self.stdout, everything else through the log, which names nobody."""
    return [
        f"{path}:{node.lineno} prints"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]


def dependency_without_reason(path: str, text: str) -> list[str]:
    """Every dependency in pyproject.toml says on its line why it is there."""
    project = tomllib.loads(text)["project"]
    wanted = [*project["dependencies"], *chain(*project.get("optional-dependencies", {}).values())]
    found = []
    for requirement in wanted:
        line = next(line for line in text.splitlines() if f'"{requirement}"' in line)
        if not re.search(r"#\s*\w+", line.partition(f'"{requirement}"')[2]):
            found.append(f"{path}: {requirement} does not say why")
    return found


def not_pinned(path: str, text: str) -> list[str]:
    """Exact versions with hashes, from whatever index the installing machine uses."""
    found = []
    for requirement in re.sub(r"\\\n", " ", text).splitlines():
        line = requirement.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("-") or "://" in line:
            found.append(f"{path}: {line.split()[0]} names a place to install from")
        elif "==" not in line or "--hash=sha256:" not in line:
            found.append(f"{path}: {line.split()[0]} has no version or no hash")
    return found


def variables_read(text: str) -> set[str]:
    """The environment variables that the settings read: env.bool("DEBUG", …)."""
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def variables_documented(readme: str) -> set[str]:
    """The names in the first column of the README's tables that are written like variables."""
    rows = re.findall(r"^\|([^|]*)\|", readme, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row)}


def not_one_members(model: type[models.Model]) -> list[str]:
    """A slice's model belongs to exactly one member, who cannot be deleted under it, and is asked for by
    an id that cannot be counted through. Or it is a list of the practice's own and points at nobody but
    other such lists and the staff who wrote it."""
    if issubclass(model, PracticeOwned):
        return [
            f"{model.__name__}.{field.name} points at somebody"
            for field in model._meta.get_fields()
            if field.is_relation
            and not field.auto_created
            and not issubclass(field.related_model, (PracticeOwned, StaffAccount))
        ]
    if not issubclass(model, MemberOwned):
        return [f"{model.__name__} is not MemberOwned"]
    found = []
    owner = model._meta.get_field("member")
    if not isinstance(owner, models.ForeignKey) or owner.related_model is not Member:
        found.append(f"{model.__name__}.member is not a member")
    elif owner.remote_field.on_delete is not models.PROTECT or owner.null:
        found.append(f"{model.__name__}.member can be lost")
    identity = model._meta.get_field("public_id")
    if not isinstance(identity, models.UUIDField) or not identity.unique or identity.null:
        found.append(f"{model.__name__}.public_id is not a unique UUID")
    if not hasattr(model._default_manager.all(), "for_member"):
        found.append(f"{model.__name__}.objects has no for_member")
    return found


def branches(nodes: dict[tuple[str, str], list[tuple[str, str]]]) -> list[str]:
    """Migrations of one app follow each other: each has at most one before it and one after it."""
    found = []
    after: dict[tuple[str, str], int] = {}
    for (app, name), before in nodes.items():
        own = [node for node in before if node[0] == app]
        if len(own) > 1:
            found.append(f"{app} {name} merges")
        for node in own:
            after[node] = after.get(node, 0) + 1
    return found + [f"{app} {name} has two after it" for (app, name), n in after.items() if n > 1]


# --- the house keeps them -------------------------------------------------------------


@pytest.mark.parametrize(
    "rule", [second_writer, signs_staff_in, uses_signals, takes_an_empty_post_for_none]
)
def test_every_module_keeps(rule: Rule):
    broken = [
        line
        for path, text in python_files(*PACKAGES)
        if "/migrations/" not in path
        for line in rule(path, text)
    ]
    assert not broken


def test_slices_ask_through_the_member():
    modules = [
        (path, text)
        for path, text in python_files("households")
        # Staff see every member's records; admin says on every page whose they are.
        if path.count("/") > 1
        and not fnmatch(path, "*/migrations/*")
        and not path.endswith(("/admin.py", "_admin.py", "/review.py"))
    ]
    assert slice_models()
    assert [line for path, text in modules for line in unscoped_query(path, text)] == []


def test_every_module_has_a_subject():
    broken = [
        line
        for path, text in python_files(*PACKAGES, "tests")
        for line in has_no_subject(path, text)
    ]
    assert not broken


def test_nothing_prints():
    assert [line for path, text in python_files(*PACKAGES) for line in prints(path, text)] == []


def test_every_slice_model_belongs_to_one_member():
    in_slices = [model for model in apps.get_models() if model.__module__.startswith("households.")]
    in_slices = [model for model in in_slices if model.__module__ != "households.models"]
    assert in_slices
    assert [line for model in in_slices for line in not_one_members(model)] == []


@pytest.mark.django_db
def test_migrations_are_linear():
    loader = MigrationLoader(connection)
    ours = {
        config.label for config in apps.get_app_configs() if config.name.startswith(tuple(PACKAGES))
    }
    nodes = {
        key: list(migration.dependencies)
        for key, migration in loader.disk_migrations.items()
        if key[0] in ours
    }
    assert nodes
    assert branches(nodes) == []
    assert loader.detect_conflicts() == {}


def test_the_top_level_is_the_one_that_was_drawn():
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line]
    there = {
        path.name
        for path in ROOT.iterdir()
        if not path.name.startswith(".") and not any(fnmatch(path.name, p) for p in ignored)
    }
    assert there - ALLOWED_AT_THE_TOP == set()


def test_every_dependency_says_why():
    assert dependency_without_reason("pyproject.toml", (ROOT / "pyproject.toml").read_text()) == []


@pytest.mark.parametrize("name", ["run.txt", "test.txt"])
def test_requirements_are_pinned(name):
    assert not_pinned(name, (ROOT / "requirements" / name).read_text()) == []


def test_every_variable_is_in_the_readme_and_every_one_there_is_read():
    read = variables_read((ROOT / "portal" / "settings.py").read_text())
    documented = variables_documented((ROOT / "README.md").read_text())
    assert sorted(read - documented) == [], "README.md does not document these"
    assert sorted(documented - read) == [], "portal/settings.py does not read these"


def test_staff_are_known_by_their_session_alone():
    """No header, and no second way in, makes a request one of staff."""
    assert settings.AUTHENTICATION_BACKENDS == ["accounts.staff.door.StaffBackend"]
    known = [name for name in settings.MIDDLEWARE if "contrib.auth" in name]
    assert known == ["django.contrib.auth.middleware.AuthenticationMiddleware"]


# --- the rules are awake --------------------------------------------------------------

OWNED = frozenset({"Document"})


@pytest.mark.parametrize(
    "text",
    [
        "from django.contrib.auth import login",
        "from django.contrib.auth import authenticate, login as let_in",
        "from django.contrib.auth.views import LoginView",
        "from django.contrib.auth.views import PasswordResetConfirmView",
        "from django.contrib import auth\nauth.login(request, staff)",
        "class Site(AdminSite):\n    def login(self, request):\n        return super().login(request)",
        "request.session[SESSION_KEY] = staff.pk",
        "session['_auth_user_id'] = 1",
        "from django.contrib.auth.urls import urlpatterns",
        "path('', include('django.contrib.auth.urls'))",
        "from django.contrib.auth.middleware import RemoteUserMiddleware",
    ],
)
def test_a_second_way_to_sign_staff_in_is_caught(text):
    assert signs_staff_in("portal/admin.py", text)


@pytest.mark.parametrize(
    "text",
    [
        "request.session['member'] = 1",
        "key = self.request.session.get('key')",
        "HouseholdSession(account=account).save()",
        "HouseholdSession.objects.filter(pk=1).update(ended_at=now)",
        "account.sessions.all().delete()",
        "request.household_session = None",
        "request.household_session.account = other",
        "request.household_session.save()",
        "Binding.objects.create(member=leo)",
        "Binding.objects.filter(session=session).update(member=leo)",
        "request.binding = other",
        "request.binding.member = leo",
    ],
)
def test_second_writer_is_caught(text):
    assert second_writer("households/views.py", text)


@pytest.mark.parametrize(
    "text",
    [
        "Document.objects.get(public_id=public_id)",
        "Document.objects.filter(status='received')",
        "documents = Document.objects.all()",
        "get_object_or_404(Document, public_id=public_id)",
        "get_list_or_404(Document)",
        "Document._default_manager.first()",
        "from households.documents.models import Document as Paper\nPaper.objects.get()",
        "papers = Document.objects\npapers.get()",
        "get_object_or_404(Document.objects, public_id=public_id)",
    ],
)
def test_unscoped_query_is_caught(text):
    assert unscoped_query("households/documents/views.py", text, OWNED)


@pytest.mark.parametrize(
    "text",
    [
        "get_object_or_404(Document.objects.for_member(member), public_id=public_id)",
        "Document.objects.create(member=member)",
        "Member.objects.in_household_of(account)",
    ],
)
def test_scoped_query_is_let_through(text):
    assert unscoped_query("households/documents/views.py", text, OWNED) == []


@pytest.mark.parametrize(
    "text",
    [
        "from django.db.models.signals import post_save",
        "from django.db.models import signals",
        "import django.dispatch",
        "from django.dispatch import receiver",
        "from django.contrib.auth.signals import user_logged_in",
    ],
)
def test_signals_are_caught(text):
    assert uses_signals("households/apps.py", text)


def test_an_empty_post_taken_for_none_is_caught():
    rule = takes_an_empty_post_for_none
    assert rule("households/views.py", "form = WhoForm(request.POST or None)")
    assert not rule("households/views.py", "form = WhoForm(posted(request))")


@pytest.mark.parametrize(
    "path", ["households/utils.py", "accounts/common/dates.py", "portal/core/__init__.py"]
)
def test_vague_name_is_caught(path):
    assert has_no_subject(path, "")


def test_print_is_caught():
    assert prints("accounts/views.py", "def login():\n    print('in')")


def test_dependency_without_reason_is_caught():
    text = '[project]\ndependencies = [\n    "one>=1",  # it counts\n    "two>=2",\n]\n'
    assert dependency_without_reason("pyproject.toml", text) == [
        "pyproject.toml: two>=2 does not say why"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "one==1.0\n",
        "one>=1.0 \\\n    --hash=sha256:aa\n",
        "--index-url https://example.org/simple\none==1.0 \\\n    --hash=sha256:aa\n",
        "one @ https://example.org/one.whl --hash=sha256:aa\n",
    ],
)
def test_unpinned_requirement_is_caught(text):
    assert not_pinned("run.txt", text)


def test_variables_are_found():
    text = 'A = env.bool("DEBUG", default=False)\nB = max(8, env.int("PORTAL_X"))\nenv.read_env()'
    assert variables_read(text) == {"DEBUG", "PORTAL_X"}
    readme = (
        "Set `NOT_THIS`.\n\n| variable | |\n| `DEBUG` | off |\n| `PORTAL_X`, `PORTAL_Y` | `NO` |\n"
    )
    assert variables_documented(readme) == {"DEBUG", "PORTAL_X", "PORTAL_Y"}


@isolate_apps("households")
def test_model_of_nobody_is_caught():
    class Loose(models.Model):  # noqa: DJ008 # shown to nobody
        class Meta:
            app_label = "households"

    class Lost(MemberOwned):
        member = models.ForeignKey(Member, on_delete=models.CASCADE, null=True)

        class Meta:
            app_label = "households"

    class Counted(MemberOwned):
        public_id = models.IntegerField()
        objects = models.Manager()

        class Meta:
            app_label = "households"

    class Listed(PracticeOwned):
        about = models.ForeignKey(Member, on_delete=models.CASCADE)

        class Meta:
            app_label = "households"

    assert not_one_members(Listed) == ["Listed.about points at somebody"]
    assert not_one_members(Loose) == ["Loose is not MemberOwned"]
    assert not_one_members(Lost) == ["Lost.member can be lost"]
    assert len(not_one_members(Counted)) == 2


def test_branch_is_caught():
    first, left, right = ("papers", "0001"), ("papers", "0002_left"), ("papers", "0002_right")
    assert branches({first: [], left: [first], right: [first]}) == ["papers 0001 has two after it"]
    merge = ("papers", "0003_merge")
    assert "papers 0003_merge merges" in branches({merge: [left, right]})
    assert branches({first: [("accounts", "0001")], left: [first]}) == []
