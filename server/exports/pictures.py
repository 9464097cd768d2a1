"""Pictures: checked and re-encoded in a short-lived child process that can harm nothing but itself."""

import json
import resource
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

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
    """Write `source` again as JPEG with a thumbnail, without metadata. Raises PictureRefused."""
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
    clean.save(target, "JPEG", quality=82, optimize=True)
    size = clean.size
    clean.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    clean.save(thumbnail, "JPEG", quality=72)
    return {"width": size[0], "height": size[1]}


def main() -> None:
    """The child: its memory and processor time are limited before it touches the bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY, CHILD_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CHILD_SECONDS, CHILD_SECONDS))
    sys.stdout.write(json.dumps(_in_child(*sys.argv[1:4])))


if __name__ == "__main__":
    main()
