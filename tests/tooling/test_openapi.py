"""The OpenAPI document kept beside the phone, from which its types are made, is the one the server gives."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.cli import main

KEPT = Path(__file__).resolve().parents[2] / "pwa" / "openapi.json"


def test_the_kept_document_is_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DATA", str(tmp_path))
    told = CliRunner().invoke(main, ["openapi"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.output) == json.loads(KEPT.read_text()), "run make api"
