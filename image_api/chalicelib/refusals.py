"""Why an upload is refused.

    Refusal (ValueError)
     ├── Empty              no bytes at all
     ├── TooLarge           more bytes than one upload may have
     ├── UnsupportedFormat  not one of the formats taken
     ├── TooManyPixels      more pixels, or a longer side, than is decoded
     └── CorruptImage       the right kind of file, but it does not decode

A refusal is about the bytes: the same bytes end the same way again, so it is never retried.
"""

from __future__ import annotations


class Refusal(ValueError):
    """The upload cannot become renditions. The message is one sentence for the person uploading."""


class Empty(Refusal):
    """There are no bytes."""


class TooLarge(Refusal):
    """The file has more bytes than the limit."""


class UnsupportedFormat(Refusal):
    """The bytes do not begin as one of the formats taken do."""


class TooManyPixels(Refusal):
    """Decoding would take more memory than the function has to spare."""


class CorruptImage(Refusal):
    """The file begins rightly and then cannot be decoded."""
