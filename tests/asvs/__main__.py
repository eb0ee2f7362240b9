"""`make asvs`: how the portal stands against OWASP ASVS 5.0 level 2. `ARGS=--all` prints every line."""

from __future__ import annotations

import sys

from tests.asvs.table import Line, chapters


def standing(line: Line) -> str:
    """One word for one line."""
    if line.out:
        return "out"
    if line.open:
        return "open"
    return "tested" if line.tests else "by design"


def main(arguments: list[str]) -> None:
    words = ["tested", "by design", "open", "out"]
    print(f"{'':40}" + "".join(f"{word:>11}" for word in words))
    everything = [line for lines in chapters().values() for line in lines]
    for name, lines in [*chapters().items(), ("Together", everything)]:
        counts = [sum(standing(line) == word for line in lines) for word in words]
        print(f"{name:40}" + "".join(f"{count:>11}" for count in counts))
    for line in everything:
        if line.open:
            print(f"\n{line.id} (level {line.level}), {line.what}: {line.open}")
        elif "--all" in arguments:
            print(f"\n{line.id} (level {line.level}), {line.what}: {standing(line)}")
            print("\n".join(f"  {said}" for said in [line.by, line.out, *line.tests] if said))


if __name__ == "__main__":
    main(sys.argv[1:])
