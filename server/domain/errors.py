"""Refusals: what the organisation's rules say no to, each with a stable code and a sentence a responder can read."""


class Refused(Exception):
    """A request that makes sense as a shape but that the rules refuse.

    `code` is stable, `zh`/`en` are sentences for people, `path` names the field in the body when there is one.
    """

    def __init__(self, code: str, zh: str, en: str, *, path: str | None = None) -> None:
        super().__init__(en)
        self.code, self.zh, self.en, self.path = code, zh, en, path


class Forbidden(Refused):
    """The person may see the object but may not do this."""

    def __init__(
        self, code: str = "forbidden", zh: str = "您没有权限进行此操作。", en: str = "You may not do this."
    ) -> None:
        super().__init__(code, zh, en)


class NotFound(Refused):
    """The object does not exist, or the person may not know that it does."""

    def __init__(self, code: str = "not_found", zh: str = "没有找到。", en: str = "Not found.") -> None:
        super().__init__(code, zh, en)


class Conflict(Refused):
    """The state has moved on; `state` is what holds now."""

    def __init__(self, code: str, zh: str, en: str, *, path: str | None = None, state: object = None) -> None:
        super().__init__(code, zh, en, path=path)
        self.state = state


class Gone(Refused):
    """It existed once and can no longer be used."""


class Unauthenticated(Refused):
    """There is no living session."""


class Throttled(Refused):
    """Too many tries; `retry_after` is in seconds."""

    def __init__(self, code: str, zh: str, en: str, *, retry_after: int) -> None:
        super().__init__(code, zh, en)
        self.retry_after = retry_after


class Busy(Refused):
    """The database could not take this in time; the sender keeps it and tries again after `retry_after` seconds."""

    def __init__(self, retry_after: int = 2) -> None:
        super().__init__("busy", "系统繁忙，请稍后重试。", "Busy, please try again shortly.")
        self.retry_after = retry_after


class Full(Refused):
    """There is no room left on the server's disk; the sender keeps it and tries again after `retry_after` seconds."""

    def __init__(self, retry_after: int = 30) -> None:
        super().__init__(
            "storage_full",
            "服务器存储空间不足，内容已保留在本机。",
            "The server's disk is full; your work is kept on the phone.",
        )
        self.retry_after = retry_after


class UpdateNeeded(Refused):
    """The app is too old for this server; its queue is kept until it has been updated."""

    def __init__(self) -> None:
        super().__init__(
            "update_needed",
            "应用版本过旧，请更新后再发送，内容已保留在本机。",
            "The app is too old; update it. Your work is kept.",
        )
