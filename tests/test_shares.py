"""Even shares of the connections: who is ahead, and of whom."""

from server.shares import SLOTS, Shares


def counted(**counts: int) -> Shares:
    shares = Shares()
    for name, count in counts.items():
        shares.join(int(name[1:]))
        shares.more(int(name[1:]), count)
    return shares


def test_who_has_clearly_more_than_another_is_ahead() -> None:
    shares = counted(p1=12, p2=10)
    assert (shares.ahead(1), shares.ahead(2)) == (True, False)
    assert not counted(p1=11, p2=10).ahead(1), "one more is no reason to wait"
    assert not counted(p1=1000, p2=950).ahead(1), "nor a twentieth"


def test_who_is_alone_or_among_those_that_leave_never_waits() -> None:
    shares = counted(p1=12)
    assert not shares.ahead(1)
    shares.join(2)
    assert shares.ahead(1)
    shares.leave(2)
    shares.more(2, -1)  # a connection of one that leaves ends
    assert not shares.ahead(1)


def test_a_place_is_given_again_with_nothing_in_it() -> None:
    shares = counted(p1=12, p2=12)
    shares.leave(1)
    shares.join(1 + SLOTS)
    assert (shares.ahead(2), shares.ahead(1 + SLOTS)) == (True, False)
