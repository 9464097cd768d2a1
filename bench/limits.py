"""How late limits fire while their workers are killed: `python -m bench.limits [--limits N] [--seconds N] [--seed N] [--url URL]`."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.runner.limit_storm import play


def main() -> int:
    """Play one storm and print what came of it; exits 1 when a limit fired twice, early or not at all."""
    parser = argparse.ArgumentParser(prog="python -m bench.limits", description=__doc__)
    parser.add_argument("--limits", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=1_000.0, help="over which they come due")
    parser.add_argument("--kills", type=float, default=5.0, help="workers killed a second")
    parser.add_argument("--whole", type=int, default=20, help="one kill of so many takes the parent along; 0: none")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", default="", help="an empty PostgreSQL database; without it, SQLite in a fresh folder")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-limits-"))
    url = given.url or f"sqlite:///{folder / 'tocsin.db'}"
    environment = {**os.environ, "TOCSIN_DATA": str(folder), "DATABASE_URL": url}
    subprocess.run(
        [sys.executable, "-m", "server.cli", "demo", "--json"], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    hurt = {"workers": given.workers, "kills": given.kills, "whole": given.whole}
    storm = play(url, folder, given.seed, given.limits, given.seconds, **hurt)
    sys.stdout.write(f"seed {given.seed}: {storm}\n")
    for one in storm.wrong[:40]:
        sys.stdout.write(f"WRONG {one}\n")
    return 1 if storm.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
