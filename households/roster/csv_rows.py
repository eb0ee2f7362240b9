"""Rows of a CSV file: comma, semicolon or tab; column names of several systems."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from households.roster import names
from households.roster.columns import Header, read_header, recognised
from households.roster.report import Entry, Severity, UnreadableFile
from households.roster.rows import BrokenRow, Row, Source

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
# A cell may hold line ends; an unclosed quote must not swallow the rest of the file.
MOST_LINES_OF_A_ROW = 10
LONGEST_ADDRESS = 500
_SEVERAL_LINES = {"address_1", "address_2", "full_address"}

_CITY_STATE_ZIP = re.compile(
    r"(?P<address_1>.+?),\s*(?P<city>[^,]+),\s*(?P<state>[A-Za-z]{2})\.?\s+(?P<postal_code>\d{5}(?:-\d{4})?)"
)


class _Broken(Exception):
    pass


def csv_source(text: str, encoding: str) -> Source:
    """Raises UnreadableFile when the first line does not name the columns."""
    lines = list(io.StringIO(text, newline=""))
    start = next(index for index, line in enumerate(lines) if line.strip())
    said = re.fullmatch(r"sep=([,;\t])\s*", lines[start])  # Excel's own first line
    if said:
        start += 1
    delimiter = (
        said[1] if said else max(DELIMITERS, key=lambda mark: _recognised(lines, start, mark))
    )
    if start >= len(lines) or not _recognised(lines, start, delimiter):
        raise UnreadableFile(
            "The file is not a roster that can be read: neither CSV whose first line names the columns, nor "
            "a FHIR bulk export (Patient.ndjson), nor HL7 v2 messages."
        )
    cells, used = _record(lines, start, delimiter)
    header = read_header(cells)
    source = Source(
        label=f"CSV, {DELIMITERS[delimiter]}, {encoding}",
        rows=_rows(lines, start + used, delimiter, header),
        expected=len(lines) - start - used,
        has_key=bool({"patient_id", "mrn"} & header.cells.keys()),
    )
    if header.ignored:
        source.entries.append(
            Entry(
                Severity.NOTE, "unknown_column", start + 1, "",
                f"Columns that are not used: {', '.join(header.ignored)}.",
            )
        )  # fmt: skip
    if "email" not in header.cells:
        source.entries.append(
            Entry(
                Severity.WARNING, "no_email_column", start + 1, "",
                "There is no column of emails: new patients get no portal access, others keep theirs.",
            )
        )  # fmt: skip
    return source


def _recognised(lines: list[str], start: int, delimiter: str) -> int:
    try:
        return recognised(_record(lines, start, delimiter)[0])
    except (_Broken, IndexError):
        return 0


def _record(lines: list[str], start: int, delimiter: str) -> tuple[list[str], int]:
    """The cells of the record that begins at `start`, and how many lines it takes."""
    used = 0

    def feed() -> Iterator[str]:
        nonlocal used
        for line in lines[start : start + MOST_LINES_OF_A_ROW]:
            used += 1
            yield line

    try:
        cells = next(csv.reader(feed(), delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "field larger" in str(error):
            raise _Broken(f"A cell is longer than {csv.field_size_limit():,} characters.") from None
        raise _Broken(
            "The quotation marks of this line do not close, or there is text after a closing one. Inside a "
            "quoted cell a quotation mark is written twice."
        ) from None
    return cells, used


def _rows(
    lines: list[str], start: int, delimiter: str, header: Header
) -> Iterator[Row | BrokenRow]:
    while start < len(lines):
        line, used = start + 1, 1
        try:
            cells, used = _record(lines, start, delimiter)
            if used > 1 and _swallowed(cells, header):
                used = 1
                raise _Broken("A quotation mark of this line is not closed.")
        except _Broken as error:
            yield BrokenRow(line, "unreadable_line", str(error))
        else:
            if any(cell.strip() for cell in cells):
                yield _row(line, cells, header)
        start += used


def _swallowed(cells: list[str], header: Header) -> bool:
    """An unclosed quote took the next patient's line with it. Addresses have line ends; names do not."""
    return len(cells) != header.width or any(
        re.search(r"[\r\n]", cells[index].strip())
        for field, index in header.cells.items()
        if field not in _SEVERAL_LINES
    )


def _row(line: int, cells: list[str], header: Header) -> Row | BrokenRow:
    extra = any(cell.strip() for cell in cells[header.width :])
    if extra or len(cells) < header.width:
        key = header.cells.get("patient_id", header.width)
        return BrokenRow(
            line,
            "wrong_number_of_cells",
            f"The line has {len(cells)} cells, the first line names {header.width}. Which belongs to which "
            "column cannot be told.",
            cells[key] if key < len(cells) else "",
        )
    values = {name: cells[index] for name, index in header.cells.items()}
    if "full_name" in values:
        last_first = values.pop("full_name")
        try:
            values = {**_last_first(last_first), **values}
        except _Broken as error:
            return BrokenRow(line, "unreadable_name", str(error), values.get("patient_id", ""))
    if "full_address" in values:
        values |= _street_city(values.pop("full_address"))
    return Row(line, values)


def _last_first(text: str) -> dict[str, str]:
    """ "Weimann, Jr., Leonel" taken apart. One word is a first name: some people have one name only."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1:
        if len(parts[0].split()) > 1:
            raise _Broken(
                "The name has no comma, so which word is the last name cannot be told. Write “Last, First”."
            )
        return {"first_name": parts[0], "last_name": ""}
    suffixes = [part for part in parts[1:] if names.is_suffix(part)]
    others = [part for part in parts[1:] if part not in suffixes]
    if len(others) > 1 or len(suffixes) > 1:
        raise _Broken("The name has more than one comma. Write “Last, First”.")
    return {
        "last_name": ", ".join([parts[0], *suffixes]),
        "first_name": others[0] if others else "",
    }


def _street_city(text: str) -> dict[str, str]:
    found = (
        _CITY_STATE_ZIP.fullmatch(" ".join(text.split())) if len(text) <= LONGEST_ADDRESS else None
    )
    if found:
        return found.groupdict()
    return {"address_1": text, "city": "", "state": "", "postal_code": ""}
