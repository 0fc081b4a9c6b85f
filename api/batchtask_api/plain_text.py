"""AWS's HTML descriptions as plain text, as `kubectl explain` shows it."""

from html.parser import HTMLParser

_CALLOUTS = {"note": "Note: ", "important": "Important: "}
_LISTS = frozenset({"ul", "ol", "dl"})
_BLOCKS = frozenset({"p", "li", "dt", "dd", *_CALLOUTS, *_LISTS})


def plain_text(html: str) -> str:
    """Give one line a paragraph, list items with a dash, definitions as `term: text`."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    """Collects paragraphs; a tag that starts or ends a block ends the one before it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._words: list[str] = []
        self._prefix = ""
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - HTMLParser's signature
        if tag not in _BLOCKS:
            return
        self._end_block()
        if tag in _LISTS:
            self._depth += 1
        elif tag == "li":
            self._prefix = "- "
        elif tag == "dt":
            self._prefix = ""
        elif tag in _CALLOUTS:
            self._prefix += _CALLOUTS[tag]

    def handle_endtag(self, tag: str) -> None:
        if tag not in _BLOCKS:
            return
        if tag == "dt":
            self._prefix = f"- {self._block()}: "
            return
        self._end_block()
        if tag in _LISTS:
            self._depth -= 1
            self._prefix = ""

    def handle_data(self, data: str) -> None:
        self._words.append(data)

    def text(self) -> str:
        self._end_block()
        return "\n".join(self._lines)

    def _block(self) -> str:
        block = " ".join("".join(self._words).split())
        self._words.clear()
        return block

    def _end_block(self) -> None:
        block = self._block()
        if not block:
            return
        indent = "  " * max(self._depth - 1, 0)
        hanging = "  " if self._depth and not self._prefix.startswith("- ") else ""
        self._lines.append(f"{indent}{hanging}{self._prefix}{block}")
        self._prefix = ""
