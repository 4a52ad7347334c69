"""Bytes that are nearly right, the same in each run."""

from collections.abc import Iterator, Sequence
from random import Random

# What parsers trip over: the ends of numbers, and what means something somewhere.
_TOKENS = [
    *(b"\0", b"\1", b"\x7f", b"\x80", b"\xff", b"\0\0", b"\xff\xff", b"\x10\0"),
    *(b" ", b"  ", b"\r", b"\n", b"\r\n", b"\n\n", b"\t", b"\x1b[", b"%lo", b"%"),
    *(b"0", b"00", b"-1", b"+1", b"1_0", b"255", b"256", b"65536", b"99999999"),
    *(b".", b"..", b":", b"::", b":::", b"::ffff:1.2.3.4", b"1.2.3.4", b"0x7f.1"),
    *(b"PROXY ", b"TCP4 ", b"TCP6 ", b"UNKNOWN", b"TCP", b"QUIT\n", "٣".encode()),
    *(b"\x20", b"\x21", b"\x11", b"\x12", b"\x22", b"\x31", b"\x32", b"\3\0\4"),
]

# Four of five changes happen this near to where a header begins or its last one was.
_NEAR = 64


def mutations(corpus: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """
    Returns:
        Members of ``corpus``, each with one to four changes, without end.
    """
    random = Random(seed)
    number, bits = random.random, random.getrandbits
    tokens = len(_TOKENS)
    while True:
        data = bytearray(corpus[int(number() * len(corpus))])
        for _ in range(1 + bits(2)):
            kind = bits(3)
            reach = min(len(data), _NEAR) if kind & 3 else len(data)
            at = int(number() * (reach + 1))
            if kind <= 1:
                data[at : at + 1] = bytes((bits(8),))
            elif kind == 2:
                data[at:at] = _TOKENS[int(number() * tokens)]
            elif kind == 3:
                token = _TOKENS[int(number() * tokens)]
                data[at : at + len(token)] = token
            elif kind == 4:
                del data[at : at + 1 + bits(3)]
            elif kind == 5:
                data[at:at] = data[at : at + bits(5)]
            elif kind == 6:
                del data[int(number() * len(data)) :]
            else:
                other = corpus[int(number() * len(corpus))]
                data[at:] = other[at:]
        yield bytes(data)
