"""A picture from outside, decoded and encoded anew, so that nothing but its pixels is passed on.

The picture is made by the code of a pull request. What is no whole, still PNG
of a reasonable size is no picture: it is refused, and never an error.
"""

from collections.abc import Iterator
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

LONGEST_SIDE = 960
MOST_BYTES = 400_000
MOST_PIXELS = 16_000_000
"""What a picture may be before it is made smaller: 4,000 x 4,000. Decoding it takes 200 MB for half
a second.
"""

_ONE_AT_A_TIME = Lock()

_BEGINNING = b"\x89PNG\r\n\x1a\n"
_SMALLEST_SIDE = 64


def reencoded(
    png: bytes, longest_side: int = LONGEST_SIDE, most_bytes: int = MOST_BYTES
) -> bytes | None:
    """A picture as a PNG of at most that size, without anything that it said besides; None when it
    is no picture.
    """
    if not _still(png):
        return None
    try:
        with _ONE_AT_A_TIME:
            picture = _decoded(png, longest_side)
        while picture is not None:
            content = _encoded(picture)
            if len(content) <= most_bytes:
                return content
            picture = _smaller(picture, len(content) / most_bytes)
    except Exception:  # Pillow raises a dozen kinds for a broken picture, and warns of an odd one.
        return None
    return None


def _still(png: bytes) -> bool:
    """Whether the chunks of a PNG say that it is one picture, whole, and of no more pixels than are
    read.
    """
    if not png.startswith(_BEGINNING):
        return False
    kinds = list(_chunks(png))
    if not kinds or kinds[0][0] != b"IHDR" or kinds[-1][0] != b"IEND":
        return False
    if any(kind in (b"acTL", b"fcTL", b"fdAT") for kind, _ in kinds):
        return False
    header = kinds[0][1]
    if len(header) != 13:
        return False
    width = int.from_bytes(header[:4])
    height = int.from_bytes(header[4:8])
    return 0 < width * height <= MOST_PIXELS


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_BEGINNING)
    while at + 12 <= len(png):
        length = int.from_bytes(png[at : at + 4])
        kind = png[at + 4 : at + 8]
        if at + 12 + length > len(png):
            return
        yield kind, png[at + 8 : at + 8 + min(length, 13)]
        if kind == b"IEND":
            return
        at += 12 + length


def _decoded(png: bytes, longest_side: int) -> "Image.Image | None":
    # Imported where it is needed: most passes of a worker show no picture.
    from PIL import Image

    with Image.open(BytesIO(png), formats=["PNG"]) as opened:
        # A second header would count to Pillow, which has read it and decoded nothing yet.
        if opened.width * opened.height > MOST_PIXELS:
            return None
        opened.load()
        # Pillow would make everything white of what has more than 8 bits to a pixel.
        if opened.mode == "I;16":
            shallow = opened.point(lambda value: value / 256, "L")
        else:
            shallow = opened
        picture = shallow.convert("RGBA")
    picture.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    # Plots are drawn in black, whatever the reader's page is.
    page = Image.new("RGBA", picture.size, "white")
    picture = Image.alpha_composite(page, picture).convert("RGB")
    # Only the pixels go on: what was said of them is kept by all of the above.
    return Image.frombytes(picture.mode, picture.size, picture.tobytes())


def _encoded(picture: "Image.Image") -> bytes:
    sent = BytesIO()
    picture.save(sent, "PNG", optimize=True)
    return sent.getvalue()


def _smaller(picture: "Image.Image", times_too_large: float) -> "Image.Image | None":
    """The picture with so many fewer pixels, or, once it would be tiny, none."""
    from PIL import Image

    share = min(0.9, times_too_large**-0.5)
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    if max(size) >= _SMALLEST_SIDE:
        return picture.resize(size, Image.Resampling.LANCZOS)
    return None
