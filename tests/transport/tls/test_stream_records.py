"""Where records begin and end."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from echod.transport.tls.records import Records


def record(size: int) -> bytes:
    """A record with ``size`` bytes in it."""
    return b"\x17\x03\x03" + size.to_bytes(2) + bytes(size)


@given(
    st.lists(st.sampled_from([0, 1, 2, 255, 256, 16_401]), max_size=8),
    st.lists(st.integers(1, 20_000), min_size=1),
)
def test_one_record_is_known_in_any_stream(
    contents: list[int], sizes: list[int]
) -> None:
    """A piece is one record if it is that, whatever came before and in what pieces."""
    stream = b"".join(record(size) for size in contents)
    ends = [0, *itertools.accumulate(len(record(size)) for size in contents)]
    whole = set(itertools.pairwise(ends)) - {(end, end + 5) for end in ends}
    records, begin = Records(), 0
    for size in itertools.cycle(sizes):
        end = min(begin + size, len(stream))
        if begin == end:
            break
        assert ((begin, end) in whole) == records.is_one(stream[begin:end])
        begin = end


@given(st.lists(st.sampled_from([1, 255, 256, 16_401])))
def test_records_one_by_one(contents: list[int]) -> None:
    """Records that come one by one are one each."""
    records = Records()
    assert all(records.is_one(record(size)) for size in contents)


def test_one_again_after_parts() -> None:
    """A header that comes in parts is put together."""
    records = Records()
    parts = record(3)
    for begin in range(len(parts)):
        assert not records.is_one(parts[begin : begin + 1])
    assert records.is_one(record(1))
