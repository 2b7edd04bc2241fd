"""JSON Merge Patch (RFC 7396)."""

from .strict_json import Json


def merge_patch(target: Json, patch: Json) -> Json:
    """Return `target` changed by `patch`, as the algorithm of RFC 7396, section 2 says.

    Neither argument is changed; the result may share parts with both.
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result
