"""When a push service is left alone, and when its word that a phone is gone is not believed."""

from server.delivery.circuits import FAILURES_TO_OPEN, Circuit, GoneWatch, back_off


class Time:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def opened() -> tuple[Circuit, Time]:
    time = Time()
    circuit = Circuit(time)
    for _ in range(FAILURES_TO_OPEN):
        assert circuit.lets_pass()
        circuit.failed()
    return circuit, time


def test_failures_in_a_row_open_it_and_one_success_in_between_does_not() -> None:
    circuit, _ = opened()
    assert not circuit.lets_pass()
    assert circuit.opens_in() > 0
    other = Circuit(Time())
    for _ in range(20):
        other.failed()
        other.succeeded()
    assert other.lets_pass()


def test_after_the_pause_one_probe_decides() -> None:
    circuit, time = opened()
    time.at += 2
    assert circuit.lets_pass()
    assert not circuit.lets_pass(), "one probe at a time"
    circuit.failed()
    assert not circuit.lets_pass()
    time.at += 3
    assert circuit.lets_pass()
    circuit.succeeded()
    assert circuit.lets_pass()
    assert circuit.lets_pass()


def test_a_probe_that_never_comes_back_does_not_keep_it_open_for_good() -> None:
    circuit, time = opened()
    time.at += 2
    assert circuit.lets_pass()
    time.at += 61
    assert circuit.lets_pass()


def test_the_pauses_grow_and_stay_under_75_seconds() -> None:
    circuit, time = opened()
    pauses = []
    for _ in range(12):
        start = time.at
        while not circuit.lets_pass():
            time.at += 0.1
        pauses.append(time.at - start)
        circuit.failed()
    assert pauses[0] < 2
    assert 40 < pauses[-1] <= 76


def test_one_phones_429_does_not_stop_the_others_but_three_in_a_row_do() -> None:
    time = Time()
    circuit = Circuit(time)
    for _ in range(2):
        circuit.asked_to_wait(900)
    circuit.succeeded()
    circuit.asked_to_wait(900)
    assert circuit.lets_pass()
    circuit.asked_to_wait(7)
    circuit.asked_to_wait(7)
    assert not circuit.lets_pass()
    time.at += 7.1
    assert circuit.lets_pass()


def test_back_off_doubles_with_jitter_up_to_a_minute() -> None:
    for attempt, middle in ((1, 1), (2, 2), (3, 4), (4, 8), (30, 60), (10_000, 60)):
        tries = [back_off(attempt) for _ in range(50)]
        assert all(0.75 * middle <= seconds <= 1.25 * middle for seconds in tries)
    assert len({back_off(5) for _ in range(10)}) > 5


def test_a_few_phones_that_are_gone_among_many_are_retired() -> None:
    watch = GoneWatch(Time())
    for number in range(100):
        if number % 5 == 0:
            assert watch.gone("o", str(number)).retire
        else:
            watch.alive("o")
    assert watch.storms() == []


def test_a_storm_keeps_everybody_and_brings_back_those_retired_before_it_was_seen() -> None:
    watch = GoneWatch(Time())
    verdicts = [watch.gone("o", str(number)) for number in range(30)]
    assert [verdict.retire for verdict in verdicts] == [True] * 4 + [False] * 26
    assert verdicts[4].reinstate == ("0", "1", "2", "3")
    assert all(verdict.reinstate == () for verdict in verdicts[5:])
    assert watch.storms() == ["o"]


def test_a_storm_at_one_service_says_nothing_about_another_and_it_passes() -> None:
    time = Time()
    watch = GoneWatch(time)
    for number in range(20):
        watch.gone("bad", str(number))
    assert watch.gone("good", "x").retire
    time.at += 301
    assert watch.gone("bad", "y").retire
    assert watch.storms() == []
