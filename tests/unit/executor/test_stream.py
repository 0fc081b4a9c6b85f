from hypothesis import given, settings
from hypothesis import strategies as st

from batchtask_executor.cluster.stream import lines


@settings(deadline=None)
@given(st.lists(st.binary().map(lambda b: b.replace(b"\n", b""))), st.integers(1, 7))
def test_lines_come_whole_however_the_network_cuts_them(texts: list[bytes], size: int) -> None:
    sent = b"".join(text + b"\n" for text in texts)
    pieces = [sent[start : start + size] for start in range(0, len(sent), size)]

    assert list(lines(pieces)) == [text for text in texts if text]


def test_a_line_that_was_cut_off_is_dropped() -> None:
    assert list(lines([b'{"a": 1}\n{"b"', b": 2"])) == [b'{"a": 1}']
