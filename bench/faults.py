"""The fault runner's long form: `python -m bench.faults [SEED …] [--seconds N] [--runs N] [--postgresql]`; a seed replays.

Prints what was attempted, acknowledged and checked, and exits 1 at the first run in which a promise was broken.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults.runner.run import play


def main() -> int:
    """Run seed after seed."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, help="seeds to play; none: fresh ones")
    parser.add_argument("--seconds", type=float, default=120.0, help="length of the hurting part of each run")
    parser.add_argument("--runs", type=int, default=1, help="runs with fresh seeds when no seed is given")
    parser.add_argument("--phones", type=int, default=12)
    parser.add_argument("--rate", type=float, default=20.0, help="facts a second and phone, at most")
    parser.add_argument("--every", type=float, nargs=2, default=(0.3, 1.2), help="seconds between two misfortunes")
    parser.add_argument("--postgresql", action="store_true", help="with a PostgreSQL server that is killed too")
    parser.add_argument(
        "--restores", type=int, default=0, help="how often all is lost but a backup from seconds before"
    )
    given = parser.parse_args()
    totals: Counter[str] = Counter()
    started = time.monotonic()
    for seed in given.seeds or [random.randrange(10**9) for _ in range(given.runs)]:
        folder = Path(tempfile.mkdtemp(prefix=f"tocsin-faults-{seed}-"))
        outcome = play(
            folder, seed, given.seconds, postgresql=given.postgresql, phones=given.phones, rate=given.rate,
            every=tuple(given.every), restores=given.restores,
        )  # fmt: skip
        print(outcome, flush=True)
        totals.update(outcome.verdict.figures)
        totals["kills, pauses and jumps"] += sum(outcome.deeds.values())
        if outcome.verdict.wrong or outcome.errors:
            print(f"seed {seed} broke a promise; its logs and data are in {folder}")
            return 1
    print(
        f"all held in {time.monotonic() - started:.0f} s: "
        + ", ".join(f"{name} {count}" for name, count in sorted(totals.items()))
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
