"""Connections that are not open yet."""

from echod.transport.opening import Opening


class Noted:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def is_late(self) -> None:
        self.told.append("late")

    def abort(self) -> None:
        self.told.append("abort")


class Time:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_who_is_late_is_told_once() -> None:
    """At its deadline, and not before, a connection is told that its time is over."""
    time_ = Time()
    opening, quick, slow = Opening(time_), Noted(), Noted()
    opening.begin(quick, 5)
    opening.begin(slow, 10)
    for time_.now_s in (104.9, 105.0, 106.0):
        opening.end_late()
    assert (["late"], []) == (quick.told, slow.told)
    assert 1 == len(opening)


def test_who_is_open_is_left_alone() -> None:
    """A connection that is open has no deadline; it may say so twice."""
    time_ = Time()
    opening, opener = Opening(time_), Noted()
    opening.begin(opener, 5)
    opening.end(opener)
    opening.end(opener)
    time_.now_s = 200.0
    opening.end_late()
    opening.abort()
    assert [] == opener.told


def test_without_a_time_out_nobody_is_late() -> None:
    """A time-out of 0 is none."""
    time_ = Time()
    opening, opener = Opening(time_), Noted()
    opening.begin(opener, 0)
    time_.now_s = 1e9
    opening.end_late()
    assert [] == opener.told


def test_end_of_the_service_breaks_all() -> None:
    """Those that are under way when the service ends are broken, and forgotten."""
    opening, openers = Opening(Time()), [Noted(), Noted()]
    for opener in openers:
        opening.begin(opener, 5)
    opening.abort()
    assert [["abort"], ["abort"]] == [it.told for it in openers]
    assert 0 == len(opening)
