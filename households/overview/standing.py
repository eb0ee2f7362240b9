"""What stands with a member's details, history and forms, and what was sent of them: for the checklist and
for what happened lately.

One statement, written by hand: as five of the ORM's it cost as much as the rest of the page. It asks for the
rows of one member only; tests hold what it says against what the slices' own pages show.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection

from households.history.sections import applies_to
from households.models import Member
from households.overview import form_rows

# Without what it reads of forms, which is in form_rows.py and needs the last seven columns.
# The latest that was sent, and was not taken back; what the practice moved to this chart or away from it;
# when the details were last confirmed; since when the practice has needed the field that it needs since the
# shortest; the latest change of each field or contact that the practice has not accepted, where families may
# change it; every topic that the practice asks, and whether something of it was returned that no later change
# took the place of.
_WITHOUT_FORMS = """
SELECT * FROM (
    SELECT 'sent' AS what, kind AS word, about, sent_at, seen_at, filed_at, partly_at, returned_at,
           CAST(NULL AS boolean) AS is_private, CAST(NULL AS boolean) AS is_returned,
           CAST(NULL AS bigint) AS form, CAST(NULL AS bigint) AS version,
           CAST(NULL AS bigint) AS third, id AS submission, CAST(NULL AS date) AS due_on,
           CAST(NULL AS varchar) AS title, CAST(NULL AS uuid) AS public_id
    FROM submissions_submission
    WHERE member_id = %(member)s AND kind <> 'document' AND status <> 'withdrawn'
    ORDER BY sent_at DESC, id DESC
    LIMIT 20
) AS latest
UNION ALL
SELECT 'moved', kind, way, at, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM (
    SELECT sent.kind, move.at,
           CASE WHEN move.member_id = %(member)s THEN 'here' ELSE 'away' END AS way
    FROM submissions_refiling AS move
    JOIN submissions_submission AS sent ON sent.id = move.submission_id
    WHERE (move.member_id = %(member)s OR move.from_member_id = %(member)s)
      AND move.along_with_id IS NULL
    ORDER BY move.at DESC
    LIMIT 20
) AS moves
UNION ALL
SELECT 'confirmed', '', '', confirmed_at, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM demographics_details
WHERE member_id = %(member)s
UNION ALL
SELECT 'required', '', '', MAX(required_since), NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM demographics_fieldsetting
UNION ALL
SELECT 'change', decision, '', decided_at, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM demographics_detailchange AS change
WHERE member_id = %(member)s AND decision IN ('waiting', 'returned')
  AND field IN (SELECT field FROM demographics_fieldsetting WHERE shown IN ('editable', 'required'))
  AND NOT EXISTS (
      SELECT 1 FROM demographics_detailchange AS later
      WHERE later.member_id = change.member_id AND later.field = change.field
        AND later."row" = change."row" AND later.id > change.id
  )
UNION ALL
SELECT 'topic', topic.section, COALESCE(state.answer, 'not-asked'), state.confirmed_at,
       NULL, NULL, NULL, NULL, topic.is_private,
       EXISTS (
           SELECT 1 FROM history_entrychange AS change
           WHERE change.member_id = %(member)s AND change.section = topic.section
             AND change.decision = 'returned'
             AND NOT EXISTS (
                 SELECT 1 FROM history_entrychange AS later
                 WHERE later.member_id = change.member_id AND later.section = change.section
                   AND later.id > change.id
                   AND (later.entry = change.entry OR change.entry IS NULL)
             )
       ),
       NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM history_sectionsetting AS topic
LEFT JOIN history_sectionstate AS state
       ON state.section = topic.section AND state.member_id = %(member)s
WHERE topic.is_asked
"""
_STATEMENT = _WITHOUT_FORMS + form_rows.PART


class MovedRow(NamedTuple):
    """Something that the practice moved to this chart, or away from it."""

    kind: str
    is_here: bool
    at: datetime.datetime


class SentRow(NamedTuple):
    """A submission other than a document. `about` is a topic of the history, or ""."""

    submission: int
    kind: str
    about: str
    sent_at: datetime.datetime
    seen_at: datetime.datetime | None
    filed_at: datetime.datetime | None
    partly_at: datetime.datetime | None
    returned_at: datetime.datetime | None


@dataclass
class Standing:
    """`waiting` and `returned` count changes of the details, `topics_…` topics of the history."""

    sent: list[SentRow] = field(default_factory=list)
    moved: list[MovedRow] = field(default_factory=list)
    confirmed_at: datetime.datetime | None = None
    required_since: datetime.datetime | None = None
    waiting: int = 0
    returned: int = 0
    topics_asked: int = 0
    topics_answered: int = 0
    topics_returned: int = 0
    # When any of them, and the one that was left longest, was last answered or confirmed.
    topics_confirmed_at: datetime.datetime | None = None
    topics_oldest_at: datetime.datetime | None = None
    private_topics: set[str] = field(default_factory=set)
    forms: form_rows.Forms = field(default_factory=form_rows.Forms)

    @property
    def asked_since(self) -> bool:
        """Whether the practice needs something that it did not need when all was last confirmed."""
        if self.required_since is None or self.confirmed_at is None:
            return False
        return self.required_since > self.confirmed_at


def standing_of(member: Member) -> Standing:
    """One query."""
    age = member.age
    asked: dict[str, int | str] = {
        "member": member.pk,
        "email_key": member.email_key,
        "age": -1 if age is None else age,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, asked)
        rows = cursor.fetchall()
    standing = Standing()
    returned_at = []
    for row in rows:
        what, word, about = row[:3]
        is_private, is_returned = row[8:10]
        first, *others = moments = [_moment(at) for at in row[3:8]]
        if what in ("asked", "form"):
            standing.forms.add(row, moments)
        elif what == "sent":
            assert first is not None  # the column says so
            standing.sent.append(SentRow(row[13], word, about, first, *others))
        elif what == "moved":
            assert first is not None  # the column says so
            standing.moved.append(MovedRow(word, about == "here", first))
        elif what == "confirmed":
            standing.confirmed_at = first
        elif what == "required":
            standing.required_since = first
        elif what == "change" and word == "waiting":
            standing.waiting += 1
        elif what == "change":
            returned_at.append(first)
        else:
            if is_private:
                standing.private_topics.add(word)
            if applies_to(member, word):
                _add_topic(standing, about, first, bool(is_returned))
    confirmed_at = standing.confirmed_at
    # “This is all correct” lets go of what was returned before.
    standing.returned = sum(
        confirmed_at is None or (at is not None and at > confirmed_at) for at in returned_at
    )
    return standing


def _add_topic(
    standing: Standing, answer: str, confirmed_at: datetime.datetime | None, is_returned: bool
) -> None:
    standing.topics_asked += 1
    standing.topics_answered += answer != "not-asked"
    standing.topics_returned += is_returned
    if confirmed_at is not None:
        latest, oldest = standing.topics_confirmed_at, standing.topics_oldest_at
        standing.topics_confirmed_at = max(latest or confirmed_at, confirmed_at)
        standing.topics_oldest_at = min(oldest or confirmed_at, confirmed_at)


def _moment(value: Any) -> datetime.datetime | None:
    """PostgreSQL gives moments; SQLite, of a statement in parts, the text that Django keeps: in UTC."""
    if value is None:
        return None
    moment = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
