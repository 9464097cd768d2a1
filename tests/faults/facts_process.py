"""A server that takes five facts and may be killed at any write: `python -m tests.faults.facts_process URL FOLDER TOKEN INCIDENT`."""

import sys
import uuid
from pathlib import Path

from server.app import create_app
from server.config import Config
from server.opening import open_database

FACTS = tuple(str(uuid.UUID(int=(0x019 << 116) | (7 << 76) | (2 << 62) | number)) for number in range(1, 6))


def main(url: str, folder: str, token: str, incident: str) -> None:
    """Send the facts one after another and say of each what was answered, once it was."""
    config = Config(data_folder=Path(folder), database_url=url, secret_key="k" * 40)
    database = open_database(config)
    client = create_app(config, database).test_client()
    client.set_cookie("tocsin", token, domain="localhost")
    for number, id in enumerate(FACTS):
        path, body = f"/incidents/{incident}/entries/{id}", {"text": f"记录 {number}"}
        if number == 3:
            path, body = f"/reports/{id}", {"incident": incident, "type": "status", "text": "水位上升"}
        answer = client.put(f"/api/v1{path}", json=body, headers={"X-Tocsin": "1", "Origin": "http://localhost"})
        sys.stdout.write(f"{id} {answer.status_code}\n")
        sys.stdout.flush()
    database.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
