"""Who fuzzes: a browser of each kind in a practice in use, and the forms and questions that each finds."""

from __future__ import annotations

import datetime
import secrets
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.utils import timezone

from accounts import links
from accounts.models import PasswordLink
from households.desk.models import RosterImport
from households.intake.models import QuestionnaireVersion
from households.intake.publishing import version_publish
from households.intake.starters import starters_add
from tests.cast import sign_in_as_staff
from tests.crawl import Crawl, Form, crawl
from tests.files import SimpleUploadedFile
from tests.households.desk.test_roles import named_addresses
from tests.routes import every_pattern
from tests.who_may_open_what import MEMBER, PUBLIC, SIGN_IN, STAFF
from tests.world import STAFF_PASSWORD, World, staff_of_role

LIST = (
    b"patient_id,mrn,first_name,last_name,date_of_birth,email,status\n"
    b"N1,V1,Ida,Novak,2011-03-04,novak@example.org,active\n"
    b"P0003,,Mia,Rivera,2016-04-28,rivera@example.org,active\n"
)


@dataclass
class Person:
    name: str
    client: Client
    found: Crawl

    def by_route(self) -> dict[str, list[Form]]:
        forms = defaultdict(list)
        for form in self.found.forms.values():
            forms[form.route].append(form)
        return forms


def fill_practice(world: World, run_tasks: Any) -> None:
    """Forms of every kind, three of them asked; a patient list that waits to be confirmed."""
    starters_add(request=None)
    owner = world.cast.nurse_staff
    for name in ("phq-9", "medical-history", "consent-to-treat"):
        version = QuestionnaireVersion.objects.get(questionnaire__url=f"urn:kinchart:form:{name}")
        version_publish(request=None, version=version, by=owner)
        for chart in (world.mia, world.leo):
            world.forms.ask_one(version.questionnaire, chart.member)
    desk = staff_of_role("o")
    sent = {"file": SimpleUploadedFile("patients.csv", LIST, "text/csv"), "date_format": ""}
    assert desk.post("/admin/desk/rosterimport/add/", sent).status_code == 302
    run_tasks()
    assert RosterImport.objects.exclude(plan_digest="").exists()
    desk.logout()


def people_of(world: World, *, everybody: bool) -> list[Person]:
    of_a_route = 3 if everybody else 2
    opener = Client()
    opener.get(f"/password/{_link_to(world)}/")
    public = ["/", "/login/", "/password/", "/help/family/", "/password/choose/", "/admin/login/"]
    account = ["/who/", "/account/", "/password/change/"]
    found = [
        _person("nobody", Client(), public, of_a_route),
        _person("holder of a link", opener, public, of_a_route),
        _person("undecided", world.undecided, account, of_a_route),
    ]
    charts = [("Mia's family", world.mia)]
    if everybody:
        charts += [("Leo's family", world.leo), ("the stranger", world.stranger)]
    for name, chart in charts:
        own = [chart.address(page) for page, (methods, _kind) in MEMBER.items() if "GET" in methods]
        found.append(_person(name, chart.client, [*own, *account], of_a_route))
    addresses = named_addresses()
    for letter in "ofca" if everybody else "o":
        client = Client()
        if letter == "o":
            sign_in_as_staff(client, "o@practice.example", STAFF_PASSWORD)
        else:
            client = staff_of_role(letter)
        own = [address for name, address in addresses if letter in STAFF[name][0]]
        found.append(_person(f"staff {letter}", client, own, of_a_route if letter == "o" else 1))
    _add_buttons(found, world, addresses)
    return found


def _person(name: str, client: Client, starts: list[str], of_a_route: int) -> Person:
    return Person(name, client, crawl(client, starts, of_a_route=of_a_route))


def _link_to(world: World) -> str:
    token = secrets.token_urlsafe(32)
    PasswordLink.objects.create(
        account=world.cast.rivera,
        token_hash=links.token_hash(token),
        expires_at=timezone.now() + datetime.timedelta(days=1),
    )
    return token


def _add_buttons(people: list[Person], world: World, addresses: list[tuple[str, str]]) -> None:
    """Addresses that take a POST and whose form nobody met: posted to all the same."""
    for person in people:
        if person.name == "Mia's family":
            posts = {
                n: world.mia.address(n) for n, (methods, _) in MEMBER.items() if "POST" in methods
            }
            posts |= {
                name: f"/{_path(name)}" for name, methods in SIGN_IN.items() if "POST" in methods
            }
        elif person.name == "staff o":
            posts = {f"admin:{n}": a for n, a in addresses if "o" in STAFF[n][1]}
            posts |= {"admin:logout": "/admin/logout/"}
        elif person.name == "nobody":
            posts = {
                name: f"/{_path(name)}" for name, methods in PUBLIC.items() if "POST" in methods
            }
            posts |= {"admin:login": "/admin/login/"}
        else:
            continue
        met = {form.route for form in person.found.forms.values() if form.method == "post"}
        for route, address in posts.items():
            if route not in met:
                form = Form(address, address, "post", ())
                person.found.forms[(route, "nobody met it")] = form


def _path(name: str) -> str:
    return next(
        path
        for path, pattern in every_pattern()
        if pattern.name == name and not path.startswith("admin/")
    )
