"""Places a picture's parts by Graphviz, compiled to WebAssembly: the same on every machine.

What Graphviz needs to know of text it is told as boxes of a fixed size, so that no font of the
machine has a say.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from PIL import ImageFont

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docs.diagrams.picture import Edge, Group, Picture

HERE = Path(__file__).resolve().parent

# Pixels. Graphviz's own unit is the point; here a pixel is one.
ICON = 48
FONT_SIZE = 12
LINE = 15
GAP = 4
BADGE = 18
_INCH = 72


@dataclass(frozen=True)
class Point:
    """Pixels from the top left."""

    x: float
    y: float


@dataclass(frozen=True)
class Box:
    """A rectangle by its top left and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Route:
    """An arrow: the control points of its cubic Bézier curves, its tip, and its label's middle."""

    curve: tuple[Point, ...]
    tip: Point
    label: Point | None


@dataclass(frozen=True)
class Layout:
    """Where everything of a picture is. Nodes and groups by key, routes in the edges' order."""

    width: float
    height: float
    nodes: Mapping[str, Point]
    groups: Mapping[str, Box]
    routes: tuple[Route, ...]


class LayoutError(Exception):
    """Graphviz could not be run; the message says why and what to do."""


def font_file(*, bold: bool = False) -> Path:
    """The font that text is measured and, in PNG files, drawn with."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(mpl.get_data_path()) / "fonts" / "ttf" / name


def text_width(text: str, *, bold: bool = False) -> int:
    """How wide a text is at FONT_SIZE, in pixels."""
    return round(_font(bold=bold).getlength(text))


@cache
def _font(*, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_file(bold=bold), FONT_SIZE)


def place(pictures: Sequence[Picture]) -> list[Layout]:
    """Place the pictures' parts.

    Raises LayoutError: node or npm is missing, or Graphviz failed.
    """
    _install()
    graphs = [_graph(picture) for picture in pictures]
    done = subprocess.run(
        ["node", HERE / "graphviz.mjs"],
        input=json.dumps(graphs),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LayoutError(f"Graphviz: {done.stderr.strip()}")
    return [
        _layout(picture, placed)
        for picture, placed in zip(pictures, json.loads(done.stdout), strict=True)
    ]


def _install() -> None:
    """Install what package-lock.json names, unless that has been done since it last changed."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise LayoutError(f"{program} is not on PATH: install Node.js 20 or later")
    lock = HERE / "package-lock.json"
    installed = HERE / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LayoutError(f"npm ci: {done.stderr.strip()}")
    installed.touch()


def _graph(picture: Picture) -> dict[str, Any]:
    """The picture as a graph object of viz.js."""
    children = {
        parent: [group for group in picture.groups if group.parent == parent]
        for parent in (None, *(group.key for group in picture.groups))
    }
    return {
        "graphAttributes": {
            "rankdir": picture.direction,
            "newrank": True,
            "nodesep": 0.45,
            "ranksep": 0.75,
            "pad": 0,
            "compound": True,
            "remincross": True,
        },
        "nodeAttributes": {"shape": "box", "fixedsize": True, "label": ""},
        "nodes": [_node(node.key, node.label) for node in picture.nodes],
        "edges": [_edge(edge) for edge in picture.edges],
        "subgraphs": [_cluster(group, children, picture) for group in children[None]],
    }


def _node(key: str, label: Sequence[str]) -> dict[str, Any]:
    width = max([ICON + 16, *map(text_width, label)])
    return {
        "name": key,
        "attributes": {
            "width": width / _INCH,
            "height": (ICON + GAP + LINE * len(label)) / _INCH,
        },
    }


def _edge(edge: Edge) -> dict[str, Any]:
    ends = {"tail": edge.source, "head": edge.target}
    attributes: dict[str, Any] = {"constraint": edge.ranked, "arrowsize": 0.7}
    if edge.backwards:
        ends = {"tail": edge.target, "head": edge.source}
        attributes["dir"] = "back"
    if not edge.visible:
        attributes["style"] = "invis"
    width, height = label_size(edge)
    if width:
        attributes["label"] = _spacer(width + 6, height + 2)
    return {**ends, "attributes": attributes}


def label_size(edge: Edge) -> tuple[int, int]:
    """The width and height that an edge's number and label take."""
    lines = edge.label.split("\n") if edge.label else []
    width = max(map(text_width, lines), default=0)
    if edge.step is not None:
        width += BADGE + (GAP if lines else 0)
    return width, max(LINE * len(lines), BADGE if edge.step is not None else 0)


def _cluster(
    group: Group, children: Mapping[str | None, Sequence[Group]], picture: Picture
) -> dict[str, Any]:
    return {
        "name": f"cluster_{group.key}",
        "graphAttributes": {
            "label": _spacer(text_width(group.label, bold=True) + 12, LINE + 2),
            "labeljust": "l",
            "margin": 14,
        },
        "nodes": [{"name": node.key} for node in picture.nodes if node.group == group.key],
        "subgraphs": [_cluster(child, children, picture) for child in children[group.key]],
    }


def _spacer(width: float, height: float) -> dict[str, str]:
    return {
        "html": f'<table border="0" cellborder="0" cellpadding="0" cellspacing="0" '
        f'fixedsize="true" width="{width:.0f}" height="{height:.0f}"><tr><td></td></tr></table>'
    }


def _layout(picture: Picture, placed: Mapping[str, Any]) -> Layout:
    left, bottom, right, top = map(float, placed["bb"].split(","))

    def point(text: str) -> Point:
        x, y = map(float, text.split(","))
        return Point(round(x - left, 1), round(top - y, 1))

    def box(text: str) -> Box:
        x0, y0, x1, y1 = map(float, text.split(","))
        return Box(round(x0 - left, 1), round(top - y1, 1), round(x1 - x0, 1), round(y1 - y0, 1))

    objects = {found["name"]: found for found in placed["objects"]}
    # Graphviz lists edges in an order of its own, and numbers them in ours.
    edges = sorted(placed.get("edges", ()), key=lambda edge: int(edge["_gvid"]))
    ours = _in_order(picture, edges, placed["objects"])
    return Layout(
        round(right - left, 1),
        round(top - bottom, 1),
        {node.key: point(objects[node.key]["pos"]) for node in picture.nodes},
        {group.key: box(objects[f"cluster_{group.key}"]["bb"]) for group in picture.groups},
        tuple(_route(edge, point) for edge in ours),
    )


def _in_order(
    picture: Picture, edges: Sequence[Mapping[str, Any]], objects: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    names = {found["_gvid"]: found["name"] for found in objects}
    remaining = list(edges)
    found = []
    for edge in picture.edges:
        ends = (edge.target, edge.source) if edge.backwards else (edge.source, edge.target)
        match = next(
            placed for placed in remaining if (names[placed["tail"]], names[placed["head"]]) == ends
        )
        remaining.remove(match)
        found.append(match)
    return found


def _route(edge: Mapping[str, Any], point: Any) -> Route:
    # "e,X,Y" is where an arrow ends, "s,X,Y" where one that points back does.
    # https://graphviz.org/docs/attr-types/splineType/
    ends, curve = {}, []
    for word in edge["pos"].split(" "):
        if word[:2] in ("e,", "s,"):
            ends[word[0]] = point(word[2:])
        else:
            curve.append(point(word))
    tip = ends.get("e") or ends["s"]
    if "s" in ends:
        curve.reverse()
    return Route(tuple(curve), tip, point(edge["lp"]) if "lp" in edge else None)
