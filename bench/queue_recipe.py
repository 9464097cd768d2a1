"""The usual recipe for server-sent events, as a peer: a generator that waits on a queue of its own for each stream."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gevent.queue import Queue

queues: set[Queue] = set()
EVENT = b'event: poke\ndata: {"spaces":{"' + b"x" * 200 + b'":1}}\n\n'


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """GET /stream listens, POST /tell tells everybody."""
    if environ["PATH_INFO"].endswith("/tell"):
        for waiting in queues:
            waiting.put_nowait(EVENT)
        start_response("204 No Content", [])
        return []
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    return events()


def events() -> Iterator[bytes]:
    """What one stream hears."""
    waiting: Queue = Queue()
    queues.add(waiting)
    try:
        yield b": open\n\n"
        while True:
            yield waiting.get()
    finally:
        queues.discard(waiting)
