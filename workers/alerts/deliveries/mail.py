"""Sends alerts by e-mail."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from email.message import EmailMessage

from workers.alerts.deliveries.message import Message
from workers.alerts.deliveries.receiver import Receiver
from workers.alerts.deliveries.sending import TIMEOUT_S, NotTaken, Refused
from workers.config import MailSettings


class Mail:
    """Plain text, one mail for all addresses of a receiver.

    Args:
        settings: The server.
        timeout_s: For each of its answers.
        trust: Whose certificates count; the system's by default.
    """

    def __init__(
        self, settings: MailSettings, timeout_s: float = TIMEOUT_S, trust: ssl.SSLContext | None = None
    ) -> None:
        self._settings, self._timeout_s, self._trust = settings, timeout_s, trust

    def send(self, receiver: Receiver, message: Message) -> None:
        """See :class:`Sends`."""
        if not self._settings.host:
            raise NotTaken("there is no server for e-mail: set alerts.mail.host")
        try:
            with self._connect() as server:
                if self._settings.user:
                    server.login(self._settings.user, self._settings.password.get_secret_value())
                server.send_message(self._mail(receiver, message))
        except smtplib.SMTPRecipientsRefused as error:
            if all(500 <= code < 600 for code, _ in error.recipients.values()):
                raise Refused("the server for e-mail takes none of the addresses") from error
            raise NotTaken("the server for e-mail does not take the addresses at the moment") from error
        except (smtplib.SMTPException, OSError) as error:
            said = getattr(error, "strerror", None) or type(error).__name__
            raise NotTaken(f"the server for e-mail {self._settings.host} does not take it: {said}") from error

    def _connect(self) -> smtplib.SMTP:
        settings, timeout = self._settings, self._timeout_s
        context = self._trust or ssl.create_default_context()
        if settings.encryption == "tls":
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=timeout, context=context)
        server = smtplib.SMTP(settings.host, settings.port, timeout=timeout)
        if settings.encryption == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server

    def _mail(self, receiver: Receiver, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = " ".join(message.subject().split())
        mail["From"] = self._settings.sender
        mail["To"] = ", ".join(receiver.addresses)
        digest = hashlib.sha256(message.key.encode()).hexdigest()[:32]
        mail["Message-ID"] = f"<{digest}@pinwatch>"  # the same for every attempt
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text())
        return mail
