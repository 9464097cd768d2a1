"""Field types for request and answer bodies: strict where marshmallow's own would bend a value."""

import re
import unicodedata
import uuid
from datetime import UTC, datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BIDI = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069]")
_MAILBOX = re.compile(r"[^\s@,;<>\"'\x7f]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_ID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_USUAL_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-9a-f][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Body(Schema):
    """The root of every body: unknown fields are refused."""

    class Meta:
        unknown = RAISE


class Text(fields.String):
    """Text in NFC without control characters; `most` bounds code points, four times that the bytes."""

    def __init__(self, most: int = 4000, *, least: int = 0, name: bool = False, **more: Any) -> None:
        super().__init__(validate=validate.Length(min=least, max=most), **more)
        self.most, self.name_like = most, name

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("must be text")
        if _FORBIDDEN.search(value):
            raise ValidationError("must not contain control characters")
        if self.name_like and _BIDI.search(value):
            raise ValidationError("must not contain invisible characters")
        text = unicodedata.normalize("NFC", value).replace("\r\n", "\n")
        if len(text.encode()) > self.most * 4:
            raise ValidationError("is too long")
        return text.strip() if self.name_like else text


class Int(fields.Integer):
    """A whole number between `least` and `most`, written as one."""

    def __init__(self, least: int = -(2**53), most: int = 2**53, **more: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(least, most), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValidationError("must be a whole number")
        return value


class Number(fields.Float):
    """A finite number between `least` and `most`, written as one; `places` rounds it."""

    def __init__(self, least: float = -1e15, most: float = 1e15, *, places: int | None = None, **more: Any) -> None:
        super().__init__(validate=validate.Range(least, most), **more)
        self.places = places

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValidationError("must be a number")
        return round(float(value), self.places) if self.places is not None else float(value)


class Flag(fields.Boolean):
    """true or false and nothing else."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


class Uuid(fields.String):
    """A UUID, kept as lower-case text with dashes; the nil one is refused."""

    def __init__(self, **more: Any) -> None:
        super().__init__(metadata={"format": "uuid"}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        found = clean_id(value)
        if found is None:
            raise ValidationError("must be an id")
        return found


class Moment(fields.Field[datetime]):
    """An instant as ISO 8601 with its zone, between 2000 and 2100."""

    def __init__(self, **more: Any) -> None:
        super().__init__(metadata={"type": "string", "format": "date-time"}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> datetime:
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            raise ValidationError("must be a time such as 2026-11-22T08:03:00Z")
        try:
            at = datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError("is no possible time") from None
        if not EARLIEST <= at < LATEST:
            raise ValidationError("must lie between 2000 and 2100")
        return at

    def _serialize(self, value: Any, attr: str | None, obj: Any, **more: Any) -> Any:
        return value


class Choice(fields.String):
    """One of a few words, exactly as written."""

    def __init__(self, *choices: str, **more: Any) -> None:
        super().__init__(validate=validate.OneOf(choices), **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("must be one of the listed words")
        return value


class Mailbox(fields.String):
    """An e-mail address of at most 200 characters."""

    def __init__(self, **more: Any) -> None:
        super().__init__(metadata={"format": "email", "maxLength": 200}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        if not isinstance(value, str) or len(value) > 200 or not _MAILBOX.fullmatch(value):
            raise ValidationError("must be an e-mail address")
        return value


class Scalar(fields.Field[Any]):
    """A number, a text of at most 2,000 characters, or true/false."""

    def __init__(self, **more: Any) -> None:
        kinds = [{"type": "number"}, {"type": "string", "maxLength": 2000}, {"type": "boolean"}]
        super().__init__(metadata={"anyOf": kinds}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> Any:
        if isinstance(value, str):
            return Text(2000)._deserialize(value, attr, data)
        if isinstance(value, bool):
            return value
        return (
            Int()._deserialize(value, attr, data)
            if isinstance(value, int)
            else Number()._deserialize(value, attr, data)
        )


class Words(Body):
    """A text in both languages."""

    zh = Text(4000, least=1, required=True)
    en = Text(4000, least=1, required=True)


class Position(Body):
    """Where: degrees WGS 84, accuracy in metres."""

    lat = Number(-90, 90, places=6, required=True)
    lon = Number(-180, 180, places=6, required=True)
    accuracy = Number(0, 100_000, places=1, allow_none=True)


class Fact(Body):
    """What every fact may carry: when it happened on the phone."""

    occurred_at = Moment()


class Done(Body):
    """The answer to a fact: its id and, where there is one, the state it led to."""

    id = fields.String(metadata={"format": "uuid"})
    state = fields.Dict(metadata={"additionalProperties": True})


class Problem(Body):
    """Why something was refused, as application/problem+json: a stable code, a sentence, and the fields at fault."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    code = fields.String()
    detail = fields.String()
    errors = fields.List(fields.Dict())
    request_id = fields.String()


def clean_id(value: object) -> str | None:
    """The id as lower-case text with dashes, or None when it is none."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        return None
    if _USUAL_ID.fullmatch(value):
        return value
    found = uuid.UUID(value)
    return None if found.int == 0 else str(found)
