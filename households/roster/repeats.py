"""One patient in several rows of one file."""

from __future__ import annotations

from collections import defaultdict

from households.roster.cleaning import CleanRow


def settle_repeats(rows: list[CleanRow]) -> list[CleanRow]:
    """The rows that may go in: repeats that agree count once, rows of one key that disagree are all refused
    (also when one of them is refused anyway: nobody can say which is right)."""
    by_key: dict[tuple[str, str], list[CleanRow]] = defaultdict(list)
    for row in rows:
        if row.key:
            by_key[row.key].append(row)
    left_out: set[int] = set()
    for same in by_key.values():
        if len(same) == 1:
            continue
        first = same[0]
        if all(row.values == first.values for row in same):
            for row in same[1:]:
                left_out.add(row.line)
                row.entries.clear()
                row.note(
                    "exact_duplicate_row",
                    f"The same as line {first.line}; counted once.",
                )
        else:
            lines = ", ".join(str(row.line) for row in same[:10])
            differences = ", ".join(_differences(same))
            for row in same:
                row.refuse(
                    "same_id_conflicting_rows",
                    f"Lines {lines} are about the same patient and disagree in {differences}. "
                    "Keep the right one.",
                )
    _note_shared_record_numbers(
        [row for row in rows if not row.refused and row.line not in left_out]
    )
    return [row for row in rows if not row.refused and row.line not in left_out]


def _differences(rows: list[CleanRow]) -> list[str]:
    fields = {name: None for row in rows for name in row.values}
    return [
        name
        for name in fields
        if any(row.values.get(name) != rows[0].values.get(name) for row in rows)
    ]


def _note_shared_record_numbers(rows: list[CleanRow]) -> None:
    by_number: dict[str, list[CleanRow]] = defaultdict(list)
    for row in rows:
        if row.values.get("mrn"):
            by_number[row.values["mrn"]].append(row)
    for same in by_number.values():
        if len(same) > 1:
            for row in same:
                others = ", ".join(str(other.line) for other in same[:10] if other is not row)
                row.warn("same_record_number", f"The record number is also on line {others}.")
