"""A placed picture as SVG, and as PNG drawn from that very SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import resvg_py

from docs.diagrams import icons
from docs.diagrams.layout import BADGE, FONT_SIZE, GAP, ICON, LINE, Point, font_file, label_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docs.diagrams.layout import Box, Layout, Route
    from docs.diagrams.picture import Edge, Group, GroupKind, Node, Picture

MARGIN = 24
TITLE = 34
# Pixels of a PNG for each of the SVG: sharp on a screen of high density.
PNG_SCALE = 2

INK, PAPER, LINE_COLOUR, BADGE_COLOUR = "#232f3e", "#ffffff", "#545b64", "#232f3e"
# Stroke, fill and dashes, as AWS's architecture diagrams have them.
GROUP_STYLES: dict[GroupKind, tuple[str, str, str]] = {
    "account": ("#cd2264", "none", ""),
    "vpc": ("#8c4fff", "none", ""),
    "zone": ("#147eba", "none", "5 4"),
    "public": ("#7aa116", "#f2f6e8", ""),
    "private": ("#00a4a6", "#e6f6f7", ""),
    "data": ("#3b48cc", "#ecedfb", ""),
    "part": ("#879196", "#fafafa", ""),
}


def render(picture: Picture, layout: Layout) -> str:
    """The picture as an SVG document that needs no other file."""
    width, height = size(layout)
    lines = zip(picture.edges, layout.routes, strict=True)
    drawn = [
        *(_group(group, layout.groups[group.key]) for group in picture.groups),
        *(_line(route) for edge, route in lines if edge.visible),
        *(_node(node, layout.nodes[node.key]) for node in picture.nodes),
        *map(_label, picture.edges, layout.routes),
    ]
    symbols, body = "\n".join(_symbols(picture)), "\n".join(filter(None, drawn))
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" role="img" aria-labelledby="title description" \
font-family="'DejaVu Sans', Verdana, sans-serif" font-size="{FONT_SIZE}" fill="{INK}">
<title id="title">{escape(picture.title)}</title>
<desc id="description">{escape(description(picture))}</desc>
<defs>
{symbols}
</defs>
<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>
<text x="{MARGIN}" y="{MARGIN + 8}" font-size="16" font-weight="bold">{escape(picture.title)}</text>
<g transform="translate({MARGIN} {MARGIN + TITLE})">
{body}
</g>
</svg>
"""


def png(document: str) -> bytes:
    """An SVG document of `render` as PNG, drawn with the font that measured it."""
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=document,
            zoom=PNG_SCALE,
            skip_system_fonts=True,
            font_files=[str(font_file()), str(font_file(bold=True))],
        )
    )


def size(layout: Layout) -> tuple[int, int]:
    """The width and height of the whole picture, in pixels."""
    return (
        math.ceil(layout.width) + 2 * MARGIN,
        math.ceil(layout.height) + 2 * MARGIN + TITLE,
    )


def description(picture: Picture) -> str:
    """What is not drawn, counted, for those who read a picture instead of seeing it."""
    if not picture.folded:
        return picture.title
    counted = ", ".join(f"{count} × {name}" for name, count in sorted(picture.folded.items()))
    return f"{picture.title}. Not drawn: {counted}."


def _symbols(picture: Picture) -> Iterator[str]:
    for icon in sorted({node.icon for node in picture.nodes}):
        yield (
            f'<image id="icon-{icon}" width="{ICON}" height="{ICON}" '
            f'href="{icons.data_uri(icon)}"/>'
        )


def _group(group: Group, box: Box) -> str:
    stroke, fill, dashes = GROUP_STYLES[group.kind]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="4" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="1.4"{dashed}/>'
        f'<text x="{box.x + 10}" y="{box.y + 18}" fill="{stroke}" font-weight="bold">'
        f"{escape(group.label)}</text>"
    )


def _node(node: Node, middle: Point) -> str:
    height = ICON + GAP + LINE * len(node.label)
    top = middle.y - height / 2
    lines = "".join(
        f'<text x="{middle.x}" y="{top + ICON + GAP + LINE * (index + 1) - 3}" '
        f'text-anchor="middle">{escape(line)}</text>'
        for index, line in enumerate(node.label)
    )
    return f'<use href="#icon-{node.icon}" x="{middle.x - ICON / 2}" y="{top}"/>{lines}'


def _line(route: Route) -> str:
    start, *rest = route.curve
    controls = " ".join(f"{point.x},{point.y}" for point in rest)
    end = route.curve[-1]
    angle = math.atan2(route.tip.y - end.y, route.tip.x - end.x)
    wings = " ".join(
        f"{end.x + 3.5 * math.cos(angle + turn):.1f},{end.y + 3.5 * math.sin(angle + turn):.1f}"
        for turn in (math.pi / 2, -math.pi / 2)
    )
    return (
        f'<path d="M{start.x},{start.y}C{controls}" fill="none" stroke="{LINE_COLOUR}" '
        f'stroke-width="1.3"/>'
        f'<polygon points="{route.tip.x},{route.tip.y} {wings}" fill="{LINE_COLOUR}"/>'
    )


def _label(edge: Edge, route: Route) -> str:
    if route.label is None:
        return ""
    width, height = label_size(edge)
    left, top = route.label.x - width / 2, route.label.y - height / 2
    # Paper behind the text, since other arrows may run below it.
    paper = (
        f'<rect x="{left - 2:.1f}" y="{top:.1f}" width="{width + 4}" height="{height}" '
        f'rx="3" fill="{PAPER}" fill-opacity="0.85"/>'
    )
    drawn = [paper]
    if edge.step is not None:
        middle = Point(left + BADGE / 2, route.label.y)
        drawn.append(
            f'<circle cx="{middle.x:.1f}" cy="{middle.y:.1f}" r="{BADGE / 2}" '
            f'fill="{BADGE_COLOUR}"/>'
            f'<text x="{middle.x:.1f}" y="{middle.y + 4:.1f}" fill="{PAPER}" font-weight="bold" '
            f'text-anchor="middle">{edge.step}</text>'
        )
        left += BADGE + GAP
    lines = edge.label.split("\n") if edge.label else []
    top = route.label.y - LINE * len(lines) / 2
    drawn += [
        f'<text x="{left:.1f}" y="{top + LINE * (index + 1) - 3.5:.1f}" fill="{LINE_COLOUR}">'
        f"{escape(line)}</text>"
        for index, line in enumerate(lines)
    ]
    return "".join(drawn)
