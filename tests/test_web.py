"""The web process: room for the files of thousands of streams."""

import resource

from server.web import FILES, allow_files


def test_a_process_may_open_more_files_than_systems_begin_with() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if before[1] == resource.RLIM_INFINITY else min(FILES, before[1])
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        allow_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, before[1])
        allow_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
