"""The web process's entry: gevent takes over the blocking calls before anything that uses them is loaded."""

import os

from gevent import monkey

monkey.patch_all()

from server import config  # noqa: E402 - what is loaded before the patch keeps blocking the whole process
from server.web import Web  # noqa: E402

if __name__ == "__main__":
    os.umask(0o077)
    Web(config.load()).run()
