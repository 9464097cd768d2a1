"""The worker process's entry: `tocsin worker`."""

import sys
from functools import partial

import click
import structlog

from server import standby
from server.config import Config
from server.db import Database
from server.delivery.chores import Chore
from server.delivery.set_up import ChannelsFault
from server.delivery.worker import get_ready, run_worker
from server.domain import (
    canaries,
    climbing,
    escalation,
    field_reports,
    firing,
    injects,
    limits,
    places,
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


@click.command()
@click.pass_obj
def worker(config: Config) -> None:
    """Fire limits and send deliveries."""
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(),
        ]
    )
    database = opened(config)
    get_ready(database, CHORES)
    sys.exit(standby.keep(partial(work, config, database), config.url))


def work(config: Config, database: Database) -> None:
    """Work in this process until told to stop. Raises ClickException for channels that cannot be used."""
    photos = config.photos_folder
    abandoned = Chore(
        "uploads",
        field_reports.abandoned_due,
        lambda session: field_reports.forget_abandoned(session, photos),
        rest=60.0,
    )
    drawings = config.floor_plans_folder
    pictures = Chore(
        "floor plans",
        lambda session: places.pictures_due(session, drawings),
        lambda session: places.forget_pictures(session, drawings),
        rest=3600.0,
    )
    try:
        run_worker(config, database, (*CHORES, abandoned, pictures))
    except ChannelsFault as error:
        raise click.ClickException(str(error)) from None
    database.dispose()
