"""The people of a run (SECURITY 2.1): a family with twins, one whose Ava has the same name and birth date,
two people nobody can tell apart, and somebody of the practice who is its patient."""

from __future__ import annotations

from tests.machine.chart_steps import FORM
from tests.machine.door_steps import FAMILY_PASSWORD
from tests.machine.model import Login, Person, World
from tests.machine.portals import Portal, Wire
from tests.machine.steps import Steps

PEOPLE = (
    ("Ava", "Rivera", "2015/03/02", "rivera"),
    ("Ben", "Rivera", "2017/09/14", "rivera"),
    ("Lia", "Rivera", "2020/02/29", "rivera"),
    ("Leo", "Rivera", "2020/02/29", "rivera"),
    ("Ava", "Chen", "2015/03/02", "chen"),
    ("Max", "Chen", "1950/12/31", "chen"),
    ("Sam", "Okafor", "2010/05/05", "okafor"),
    ("Sam", "Okafor", "2010/05/05", "okafor"),
    ("Nora", "Quist", "1990/01/15", "nurse"),
)
# On no file at first: one that staff may write for somebody, one that nobody ever has.
OTHERS = ("moved", "nobody")
FAMILIES = ("rivera", "chen", "okafor", "nurse")


def email(name: str, code: str) -> str:
    return f"{name}.{code}@example.org"


def people_of(code: str) -> list[Person]:
    return [
        Person(first, f"{last}{code}", born, email(name, code), f"{code}{number}")
        for number, (first, last, born, name) in enumerate(PEOPLE)
    ]


def roster(codes: list[str]) -> str:
    """The patient list of these runs."""
    lines = ["patient_id,mrn,first_name,last_name,date_of_birth,email,status"]
    for code in codes:
        lines += [
            f"{one.patient_id},,{one.first},{one.last},{one.born.replace('/', '-')},{one.email},active"
            for one in people_of(code)
        ]
    return "\n".join(lines) + "\n"


def begin(portal: Portal, code: str, staff: Wire) -> Steps:
    """A run with people who are on file, and whose families have chosen FAMILY_PASSWORD."""
    people = people_of(code)
    numbers = dict(
        portal.query(
            "SELECT patient_id, id FROM households_member WHERE patient_id LIKE %s", f"{code}_"
        )
    )
    for person in people:
        person.number = numbers[person.patient_id]
    world = World(people, code)
    for name in FAMILIES:
        world.logins[email(name, code)] = Login(email(name, code), FAMILY_PASSWORD)
    for name in OTHERS:
        world.login(email(name, code))
    return Steps(portal, world, code, staff)


def publish_form(staff: Wire) -> None:
    """The form that everybody may fill in, through the practice's pages."""
    import json

    where = "/admin/intake/questionnaire/import/"
    form = staff.get(where).form(has="file")
    shown = staff.post(where, form.fields, [("file", "visit.json", json.dumps(FORM).encode())])
    kept = shown.form(has="kept")
    saved = staff.post(where, [*kept.without("confirm").fields, ("confirm", "1")])
    assert saved.status == 302, saved.text
    version = staff.get(saved.location)
    button = version.form(ends="/publish/")
    assert staff.post(button.action, button.fields).status == 302
    (link,) = {
        one for one in version.links if "/intake/questionnaire/" in one and "/change/" in one
    }
    settings = staff.get(link).form(has="is_offered").typed(is_offered="on")
    answer = staff.post(settings.action, settings.fields)
    assert answer.status == 302, answer.text
