"""The hub of the live stream with listeners of our own: nothing is missed when the database or the kernel fails it."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime

import pytest
from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from server.api import live
from server.api.live import Hub
from server.api.streams import BEAT, HandedOver, Listener, QueuedListener, Sockets, open_listener
from server.clock import now
from server.db import Database, new_id
from server.domain import devices, people
from server.domain.feed import Space


@pytest.fixture
def hub(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(live, "RECHECK", 0.3)
    monkeypatch.setattr(live, "GAP", 0.05)
    opened = Hub(database)
    yield opened
    opened.close()
    thread = opened._thread
    if thread is not None:
        thread.join(10)


def move(hub: Hub, version: int) -> None:
    """Let what everybody may see move past the feed, that would notify."""
    with hub.database.engine.begin() as connection:
        moved = update(Space).where(Space.id == "org").values(version=version, changed_at=now())
        if connection.execute(moved).rowcount == 0:
            connection.execute(insert(Space).values(id="org", version=version, min_version=0, changed_at=now()))


def listening(hub: Hub) -> tuple[Listener, Iterator[bytes]]:
    """A stream of somebody who has just signed in, and what it hears."""
    person, device = new_id(), new_id()

    def unit(session: Session) -> None:
        session.add(people.Person(id=person, username=person, name="王", role="responder"))
        session.flush()
        session.add(devices.Device(id=device, person=person, name="phone", created_at=now(), last_seen_at=now()))
        session.flush()
        session.add(devices.SignIn(id=person, person=person, device=device, created_at=now(), used_at=now()))

    hub.database.write(unit)
    listener = QueuedListener(person, person, hub.alike(person, {"org"}))
    hub.join(listener)
    return listener, listener.events(hub.leave)


def until(heard: Iterator[bytes], words: bytes) -> None:
    """Read what a stream hears until these words come."""
    assert any(words in event for event in heard), "the stream ended"


def test_what_nobody_was_notified_of_is_told_all_the_same(hub: Hub) -> None:
    _, heard = listening(hub)
    move(hub, 100)
    until(heard, b'"org":100')
    time.sleep(2 * live.GAP)  # it waits again
    move(hub, 101)
    until(heard, b'"org":101')


def test_what_moved_while_the_hub_stumbled_is_told_after_it(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    _, heard = listening(hub)
    move(hub, 100)
    until(heard, b'"org":100')
    looked = hub._look
    failed: list[object] = []

    def stumble(since: datetime) -> datetime:
        if not failed:
            failed.append(since)
            raise OSError("the database is away")
        return looked(since)

    monkeypatch.setattr(hub, "_look", stumble)
    monkeypatch.setattr(live.log, "exception", lambda *words: None)
    move(hub, 101)
    until(heard, b'"org":101')
    assert failed


def test_who_comes_as_the_last_one_leaves_is_told_too(hub: Hub) -> None:
    for version in range(100, 103):
        listener, heard = listening(hub)
        move(hub, version)
        until(heard, b'"org":%d' % version)
        hub.leave(listener)


@pytest.mark.parametrize("forget", [True, False])
def test_a_session_that_ended_unheard_of_or_is_no_more_ends_its_stream(hub: Hub, forget: bool) -> None:
    listener, heard = listening(hub)
    _, staying = listening(hub)

    def unit(session: Session) -> None:
        found = session.get(devices.SignIn, listener.session)
        assert found is not None
        if forget:
            session.delete(found)
        else:
            found.ended_at = now() - 2 * live.OVERLAP  # by the clock of another host

    hub.database.write(unit)
    assert list(heard), "and then nothing more"
    assert len(hub.listeners) == 1
    move(hub, 100)
    until(staying, b'"org":100')


def pair() -> tuple[socket.socket, socket.socket]:
    """A connection over TCP: the server's end and the phone's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        phone = socket.create_connection(server.getsockname())
        return server.accept()[0], phone


def opened(
    sockets: Sockets, connection: socket.socket, left: Callable[[Listener], None] = lambda listener: None
) -> Listener:
    """A stream on this connection whose request has ended."""
    environ = {"gunicorn.socket": connection, "SERVER_PROTOCOL": "HTTP/1.1"}
    connection.setblocking(False)
    listener = open_listener(environ, sockets, "p", "s", frozenset())
    events = listener.events(left)
    assert b"open" in next(events)
    with pytest.raises(HandedOver):
        next(events)
    connection.close()
    return listener


def test_a_stream_goes_on_without_its_request_until_the_phone_hangs_up() -> None:
    counted: list[int] = []
    sockets = Sockets(counted.append)
    connection, phone = pair()
    listener = opened(sockets, connection)
    listener.tell(BEAT)
    assert phone.recv(100) == BEAT.chunk
    assert sockets.hung_up() == []
    phone.close()
    assert sockets.hung_up() == [listener]
    listener.close()
    listener.close()
    assert (sockets.hung_up(), counted) == ([], [1, -1])


def test_a_phone_that_never_reads_is_let_go_before_it_costs_memory_and_the_others_hear_on() -> None:
    counted: list[int] = []
    sockets = Sockets(counted.append)
    (deaf, its), (connection, phone) = pair(), pair()
    silent, listener = opened(sockets, deaf), opened(sockets, connection)
    sent = 0
    with closing(its), closing(phone):
        while sum(counted) == 2:
            silent.tell(BEAT)
            sent += len(BEAT.chunk)
            assert sent < 20_000_000
        listener.tell(BEAT)
        assert phone.recv(100) == BEAT.chunk
        listener.close()


def test_a_stream_closed_before_it_was_open_ends() -> None:
    sockets, left = Sockets(lambda count: None), list[Listener]()
    connection, phone = pair()
    environ = {"gunicorn.socket": connection, "SERVER_PROTOCOL": "HTTP/1.1"}
    listener = open_listener(environ, sockets, "p", "s", frozenset())
    events = listener.events(left.append)
    next(events)
    listener.close()
    with pytest.raises(HandedOver):
        next(events)
    assert left == [listener]
    with closing(phone), closing(connection):
        assert phone.recv(100) == b""
