"""Which expressions of a form can be worked out: FHIRPath that names nothing unknown."""

from __future__ import annotations

from households.intake.engine.extensions import FHIR, all_of, text, value
from households.intake.engine.parts import Expression
from households.intake.engine.syntax import parse

# What an expression may ask for, besides the variables of the form.
ENVIRONMENT = frozenset(
    {"resource", "rootResource", "context", "questionnaire", "qitem", "patient"}
    | {"ucum", "loinc", "sct"}
)
# Characters of all expressions of one form together. The most in the real forms here is 12,422, which takes
# a third of a second to read.
MOST_WRITTEN = 60_000
_FHIRPATH = ("text/fhirpath", "")


class _Ration:
    """What one form may still have read, the same expression counted once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._left = MOST_WRITTEN

    def has_room(self, written: str) -> bool:
        if written not in self._seen:
            self._seen.add(written)
            self._left -= len(written)
        return self._left >= 0


class Scope:
    """Which variables an expression in this place may name, and so which expressions can be worked out."""

    def __init__(self, names: frozenset[str], outer: Scope | None = None) -> None:
        self.names = names
        self._ration: _Ration = outer._ration if outer else _Ration()
        self.variables: tuple[Expression, ...] = ()

    def within(self, element: dict) -> Scope:
        """The scope of an element, with the variables that it declares and that can be worked out."""
        declared = [
            each
            for extension in all_of(element, FHIR + "variable")
            if isinstance(each := value(extension), dict) and text(each.get("name"))
        ]
        if not declared:
            return Scope(self.names, self)
        inner = Scope(self.names | {each["name"] for each in declared}, self)
        usable = [(each, read) for each in declared if (read := inner.read(each))]
        while len(usable) < len(declared):
            # One that cannot be worked out takes those with it that name it.
            inner.names = self.names | {each["name"] for each, _ in usable}
            declared = [each for each, _ in usable]
            usable = [(each, read) for each in declared if (read := inner.read(each))]
        inner.variables = tuple(Expression(read.text, each["name"]) for each, read in usable)
        return inner

    def read(self, element: object) -> Expression | None:
        """FHIRPath only (CQL and queries are somebody else's), without what is unknown here."""
        if not isinstance(element, dict) or text(element.get("language")) not in _FHIRPATH:
            return None
        written = text(element.get("expression"))
        parsed = parse(written) if written.strip() and self._ration.has_room(written) else None
        if parsed is None or parsed.unknown_functions or not parsed.variables <= self.names:
            return None
        return Expression(written)
