"""Pictures from outside: what is passed on is small, still and silent; what is no picture is none,
never an error.
"""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from bot.pictures.harmless import LONGEST_SIDE, MOST_BYTES, MOST_PIXELS, reencoded
from tests.examples import percent

BEGINNING = b"\x89PNG\r\n\x1a\n"


def png(mode: str = "RGB", size: tuple[int, int] = (40, 30), **how: object) -> bytes:
    sent = io.BytesIO()
    Image.effect_mandelbrot(size, (-2.0, -1.5, 1.0, 1.5), 50).convert(mode).save(sent, "PNG", **how)
    return sent.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def header(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def bomb(width: int, height: int, *, said: tuple[int, int] | None = None) -> bytes:
    """A few kilobytes that say they are a huge picture, perhaps only at the second time of
    asking.
    """
    content = chunk(b"IDAT", zlib.compress(bytes(100_000)))
    return (
        BEGINNING
        + (header(*said) if said else b"")
        + header(width, height)
        + content
        + chunk(b"IEND", b"")
    )


def opened(content: bytes | None) -> Image.Image:
    assert content is not None
    found = Image.open(io.BytesIO(content), formats=["PNG"])
    found.load()
    return found


def test_a_large_picture_is_made_smaller_and_keeps_its_shape() -> None:
    found = opened(reencoded(png(size=(3000, 1500))))

    assert found.size == (LONGEST_SIDE, LONGEST_SIDE // 2)


def test_a_small_picture_keeps_its_pixels() -> None:
    assert opened(reencoded(png())).tobytes() == opened(png()).tobytes()


def test_a_picture_that_has_too_many_bytes_is_made_smaller_until_it_fits() -> None:
    noise = Image.effect_noise((900, 900), 200)
    sent = io.BytesIO()
    noise.save(sent, "PNG")

    found = reencoded(sent.getvalue(), most_bytes=50_000)

    assert found is not None
    assert len(found) <= 50_000
    assert 100 < opened(found).width < 900


def test_a_picture_that_cannot_be_small_enough_is_none() -> None:
    assert reencoded(png(), most_bytes=20) is None


def test_nothing_that_a_picture_says_besides_its_pixels_is_passed_on() -> None:
    told = PngImagePlugin.PngInfo()
    told.add_text("Author", "ada@contoso.example")
    told.add_itxt("XML:com.adobe.xmp", "<x>a secret</x>")
    exif = Image.Exif()
    exif[0x010E] = "a secret"

    found = reencoded(png(pnginfo=told, exif=exif, dpi=(300, 300), icc_profile=b"a secret"))

    assert found is not None
    assert opened(found).info == {}
    kinds, at = [], len(BEGINNING)
    while at < len(found):
        kinds.append(found[at + 4 : at + 8])
        at += 12 + int.from_bytes(found[at : at + 4])
    assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}


def test_what_is_transparent_lies_on_white() -> None:
    sent = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(sent, "PNG")

    assert opened(reencoded(sent.getvalue())).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_is_shown(mode: str) -> None:
    sent = io.BytesIO()
    grey = Image.linear_gradient("L")
    (
        grey.convert("I").point(lambda value: value * 257).convert("I;16")
        if mode == "I;16"
        else grey.convert(mode)
    ).save(sent, "PNG")

    least, most = opened(reencoded(sent.getvalue())).convert("L").getextrema()

    assert least == 0
    assert most >= 250


def test_the_same_picture_gives_the_same_bytes() -> None:
    assert reencoded(png(size=(1000, 900))) == reencoded(png(size=(1000, 900)))


NO_PICTURES: list[Callable[[], bytes]] = [
    lambda: b"",
    lambda: b"GIF89a",
    lambda: BEGINNING,
    lambda: png()[:-1],
    lambda: png()[: len(png()) // 2],
    lambda: png()[: len(png()) // 2] + chunk(b"IEND", b""),
    lambda: b"\xff\xd8\xff" + png(),
    lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    lambda: BEGINNING + header(10, 10) + chunk(b"IEND", b""),
    lambda: BEGINNING + header(0, 10) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b""),
    lambda: bomb(30_000, 30_000),
    lambda: bomb(2**31 - 1, 2**31 - 1),
    lambda: bomb(12_000, 12_000, said=(10, 10)),
    lambda: bomb(MOST_PIXELS // 1000 + 1, 1000),
    lambda: (
        BEGINNING
        + header(10, 10)
        + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8)))
        + chunk(b"IEND", b"")
    ),
]
"""Made when they are looked at: bombs take a second to be made."""


@pytest.mark.parametrize("make", NO_PICTURES, ids=range(15))
def test_what_is_no_whole_picture_of_a_reasonable_size_is_none(make: Callable[[], bytes]) -> None:
    assert reencoded(make()) is None


def test_a_picture_that_moves_is_none() -> None:
    sent = io.BytesIO()
    frames = [Image.new("RGB", (10, 10), colour) for colour in ("red", "blue")]
    frames[0].save(sent, "PNG", save_all=True, append_images=frames[1:])

    assert b"acTL" in sent.getvalue()
    assert reencoded(sent.getvalue()) is None


@given(st.binary(max_size=400), st.integers(0, 5))
@settings(max_examples=percent(60))
def test_no_content_is_ever_an_error(content: bytes, start: int) -> None:
    beginning = (b"", BEGINNING, BEGINNING + header(10, 10), png()[:60], png()[:-30], png())[start]

    _small(reencoded(beginning + content, most_bytes=2000), 2000)


@given(
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8),
    st.data(),
)
def test_no_damage_to_a_picture_is_ever_an_error(
    damage: list[tuple[int, int]], data: st.DataObject
) -> None:
    mode = data.draw(st.sampled_from(["L", "P", "RGBA"]))
    content = bytearray(png(mode))
    for at, value in damage:
        content[at % len(content)] = value

    _small(reencoded(bytes(content)), MOST_BYTES)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 1000), st.integers(60, 20_000))
@settings(max_examples=percent(25))
def test_no_picture_is_larger_than_it_may_be(
    width: int, height: int, longest: int, most_bytes: int
) -> None:
    found = reencoded(png("L", (width, min(height, 1_000_000 // width))), longest, most_bytes)

    if found is not None:
        assert len(found) <= most_bytes
        assert max(opened(found).size) <= longest


def _small(found: bytes | None, most_bytes: int) -> None:
    if found is not None:
        assert len(found) <= most_bytes
        assert max(opened(found).size) <= LONGEST_SIDE
