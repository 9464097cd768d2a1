"""The application for any WSGI server, made from the environment's settings, with the commands of `flask --app wsgi db`."""

from flask_migrate import Migrate

from server.app import create_app, flask_db
from server.shape import MIGRATIONS

app = create_app()
Migrate(app, flask_db, directory=str(MIGRATIONS), render_as_batch=True, compare_type=True)
