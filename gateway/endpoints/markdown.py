"""The markdown of our documents as HTML that can do nothing but be read."""

import re

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markupsafe import Markup

from gateway.text import displayable

_WEB_LINK = re.compile(r"https?://[^/?#]", re.IGNORECASE)


def rendered(text: str) -> Markup:
    """Headings, paragraphs, lists, tables, code and web links; any HTML in the text is only shown.

    Headings begin at `h2`, below the page's own; nothing has a `style`, which the pages' content
    security policy would refuse.
    """
    return Markup(_parser.render(displayable(text)))


def _parser_for_documents() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # An image would let a document make the reader's browser call somebody.
    parser.disable("image")
    parser.validateLink = _is_web_link  # type: ignore[method-assign]  # as its documentation says
    parser.core.ruler.push("settle", _settle)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    return parser


def _is_web_link(url: str) -> bool:
    return bool(_WEB_LINK.match(url))


def _settle(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        elif style := token.attrs.pop("style", None):
            token.attrSet("class", str(style).removeprefix("text-align:"))
        for part in token.children or ():
            if part.type == "link_open":
                part.attrSet("rel", "nofollow noopener noreferrer")


def _table_open(*_: object) -> str:
    return '<div class="wide" role="region" aria-label="Table" tabindex="0">\n<table>\n'


def _table_close(*_: object) -> str:
    return "</table>\n</div>\n"


_parser = _parser_for_documents()
