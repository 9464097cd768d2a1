"""Small pages behind the links of texts and group chats: they show an alert without signing in; only their buttons answer."""

import secrets
import uuid
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, current_app, redirect, render_template_string, request
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from server.api import http
from server.api.fields import clean_id
from server.clock import now
from server.config import Config
from server.domain import alerts, devices, errors, links, people, tokens

pages = Blueprint("pages", __name__)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
PAGE = """<!doctype html>
<html lang="{{ lang }}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><meta name="color-scheme" content="light dark"><title>Tocsin 警钟</title>
<style>
:root{font:18px/1.5 system-ui,"PingFang SC","Noto Sans SC",sans-serif}body{max-width:32rem;margin:0 auto;padding:16px}
h1{font-size:1.4rem;margin:.3em 0}button,select,input{font:inherit;width:100%;min-height:56px;margin:8px 0;padding:8px 12px;
border-radius:12px;border:1px solid #767676;box-sizing:border-box}button{font-weight:600;background:#0b6069;color:#fff;border:0}
button.quiet{background:#3a4a5c}.done{border:2px solid #1b7f3b;border-radius:12px;padding:12px}.wrong{border:2px solid #b3261e;
border-radius:12px;padding:12px}.muted{opacity:.8}label{display:block;margin-top:8px}a{color:inherit}
ul{list-style:none;padding:0;margin:0}p>a,li a{display:inline-block;padding:12px 0}
</style><main>{{ content }}</main></html>"""
ALERT = """<p class="muted">{% if alert.drill %}{{ t.drill }} · {% endif %}{{ person }} · {{ sent }}</p>
<h1>{{ title }}</h1><p>{{ body }}</p>
{% if answered %}<p class="done" role="status">{{ t.answered }} {{ answered }} · {{ at }}</p>{% endif %}
{% if ended %}<p class="muted">{{ t.ended }}</p>{% endif %}
<form method="post"><input type="hidden" name="id" value="{{ id }}"><input type="hidden" name="alert" value="{{ alert.id }}">
{% if alert.read_back %}<label>{{ t.read_back }}<input name="read_back" maxlength="500" required></label>{% endif %}
{% for kind, word in kinds %}<button name="kind" value="{{ kind }}"{% if kind in quiet %} class="quiet"{% endif %}{% if kind != "received" %} formnovalidate{% endif %}>{{ word }}</button>
{% endfor %}{% if "cannot" in alert.answers %}<label>{{ t.reason }}<input name="reason" maxlength="500"></label>{% endif %}</form>
{% if others %}<p class="muted">{{ t.others }}</p><ul>{% for name, path in others %}<li><a href="{{ path }}">{{ name }}</a></li>{% endfor %}
</ul>{% endif %}<p><a href="/#/alerts/{{ alert.id }}">{{ t.open }}</a></p>"""
GROUP = """<p class="muted">{{ t.group }}</p><h1>{{ title }}</h1>
{% if people %}<form method="post"><label>{{ t.who }}<select name="person" required><option value=""></option>
{% for name, id in people %}<option value="{{ id }}">{{ name }}</option>{% endfor %}</select></label>
<label>{{ t.digits }}<input name="digits" inputmode="numeric" pattern="[0-9]{4}" maxlength="4" autocomplete="off" required></label>
<button>{{ t.go_on }}</button></form>{% else %}<p class="done">{{ t.nobody }}</p>{% endif %}
<p><a href="/">{{ t.open }}</a></p>"""
REFUSED = """<p class="wrong" role="alert">{{ sentence }}</p><p><a href="/">{{ t.open }}</a></p>"""
WORDS = {
    "zh": {
        "drill": "演练", "answered": "已回执：", "ended": "该告警已结束，仍可补报。", "read_back": "请复述指令要点",
        "reason": "无法到场的原因（可不填）", "open": "打开应用", "group": "请选择本人后回执", "who": "姓名",
        "digits": "本人手机号末四位", "go_on": "继续", "nobody": "所有人都已回执。", "others": "还需您回执的其他指令",
    },
    "en": {
        "drill": "Drill", "answered": "Answered:", "ended": "This alert has ended; you may still report.",
        "read_back": "Read the order back", "reason": "Why you cannot come (may stay empty)", "open": "Open the app",
        "group": "Choose yourself to answer", "who": "Name", "digits": "Last four digits of your own number",
        "go_on": "Continue", "nobody": "Everybody has answered.", "others": "Other orders that wait for your answer",
    },
}  # fmt: skip
QUIET = frozenset({"cannot", "need_help"})


@pages.get("/a/<token>")
def show_alert(token: str) -> Answer:
    """The alert a text was about, with its buttons. Reading it answers nothing and marks nothing: previews read too."""

    def query(session: Session) -> Response:
        found = links.asked(session, _grant(token, tokens.ANSWER))
        alert, row, lang = found.alert, found.recipient, found.person.locale
        words, place = WORDS[lang], 1 if lang == "en" else 0
        kinds = [(kind, alerts.WORDS[kind][place]) for kind in alert.answers]
        zone = people.organisation(session).timezone
        return _page(
            lang, ALERT, alert=alert, person=found.person.name, sent=_clock(alert.issued_at, zone), title=alert.title[lang],
            body=alert.body.get(lang, ""), answered=alerts.WORDS[row.answer][place] if row.answer else "",
            at=_clock(row.answered_at, zone), ended=alert.status != "open", id=uuid.UUID(bytes=secrets.token_bytes(16)),
            kinds=kinds, quiet=QUIET, t=words, others=[(one.title[lang], _own(one, theirs)) for one, theirs in links.others(session, found)],
        )  # fmt: skip

    return _or_sentence(lambda: http.read(query))


@pages.post("/a/<token>")
def give_answer(token: str) -> Answer:
    """Answer the one alert the link is about."""

    def give() -> Answer:
        grant = _grant(token, tokens.ANSWER)
        form, id = request.form, clean_id(request.form.get("id"))
        if id is None or form.get("alert") != grant.alert:
            raise errors.Forbidden("token_wrong_alert", "链接与告警不符。", "The link is for another alert.")
        kind = form.get("kind", "")
        if kind not in alerts.ANSWERS:
            raise errors.Refused("answer_unfit", "请选择一种回执。", "Choose an answer.", path="kind")
        # one id for each button of one page: pressed twice it counts once, another button is another answer
        key = str(uuid.uuid5(uuid.UUID(id), kind))
        reason = _line(form.get("reason")) if kind == "cannot" else None
        at, read_back = now(), _line(form.get("read_back"))
        http.write(
            lambda session: links.answer(
                session, grant, key, kind=kind, occurred_at=at, reason=reason, read_back=read_back
            )
        )
        return redirect(f"/a/{token}", 303)

    return _or_sentence(give)


@pages.get("/g/<token>")
def show_group(token: str) -> Answer:
    """Who of an incident's people is still silent, for a chat all of them read; each finds themselves by their number."""

    def query(session: Session) -> Response:
        found, lang = links.group(session, _grant(token, tokens.GROUP)), _language()
        return _page(lang, GROUP, title=found.incident.title, people=found.silent, t=WORDS[lang])

    return _or_sentence(lambda: http.read(query))


@pages.post("/g/<token>")
def find_self(token: str) -> Answer:
    """Lead somebody who knows the end of their own number to their own page; nothing is answered yet."""

    def find() -> Answer:
        grant = _grant(token, tokens.GROUP)
        person, digits = clean_id(request.form.get("person")) or "", request.form.get("digits", "")
        address, name = request.remote_addr or "", f"group {person}"
        http.read(lambda session: devices.may_try(session, name, address))
        try:
            found = http.read(lambda session: links.found_in(session, grant, person, digits))
        except errors.Forbidden:
            http.write(lambda session: devices.note_failure(session, name, address))
            raise
        return redirect(_own(found.alert, found.recipient), 303)

    return _or_sentence(find)


def _own(alert: alerts.Alert, row: alerts.Recipient) -> str:
    return f"/a/{tokens.make_token(_secret(), tokens.ANSWER, row.id, alert.id, alert.expires_at)}"


def _grant(token: str, purpose: str) -> tokens.Grant:
    return tokens.read_token(_secret(), token, purpose, now())


def _secret() -> str:
    config: Config = current_app.extensions["tocsin_config"]
    return config.secret()


def _or_sentence(view: Callable[[], Answer]) -> Answer:
    """What the view gives, or a page with the sentence of what was refused."""
    try:
        return view()
    except errors.Refused as refusal:
        lang = _language()
        page = _page(lang, REFUSED, sentence=getattr(refusal, lang), t=WORDS[lang])
        page.status_code = next(code for kind, code in http.STATUS if isinstance(refusal, kind))
        return page


def _page(lang: str, template: str, **values: Any) -> Response:
    content = render_template_string(f"{{% autoescape true %}}{template}{{% endautoescape %}}", **values)
    response = Response(
        render_template_string(PAGE, lang=lang, content=Markup(content)),  # noqa: S704 - escaped in the line above
        content_type="text/html; charset=utf-8",
    )
    response.headers["Content-Security-Policy"] = POLICY
    # the form's own origin must come along with its POST, but its address, which is a credential, may not leave
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response


def _language() -> str:
    return request.accept_languages.best_match(["zh", "en"], "zh") or "zh"


def _clock(at: Any, zone: str) -> str:
    return at.astimezone(ZoneInfo(zone)).strftime("%H:%M") if at is not None else ""


def _line(text: str | None) -> str | None:
    cleaned = " ".join("".join(one for one in text if one.isprintable()).split())[:500] if text else ""
    return cleaned or None
