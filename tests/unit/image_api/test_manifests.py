from __future__ import annotations

from image_api.chalicelib import manifests, problems
from image_api.chalicelib.manifests import Manifest, Source, StoredRendition
from image_api.chalicelib.refusals import CorruptImage, Refusal


def test_manifests_come_back_as_they_were_written():
    rendition = StoredRendition("small", "jpeg", 320, 200, 1234, "renditions/x/small.jpg")
    for manifest in (
        manifests.ready(Source("image/png", 640, 400), (rendition,)),
        manifests.rejected(problems.refused(CorruptImage("It is damaged.")).document()),
    ):
        assert Manifest.from_json(manifest.to_json()) == manifest
        assert manifest.to_json() == manifest.to_json()


def test_every_refusal_has_a_problem_type():
    assert set(problems.REFUSALS) == set(Refusal.__subclasses__())
    document = problems.refused(CorruptImage("It is damaged.")).document()
    assert document == {
        "type": "/problems/corrupt-image",
        "title": "The image is damaged",
        "status": 422,
        "detail": "It is damaged.",
    }
