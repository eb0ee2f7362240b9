"""A file's bytes to its rows. The format is told by the content; a file's name proves nothing."""

from __future__ import annotations

import re

from households.roster.csv_rows import csv_source
from households.roster.decoding import decode
from households.roster.fhir_rows import fhir_source
from households.roster.hl7_rows import hl7_source
from households.roster.report import UnreadableFile
from households.roster.rows import Source

_HL7 = re.compile(r"^\x0b?MSH[^\w\s]", re.MULTILINE)
_RESOURCE = re.compile(r'^\s*\{[^\n]*"resourceType"', re.MULTILINE)


def read(data: bytes) -> Source:
    """Raises UnreadableFile for what is no roster; a broken line is a BrokenRow of the Source."""
    text, encoding = decode(data)
    start = text.lstrip()
    if start.startswith(("[", "<")):
        raise UnreadableFile(
            "This is a JSON list, XML or a web page. What can be read: CSV, a FHIR bulk export with one "
            "Patient a line (ndjson), or HL7 v2 ADT messages."
        )
    beginning = text[:65536].replace("\r", "\n")
    if start.startswith(("MSH", "\x0bMSH", "FHS", "BHS")) or _HL7.search(beginning):
        if not _HL7.search(text.replace("\r", "\n")):
            raise UnreadableFile("No HL7 message (MSH segment) is in this file.")
        return hl7_source(text, encoding)
    if _RESOURCE.search(beginning) or start.startswith("{"):
        return fhir_source(text, encoding)
    return csv_source(text, encoding)
