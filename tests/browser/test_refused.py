"""What the server refuses stays in the tray with its reason; a session that ended keeps the queue for its own person alone."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from server.db import new_id
from tests.browser.conftest import SLOW, Someone
from tests.browser.scene import activated, until
from tests.house import House, Phone

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
Arrive = Callable[..., Someone]


def tally(page: Page, count: str) -> None:
    """Count people at the first place on offer."""
    page.evaluate("location.hash = '#/now'")
    page.evaluate("location.hash = '#/tally'")


def report(someone: Someone, text: str) -> None:
    """File a report of a crowd with these words."""
    someone.go("#/now")
    someone.go("#/report")
    page = someone.page
    page.get_by_text("人流拥挤", exact=True).click()
    page.get_by_label("说明").fill(text)
    page.get_by_role("button", name="上报", exact=True).last.click()
    expect(page.get_by_role("heading", name="上报", exact=True)).to_be_hidden()


def end_sessions(house: House, username: str) -> None:
    """Change the password to itself from another phone, which ends every other session."""
    elsewhere = Phone(house, username)
    assert elsewhere.call("POST", "/me/password", {"current": house.password, "new": house.password})[0] == 204
