"""The `tocsin` commands: run, web, worker, migrate, backup, restored, move-to, create-admin, plan, import-plan, demo, check.

What a command needs is loaded when it is called: web and worker must answer within a moment of being started.
"""

import gc
import logging
import os
from importlib import import_module

import click

from server import config as settings
from server.config import UnsafeSettings

COMMANDS = {
    "run": "server.running:run",
    "web": "server.running:web",
    "worker": "server.work:worker",
    "plan": "server.plan_commands:plan",
    "import-plan": "server.plan_commands:import_",
    "migrate": "server.maintenance:migrate",
    "restored": "server.maintenance:restored",
    "create-admin": "server.maintenance:create_admin",
    "demo": "server.maintenance:demo",
    "backup": "server.maintenance:backup",
    "move-to": "server.maintenance:move_to",
    "openapi": "server.maintenance:openapi",
    "check": "server.maintenance:check",
}
"""Every command and where it stands, as module:name."""


class Commands(click.Group):
    """The commands, each loaded by its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None."""
        module, _, name = COMMANDS.get(cmd_name, "").partition(":")
        if not module:
            return None
        gc.disable()  # what is loaded stays; to look through it again and again is a fifth of the time it takes
        try:
            return getattr(import_module(module), name)  # type: ignore[no-any-return]
        finally:
            gc.enable()


@click.group(cls=Commands)
@click.pass_context
def main(context: click.Context) -> None:
    """Tocsin: emergency plans on phones."""
    os.umask(0o077)  # what is written here is nobody else's to read
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        context.obj = settings.load()
    except UnsafeSettings as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
