"""The `tocsin plan` commands on a real SQLite database with this organisation's people in it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner, Result
from sqlalchemy import func, select, update

from server import migrating
from server.cli import main
from server.db import Database
from server.domain import plans
from server.domain.people import Organisation, Person
from server.planning import shelf
from tests.cast import CROWD, PEOPLE, PLAN_FILES, as_version, fill
from tests.planning.plan_texts import SOUND

KEY = "hall-queue"
PASSWORD = "for the tests only"
Tocsin = Callable[..., Result]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated database with the cast in it, as bytes."""
    path = tmp_path_factory.mktemp("cast") / "tocsin.db"
    database = Database(f"sqlite:///{path}")
    migrating.upgrade(database)
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    database.write(lambda session: fill(session, hashed))
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return path.read_bytes()


@pytest.fixture
def url(migrated: bytes, tmp_path: Path) -> str:
    """The address of a fresh copy of it."""
    (tmp_path / "tocsin.db").write_bytes(migrated)
    return f"sqlite:///{tmp_path / 'tocsin.db'}"


@pytest.fixture
def tocsin(url: str, tmp_path: Path) -> Tocsin:
    """A function that runs `tocsin plan` with these words, and fails when the exit code is another than `code`."""

    def run(*words: str, code: int = 0, typed: str | None = None) -> Result:
        env = {"DATABASE_URL": url, "TOCSIN_DATA": str(tmp_path)}
        result = CliRunner().invoke(main, ["plan", *words], env=env, input=typed)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound plan as a file."""
    path = tmp_path / "queue.yaml"
    path.write_text(SOUND, encoding="utf-8")
    return path


def revisions(url: str) -> int:
    database = Database(url)
    try:
        with database.read() as session:
            return session.scalar(select(func.count()).select_from(plans.Revision)) or 0
    finally:
        database.dispose()


def test_list_shows_what_is_here_and_what_the_library_has(tocsin: Tocsin) -> None:
    lines = {line.split()[0]: line.split()[1:4] for line in tocsin("list").stdout.splitlines()}
    assert lines[CROWD] == ["approved", "1", "2"]  # an older one is in use than the library has
    assert {book.plan.key for book in shelf.books()} <= lines.keys()
    assert sum(one[0] == "library" for one in lines.values()) == len(lines) - 2
    shelved = tocsin("list", "--library").stdout.splitlines()
    assert len(shelved) == len(shelf.books())
    assert all(line.split()[1] == "library" for line in shelved)


def test_show_prints_the_text_and_the_rules(tocsin: Tocsin) -> None:
    assert tocsin("show", CROWD).stdout == as_version(PLAN_FILES[1], 1).rstrip() + "\n"
    assert '"key": "large-crowd"' in tocsin("show", CROWD, "--json").stdout
    assert "neither" in tocsin("show", "nothing-like-it", code=1).stderr
    assert "no such version" in tocsin("show", CROWD, "--version", "9", code=1).stderr


def test_the_same_text_again_changes_nothing_and_other_content_is_refused(tocsin: Tocsin, file: Path, url: str) -> None:
    before = revisions(url)
    assert "imported" in tocsin("import", str(file)).stdout
    assert "known already" in tocsin("import", str(file)).stdout
    assert revisions(url) == before + 1
    file.write_text(SOUND.replace("queue.people >= 60", "queue.people >= 61"), encoding="utf-8")
    assert "raise the version" in tocsin("import", str(file), code=1).stderr
    assert revisions(url) == before + 1


def test_an_upgrade_leaves_what_is_in_use_and_offers_the_library_s_newer_version(tocsin: Tocsin, url: str) -> None:
    assert "version 2: imported, draft" in tocsin("import", CROWD).stdout
    assert "version 2: known already, draft" in tocsin("import", CROWD).stdout
    assert (
        tocsin("show", CROWD).stdout == as_version(PLAN_FILES[1], 1).rstrip() + "\n"
    )  # in use until somebody approves
    tocsin("approve", CROWD, "--by", "commander", typed=f"{PASSWORD}\n")
    assert tocsin("show", CROWD).stdout == as_version(PLAN_FILES[1], 2).rstrip() + "\n"
    lines = {line.split()[0]: line.split()[1:4] for line in tocsin("list").stdout.splitlines()}
    assert lines[CROWD] == ["approved", "2", "2"]


def test_several_plans_come_in_together_or_not_at_all(tocsin: Tocsin, file: Path, url: str) -> None:
    before = revisions(url)
    tocsin("import", str(file))
    other = shelf.books()[0].plan.key
    file.write_text(SOUND.replace("queue.people >= 60", "queue.people >= 61"), encoding="utf-8")
    tocsin("import", other, str(file), code=1)
    assert revisions(url) == before + 1
    file.write_text("key: [", encoding="utf-8")
    assert "queue.yaml" in tocsin("import", other, str(file), code=1).stderr
    assert revisions(url) == before + 1
    assert "imported" in tocsin("import", other).stdout


def test_export_gives_back_what_was_imported(tocsin: Tocsin, file: Path, url: str, tmp_path: Path) -> None:
    tocsin("import", str(file))
    second = SOUND.replace("\nversion: 1\n", "\nversion: 2\n")
    file.write_text(second, encoding="utf-8")
    tocsin("import", str(file))
    tocsin("export", KEY, "--to", str(tmp_path / "one"))
    assert {path.name for path in (tmp_path / "one").iterdir()} == {f"{KEY}-1.yaml", f"{KEY}-2.yaml"}
    assert (tmp_path / "one" / f"{KEY}-2.yaml").read_bytes() == second.encode()
    tocsin("export", KEY, "--version", "1", "--to", str(tmp_path / "first"))
    assert [path.read_text(encoding="utf-8") for path in (tmp_path / "first").iterdir()] == [SOUND]
    tocsin("export", "--to", str(tmp_path / "all"))
    assert len(list((tmp_path / "all").iterdir())) == revisions(url)
    assert "no such plan" in tocsin("export", "nothing-like-it", code=1).stderr


def state_of(tocsin: Tocsin) -> str:
    return next(line for line in tocsin("list").stdout.splitlines() if line.startswith(KEY)).split()[1]


def test_approval_is_given_by_a_second_person_with_their_password(tocsin: Tocsin, file: Path, url: str) -> None:
    assert "may not" in tocsin("import", str(file), "--by", "security_lead", code=1).stderr
    assert "a second person has to approve it" in tocsin("import", str(file), "--by", "commander").stdout
    assert state_of(tocsin) == "draft"
    typed = f"{PASSWORD}\n"
    assert "may not" in tocsin("approve", KEY, "--by", "security_lead", code=1, typed=typed).stderr
    assert "no such person" in tocsin("approve", KEY, "--by", "nobody", code=1, typed=typed).stderr
    assert "Another member" in tocsin("approve", KEY, "--by", "commander", code=1, typed=typed).stderr
    assert "not right" in tocsin("approve", KEY, "--by", "second", code=1, typed="somebody else's\n").stderr
    assert state_of(tocsin) == "draft"
    assert "in use" in tocsin("approve", KEY, "--by", "second", typed=typed).stdout
    assert state_of(tocsin) == "approved"


def test_nothing_is_put_into_use_at_import_where_there_is_a_second_person(tocsin: Tocsin, file: Path, url: str) -> None:
    before = revisions(url)
    assert "--because" in tocsin("import", str(file), "--approve", code=2).stderr
    refused = tocsin("import", str(file), "--approve", "--because", "in a hurry", code=1).stderr
    assert "tocsin plan approve KEY --by USER" in refused
    assert revisions(url) == before


def test_the_first_set_up_and_a_demo_do_without_and_say_why(tocsin: Tocsin, file: Path, url: str) -> None:
    database = Database(url)
    may = Person.role.in_(("admin", "commander")) & (Person.username != "admin")

    def say(statement):
        def unit(session):
            session.execute(statement)

        database.write(unit)

    say(update(Person).where(may).values(active=False))
    words = ("import", str(file), "--approve", "--because", "first set-up, nobody else is here yet")
    assert tocsin(*words).stdout.endswith("imported\n")
    assert "known already" in tocsin(*words).stdout
    with database.read() as session:
        kept = session.get(plans.Revision, plans.find(session, KEY).approved)
        assert kept is not None
        assert (kept.approved_by, kept.approved_because) == (None, "first set-up, nobody else is here yet")
    say(update(Person).where(may).values(active=True))
    file.write_text(SOUND.replace("\nversion: 1\n", "\nversion: 2\n"), encoding="utf-8")
    tocsin(*words, code=1)
    say(update(Organisation).values(demo=True))
    assert "version 2: imported" in tocsin(*words).stdout
    database.dispose()


def test_lint_knows_the_people_of_this_organisation(tocsin: Tocsin, file: Path) -> None:
    tocsin("lint", str(file), "--no-roster")
    told = tocsin("lint", str(file), code=1).stdout  # nobody here staffs a service counter
    assert "service" not in {kind for _, posts in PEOPLE.values() for kind in posts}
    assert "LINT-NOBODY" in told
    fixture = Path(__file__).parent / "planning" / "fixtures" / "lint-08-two-tiers.yaml"
    assert "LINT-8" in tocsin("lint", str(fixture), "--no-roster", code=1).stdout
    assert tocsin("lint", CROWD, "--no-roster").stderr.startswith("1 checked, 0 found")
    assert "2 checked" in tocsin("lint", "--no-roster").stderr


def test_simulate_prints_what_would_happen(tocsin: Tocsin, file: Path) -> None:
    lines = tocsin("simulate", str(file), "plan.activated", "queue.people=60@5min").stdout.splitlines()
    assert any(line.startswith("0:05:00  level_proposed  queue.heavy") for line in lines)
    assert tocsin("simulate", CROWD, "incident.reported").stdout
    assert "plan.activated" in tocsin("simulate", str(file), "plan.activatd", code=2).stderr
    assert "soon" in tocsin("simulate", str(file), "plan.activated@soon", code=2).stderr


def test_a_database_of_another_shape_is_named(tmp_path: Path) -> None:
    env = {"DATABASE_URL": f"sqlite:///{tmp_path / 'empty.db'}", "TOCSIN_DATA": str(tmp_path)}
    result = CliRunner().invoke(main, ["plan", "list"], env=env)
    assert result.exit_code == 1
    assert "tocsin migrate" in result.output
