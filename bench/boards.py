"""From an answer to the boards that show it: commit, hub, stream, pull (L3).

`python -m bench.boards [--boards N] [--answers N]`. Each board keeps a stream open and pulls on a connection of its own whenever it
is told that something moved, as the app does; an answer counts as visible when the board has its recipient's new row.
"""

import argparse
import json
import random
import selectors
import socket
import tempfile
import threading
import time
from pathlib import Path

from bench.load import Connection, request
from bench.writing import AS_OPERATED, heads, raised, signed_in
from server.db import new_id
from server.web import allow_files
from tests.faults.runner.wire import Wire
from tests.house import House

SIGN_INS, SECONDS = 10, 30.0
KINDS = ("received", "on_my_way", "on_scene")


class Board:
    """A screen that shows how an alert's answers stand: its stream, its cursors and the pull under way."""

    def __init__(self, port: int, wire: Wire, cursors: dict[str, int]) -> None:
        self.cursors, self.heads, self.pulling, self.again = dict(cursors), heads(wire), False, False
        self.shown: set[str] = set()
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=20)
        head = f"GET /api/v1/stream HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: tocsin={wire.cookie}\r\n\r\n"
        self.stream.sendall(head.encode())
        got = b""
        while b"open\n\n" not in got:
            got += self.stream.recv(4096)
        self.pull = Connection(
            port, lambda: request("POST", "/api/v1/changes", {"cursors": self.cursors}, **self.heads)
        )

    def poked(self) -> None:
        """Begin a pull, or remember to when one is under way."""
        if b"event: poke" in self.stream.recv(65536):
            if self.pulling:
                self.again = True
            else:
                self.pulling = True
                self.pull.send()

    def pulled(self) -> list[str]:
        """The ids of the answers that this board shows anew."""
        status = self.pull.receive()
        if status is None:
            return []
        assert status == 200, status
        shown = []
        for part in json.loads(self.pull.got.partition(b"\r\n\r\n")[2])["spaces"]:
            self.cursors[part["id"]] = part["to"]
            shown += [row["doc"]["answer_id"] for row in part["rows"] if row["type"] == "recipient" and "doc" in row]
        self.pulling = self.again
        if self.again:
            self.again = False
            self.pull.send()
        return [id for id in shown if id]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.boards")
    parser.add_argument("--boards", type=int, default=100)
    parser.add_argument("--answers", type=int, default=100)
    given = parser.parse_args()
    allow_files()  # two connections for each board
    with tempfile.TemporaryDirectory(prefix="tocsin-boards-") as folder:
        house = House(Path(folder), **AS_OPERATED)
        try:
            house.start("web")
            # every second of them is the commander, who sees each answer
            wires = [signed_in(house, number * 2 + 1)[0] for number in range(SIGN_INS)]
            _, alert = raised(wires[0], wires[0])
            parts = wires[0].call("POST", "/changes", {}).body["spaces"]
            cursors = {part["id"]: part["to"] for part in parts}
            boards = [Board(house.port, wires[number % SIGN_INS], cursors) for number in range(given.boards)]
            took = watch(boards, wires[0], alert, given.answers)
        finally:
            house.stop()
    first, last = (sorted(times[place] for times in took) for place in (0, -1))
    print("| boards | answers | first board p50 / p99 ms | last board p50 / p99 ms |\n|---:|---:|---:|---:|")
    shown = [f"{times[len(times) // 2]:.0f} / {times[int(len(times) * 0.99)]:.0f}" for times in (first, last)]
    print(f"| {given.boards} | {given.answers} | {' | '.join(shown)} |")


def watch(boards: list[Board], wire: Wire, alert: str, answers: int) -> list[list[float]]:
    """Give answers at chance moments; for each the milliseconds until every board showed it, sorted."""
    given: dict[str, float] = {}
    seen: dict[str, list[float]] = {}

    def answer() -> None:
        for number in range(answers):
            time.sleep(random.expovariate(2))
            id = new_id()
            given[id] = time.perf_counter()
            assert wire.call("PUT", f"/alerts/{alert}/answers/{id}", {"kind": KINDS[number % len(KINDS)]}).status == 201

    telling = threading.Thread(target=answer)
    with selectors.EpollSelector() as selector:
        for board in boards:
            selector.register(board.stream, selectors.EVENT_READ, (board, False))
            selector.register(board.pull.socket, selectors.EVENT_READ, (board, True))
        telling.start()
        until = 0.0
        while telling.is_alive() or sum(map(len, seen.values())) < answers * len(boards):
            if telling.is_alive():
                until = time.perf_counter() + SECONDS
            assert time.perf_counter() < until, "a board never showed an answer"
            for key, _ in selector.select(0.1):
                board, pulls = key.data
                if not pulls:
                    board.poked()
                    continue
                for id in board.pulled():
                    # an answer overtaken by the next one before the board looked is shown by that one
                    upto = given.get(id, 0.0)
                    for earlier in [one for one, at in given.items() if at <= upto and one not in board.shown]:
                        board.shown.add(earlier)
                        seen.setdefault(earlier, []).append((time.perf_counter() - given[earlier]) * 1000)
    return [sorted(times) for times in seen.values()]


if __name__ == "__main__":
    main()
