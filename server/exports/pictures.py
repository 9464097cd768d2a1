"""Pictures: checked and re-encoded in a short-lived child process that can harm nothing but itself."""

import errno
import json
import os
import resource
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "WEBP")
MOST_PIXELS = 50_000_000
MOST_SIDE = 12_000
SIDE, THUMBNAIL_SIDE = 2_048, 320
CHILD_MEMORY = 1024 * 1024 * 1024
CHILD_SECONDS = 10


class PictureRefused(Exception):
    """The bytes are no picture we keep; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Picture:
    """A re-encoded picture: width and height in pixels."""

    width: int
    height: int


def reencode(source: Path, target: Path, thumbnail: Path) -> Picture:
    """Write `source` again as JPEG with a thumbnail, without metadata; both are on disk when this returns.

    Raises PictureRefused, or OSError when the disk cannot take them.
    """
    command = [sys.executable, "-m", "server.exports.pictures", str(source), str(target), str(thumbnail)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=CHILD_SECONDS * 3, check=False)
    except subprocess.TimeoutExpired:
        raise PictureRefused("picture_too_slow") from None
    try:
        answer = json.loads(done.stdout or b"{}")
    except ValueError:
        answer = {}
    if "width" in answer:
        return Picture(answer["width"], answer["height"])
    if "errno" in answer:
        raise OSError(answer["errno"], os.strerror(answer["errno"]))
    raise PictureRefused(answer.get("code", "picture_unreadable"))


def _in_child(source: str, target: str, thumbnail: str) -> dict[str, object]:
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with Image.open(source, formats=FORMATS) as opened:
            if max(opened.size) > MOST_SIDE or opened.width * opened.height > MOST_PIXELS:
                return {"code": "too_many_pixels"}
            opened.draft("RGB", (SIDE, SIDE))
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return {"code": "too_many_pixels"}
    except Exception:
        return {"code": "not_a_picture"}
    picture.thumbnail((SIDE, SIDE))
    # A fresh image carries over pixels only: no comment, profile or position.
    clean = Image.new("RGB", picture.size)
    clean.paste(picture)
    small = clean.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    try:
        _keep(clean, target, quality=82, optimize=True)
        _keep(small, thumbnail, quality=72)
    except OSError as error:
        return {"errno": error.errno or errno.EIO}
    return {"width": clean.width, "height": clean.height}


def _keep(picture: Image.Image, path: str, **how: Any) -> None:
    """Write a picture whole or not at all."""
    fresh = Path(f"{path}.new")
    try:
        with fresh.open("wb") as file:
            picture.save(file, "JPEG", **how)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def main() -> None:
    """The child: its memory and processor time are limited before it touches the bytes, and what people tap goes before it."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY, CHILD_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CHILD_SECONDS, CHILD_SECONDS))
    sys.stdout.write(json.dumps(_in_child(*sys.argv[1:4])))


if __name__ == "__main__":
    main()
