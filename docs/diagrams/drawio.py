"""A placed picture as a file of diagrams.net, with its own AWS shapes, to be edited there.

The format is mxGraph's, uncompressed: https://www.drawio.com/doc/faq/save-file-formats
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from docs.diagrams.icons import ICONS
from docs.diagrams.layout import GAP, ICON, LINE, Box
from docs.diagrams.svg import GROUP_STYLES, INK, LINE_COLOUR, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docs.diagrams.layout import Layout, Point
    from docs.diagrams.picture import Edge, Group, Node, Picture

# mxGraph: cell 0 is the root, cell 1 the layer everything without a parent is in.
_LAYER = "1"


def render(picture: Picture, layout: Layout) -> str:
    """The picture as an mxfile with one page."""
    width, height = size(layout)
    file = ElementTree.Element("mxfile", host="app.diagrams.net")
    page = ElementTree.SubElement(file, "diagram", id=picture.name, name=picture.title)
    model = ElementTree.SubElement(
        page, "mxGraphModel", grid="1", page="1", pageWidth=str(width), pageHeight=str(height)
    )
    root = ElementTree.SubElement(model, "root")
    ElementTree.SubElement(root, "mxCell", {"id": "0"})
    ElementTree.SubElement(root, "mxCell", {"id": _LAYER, "parent": "0"})
    for group in picture.groups:
        _group(root, group, layout.groups)
    for node in picture.nodes:
        _node(root, node, layout)
    for number, edge in enumerate(edge for edge in picture.edges if edge.visible):
        _edge(root, f"edge-{number}", edge)
    ElementTree.indent(file)
    return ElementTree.tostring(file, encoding="unicode") + "\n"


def _group(root: ElementTree.Element, group: Group, boxes: Mapping[str, Box]) -> None:
    stroke, fill, dashes = GROUP_STYLES[group.kind]
    style = (
        "rounded=0;container=1;collapsible=0;recursiveResize=0;verticalAlign=top;align=left;"
        f"spacingLeft=6;html=0;fontStyle=1;strokeColor={stroke};fontColor={stroke};"
        f"fillColor={fill};dashed={int(bool(dashes))}"
    )
    _cell(root, group.key, group.label, style, boxes[group.key], group.parent, boxes)


def _node(root: ElementTree.Element, node: Node, layout: Layout) -> None:
    style = (
        "sketch=0;outlineConnect=0;html=0;aspect=fixed;dashed=0;verticalLabelPosition=bottom;"
        f"verticalAlign=top;align=center;fontColor={INK};{ICONS[node.icon].drawio}"
    )
    middle: Point = layout.nodes[node.key]
    top = middle.y - (ICON + GAP + LINE * len(node.label)) / 2
    box = Box(middle.x - ICON / 2, top, ICON, ICON)
    _cell(root, node.key, "\n".join(node.label), style, box, node.group, layout.groups)


def _edge(root: ElementTree.Element, key: str, edge: Edge) -> None:
    steps = [] if edge.step is None else [f"{edge.step}."]
    cell = ElementTree.SubElement(
        root,
        "mxCell",
        {
            "id": key,
            "value": " ".join([*steps, edge.label]).strip(),
            "style": "edgeStyle=orthogonalEdgeStyle;rounded=1;html=0;endArrow=classic;"
            f"strokeColor={LINE_COLOUR};fontColor={LINE_COLOUR}",
            "edge": "1",
            "parent": _LAYER,
            "source": edge.source,
            "target": edge.target,
        },
    )
    ElementTree.SubElement(cell, "mxGeometry", {"relative": "1", "as": "geometry"})


def _cell(
    root: ElementTree.Element,
    key: str,
    label: str,
    style: str,
    box: Box,
    parent: str | None,
    boxes: Mapping[str, Box],
) -> None:
    # A cell's place is told from the top left of its parent.
    origin = Box(0, 0, 0, 0) if parent is None else boxes[parent]
    cell = ElementTree.SubElement(
        root,
        "mxCell",
        {
            "id": key,
            "value": label,
            "style": style,
            "vertex": "1",
            "parent": parent or _LAYER,
        },
    )
    ElementTree.SubElement(
        cell,
        "mxGeometry",
        {
            "x": f"{box.x - origin.x:.1f}",
            "y": f"{box.y - origin.y:.1f}",
            "width": f"{box.width:.1f}",
            "height": f"{box.height:.1f}",
            "as": "geometry",
        },
    )
