"""What an item is, and what a client may send as one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from . import clock
from .merge_patch import merge_patch
from .revisions import Revision
from .strict_json import Fault, Json, pointer_to

MAX_NAME = 200
MAX_DESCRIPTION = 4_000
MAX_TAGS = 20
MAX_TAG = 100
"""Lengths are in Unicode code points."""

MEMBERS = ("name", "description", "tags", "attributes")
READ_ONLY = ("id", "version", "created_at", "updated_at")

ID_RULE = "must have 1 to 64 of the characters A-Z, a-z, 0-9, _ and -"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Content:
    """What the client decides about an item."""

    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """What a write changes of an item it need not know; None leaves a part as it is.

    `attributes` takes the place of what there is, `attributes_patch` is merged into it.
    """

    texts: Mapping[str, str]
    tags: tuple[str, ...] | None = None
    attributes: Mapping[str, Json] | None = None
    attributes_patch: Mapping[str, Json] | None = None


@dataclass(frozen=True)
class Item:
    """An item as it is stored; `updated_at` is RFC 3339 in UTC with microseconds."""

    id: str
    content: Content
    revision: Revision
    updated_at: str

    @property
    def version(self) -> int:
        """How often the item has been written."""
        return self.revision.version

    @property
    def created_at(self) -> str:
        """When the item was created, in the form of `updated_at`."""
        return clock.text_of(self.revision.created)

    @property
    def position(self) -> str:
        """Where the item stands in the list: its time of creation, then its ID. Unique."""
        return position_of(self.id, self.revision.created)


class InvalidItemError(ValueError):
    """The document is no item; `faults` lists all that is wrong with it."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults))
        self.faults = faults


def position_of(item_id: str, created: int) -> str:
    """Return where an item stands in the list that was created then, in microseconds since 1970."""
    return f"{clock.text_of(created)}#{item_id}"


def is_id(text: str) -> bool:
    """Whether an item may have this ID: 1 to 64 of the characters A-Z a-z 0-9 _ and -."""
    return _ID.fullmatch(text) is not None


def content_of(document: Json) -> Content:
    """Return the content that `document` describes; InvalidItemError lists all its faults.

    `description`, `tags` and `attributes` may be left out, which makes them empty.
    """
    faults = list(member_faults(document))
    if not isinstance(document, dict):
        raise InvalidItemError(tuple(faults))
    name = ""
    if "name" in document:
        name = _text(document["name"], "/name", 1, MAX_NAME, faults)
    else:
        faults.append(Fault("/name", "is required"))
    content = Content(
        name=name,
        description=_text(
            document.get("description", ""), "/description", 0, MAX_DESCRIPTION, faults
        ),
        tags=_tags(document.get("tags", []), faults),
        attributes=_attributes(document.get("attributes", {}), faults),
    )
    if faults:
        raise InvalidItemError(tuple(faults))
    return content


def document_of_content(content: Content) -> dict[str, Json]:
    """Return the document a client would send to get `content`: the target of a merge patch."""
    return {
        "name": content.name,
        "description": content.description,
        "tags": list(content.tags),
        "attributes": dict(content.attributes),
    }


def document_of_item(item: Item) -> dict[str, Json]:
    """Return the representation of the item that clients get."""
    return {
        "id": item.id,
        **document_of_content(item.content),
        "version": item.version,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }


def member_faults(document: Json) -> Iterator[Fault]:
    """Yield the faults a document or merge patch has by its type and the names of its members."""
    if not isinstance(document, dict):
        yield Fault("", "must be an object")
        return
    for name in document:
        if name in READ_ONLY:
            yield Fault(pointer_to("", name), "is set by the server; leave it out")
        elif name not in MEMBERS:
            yield Fault(pointer_to("", name), f"is no member of an item: {', '.join(MEMBERS)}")


def faults_of(document: Json) -> tuple[Fault, ...]:
    """Return all that is wrong with a document, nothing where it describes an item."""
    try:
        content_of(document)
    except InvalidItemError as error:
        return error.faults
    return ()


def patch_faults(patch: Json) -> tuple[Fault, ...]:
    """Return all that is wrong with a merge patch, whatever item it is for.

    A patch without faults makes a valid item of any item: no limit is on members together.
    """
    faults = tuple(member_faults(patch))
    if not isinstance(patch, dict):
        return faults
    known = {name: value for name, value in patch.items() if name in MEMBERS}
    return faults + faults_of(merge_patch({"name": "-"}, known))


def changes_of_patch(patch: Mapping[str, Json]) -> Changes:
    """Return what a valid merge patch changes, whatever item it is for."""
    # RFC 7396: null removes the member, which makes it empty.
    texts = {
        name: value if isinstance(value, str) else ""
        for name, value in patch.items()
        if name in ("name", "description")
    }
    tags = patch.get("tags") or []
    attributes = patch.get("attributes")
    return Changes(
        texts,
        tuple(str(tag) for tag in tags) if "tags" in patch and isinstance(tags, list) else None,
        {} if "attributes" in patch and attributes is None else None,
        attributes if isinstance(attributes, dict) and attributes else None,
    )


def changes_to(content: Content) -> Changes:
    """Return the changes that make `content` of any item."""
    texts = {"name": content.name, "description": content.description}
    return Changes(texts, content.tags, content.attributes)


def _text(value: Json, pointer: str, least: int, most: int, faults: list[Fault]) -> str:
    """Return a string of `least` to `most` characters; anything else is added to `faults`."""
    if not isinstance(value, str):
        faults.append(Fault(pointer, "must be a string"))
        return ""
    if not least <= len(value) <= most:
        detail = f"must have {least} to {most:,} characters, not {len(value):,}"
        faults.append(Fault(pointer, detail))
    return value


def _tags(value: Json, faults: list[Fault]) -> tuple[str, ...]:
    if not isinstance(value, list):
        faults.append(Fault("/tags", "must be an array of strings"))
        return ()
    if len(value) > MAX_TAGS:
        detail = f"must have at most {MAX_TAGS} elements, not {len(value):,}"
        faults.append(Fault("/tags", detail))
    tags: dict[str, None] = {}
    for index, element in enumerate(value):
        pointer = pointer_to("/tags", index)
        tag = _text(element, pointer, 1, MAX_TAG, faults)
        if isinstance(element, str) and tag in tags:
            faults.append(Fault(pointer, "is there more than once"))
        tags[tag] = None
    return tuple(tags)


def _attributes(value: Json, faults: list[Fault]) -> dict[str, Json]:
    if not isinstance(value, dict):
        faults.append(Fault("/attributes", "must be an object"))
        return {}
    return value
