"""The `tocsin` commands that look after an installation: migrate, backup, restored, move-to, create-admin, demo, openapi, check."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from sqlalchemy import select

from server import backups, checking, migrating
from server import demo as demonstration
from server.api.documents import describe_rows
from server.api.session import hash_password
from server.app import create_app
from server.config import Config
from server.db import Database, new_id
from server.domain import feed, people
from server.opening import opened


def _current(config: Config) -> Database:
    """The open database, brought to the current shape. Raises ClickException when it cannot be reached or may not be used."""
    database = opened(config)
    migrating.upgrade(database)
    return database


def prepare(config: Config, demo: bool) -> str:
    """Migrate, seed the demo into an empty database where that is wanted, and return how to sign in to it."""
    database = _current(config)
    if demo:
        demonstration.seed(database, config)
    database.dispose()
    return _sign_ins(config)


def _sign_ins(config: Config) -> str:
    found = demonstration.sign_ins(config)
    if found is None:
        return ""
    lines = [f"Demo sign-ins (password for all: {found['sign_ins'][0]['password']}):"]
    for one in found["sign_ins"]:
        lines.append(f"  {one['username']:<20} {one['role']:<10} {one['name']}  {', '.join(one['teams'])}")
    return "\n".join([*lines, ""])


@click.command()
@click.pass_obj
def migrate(config: Config) -> None:
    """Bring the database to the current shape."""
    database = _current(config)
    click.echo(f"the database is at {migrating.current(database)[0]}")


@click.command()
@click.pass_obj
def restored(config: Config) -> None:
    """Say that this database is a restored backup, before starting again: phones then offer what it may lack."""
    database = _current(config)
    click.echo(f"this life of the database is {database.write(feed.begin_epoch)}")


@click.command("create-admin")
@click.argument("username")
@click.option("--name", prompt=True, help="The person's name.")
@click.option("--organisation", default="", help="The organisation's name, when there is none yet.")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
@click.pass_obj
def create_admin(config: Config, username: str, name: str, organisation: str, password: str) -> None:
    """Create an administrator, and the organisation when there is none."""
    if len(password) < 10:
        raise click.ClickException("the password needs at least 10 characters")
    database = _current(config)
    hashed = hash_password(password)

    def unit(session):  # type: ignore[no-untyped-def]
        if session.scalar(select(people.Organisation.id).limit(1)) is None:
            title = organisation or "Tocsin"
            session.add(people.Organisation(id=new_id(), name={"zh": title, "en": title}, settings={}))
            session.add(
                people.Team(id=new_id(), kind="leadership", title={"zh": "应急领导小组", "en": "Leadership group"})
            )
        if session.scalar(select(people.Person.id).where(people.Person.username == username)) is not None:
            raise click.ClickException("this user name is taken")
        session.add(people.Person(id=new_id(), username=username, name=name, role="admin", password_hash=hashed))

    database.write(unit)
    click.echo(f"{username} can sign in at {config.origin}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the sign-ins as JSON.")
@click.pass_obj
def demo(config: Config, as_json: bool) -> None:
    """Seed the demo organisation into an empty database and print its sign-ins."""
    if config.production:
        raise click.ClickException("the demo organisation is refused in production")
    database = _current(config)
    demonstration.seed(database, config)
    found = demonstration.sign_ins(config)
    if found is None:
        raise click.ClickException("this database holds an organisation that is not the demo")
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        click.echo(f"\nTocsin 警钟 is at {config.origin}\n\n{_sign_ins(config)}")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def backup(config: Config, file: Path) -> None:
    """Copy the SQLite database into FILE while Tocsin runs (PostgreSQL: pg_dump --exclude-table-data=epoch).

    To restore, stop Tocsin, put the copy in the place of tocsin.db, remove tocsin.db-wal and tocsin.db-shm, and start.
    Photos are files in the folder photos beside the database; copy that folder after the database.
    """
    try:
        backups.back_up(opened(config), file)
    except backups.NotPossible as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"the database is copied into {file}")


@click.command("move-to")
@click.argument("url")
@click.pass_obj
def move_to(config: Config, url: str) -> None:
    """Copy everything into the empty database at URL, so that phones notice nothing. Stop Tocsin before."""
    target = Database(url)
    migrating.upgrade(target)
    try:
        copied = backups.move(opened(config), target)
    except backups.NotPossible as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{copied} rows are copied; set DATABASE_URL to the new address and start Tocsin")


@click.command()
@click.pass_obj
def openapi(config: Config) -> None:
    """Print the OpenAPI document."""
    with TemporaryDirectory() as folder:
        aside = replace(config, data_folder=Path(folder), database_url="")
        database = _current(aside)
        with create_app(aside, database).app_context():
            click.echo(json.dumps(describe_rows(), ensure_ascii=False, indent=1, sort_keys=True))


@click.command()
@click.pass_obj
def check(config: Config) -> None:
    """Say what is wrong with this installation; exits 1 when something is."""
    found = checking.findings(config)
    for grade, said in found:
        click.echo(f"{grade}: {said}")
    sys.exit(1 if any(grade == "wrong" for grade, _ in found) else 0)
