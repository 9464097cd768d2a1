"""The operator's channels file: what it sets up, and what is refused with words that hold no secret."""

from pathlib import Path

import pytest

from server.clock import now
from server.delivery.outcomes import Channel, Result
from server.delivery.set_up import ChannelsFault, open_channels
from server.delivery.web_call import Call, Said
from tests.delivery.test_channels import message
from tests.loops import run

GOOD = """
[robots.operations]
kind = "wecom"
url = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=GEHEIM"
[sms]
like = "aliyun"
key = "id"
secret = "GEHEIM"
fields = { SignName = "景区", TemplateCode = "SMS_1" }
[voice]
method = "POST"
url = "http://modem.lan/call"
fields = { to = "{number}" }
[email]
host = "mail.example.org"
port = 587
sender = "tocsin@example.org"
password = "GEHEIM"
"""


async def nobody(call: Call) -> Said:
    raise AssertionError("nothing may be sent")


def opened(folder: Path, text: str, mode: int = 0o600) -> dict[str, Channel]:
    path = folder / "channels.toml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return open_channels(path, nobody, "https://tocsin.example.org", now)


def test_the_file_sets_up_each_channel_under_its_name(tmp_path: Path) -> None:
    channels = opened(tmp_path, GOOD)
    assert set(channels) == {"robot", "sms", "voice", "email"}
    assert all(channel.name == name for name, channel in channels.items())


def test_a_dry_run_sends_nothing_through_any_channel(tmp_path: Path) -> None:
    for channel in opened(tmp_path, "dry_run = true\n" + GOOD).values():
        outcome = run(lambda channel=channel: channel.send(message(number="13800000000", robot="operations")))  # type: ignore[misc]
        assert (outcome.result, outcome.detail, outcome.confirmed) == (Result.ACCEPTED, "dry_run", False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[email]", "[mail]"), "unknown mail"),
        (('host = "mail.example.org"\n', ""), "email: a field is missing"),
        (("password", "pasword"), "unknown pasword"),
        (('like = "aliyun"', 'like = "other"'), "sms.like must be one of"),
        (("qyapi.weixin.qq.com", "evil.example"), "robots.operations"),
        (("https://qyapi", "http://qyapi"), "robots.operations"),
        (('kind = "wecom"', 'kind = "dingtalk"'), "robots.operations"),
        (("[voice]", "[voice"), "is not TOML"),
        (("[robots.operations]\n", 'robots = "x"\n[x]\n'), "unknown x"),
    ],
)
def test_a_mistake_is_named_and_no_secret_is_told(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    with pytest.raises(ChannelsFault) as caught:
        opened(tmp_path, GOOD.replace(*change))
    assert words in str(caught.value)
    assert "GEHEIM" not in str(caught.value)


def test_a_file_others_may_read_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChannelsFault, match="chmod 600"):
        opened(tmp_path, GOOD, 0o644)
    with pytest.raises(ChannelsFault, match="cannot be read"):
        open_channels(tmp_path / "none", nobody, "", now)
