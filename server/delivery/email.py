"""E-mail through the organisation's own mail server."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formataddr, formatdate

from server.delivery.circuits import back_off
from server.delivery.outcomes import Message, Outcome, Result

DEADLINE = 15.0


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in; `security`: `tls` from the first byte, `starttls`, or `none` inside one's own network."""

    host: str
    port: int
    sender: str
    security: str = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    authority: str | None = None


class Email:
    """Sends one mail per message; a message's address is `{"mailbox": …}`."""

    name = "email"

    def __init__(self, server: MailServer, link: str) -> None:
        """`link`: where the app is; opening it answers nothing."""
        self._server = server
        self._link = link

    async def send(self, message: Message) -> Outcome:
        """Hand one mail in. The mail server's yes is all one learns."""
        mailbox = str(message.address.get("mailbox", ""))
        if mailbox.count("@") != 1 or any(c <= " " or c in ",;<>\"'\x7f" for c in mailbox):
            return Outcome(Result.BLOCKED, detail="mailbox_malformed")
        try:
            await asyncio.to_thread(self._hand_in, self._written(message, mailbox))
        except smtplib.SMTPRecipientsRefused:
            return Outcome(Result.GONE, detail="mailbox_refused")
        except smtplib.SMTPResponseException as error:
            # 4xx asks for another try, 5xx is final
            again = back_off(message.attempt) if error.smtp_code < 500 else None
            return Outcome(Result.FAILED, again, error.smtp_code)
        except (OSError, smtplib.SMTPException) as error:
            return Outcome(Result.FAILED, back_off(message.attempt), detail=type(error).__name__)
        return Outcome(Result.ACCEPTED, status=250, confirmed=False)

    def _written(self, message: Message, mailbox: str) -> EmailMessage:
        told = message.payload["notification"]
        mail = EmailMessage()
        mail["From"] = formataddr(("Tocsin 警钟", self._server.sender))
        mail["To"] = mailbox
        mail["Subject"] = " ".join(str(told["title"]).split())
        mail["Date"] = formatdate(localtime=False)
        # one id for all attempts: a repeat after a crash is the same mail to the reader's program
        mail["Message-ID"] = f"<{message.delivery}@{self._server.sender.partition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        if message.critical:
            mail["X-Priority"] = "1"
        mail.set_content(f"{told.get('body', '')}\n\n{self._link}{told.get('navigate', '')}\n")
        return mail

    def _hand_in(self, mail: EmailMessage) -> None:
        server = self._server
        context = ssl.create_default_context(cafile=server.authority)
        smtp: smtplib.SMTP
        if server.security == "tls":
            smtp = smtplib.SMTP_SSL(server.host, server.port, timeout=DEADLINE, context=context)
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=DEADLINE)
        with smtp:
            if server.security == "starttls":
                smtp.starttls(context=context)
            if server.username:
                smtp.login(server.username, server.password)
            smtp.send_message(mail)
