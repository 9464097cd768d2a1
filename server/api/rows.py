"""The shape of every feed row, for the OpenAPI document and the phone's types."""

from marshmallow import Schema

DOCUMENTS: dict[str, type[Schema]] = {}
