"""AWS's HTML becomes text for a terminal."""

import pytest

from batchtask_api.plain_text import plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("plain", "plain", id="no tags"),
        pytest.param(
            "<p>The <code>a</code>\n  and <i>b</i>.</p>", "The a and b.", id="inline tags"
        ),
        pytest.param("<p>One.</p> <p>Two.</p>", "One.\nTwo.", id="paragraphs"),
        pytest.param('<p>See <a href="https://x">Jobs</a>.</p>', "See Jobs.", id="links"),
        pytest.param("<p>a &lt; b &amp; c</p>", "a < b & c", id="entities"),
        pytest.param("<p>Text.</p> <note> <p>Mind.</p> </note>", "Text.\nNote: Mind.", id="notes"),
        pytest.param("<important> <p>Mind.</p> </important>", "Important: Mind.", id="important"),
        pytest.param(
            "<p>Of:</p> <ul> <li> <p>A</p> </li> <li> <p>B</p> <p>C</p> </li> </ul> <p>End.</p>",
            "Of:\n- A\n- B\n  C\nEnd.",
            id="lists",
        ),
        pytest.param(
            "<dl> <dt>t</dt> <dd> <p>One.</p> <note> <p>Mind.</p> </note> <dl> <dt>v = 1</dt>"
            " <dd> <p>Two</p> </dd> </dl> </dd> <dt>u</dt> <dd> <p>Three.</p> </dd> </dl>",
            "- t: One.\n  Note: Mind.\n  - v = 1: Two\n- u: Three.",
            id="definitions inside definitions",
        ),
    ],
)
def test_html_is_read_as_text(html: str, text: str) -> None:
    assert plain_text(html) == text
