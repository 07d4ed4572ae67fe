import pytest

from gateway.endpoints.markdown import rendered
from gateway.text import displayable


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# One\n\n## Two", "<h2>One</h2>\n<h3>Two</h3>\n"),
        ("###### Six", "<h6>Six</h6>\n"),
        ("a **b** `c`", "<p>a <strong>b</strong> <code>c</code></p>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>\n"),
        ("<b>x</b> & y", "<p>&lt;b&gt;x&lt;/b&gt; &amp; y</p>\n"),
        ("<div>\nx\n</div>", "<p>&lt;div&gt;\nx\n&lt;/div&gt;</p>\n"),
        (
            '[a](https://a.example/?x=1&y="z")',
            '<p><a href="https://a.example/?x=1&amp;y=%22z%22" '
            'rel="nofollow noopener noreferrer">a</a></p>\n',
        ),
        ("[a](javascript:alert)", "<p>[a](javascript:alert)</p>\n"),
        ("[a](JavaScript&colon;alert)", "<p>[a](JavaScript:alert)</p>\n"),
        ("[a](/data/x)", "<p>[a](/data/x)</p>\n"),
        ("[a](//b.example)", "<p>[a](//b.example)</p>\n"),
        ("<mailto:a@b.example>", "<p>&lt;mailto:a@b.example&gt;</p>\n"),
    ],
)
def test_markdown_becomes_safe_html(text: str, html: str) -> None:
    assert rendered(text) == html


def test_a_table_is_framed_and_aligned_by_class() -> None:
    html = rendered("| a | b |\n|---|---:|\n| `1` | <2> |")
    assert html.startswith('<div class="wide" role="region" aria-label="Table" tabindex="0">')
    assert html.endswith("</table>\n</div>\n")
    assert "<td><code>1</code></td>" in html
    assert '<td class="right">&lt;2&gt;</td>' in html


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext €", "plain\n\ttext €"),
        ("a\x00b\x1b[0mc\x7fd\x85e\r", "ab[0mcde"),
        ("\u202eabc\u202c \u2066d\u2069 \u200ee\u200f", "abc d e"),
        ("\ufeffa\u200bb\u2060c\u00add", "abcd"),
        ("a\U000e0061\U000e007fb", "ab"),
        ("half \ud83d a pair", "half  a pair"),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_what_hides_or_reorders_text_is_not_shown(text: str, shown: str) -> None:
    assert displayable(text) == shown
