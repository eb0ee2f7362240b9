"""`make fuzz`: the long run of tests/fuzz on both databases.

python -m tests.fuzz [--requests 20000] [--seed N]
"""

from __future__ import annotations

import argparse
import os
import sys

from tests import everywhere


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--requests", type=int, default=20_000, help="on each database")
    parser.add_argument("--seed", type=int, default=0, help="FUZZ_SEED of an earlier run")
    arguments = parser.parse_args()
    os.environ |= {"FUZZ_REQUESTS": str(arguments.requests), "PYTEST_WORKERS": "0"}
    if arguments.seed:
        os.environ["FUZZ_SEED"] = str(arguments.seed)
    return everywhere.main(["tests/fuzz"])


if __name__ == "__main__":
    sys.exit(main())
