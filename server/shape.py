"""Whether the database has the shape this program expects, told without loading the program: most starts ask nothing else."""

import re
from pathlib import Path
from urllib.parse import quote

import pysqlite3.dbapi2 as sqlite

from server.config import Config

_HERE = Path(__file__).resolve().parent
MIGRATIONS = _HERE / "migrations" if (_HERE / "migrations").is_dir() else _HERE.parent / "migrations"
APPLIED = "SELECT version_num FROM alembic_version"
_NAMES = re.compile(r"^(down_revision|revision)\b.*?=\s*[\"'](\w+)[\"']", re.MULTILINE)


def is_current(config: Config) -> bool:
    """Whether all migrations are applied; False also where the database cannot tell."""
    try:
        return _applied(config.url) == [(newest(),)]
    except Unreadable:
        return False


def newest() -> str:
    """The revision that no other one follows."""
    texts = [path.read_text("utf-8") for path in (MIGRATIONS / "versions").glob("*.py")]
    named = [dict(_NAMES.findall(text)) for text in texts]
    (last,) = {one["revision"] for one in named} - {one.get("down_revision") for one in named}
    return str(last)


class Unreadable(RuntimeError): ...  # the database is away, or no database yet


def _applied(url: str) -> list[tuple[str]]:
    prefix = "sqlite:///"
    if not url.startswith(prefix):
        # A sixth of a second to load, for nothing on SQLite.
        import psycopg  # noqa: PLC0415

        try:
            with psycopg.connect(url, connect_timeout=3) as server:
                return server.execute(APPLIED).fetchall()
        except psycopg.Error as error:
            raise Unreadable from error
    try:
        file = sqlite.connect(f"file:{quote(url.removeprefix(prefix))}?mode=rw", uri=True, timeout=3.0)
        try:
            return file.execute(APPLIED).fetchall()  # type: ignore[no-any-return]
        finally:
            file.close()
    except sqlite.Error as error:
        raise Unreadable from error
