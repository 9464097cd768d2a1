"""The `tocsin` commands: run, web, worker, migrate, backup, restored, move-to, create-admin, plan, import-plan, demo, check."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import click
import structlog
from sqlalchemy import select

from server import backups, checking, migrating, plan_commands
from server import config as settings
from server import demo as demonstration
from server.api.documents import describe_rows
from server.api.session import hash_password
from server.app import create_app
from server.config import Config, UnsafeSettings
from server.db import Database, new_id
from server.delivery.chores import Chore
from server.delivery.worker import run_worker
from server.domain import (
    canaries,
    climbing,
    escalation,
    feed,
    field_reports,
    firing,
    injects,
    limits,
    people,
    reachability,
    steps,
    strength,
    told,
)
from server.opening import opened

CHORES = (
    Chore("limits", limits.next_due, escalation.fire_due, apart=firing.limits_due),
    Chore("injects", injects.next_due, injects.apply_due, apart=firing.injects_due),
    Chore("ladder", steps.next_due, climbing.climb_due, apart=firing.steps_due),
    Chore("shown", told.show_due, told.show, pause=0.05),
    Chore("told", told.due, told.note, pause=0.05),
    Chore("reachability", reachability.refresh_due, reachability.refresh, pause=0.5, rest=10.0),
    Chore("canaries", canaries.next_due, canaries.send_due, pause=2.0, rest=60.0),
    Chore("strength", strength.next_due, strength.check, pause=0.5, rest=10.0),
)
STEADY_SECONDS = 30.0
WEB = [sys.executable, "-m", "server.serve"]


@click.group()
@click.pass_context
def main(context: click.Context) -> None:
    """Tocsin: emergency plans on phones."""
    os.umask(0o077)  # what is written here is nobody else's to read
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(),
        ]
    )
    try:
        context.obj = settings.load()
    except UnsafeSettings as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.option("--demo/--no-demo", default=None, help="Seed the demo organisation into an empty database.")
@click.pass_obj
def run(config: Config, demo: bool | None) -> None:
    """Migrate, then start web and worker and keep them running."""
    database = opened(config)
    migrating.upgrade(database)
    if demo if demo is not None else config.demo:
        demonstration.seed(database, config)
    database.dispose()
    supervise(config)


def supervise(config: Config) -> None:
    """Start web and worker, start again whichever dies, and stop both when told to."""
    children: dict[str, subprocess.Popen[bytes]] = {}
    since: dict[str, float] = {}
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for child in children.values():
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    failures, announced = 0, False
    while not stopping:
        for name in ("web", "worker"):
            child = children.get(name)
            if child is None or child.poll() is not None:
                if child is not None:
                    # One that has served for a while is started at once; only those that fail again and again wait.
                    failures = 1 if time.monotonic() - since[name] > STEADY_SECONDS else failures + 1
                    click.echo(f"{name} ended with {child.returncode} and starts again", err=True)
                    time.sleep(min(0.1 * 2**failures, 4))
                command = WEB if name == "web" else [sys.executable, "-m", "server.cli", name]
                children[name], since[name] = subprocess.Popen(command, start_new_session=True), time.monotonic()
        if not announced and checking.answers(config):
            announced, failures = True, 0
            _announce(config)
        time.sleep(0.1)
    for child in children.values():
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()


def _announce(config: Config) -> None:
    click.echo(f"\nTocsin 警钟 runs at {config.origin}\n")
    found = demonstration.sign_ins(config)
    if found is None:
        return
    click.echo(f"Demo sign-ins (password for all: {found['sign_ins'][0]['password']}):")
    for one in found["sign_ins"]:
        click.echo(f"  {one['username']:<20} {one['role']:<10} {one['name']}  {', '.join(one['teams'])}")
    click.echo("")


@main.command()
def web() -> None:
    """Serve the API, the app and the live stream."""
    os.execv(sys.executable, WEB)  # noqa: S606 - ourselves


@main.command()
@click.pass_obj
def worker(config: Config) -> None:
    """Fire limits and send deliveries."""
    photos = config.photos_folder
    abandoned = Chore(
        "uploads",
        field_reports.abandoned_due,
        lambda session: field_reports.forget_abandoned(session, photos),
        rest=60.0,
    )
    run_worker(config, opened(config), (*CHORES, abandoned))


@main.command()
@click.pass_obj
def migrate(config: Config) -> None:
    """Bring the database to the current shape."""
    database = opened(config)
    migrating.upgrade(database)
    click.echo(f"the database is at {migrating.current(database)[0]}")


@main.command()
@click.pass_obj
def restored(config: Config) -> None:
    """Say that this database is a restored backup, before starting again: phones then offer what it may lack."""
    database = opened(config)
    migrating.upgrade(database)
    click.echo(f"this life of the database is {database.write(feed.begin_epoch)}")


@main.command("create-admin")
@click.argument("username")
@click.option("--name", prompt=True, help="The person's name.")
@click.option("--organisation", default="", help="The organisation's name, when there is none yet.")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True)
@click.pass_obj
def create_admin(config: Config, username: str, name: str, organisation: str, password: str) -> None:
    """Create an administrator, and the organisation when there is none."""
    if len(password) < 10:
        raise click.ClickException("the password needs at least 10 characters")
    database = opened(config)
    migrating.upgrade(database)
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


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the sign-ins as JSON.")
@click.pass_obj
def demo(config: Config, as_json: bool) -> None:
    """Seed the demo organisation into an empty database and print its sign-ins."""
    if config.production:
        raise click.ClickException("the demo organisation is refused in production")
    database = opened(config)
    migrating.upgrade(database)
    demonstration.seed(database, config)
    found = demonstration.sign_ins(config)
    if found is None:
        raise click.ClickException("this database holds an organisation that is not the demo")
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _announce(config)


@main.command()
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


@main.command("move-to")
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


@main.command()
@click.pass_obj
def openapi(config: Config) -> None:
    """Print the OpenAPI document."""
    with TemporaryDirectory() as folder:
        aside = replace(config, data_folder=Path(folder), database_url="")
        database = opened(aside)
        migrating.upgrade(database)
        with create_app(aside, database).app_context():
            click.echo(json.dumps(describe_rows(), ensure_ascii=False, indent=1, sort_keys=True))


@main.command()
@click.pass_obj
def check(config: Config) -> None:
    """Say what is wrong with this installation; exits 1 when something is."""
    found = checking.findings(config)
    for grade, said in found:
        click.echo(f"{grade}: {said}")
    sys.exit(1 if any(grade == "wrong" for grade, _ in found) else 0)


main.add_command(plan_commands.plan)
main.add_command(plan_commands.import_, "import-plan")

if __name__ == "__main__":
    main()
