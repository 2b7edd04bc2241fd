"""Conditional requests: the If-Match and If-None-Match fields of RFC 9110, section 13.1."""

import re
from dataclasses import dataclass

from .revisions import Revision, parse_revision

MAX_ENTITY_TAGS = 100

_ENTITY_TAG = re.compile(r'[ \t]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?:,|$)')


class InvalidEntityTagsError(ValueError):
    """The field value is not the list of entity tags RFC 9110 asks for."""


@dataclass(frozen=True)
class EntityTags:
    """A parsed field value: `*` (`any_tag`), or the opaque tags, strong and weak apart."""

    any_tag: bool = False
    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()

    def single(self) -> Revision | None:
        """Return the one revision asked for; None where it is any, several, or none of ours."""
        if self.any_tag or len(self.strong) != 1:
            return None
        return parse_revision(next(iter(self.strong)))

    def matches_strongly(self, revision: str) -> bool:
        """Whether the revision meets If-Match (strong comparison, RFC 9110, section 13.1.1)."""
        return self.any_tag or revision in self.strong

    def matches_weakly(self, revision: str) -> bool:
        """Whether a revision is listed in If-None-Match (weak comparison, section 13.1.2)."""
        return self.any_tag or revision in self.strong or revision in self.weak


def parse_entity_tags(field_value: str) -> EntityTags:
    """Parse the value of If-Match or If-None-Match. InvalidEntityTagsError: it is malformed."""
    if field_value.strip() == "*":
        return EntityTags(any_tag=True)
    tags: dict[bool, set[str]] = {False: set(), True: set()}
    end = 0
    while end < len(field_value):
        match = _ENTITY_TAG.match(field_value, end)
        if match is None:
            raise InvalidEntityTagsError('must be * or a list of entity tags such as "4Xb2"')
        tags[match[1] is not None].add(match[2])
        end = match.end()
    if not any(tags.values()):
        raise InvalidEntityTagsError("is empty")
    if len(tags[False]) > MAX_ENTITY_TAGS:
        raise InvalidEntityTagsError(f"lists more than {MAX_ENTITY_TAGS} entity tags")
    return EntityTags(strong=frozenset(tags[False]), weak=frozenset(tags[True]))


def entity_tag(revision: str) -> str:
    """Return the ETag field value of a revision."""
    return f'"{revision}"'
