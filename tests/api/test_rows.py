"""Every document a phone is sent has exactly the shape the API describes."""

import orjson
from sqlalchemy import select

from server.api.rows import DOCUMENTS
from server.db import Model
from server.domain import feed, reachability, strength
from server.domain.alerts import Board
from server.domain.people import Contact
from tests.cast import Stage
from tests.situation import full_swing


def synced_types() -> set[str]:
    """The types of everything that phones keep."""
    tables = (mapper.class_ for mapper in Model.registry.mappers)
    found = {getattr(table, "synced_type", None) for table in tables} | {Board.synced_type, Contact.synced_type}
    return {one for one in found if one is not None}


def test_every_synced_type_is_described() -> None:
    assert set(DOCUMENTS) == synced_types()


def test_every_document_has_the_described_shape(stage: Stage) -> None:
    ids = full_swing(stage)
    stage["security_one"].fact(f"/alerts/{ids['alert']}/answers", {"kind": "cannot", "reason": "在医院"})
    stage["security_one"].fact(f"/reports/{ids['report']}/strikes", {"reason": "误报"})
    stage["commander"].fact(f"/reviews/{ids['ended']}/actions", {"title": "整改"})
    team = {"kind": "security", "title": {"zh": "安保组", "en": "Security"}, "strength": {"any": 40}}
    stage["admin"].put(f"/teams/{stage.cast.teams['security']}", team, 204)
    stage.database.write(strength.check)
    stage.database.write(reachability.refresh)
    with stage.database.read() as session:
        rows = list(
            session.execute(select(feed.Change.type, feed.Change.document).where(feed.Change.document.is_not(None)))
        )
    wrong = {
        (kind, str(found)) for kind, text in rows if (found := DOCUMENTS[kind]().validate(orjson.loads(text or "")))
    }
    assert wrong == set()
    assert {kind for kind, _ in rows} >= set(DOCUMENTS) - {"reading"}


def test_the_description_carries_every_row(shared_stage: Stage) -> None:
    schemas = shared_stage.anonymous().get("/openapi.json")["components"]["schemas"]
    for kind in DOCUMENTS:
        name = "".join(part.title() for part in kind.split("_")) + "Row"
        assert schemas[name]["properties"]["id"] == {"type": "string", "format": "uuid"}, kind
        assert "id" in schemas[name]["required"]
    assert schemas["LimitRow"]["properties"]["ended_at"]["type"] == ["string", "null"]
