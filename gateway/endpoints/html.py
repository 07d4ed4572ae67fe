"""Templates filled and sent as HTML, with headers under which a page can only be looked at."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from gateway.text import displayable

_FOLDER = files(__package__) / "templates"
_STYLE = (_FOLDER / "style.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

ICON = (_FOLDER / "icon.svg").read_text("utf-8")
QUIET_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
}
_PAGE_HEADERS = {
    **QUIET_HEADERS,
    # The style is inside the page, so that it needs one request and no path of its own.
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "private, no-store",
}


def html_page(
    template: str,
    values: Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """The filled template; every value is escaped, and stripped of what hides or reorders text."""
    content = _templates.get_template(template).render(values, style=Markup(_STYLE))
    return HTMLResponse(content, status, {**_PAGE_HEADERS, **(headers or {})})


@dataclass(frozen=True, slots=True)
class PageFrame:
    """What stands around every page; `root` is the path below which all of them are."""

    root: str
    connector_name: str

    def page(
        self,
        template: str,
        values: Mapping[str, object],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """As `html_page`; a page that is about no question has an empty one."""
        frame = {"root": self.root, "connector_name": self.connector_name, "question": ""}
        return html_page(template, {**frame, **values}, status=status, headers=headers)


def _displayed(value: object) -> object:
    return displayable(value) if type(value) is str else value


_templates = Environment(
    loader=PackageLoader("gateway.endpoints"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
    finalize=_displayed,
)
