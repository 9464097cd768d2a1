"""The web process's entry: gevent takes over the blocking calls before anything that uses them is loaded."""

import gc
import os

from gevent import monkey

monkey.patch_all()
gc.disable()  # what is loaded stays, and need not be looked through again and again meanwhile

from server import config  # noqa: E402 - what is loaded before the patch keeps blocking the whole process
from server.web import Web  # noqa: E402

if __name__ == "__main__":
    os.umask(0o077)
    gc.enable()
    Web(config.load()).run()
