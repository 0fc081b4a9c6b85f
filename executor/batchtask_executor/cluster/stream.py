"""Lines out of the pieces in which a network delivers them."""

from collections.abc import Iterable, Iterator


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield each line without its end; what comes after the last line end is dropped.

    In a watch that is an event cut off by the connection's end, which comes again.
    """
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from filter(None, whole)
