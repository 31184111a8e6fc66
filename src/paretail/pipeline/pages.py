"""What the pages of a shop's reports have in common: their look, and remarks in words."""

import re
from collections.abc import Iterable
from html import escape
from typing import Final

STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2b2a}"
    "table{border-collapse:collapse}td,th{padding:.25rem .8rem;text-align:right;border-bottom:1px solid #d5dedd}"
    "td:first-child,th:first-child{text-align:left}td div{background:#1b7f79;height:.8rem}.failed{color:#a33}"
    "code,pre{background:#f2f6f5}pre{padding:.6rem;white-space:pre-wrap}"
)


def opening(title: str, style: str = "") -> str:
    """Return how a page begins, up to its title; `style` comes after what all pages have."""
    named = escape(title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{named}</title><style>{STYLE}{style}</style>'
        f"<h1>{named}</h1>"
    )


def listed(lines: Iterable[str], none: str = "") -> str:
    """Return lines as a list, or `none` as its only one; without either nothing. What stands in backticks is code."""
    points = "".join(f"<li>{_said(line)}</li>" for line in lines) or (f"<li>{escape(none)}</li>" if none else "")
    return f"<ul>{points}</ul>" if points else ""


def _said(line: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(line))
