"""Photos for tests, and what a report promises of them."""

import base64
import hashlib
import io
from typing import Any

from PIL import Image

from server.db import new_id

GPS_TAG, ORIENTATION = 0x8825, 0x0112


def jpeg(width: int = 320, height: int = 200, *, gps: bool = True, orientation: int = 1) -> bytes:
    """A JPEG of a gradient, carrying the position it was taken at and a comment."""
    picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    if gps:
        exif.get_ifd(GPS_TAG)[1] = "N"
        exif.get_ifd(GPS_TAG)[2] = (30.0, 16.0, 12.0)
    kept = io.BytesIO()
    picture.save(kept, "JPEG", exif=exif, comment=b"<script>")
    return kept.getvalue()


def promise(picture: bytes, mime: str = "image/jpeg") -> dict[str, Any]:
    """What a report says of a photo that will follow."""
    return {"id": new_id(), "sha256": hashlib.sha256(picture).hexdigest(), "size": len(picture), "mime": mime}


def tus_headers(photo: dict[str, Any]) -> dict[str, str]:
    """The headers that begin the upload of a promised photo."""
    words = ((name, str(photo[name])) for name in ("id", "sha256", "mime"))
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in words)
    return {"Tus-Resumable": "1.0.0", "Upload-Length": str(photo["size"]), "Upload-Metadata": metadata}
