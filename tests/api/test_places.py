"""Places form a tree with a floor plan; stock keeps its numbers apart from what is out."""

import io
import os

from PIL import Image

from server.db import new_id
from server.domain import places
from tests.cast import Stage

WORDS = {"zh": "馆", "en": "Hall"}


def picture(size: tuple[int, int] = (900, 600), kind: str = "PNG") -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", size, "white").save(kept, kind)
    return kept.getvalue()


def test_places_form_a_tree_and_codes_are_their_own(stage: Stage) -> None:
    admin, site, gate = stage["admin"], stage.cast.places["site"], stage.cast.places["gate"]
    hall = new_id()
    body = {"kind": "hall", "title": WORDS, "code": "hall", "parent": gate, "plan_pin": {"x": 0.25, "y": 0.5}}
    admin.put(f"/places/{hall}", body, 204)
    above = {"kind": "site", "title": WORDS, "code": "site", "parent": hall}
    assert admin.put(f"/places/{site}", above, 422)["code"] == "place_in_itself", "not through its own rooms either"
    assert admin.put(f"/places/{new_id()}", {**body, "code": "gate"}, 409)["errors"][0]["path"] == "code"
    guard = stage["security_one"]
    guard.sync()
    assert guard.one("place", code="hall")["plan_pin"] == {"x": 0.25, "y": 0.5}


def test_a_floor_plan_is_written_anew_shown_to_all_and_taken_away(stage: Stage) -> None:
    admin, site = stage["admin"], stage.cast.places["site"]
    path = f"/places/{site}/floor-plan"

    def send(data: bytes, kind: str = "image/png") -> tuple[int, dict[str, object]]:
        answer = admin.call("PUT", path, data=data, content_type=kind)
        return answer.status_code, answer.get_json()

    assert send(b"no picture")[0] == 422
    assert send(b"<svg/>", "image/svg+xml")[0] == 415
    assert send(picture() + b"\0" * 4 * 1024 * 1024)[0] == 413
    status, kept = send(picture((3000, 1500)))
    assert (status, kept["width"], kept["height"]) == (200, 2048, 1024)
    guard = stage["security_one"]
    guard.sync()
    assert guard.one("place", code="site")["floor_plan"] == kept
    shown = guard.call("GET", f"/floor-plans/{kept['picture']}", buffered=True)
    assert shown.status_code == 200
    assert Image.open(io.BytesIO(shown.get_data())).format == "JPEG"
    assert stage.anonymous().call("GET", f"/floor-plans/{kept['picture']}").status_code == 401
    admin.put(f"/places/{site}", {"kind": "site", "title": WORDS, "code": "site"}, 204)
    guard.sync()
    assert guard.one("place", code="site")["floor_plan"] == kept, "changing the record leaves the drawing"
    assert admin.call("DELETE", path).status_code == 204
    guard.sync()
    assert guard.one("place", code="site")["floor_plan"] is None
    assert guard.call("GET", f"/floor-plans/{kept['picture']}").status_code == 404


def test_the_files_of_a_picture_that_no_place_carries_go_after_two_weeks(stage: Stage) -> None:
    admin, site = stage["admin"], stage.cast.places["site"]
    folder = stage.app.extensions["tocsin_config"].floor_plans_folder
    path = f"/places/{site}/floor-plan"
    for other in folder.glob("*.jpg"):
        other.unlink()

    def keep(size: tuple[int, int]) -> str:
        return str(admin.call("PUT", path, data=picture(size), content_type="image/png").get_json()["picture"])

    def looked_through() -> int:
        with stage.database.read() as session:
            due = places.pictures_due(session, folder)
        gone = stage.database.write(lambda session: places.forget_pictures(session, folder))
        assert (due is not None) == (gone > 0)
        return int(gone)

    first = keep((400, 300))
    photo = folder.parent / f"{new_id()}.jpg"
    photo.write_bytes(picture())
    for file in (photo, *folder.glob(f"{first}.*")):
        os.utime(file, (0, 0))
    assert looked_through() == 0, "a place carries it, however old it is"
    old = folder.parent / f"{first}.jpg"
    (folder / f"{first}.jpg").replace(old)
    assert admin.call("GET", f"/floor-plans/{first}", buffered=True).status_code == 200, "from an earlier version"
    second = keep((200, 300))
    assert not old.exists()
    stage.move(days=13)
    assert looked_through() == 0, "it counts from when it was laid aside"
    stage.move(days=2)
    assert looked_through() == 2
    assert {one.name for one in folder.iterdir()} == {f"{second}.jpg", f"{second}.thumbnail.jpg"}
    assert photo.exists(), "photos are not looked at"
    assert admin.call("DELETE", path).status_code == 204
    stage.move(days=15)
    assert looked_through() == 2
    assert looked_through() == 0


def test_numbered_stock_is_restocked_without_touching_what_is_out(stage: Stage) -> None:
    keeper, tickets = stage["logistics_one"], stage.cast.supplies["paper-tickets"]
    body = {"key": "paper-tickets", "title": WORDS, "unit": WORDS, "quantity": 1500, "minimum": 200, "serial": True}
    new = [{"first": 7001, "last": 7500}, {"first": 5001, "last": 6000}]
    keeper.put(f"/supplies/{tickets}", {**body, "numbers": new}, 204)
    keeper.sync()
    kept = keeper.one("supply", key="paper-tickets")
    assert [(one["from"], one["to"], one["state"]) for one in kept["serials"]] == [
        (5001, 6000, "stock"), (7001, 7500, "stock"),
    ]  # fmt: skip
    overlapping = [{"first": 1, "last": 9}, {"first": 9, "last": 12}]
    assert keeper.put(f"/supplies/{tickets}", {**body, "numbers": overlapping}, 422)["code"] == "numbers_overlap"
    plain = {**body, "serial": False, "numbers": [{"first": 1, "last": 2}]}
    assert keeper.put(f"/supplies/{tickets}", plain, 422)["code"] == "not_numbered"
    keeper.put(f"/supplies/{tickets}", {**body, "quantity": 1400}, 204)
    keeper.sync()
    after = keeper.one("supply", key="paper-tickets")
    assert (after["quantity"], after["serials"]) == (1400, kept["serials"])
    stage["it_one"].put(f"/supplies/{tickets}", body, 403)
