from echod.policy.lines import LINES_PER_S, LineBudget


def test_so_many_a_second_are_allowed() -> None:
    """A second's lines are allowed up to the number, and those after are counted."""
    budget = LineBudget(3)
    allowed = [budget.allows(now_s) for now_s in (0.0, 0.1, 0.2, 0.3, 0.9)]
    assert [True, True, True, False, False] == allowed
    assert 2 == budget.take_left_out()


def test_another_second_has_lines_of_its_own() -> None:
    """A second begins with the first line that comes after the last one ended."""
    budget = LineBudget(1)
    allowed = [budget.allows(now_s) for now_s in (5.0, 5.999, 6.0, 6.5, 9.9, 10.8)]
    assert [True, False, True, False, True, False] == allowed


def test_left_out_lines_are_told_once() -> None:
    """What was left out is counted until somebody asks, and then anew."""
    budget = LineBudget(0)
    assert not budget.allows(0.0)
    assert 1 == budget.take_left_out()
    assert 0 == budget.take_left_out()


def test_default_stays_below_a_megabyte_a_minute() -> None:
    """A minute of the longest lines that there are is less than a megabyte."""
    longest = (
        "2026-11-22T18:15:46+0000 [echod.echo.log.ConnectionLog#info] Connection from "
        "('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 65535) timed out after "
        "18446744073709551615 bytes and 31622400.000 s\n"
    )
    assert 60 * LINES_PER_S * len(longest) < 1_000_000
