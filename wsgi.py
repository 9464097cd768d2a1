"""gunicorn's entry: the application, made from the environment's settings."""

from server.app import create_app

app = create_app()
