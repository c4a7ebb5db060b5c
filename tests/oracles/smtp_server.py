#!/usr/bin/env python3
"""A mail server of other people's making (aiosmtpd) that does as it is told and shows what it received.

    smtp_server.py PORT FOLDER [--tls starttls|implicit --certificate FILE --key FILE] [--auth LOGIN:PASSWORD]
                   [--plan refuse,greylist,drop,...] [--dkim NAME=FILE ...]

It prints "ready" when it listens. The plan is used up, one step by each mail that is offered:
    accept    takes it (what happens after the plan, too)
    refuse    550 at RCPT
    greylist  451 at RCPT
    drop      354 to DATA, then hangs up in the middle of the mail
    deaf      takes the mail and hangs up instead of saying so
Each mail it takes is parsed with Python's email package and written to FOLDER as N.json; `deaf` ones too. DKIM signatures
are verified with dkimpy against the TXT records in the --dkim files; calendars are read with icalendar.
"""

import argparse
import asyncio
import email
import email.policy
import json
import logging
import pathlib
import ssl
import warnings

import dkim
import icalendar
from aiosmtpd.smtp import SMTP, AuthResult


class Plan:
    def __init__(self, steps):
        self.steps = [step for step in steps.split(",") if step]

    def peek(self):
        return self.steps[0] if self.steps else "accept"

    def take(self):
        return self.steps.pop(0) if self.steps else "accept"


class Server(SMTP):
    """Adds the two ways of hanging up."""

    async def smtp_DATA(self, arg):
        if self.event_handler.plan.peek() == "drop":
            self.event_handler.plan.take()
            await self.push("354 go on")
            await self._reader.read(40)
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


class Handler:
    def __init__(self, folder, plan, records):
        self.folder, self.plan, self.records, self.count = folder, plan, records, 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.plan.peek() == "refuse":
            self.plan.take()
            return f"550 5.1.1 no such user: {address}"
        if self.plan.peek() == "greylist":
            self.plan.take()
            return "451 4.7.1 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        step = self.plan.take()
        self.count += 1
        report = self.report(session, envelope)
        partial = self.folder / f"{self.count}.partial"
        partial.write_text(json.dumps(report, ensure_ascii=False))
        partial.rename(self.folder / f"{self.count}.json")
        if step == "deaf":
            server.transport.abort()
        return "250 OK"

    def report(self, session, envelope):
        raw = envelope.original_content
        message = email.message_from_bytes(raw, policy=email.policy.default)
        text = message.get_body(("plain",))
        html = message.get_body(("html",))
        return {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "login": session.auth_data if session.authenticated else None,
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "defects": [str(defect) for part in message.walk() for defect in part.defects],
            "types": [part.get_content_type() for part in message.walk()],
            "subject": str(message["subject"]),
            "text": text.get_content() if text else None,
            "html": html.get_content() if html else None,
            "attachments": [self.attachment(part) for part in message.iter_attachments()],
            "dkim": self.dkim(raw),
        }

    @staticmethod
    def attachment(part):
        shown = {"name": part.get_filename(), "type": part.get_content_type()}
        if part.get_content_type() == "text/calendar":
            calendar = icalendar.Calendar.from_ical(part.get_content())
            (event,) = calendar.walk("VEVENT")
            shown["event"] = {
                "uid": str(event["uid"]),
                "summary": str(event["summary"]),
                "start": event.decoded("dtstart").isoformat(),
                "alarms": [alarm.decoded("trigger").days for alarm in event.walk("VALARM")],
            }
        return shown

    def dkim(self, raw):
        if b"DKIM-Signature:" not in raw:
            return None
        try:
            return dkim.verify(raw, dnsfunc=lambda name, timeout=5: self.records.get(name.decode().rstrip(".")))
        except dkim.DKIMException as error:
            return str(error)


def main():
    # AUTH without STARTTLS is what implicit TLS looks like to aiosmtpd, and it says so to every session.
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--tls", choices=["starttls", "implicit"])
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--auth")
    parser.add_argument("--plan", default="")
    parser.add_argument("--dkim", action="append", default=[])
    arguments = parser.parse_args()

    records = {}
    for record in arguments.dkim:
        name, file = record.split("=", 1)
        records[name] = pathlib.Path(file).read_bytes().strip()
    context = None
    if arguments.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.certificate, arguments.key)

    def authenticate(server, session, envelope, mechanism, data):
        login = data.login.decode()
        known = f"{login}:{data.password.decode()}" == arguments.auth
        return AuthResult(success=known, handled=known, auth_data=login)

    handler = Handler(arguments.folder, Plan(arguments.plan), records)
    settings = {"decode_data": False, "enable_SMTPUTF8": True}
    if arguments.auth:
        settings |= {"authenticator": authenticate, "auth_required": True}
        settings["auth_require_tls"] = arguments.tls == "starttls"
    if arguments.tls == "starttls":
        settings |= {"tls_context": context, "require_starttls": True}

    def factory():
        return Server(handler, **settings)

    async def serve():
        tls = context if arguments.tls == "implicit" else None
        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", arguments.port, ssl=tls)
        print("ready", flush=True)
        async with server:
            await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
