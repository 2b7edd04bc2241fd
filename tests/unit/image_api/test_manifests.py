from __future__ import annotations

import pytest

from image_api.chalicelib import manifests, problems
from image_api.chalicelib.manifests import Manifest, Origin, Source, StoredRendition
from image_api.chalicelib.refusals import CorruptImage, Refusal

ORIGIN = Origin("version-1", "0055AED6DCD90281E5", "presets-1")
PROBLEM = problems.refused(CorruptImage("It is damaged.")).document()


def test_manifests_come_back_as_they_were_written():
    rendition = StoredRendition(
        "small", "jpeg", "image/jpeg", 320, 200, 1234, "renditions/x/y/small-z.jpg"
    )
    for manifest in (
        manifests.ready(ORIGIN, Source("image/png", 640, 400), (rendition,)),
        manifests.rejected(ORIGIN, PROBLEM),
        manifests.attempted(ORIGIN, 2, 1_800_000_000.5),
    ):
        assert Manifest.from_json(manifest.to_json()) == manifest
        assert manifest.to_json() == manifest.to_json()


@pytest.mark.parametrize(
    ("version", "same"),
    [
        ("version-1", True),
        ("version-2", False),
    ],
)
def test_a_manifest_is_of_one_version_of_the_upload(version, same):
    result, attempt = manifests.rejected(ORIGIN, PROBLEM), manifests.attempted(ORIGIN, 3, 0)
    assert result.is_result_of(version) is same
    assert attempt.is_attempt_at(version) is same
    assert not result.is_attempt_at(version)
    assert not attempt.is_result_of(version)


def test_every_refusal_has_a_problem_type():
    assert set(problems.REFUSALS) == set(Refusal.__subclasses__())
    document = problems.refused(CorruptImage("It is damaged.")).document()
    assert document == {
        "type": "/problems/corrupt-image",
        "title": "The image is damaged",
        "status": 422,
        "detail": "It is damaged.",
    }
