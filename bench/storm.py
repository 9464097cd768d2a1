"""Facts through kill -9: `python -m bench.storm [SEED …] [--facts N] [--kills N] [--postgresql]`; a seed replays what is made and killed.

Phones send until so many facts are acknowledged and so many processes were killed; then every fact is looked for, with its
effect and its line on the timeline. Prints how far it is; exits 1 when one is lost or there twice.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.faults.runner.fact_storm import play


def main() -> int:
    """Play one storm after the other."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm", description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, help="seeds to play; none: a fresh one")
    parser.add_argument("--facts", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server that is killed too")
    given = parser.parse_args()
    for seed in given.seeds or [random.randrange(10**9)]:
        print(f"seed {seed}: {given.facts} facts, {given.kills} kills", flush=True)
        folder = Path(tempfile.mkdtemp(prefix=f"tocsin-storm-{seed}-"))
        came = play(folder, seed, given.facts, given.kills, postgresql=given.postgresql, told=True)
        print(came, flush=True)
        if came.verdict.wrong or came.errors:
            print(f"seed {seed} broke a promise; its logs and data are in {folder}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
