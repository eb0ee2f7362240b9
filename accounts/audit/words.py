"""Every word that the audit may hold, and what it says in plain language.

`record` refuses any other (SECURITY R-AL-2): what somebody typed cannot get into the audit by mistake. So a
new word is added here, with its sentence, before it is written for the first time.
"""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext_lazy as _

# By action and outcome. `{thing}` is what the entry is about, from THINGS.
SAYS: dict[str, dict[str, Any]] = {
    "sign-in": {
        "ok": _("Signed in"),
        "unknown-email": _("Sign-in refused: nobody has this email"),
        "closed": _("Sign-in refused: the practice has closed the login"),
        "never-set-up": _("Sign-in refused: no password was ever chosen"),
        "wrong-password": _("Sign-in refused: wrong password"),
        "nobody-on-file": _("Sign-in refused: the login opens nobody"),
        "password-changed": _("Sign-in refused: the password was changed at that moment"),
    },
    "sign-out": {"signed-out": _("Signed out")},
    "session-end": {
        "idle": _("Signed out by the portal: not used for a while"),
        "too-old": _("Signed out by the portal: open for too long"),
        "new-sign-in": _("Signed out: signed in again in the same browser"),
        "password": _("Signed out: the password was changed"),
        "family": _("Signed out from another browser of this login"),
        "staff": _("Signed out by the practice"),
        "paused": _("Signed out: the practice closed the login"),
        "staff-one": _("Ended one sign-in of a staff account"),
        "staff-everywhere": _("Ended every sign-in of a staff account"),
    },
    "throttle": {
        "sign-in": _("Had to wait: too many wrong passwords"),
        "sign-in-address": _("Had to wait: too many wrong sign-ins from one network"),
        "pick": _("Had to wait: too many wrong names or birth dates"),
        "link": _("Had to wait: too many links asked for from one network"),
        "password-change": _("Had to wait: current password wrong too often"),
        "staff-sign-in": _("Staff had to wait: too many wrong passwords"),
        "staff-code": _("Staff had to wait: too many wrong codes"),
        "staff-recovery": _("Staff had to wait: too many wrong recovery codes"),
        "staff-password-change": _("Staff had to wait: current password wrong too often"),
    },
    "alarm": {"many-failures": _("Alarm: very many failures everywhere")},
    "link-request": {
        "asked": _("Asked for a link to choose a password"),
        "too-many": _("Asked for a link more than 3 times in an hour: no further mail"),
    },
    "link-mail": {
        "sent": _("A link to choose a password was mailed"),
        "not-on-file": _("No link was mailed: the email opens nobody"),
        "closed": _("No link was mailed: the practice has closed the login"),
        "mail-server-failed": _("The mail server did not take the mail with the link"),
        "gave-up": _("The mail with the link was given up"),
    },
    "link-open": {
        "ok": _("Opened the page behind a mailed link"),
        "over": _("Opened a link that does not exist, or not any more"),
        "used": _("Opened a link that was used before"),
        "ended": _("Opened a link that had been replaced"),
        "expired": _("Opened a link that had run out"),
        "closed": _("Opened a link while the practice had closed the login"),
        "nobody-on-file": _("Opened a link while the login opened nobody"),
    },
    "password-set": {
        "ok": _("Chose a password with a mailed link"),
        "not-accepted": _("Tried to choose a password that was not accepted"),
    },
    "password-change": {
        "ok": _("Changed the password"),
        "wrong-password": _("Tried to change the password: the current one was wrong"),
    },
    "pick": {
        "ok": _("Chose the person: the chart was opened"),
        "name": _("Chose nobody: the birth date fits somebody, the name does not"),
        "date": _("Chose nobody: the name fits somebody, the birth date does not"),
        "ambiguous": _("Chose nobody: two people fit"),
        "age-rule": _("Chose nobody: an adult whose own consent is not on file"),
        "no-access": _("Chose nobody: somebody whom the portal does not open"),
        "no-match": _("Chose nobody: nobody fits"),
        "not-offered": _("Chose nobody: asked for somebody who was not offered"),
    },
    "switch": {"ok": _("Closed the chart to choose another person")},
    "stale-page": {
        "refused": _("A page of a chart that was not open any more was refused"),
        "closed": _("A form was refused: no chart was open"),
        "signed-out": _("A form was refused: the sign-in had ended"),
        "kept": _("What was typed on a page was kept, not sent"),
    },
    "binding-end": {"practice-change": _("The chart was closed: the practice changed the file")},
    "view": {
        "ok": _("Looked at {thing}"),
        "copy": _("Looked at {thing} to copy it to another person"),
    },
    "send": {
        "ok": _("Sent {thing}"),
        "accepted-by-itself": _("Changed {thing}; it counts at once"),
        "confirmed": _("Confirmed {thing}"),
        "conflict": _("Nothing saved: {thing} had changed meanwhile"),
        "changed-meanwhile": _("Nothing saved: {thing} had changed meanwhile"),
        "refused": _("Nothing saved: {thing} was refused"),
        "joined": _("Joined photos to one document"),
        "filled-in-by": _("Said who filled it in"),
        "added": _("Added an entry to {thing}"),
        "changed": _("Changed an entry of {thing}"),
        "ended": _("Ended an entry of {thing}"),
        "error": _("Marked an entry of {thing} as a mistake"),
        "answered": _("Answered a topic of {thing}"),
        "begin": _("Began {thing}"),
        "correct": _("Began a correction of {thing}"),
        "draft": _("Saved a part of {thing}"),
        "discard": _("Deleted {thing} that was not sent"),
    },
    "withdraw": {"ok": _("Took back {thing}"), "joined": _("Joined {thing} into another")},
    "share": {
        "ok": _("Shared {thing} with the family"),
        "ended": _("Ended the sharing of {thing}"),
    },
    "open": {"ok": _("Opened {thing} from the practice for the first time")},
    "scan": {
        "clean": _("The virus scanner found nothing in {thing}"),
        "found": _("The virus scanner found something in {thing}: it is not kept"),
        "off": _("{thing} was not scanned"),
    },
    "download": {"ok": _("Downloaded {thing}")},
    "export": {
        "ok": _("Exported {thing}"),
        "incomplete": _("Exported {thing}; something was missing"),
        "csv": _("Exported {thing} as a table"),
        "txt": _("Exported {thing} as text"),
        "ndjson": _("Exported {thing} as FHIR"),
    },
    "sweep": {
        "ok": _("Looked for stray files and cleared them away"),
        "wrong": _("Looked for stray files and cleared them away; something is wrong"),
    },
    "staff-sign-in": {"ok": _("Staff signed in"), "refused": _("Staff sign-in refused")},
    "staff-sign-out": {
        "ok": _("Staff signed out"),
        "over": _("Staff signed out by the portal: not used for a while, or open for too long"),
    },
    "second-factor": {
        "asked": _("Staff were asked for a code: the password was right"),
        "set-up-asked": _("Staff were asked to set a second factor up: the password was right"),
        "ok": _("Staff typed the right code"),
        "refused": _("Staff typed a wrong or used code"),
        "recovery-code": _("Staff used a recovery code"),
        "recovery-refused": _("Staff typed a wrong or used recovery code"),
        "enrolled": _("Set a second factor up"),
        "renewed": _("Set a second factor up anew"),
        "enrol-refused": _("Tried to set a second factor up: the code was wrong"),
        "codes-made": _("Made new recovery codes"),
        "removed": _("Took a second factor away"),
    },
    "staff-view": {
        "ok": _("Looked at {thing}"),
        "list": _("Looked at the list: {thing}"),
        "search": _("Searched the list: {thing}"),
        "start-page": _("Looked at what waits in the inbox"),
        "history": _("Looked at what staff did to {thing}"),
        "form": _("Opened a page to write: {thing}"),
        "text": _("Looked at the text of {thing} to copy"),
        "closed": _("Looked at {thing}, without its answers"),
        "consent": _("Looked at the consent of an adult"),
        "no-account": _("Looked up an email that has no login"),
        "email-change": _("Read what a change of the email opens and closes"),
        "email-join": _("Read what joining two households opens and closes"),
        "refile": _("Began to move {thing} to another person"),
        "refile-preview": _("Read what moving {thing} to another person means"),
    },
    "staff-change": {
        "added": _("Added {thing}"),
        "changed": _("Changed {thing}"),
        "unchanged": _("Saved {thing} without a change"),
        "deleted": _("Deleted {thing}"),
        "closed": _("Closed {thing}"),
        "ended": _("Ended {thing}"),
        "owner-made": _("Made the first staff owner"),
        # What a family sent.
        "seen": _("Saw {thing} for the first time"),
        "filed": _("Filed {thing}"),
        "partly": _("Accepted a part of {thing}"),
        "returned": _("Returned {thing}"),
        "accepted": _("Accepted a change of {thing}"),
        "edited": _("Accepted a change of {thing} with a correction"),
        "assigned": _("Gave {thing} to somebody of the staff"),
        "given-back": _("Gave {thing} back to everybody"),
        "refiled-away": _("Moved {thing} away to another person"),
        "refiled-here": _("Moved {thing} here from another person"),
        "refiled-away-across": _("Moved {thing} away to a person of another household"),
        "refiled-here-across": _("Moved {thing} here from a person of another household"),
        "voided": _("Voided a signature"),
        # The login.
        "login-made": _("Made a login for the email"),
        "login-closed": _("Closed the login"),
        "login-opened": _("Opened the login again"),
        "link-sent": _("Had a link mailed to the family"),
        "link-sent-before": _("Asked for another link: one had just been mailed"),
        "link-refused": _("Asked for a link: none was mailed"),
        "sessions-ended": _("Ended every sign-in of the login"),
        "session-ended": _("Ended one sign-in of the login"),
        "session-over": _("Ended a sign-in that was over already"),
        "pause-lifted": _("Let the family try again at once"),
        # The person.
        "also-called-added": _("Added a name that the person is also called"),
        "birth-date-corrected": _("Corrected the birth date"),
        "portal-access-on": _("Switched portal access on"),
        "portal-access-off": _("Switched portal access off"),
        "email-change-confirmed": _("Changed the email, after reading who gains and loses access"),
        "email-join-confirmed": _("Changed the email, and joined two households"),
        "consent-recorded": _("Recorded the consent of an adult"),
        "consent-withdrawn": _("Withdrew the consent of an adult"),
        "miss-dismissed": _("Put a name that chose nobody aside"),
        # Settings and forms.
        "logo-set": _("Changed the practice's logo"),
        "logo-removed": _("Removed the practice's logo"),
        "mail-off": _("Switched mail to staff off"),
        "mail-instant": _("Switched mail to staff on, at once"),
        "mail-digest": _("Switched mail to staff on, once a day"),
        "form-begun": _("Began a form"),
        "published": _("Published {thing}"),
        "retired": _("Retired {thing}"),
        "draft-begun": _("Began a draft of {thing}"),
        "draft-discarded": _("Discarded a draft of {thing}"),
        "import-new": _("Imported {thing}"),
        "import-new-version": _("Imported a new version of {thing}"),
        "import-draft-replaced": _("Imported {thing} over its draft"),
        "import-changed": _("Imported {thing} over the one on file"),
        "draft-titled": _("Changed the title of {thing}"),
        "draft-item-added": _("Added a part to {thing}"),
        "draft-item-changed": _("Changed a part of {thing}"),
        "draft-copied": _("Copied a part of {thing}"),
        "draft-moved": _("Moved a part of {thing}"),
        "draft-item-deleted": _("Deleted a part of {thing}"),
        "draft-condition-added": _("Set when a part of {thing} is shown"),
    },
    "audit-anchor": {"anew": _("Began the audit's anchor anew")},
    "staff-mail": {
        "sent": _("Mail to staff was sent"),
        "mail-server-failed": _("The mail server did not take the mail to staff"),
    },
    "roster-import": {
        "ok": _("Imported a patient list"),
        "access-change": _("A patient list moved the person to another email"),
        "email-join": _("A patient list put the person on an email that others have"),
        "taken-in": _("Took a patient list in"),
        "confirmed": _("Confirmed a patient list"),
        "dropped": _("Dropped a patient list"),
        "started-again": _("Started the check of a patient list again"),
        "checked-again": _("A patient list was checked again"),
        "checking": _("A patient list is being checked"),
        "checked": _("A patient list was checked"),
        "importing": _("A patient list is being imported"),
        "imported": _("A patient list was imported"),
        "unreadable": _("A patient list cannot be read"),
    },
}

# What an entry is about, by its object_type.
THINGS: dict[str, Any] = {
    "": "",
    "overview": _("the start page of the chart"),
    "activity": _("what happened in the chart"),
    "demographics": _("the details"),
    "details": _("the details on file"),
    "history": _("the medical history"),
    "document": _("a document"),
    "documents": _("the documents"),
    "form": _("a form"),
    "forms": _("the forms"),
    "record": _("the whole record"),
    "submission": _("what was sent"),
    "filled-in-by": _("the question who fills it in"),
    "login": _("what happened with the login"),
    "email": _("an email"),
    "link": _("a mailed link"),
    "file": _("a file"),
    "task": _("tasks"),
    "instructions": _("the instructions for a family"),
    "handout": _("the handout for a family"),
    "form-answers": _("answers to a form"),
    "member": _("a person"),
    "householdaccount": _("a household account"),
    "staffaccount": _("a staff account"),
    "group": _("a role"),
    "auditevent": _("the audit"),
    "practice": _("the practice's settings"),
    "pickermiss": _("a name that chose nobody"),
    "rosterimport": _("a patient list"),
    "refiling": _("a move to another person"),
    "detailchange": _("a change of the details"),
    "fieldsetting": _("the setting of a field"),
    "entrychange": _("a change of the medical history"),
    "sectionsetting": _("the setting of a topic"),
    "documentrequest": _("a request for a document"),
    "documentkind": _("a kind of documents"),
    "questionnaire": _("a form's definition"),
    "questionnaireversion": _("a form's definition"),
    "questionnaireresponse": _("a form that was sent"),
    "valueset": _("a list of choices"),
    "ask": _("a request for a form"),
    "memberask": _("a request for a form"),
    "signature": _("a consent"),
    "staffmailsubscription": _("mail to staff"),
}

# Of an age, which the practice sets: staff have seen that somebody reaches it.
_AGE_SEEN = re.compile(r"age-[0-9]{1,3}-seen")
# Numbers, public ids, marks and fixed words such as "pdf" or "address".
_ID = re.compile(r"[A-Za-z0-9_-]{0,40}")


class NotAWord(ValueError):
    """The audit does not know this word: it may have been typed by somebody."""


def check(action: str, outcome: str, object_type: str, object_id: str) -> None:
    """Raises NotAWord for what has no place in the audit."""
    if outcome not in SAYS[action] and not (
        action == "staff-change" and _AGE_SEEN.fullmatch(outcome)
    ):
        raise NotAWord(f"No outcome of {action} in accounts/audit/words.py: {outcome!r}")
    if object_type not in THINGS:
        raise NotAWord(f"No thing in accounts/audit/words.py: {object_type!r}")
    if not _ID.fullmatch(object_id):
        raise NotAWord("An object_id is a number, a public id, a mark or a fixed word.")


def sentence(action: str, outcome: str, object_type: str) -> str:
    """What an entry says. For words of an older or newer release: the words themselves."""
    if action == "staff-change" and _AGE_SEEN.fullmatch(outcome):
        return str(_("Saw that the person reaches an age"))
    says = SAYS.get(action, {}).get(outcome)
    if says is None:
        return " ".join(word for word in (action, outcome, object_type) if word)
    text = str(says).replace("{thing}", str(THINGS.get(object_type) or _("something")))
    return text[:1].upper() + text[1:]
