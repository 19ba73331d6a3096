"""Sends a mail about a delivery over SMTP, to a fixed address or to the user's own."""

import re
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from string import Template
from typing import Any

import aiosmtplib

from activities import Event, Hook, Outcome, Refused, Tools, Unavailable, activity

_SUBJECT = "Your account $login was created"
_TEXT = "Hello $firstName,\n\nyour account $login is ready.\n"
_PART = r"[^\s\x00-\x1f\x7f<>()\[\],;:\\\"@]+"
_ONE_ADDRESS = re.compile(f"{_PART}@{_PART}")
"""One address: neither a list of several, nor a name beside it, nor a further header."""


@activity(on=Hook.POST_CREATE_USER, needs_settings=True)
async def mail(event: Event, tools: Tools) -> Outcome:
    """Sends a mail: `[activities.mail] host, port, from, to, subject, text, username, password, starttls`."""
    settings = tools.settings
    to = settings.get("to") or str(event.user.get("email", "")).strip()
    if not settings.get("to") and not _ONE_ADDRESS.fullmatch(to):
        return Outcome("no address")
    message = _message(event, to, tools.key, settings)
    try:
        await aiosmtplib.send(
            message,
            hostname=str(settings["host"]),
            port=int(settings.get("port", 587)),
            username=settings.get("username"),
            password=settings.get("password"),
            start_tls=settings.get("starttls"),
            timeout=10,
        )
    except aiosmtplib.SMTPResponseException as wrong:
        # RFC 5321 §4.2.1: 4yz may succeed later, 5yz will not.
        raise _by_code(wrong.code) from None
    except aiosmtplib.SMTPRecipientsRefused as wrong:
        raise _by_code(max(r.code for r in wrong.recipients)) from None
    except aiosmtplib.SMTPNotSupported as wrong:
        raise Refused(type(wrong).__name__) from None
    except (aiosmtplib.SMTPException, OSError) as wrong:
        raise Unavailable(type(wrong).__name__) from None
    return Outcome("mailed")


def _by_code(code: int) -> Exception:
    return Refused(f"SMTP {code}") if code >= 500 else Unavailable(f"SMTP {code}")


def _message(event: Event, to: str, key: str, settings: Mapping[str, Any]) -> EmailMessage:
    """The message. Its id is the idempotency key, so that a second attempt is the same mail to whoever files it."""
    values = {k: v for k, v in event.user.items() if isinstance(v, str | int)}
    sender = str(settings["from"])
    domain = parseaddr(sender)[1].rpartition("@")[2]
    subject = Template(settings.get("subject", _SUBJECT)).safe_substitute(values)
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(event.received_at)
    message["Message-ID"] = f"<{key.replace(':', '.')}@{domain}>"
    message.set_content(Template(settings.get("text", _TEXT)).safe_substitute(values))
    return message
