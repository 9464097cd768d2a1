"""`make bench`: every figure of the documents in turn, in a short form; each module alone takes more and longer."""

import subprocess
import sys

PARTS = (
    ("bench.phone",),
    ("bench.fanout", "--count", "2000"),
    ("bench.writing", "--seconds", "2", "--rounds", "1"),
    ("bench.catching_up", "--rows", "100000", "--seconds", "2", "--rounds", "1"),
    ("bench.live", "--streams", "1000", "--rounds", "3"),
    ("bench.boards", "--boards", "50", "--answers", "40"),
    ("bench.slow_link", "--items", "120", "--photos", "3"),
    ("bench.limits", "--limits", "600", "--seconds", "15"),
    ("bench.faults", "--seconds", "30"),
)


def main() -> int:
    """Run every part, also after one that failed; 0 when all went well."""
    failed = 0
    for part in PARTS:
        print(f"\n== python -m {' '.join(part)}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", *part], check=False).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
