"""The `tocsin plan` commands: list, show, lint, simulate, schema, import, export, approve."""

import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from server import migrating
from server.api.session import password_fits
from server.config import Config
from server.db import Database
from server.domain import people, plans, rights
from server.domain.errors import Forbidden, Refused
from server.domain.rules import Plan
from server.opening import opened
from server.planning import __main__ as language
from server.planning import phrases, shelf
from server.planning.compiler import compile_plan
from server.planning.findings import PlanErrors
from server.planning.lint import lint_text
from server.planning.simulate import simulate
from server.planning.steps import StepUnfit

T = TypeVar("T")
START = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)


@click.group()
def plan() -> None:
    """Plans: the library, and those of this organisation."""


@plan.command("list")
@click.option("--library", is_flag=True, help="Only the library, without looking into the database.")
@click.pass_obj
def list_(config: Config, library: bool) -> None:
    """Every plan: key, status, version here, version in the library, title."""
    here = {} if library else _read(config, _here)
    shelved = {book.plan.key: book.plan for book in shelf.books()}
    for key in sorted(here.keys() | shelved.keys()):
        status, version, title = here.get(key, ("library", "-", None))
        book = shelved.get(key)
        words = title or (f"{book.title.zh} | {book.title.en}" if book else "")
        click.echo(f"{key:<44} {status:<8} {version:>4} {book.version if book else '-':>4}  {words}")


def _here(session: Session) -> dict[str, tuple[str, str, str | None]]:
    found: dict[str, tuple[str, str, str | None]] = {}
    for one in session.scalars(select(plans.Plan)):
        revision = session.get(plans.Revision, one.approved) if one.approved else plans.newest(session, one.id)
        version = str(revision.version) if revision else "-"
        found[one.key] = (one.status, version, f"{one.title['zh']} | {one.title['en']}")
    return found


@plan.command()
@click.argument("key")
@click.option("--version", type=int, help="A revision of this organisation; else the one in use.")
@click.option("--json", "as_json", is_flag=True, help="The rules as JSON instead of the text.")
@click.pass_obj
def show(config: Config, key: str, version: int | None, as_json: bool) -> None:
    """Print a plan: this organisation's, else the library's (by key, source number or file name)."""
    text, file = _text_of(config, key, version)
    click.echo(json.dumps(_compiled(text, file).to_json(), ensure_ascii=False, indent=1) if as_json else text.rstrip())


@plan.command()
@click.argument("names", nargs=-1, metavar="[FILE|KEY]...")
@click.option("--roster/--no-roster", default=True, help="Also check against this organisation's teams and people.")
@click.pass_obj
def lint(config: Config, names: tuple[str, ...], roster: bool) -> None:
    """Say what plans get wrong; without names, those in use here. Exits 1 when something was found."""
    people_of = (_read(config, plans.roster) or None) if roster else None
    chosen = names or tuple(_read(config, _keys_in_use))
    found = []
    for name in chosen:
        text, file = _text_of(config, name)
        found += lint_text(text, file, people_of)
    for one in found:
        click.echo(language.said(one))
    click.echo(f"{len(chosen)} checked, {len(found)} found", err=True)
    sys.exit(1 if found else 0)


def _keys_in_use(session: Session) -> list[str]:
    query = select(plans.Plan.key).where(plans.Plan.status == plans.APPROVED).order_by(plans.Plan.key)
    return list(session.scalars(query))


@plan.command("simulate")
@click.argument("name", metavar="FILE|KEY")
@click.argument("steps", nargs=-1, required=True)
@click.option("--start", type=click.DateTime(), help="When it begins, in UTC.")
@click.pass_obj
def simulate_(config: Config, name: str, steps: tuple[str, ...], start: datetime | None) -> None:
    """Print what would happen to whom. A step is FACT or NAME=VALUE, either with @TIME: service.restored@25min."""
    compiled = _compiled(*_text_of(config, name))
    began = start.replace(tzinfo=UTC) if start else START
    try:
        given = [language.step(word) for word in steps]
        happenings = simulate(compiled, given, began, compiled.timezone or "Asia/Shanghai")
    except (phrases.PhraseError, StepUnfit) as error:
        raise click.UsageError(f"a step does not fit the plan: {error.en} {error.zh}") from None
    for one in happenings:
        click.echo(language.line(one, began))


@plan.command()
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="A file to write instead.")
def schema(file: Path | None) -> None:
    """Print the JSON Schema by which an editor completes and checks plans while they are written."""
    if file is None:
        click.echo(language.schema_text(), nl=False)
    else:
        file.write_text(language.schema_text(), encoding="utf-8")


@plan.command("import")
@click.argument("names", nargs=-1, required=True, metavar="FILE|KEY...")
@click.option("--by", "username", help="The user name of whoever answers for the text; somebody else must approve it.")
@click.option("--approve", is_flag=True, help="Put them into use at once: at the first set-up or in a demo only.")
@click.option("--because", default="", help="Why they are in use without a second person; needed with --approve.")
@click.pass_obj
def import_(config: Config, names: tuple[str, ...], username: str | None, approve: bool, because: str) -> None:
    """Import plans from files or the library as drafts; the same text again changes nothing, all come in or none.

    A second person puts a draft into use: in the app, or with `tocsin plan approve` and their own password.
    """
    if approve and not because.strip():
        raise click.UsageError("--approve needs --because: why these are in use without a second person")
    texts = [_from_outside(name) for name in names]
    compiled = [(_compiled(text, file), text) for text, file in texts]

    def unit(session: Session) -> list[str]:
        author = _person(session, username) if username else None
        if author is not None:
            rights.require(author, "plan.draft")
        told = []
        for rules, text in compiled:
            revision, new = plans.keep(session, rules, text, author.id if author else None)
            if approve and revision.status != plans.APPROVED:
                plans.approve_at_set_up(session, revision, because.strip()[:500])
            waits = (
                "" if revision.status == plans.APPROVED else f", {revision.status}: a second person has to approve it"
            )
            told.append(f"{rules.key} version {rules.version}: {'imported' if new else 'known already'}{waits}")
        return told

    try:
        lines = _write(config, unit)
    except click.ClickException as refused:
        if not approve or "approve" not in refused.message:
            raise
        how = "Import without --approve, then approve in the app or with `tocsin plan approve KEY --by USER`."
        raise click.ClickException(f"{refused.message}\n{how}") from None
    for line in lines:
        click.echo(line)


@plan.command()
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--version", type=int, help="This revision; else every one.")
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="The folder.")
@click.pass_obj
def export(config: Config, keys: tuple[str, ...], version: int | None, folder: Path) -> None:
    """Write the texts of plans to a folder as KEY-VERSION.yaml; without keys, of every plan."""

    def query(session: Session) -> list[tuple[str, str]]:
        wanted = [plans.find(session, key) for key in keys] or list(session.scalars(select(plans.Plan)))
        found = []
        for one in wanted:
            if version is not None:
                revisions: Iterable[plans.Revision] = [plans.revision_of(session, one.key, str(version))]
            else:
                revisions = session.scalars(
                    select(plans.Revision).where(plans.Revision.plan == one.id).order_by(plans.Revision.version)
                )
            found += [(f"{one.key}-{revision.version}.yaml", revision.text) for revision in revisions]
        return found

    texts = _read(config, query)
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts:
        # bytes, so that the text comes back as it went in on every system
        (folder / file).write_bytes(text.encode())
        click.echo(str(folder / file))


@plan.command()
@click.argument("key")
@click.option("--version", type=int, help="This revision; else the newest.")
@click.option(
    "--by", "username", required=True, help="The user name of the member of the leadership group who approves."
)
@click.password_option(confirmation_prompt=False, help="Their password; asked for when it is not given.")
@click.pass_obj
def approve(config: Config, key: str, version: int | None, username: str, password: str) -> None:
    """Put a revision into use: by somebody who may, other than its author, who is here and types their password."""

    def unit(session: Session) -> str:
        by = _person(session, username)
        rights.require(by, "plan.approve")
        if not password_fits(session.get(people.Person, by.id), password):
            raise Forbidden("sign_in_failed", "密码不正确。", "The password is not right.")
        found = plans.find(session, key)
        revision = plans.revision_of(session, key, str(version)) if version else plans.newest(session, found.id)
        assert revision is not None
        plans.approve(session, revision, by)
        return f"{key} version {revision.version}: in use, approved by {by.name}"

    click.echo(_write(config, unit))


def _person(session: Session, username: str) -> people.Standing:
    person = session.scalar(select(people.Person.id).where(people.Person.username == username))
    return people.standing(session, person or "")


def _text_of(config: Config, name: str, version: int | None = None) -> tuple[str, str]:
    """The text behind a file's name or a plan's key, here before in the library, and what to call it in findings."""
    if version is None and Path(name).is_file():
        return _from_outside(name)

    def query(session: Session) -> str | None:
        found = session.scalar(select(plans.Plan).where(plans.Plan.key == name))
        if found is None:
            return None
        if version is not None:
            return plans.revision_of(session, name, str(version)).text
        revision = session.get(plans.Revision, found.approved) if found.approved else plans.newest(session, found.id)
        return revision.text if revision else None

    text = _read(config, query)
    if text is not None:
        return text, f"{name}.yaml"
    if version is not None:
        raise click.ClickException(f"there is no plan {name} here")
    return _from_outside(name)


def _from_outside(name: str) -> tuple[str, str]:
    """The text of a file or of a plan of the library."""
    path = Path(name)
    if path.is_file():
        try:
            return path.read_bytes().decode(), name
        except UnicodeDecodeError:
            raise click.ClickException(f"{name} is not UTF-8 text") from None
    book = shelf.find(name)
    if book is None:
        raise click.ClickException(f"{name} is neither a file nor a plan of the library")
    return book.text, book.file


def _compiled(text: str, file: str) -> Plan:
    try:
        return compile_plan(text, file)
    except PlanErrors as error:
        raise click.ClickException("\n".join(str(finding) for finding in error.findings)) from None


def _read(config: Config, query: Callable[[Session], T]) -> T:
    database = _ready(config)
    try:
        with database.read() as session:
            return query(session)
    except Refused as refusal:
        raise click.ClickException(f"{refusal.en} {refusal.zh}") from None
    finally:
        database.dispose()


def _write(config: Config, unit: Callable[[Session], T]) -> T:
    database = _ready(config)
    try:
        return database.write(unit)
    except Refused as refusal:
        raise click.ClickException(f"{refusal.en} {refusal.zh}") from None
    finally:
        database.dispose()


def _ready(config: Config) -> Database:
    database = opened(config)
    at, newest = migrating.current(database)
    if at != newest:
        database.dispose()
        raise click.ClickException("the database is not at this version's shape; run `tocsin migrate` first")
    return database
