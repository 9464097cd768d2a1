"""Fan-out of one alert: this product beside its peers, in one run on one machine. `python -m bench.fanout` prints a table.

A: COUNT messages without the outbox, over HTTP and TLS. B: 2,000 phones whose service answers after 50 to 150 ms.
C: one alert to 10,000 subscriptions through the outbox on SQLite, from the decision to the last acceptance.
Each figure is the median of ROUNDS runs (least – most in brackets), with the processor time our or the peer's processes
spent on a message: on a machine with other work that says more than the clock. Options: `--count`, `--rounds`, `--parts`
(`ABC`), `--npm FOLDER` (a folder where `npm install web-push` has run; else one is made).
"""

import argparse
import datetime
import ipaddress
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = Path(__file__).parent
SLOW = "0.05-0.15"

Run = Callable[[], dict[str, float]]


def main() -> None:
    """Run everything and print the table in Markdown."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--parts", default="ABC")
    options.add_argument("--npm", type=Path)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificate, key = make_certificate(folder)
        with sink("0") as plain, sink("0", certificate, key) as tls, sink(SLOW) as slow:
            if "A" in asked.parts:
                hot(asked.count, asked.rounds, plain, tls, certificate, asked.npm or install_npm_peer(folder))
            if "B" in asked.parts:
                table(f"B. 2,000 phones, answers after {SLOW} s, seconds to the last", 2000, asked.rounds, {
                    "webpush_async, 100 in flight": sender("webpush_async", slow, 2000),
                    "ours, sealed envelopes": sender("sealed", slow, 2000),
                }, rate=False)  # fmt: skip
            if "C" in asked.parts:
                title = "C. 10,000 subscriptions through the outbox (SQLite), messages a second"
                table(title, 10_000, asked.rounds, {
                    "webpush_async, 100 in flight, nothing stored": sender("webpush_async", plain, 10_000),
                    "ours: decision, rows, claim, send, result stored": outbox(plain, 10_000),
                })  # fmt: skip


def hot(count: int, rounds: int, plain: str, tls: str, certificate: Path, npm: Path | None) -> None:
    """Part A."""
    table("A. Hot fan-out over HTTP, messages a second", count, rounds, {
        "webpush_async, 100 in flight": sender("webpush_async", plain, count),
        "ours, a fresh key at sending": sender("fresh", plain, count),
        "ours, sealed envelopes": sender("sealed", plain, count),
        "floor: the same bytes ready made": sender("raw", plain, count),
    })  # fmt: skip
    peers = {"webpush_async, 100 in flight": sender("webpush_async", tls, count, certificate)}
    if npm:
        peers["npm web-push, 100 in flight"] = node(npm, tls, count, certificate)
    table("A. Hot fan-out over TLS, messages a second", count, rounds, {
        **peers,
        "ours, a fresh key at sending": sender("fresh", tls, count, certificate),
        "ours, sealed envelopes": sender("sealed", tls, count, certificate),
        "floor: the same bytes ready made": sender("raw", tls, count, certificate),
    })  # fmt: skip


def table(title: str, count: int, rounds: int, runs: dict[str, Run], *, rate: bool = True) -> None:
    """Measure in turns, so that a noisy minute hits everybody, and print; the first row is what others are measured by."""
    said: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            said[name].append(run())
    head = "| sender | median (least – most) | times the first | processor ms a message | of the first | peak MB |"
    print(f"\n### {title}\n\n{head}\n|---|---:|---:|---:|---:|---:|")
    first = next(iter(said.values()))
    for name, found in said.items():
        took = [one["seconds"] for one in found]
        figures = sorted(count / one for one in took) if rate else sorted(took)
        form = "{:,.0f} ({:,.0f} – {:,.0f})" if rate else "{:.3f} ({:.3f} – {:.3f})"
        told = form.format(statistics.median(figures), figures[0], figures[-1])
        times = statistics.median(one["seconds"] for one in first) / statistics.median(took)
        cost, of_first = "–", "–"
        if "cpu" in found[0]:
            worked = statistics.median(one["cpu"] for one in found)
            cost, of_first = (
                f"{worked / count * 1000:.3f}",
                f"1/{statistics.median(one['cpu'] for one in first) / worked:.1f}",
            )
        peak = max(one["mb"] for one in found)
        print(f"| {name} | {told} | {times:.1f} | {cost} | {of_first} | {peak:.0f} |", flush=True)


def sender(name: str, origin: str, count: int, authority: Path | None = None) -> Run:
    """A sender of bench/senders.py in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "bench.senders",
        name,
        origin,
        str(count),
        *([str(authority)] if authority else []),
    ]
    return lambda: measured(command)


def outbox(origin: str, count: int) -> Run:
    """The durable way, measured by bench/outbox_run.py."""
    return lambda: measured([sys.executable, "-m", "bench.outbox_run", origin, str(count)])


def node(folder: Path, origin: str, count: int, authority: Path) -> Run:
    """The npm peer."""
    return lambda: measured(["node", str(HERE / "npm_web_push.mjs"), str(folder), origin, str(count), str(authority)])


def measured(command: list[str]) -> dict[str, float]:
    """What a sender printed last."""
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=HERE.parent, timeout=300).stdout
    figures: dict[str, float] = json.loads(said.decode().strip().splitlines()[-1])
    return figures


@contextmanager
def sink(delay: str, *certificate: Path) -> Iterator[str]:
    """A push service in a process of its own; gives its origin."""
    command = [sys.executable, "-m", "bench.push_sink", delay, *map(str, certificate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=HERE.parent) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
        finally:
            process.terminate()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    at = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - datetime.timedelta(hours=1))
        .not_valid_after(at + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


def install_npm_peer(folder: Path) -> Path | None:
    """Install npm's web-push beside the bench; None when npm or the network is missing."""
    peer = folder / "npm"
    peer.mkdir()
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "web-push"], cwd=peer, capture_output=True)
    except FileNotFoundError:
        return None
    return peer if done.returncode == 0 else None


if __name__ == "__main__":
    main()
