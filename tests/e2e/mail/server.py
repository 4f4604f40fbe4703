"""A mail server for tests: STARTTLS and a login are demanded, each mail is a file.

Usage: python server.py FOLDER CHAIN KEY USER PASSWORD. Prints its port. FOLDER/mode says what becomes of a mail: nothing or
"take" takes it, "hold" takes it and does not say so, a number refuses it with that status.
"""

import asyncio
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

folder, chain, key, user, password = sys.argv[1:6]
folder = pathlib.Path(folder)
count = 0


class Taker:
    async def handle_DATA(self, server, session, envelope):
        global count
        mode = (folder / "mode").read_text().strip() if (folder / "mode").exists() else "take"
        if mode.isdigit():
            with open(folder / "refused", "a", encoding="utf-8") as log:
                log.write(f"{envelope.rcpt_tos[0]}\n")
            return f"{mode} <{envelope.rcpt_tos[0]}> is refused"
        count += 1
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "text": envelope.original_content.decode("ascii"),
        }
        path = folder / f"{count:04}.json"
        path.with_suffix(".part").write_text(json.dumps(mail))
        path.with_suffix(".part").rename(path)
        if mode == "hold":
            await asyncio.sleep(3600)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, given):
    right = (given.login, given.password) == (user.encode(), password.encode())
    return AuthResult(success=right)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    loop = asyncio.get_running_loop()

    def smtp():
        return SMTP(Taker(), tls_context=context, require_starttls=True, auth_required=True,
                    authenticator=authenticate, hostname="localhost")

    server = await loop.create_server(smtp, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
