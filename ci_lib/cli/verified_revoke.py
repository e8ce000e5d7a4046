"""``deploy-actions verified revoke``: an image that passed must not be used any more."""

from ci_lib.cli.console import Session, Values, settings_for
from ci_lib.cli.look import Found, look
from ci_lib.cli.verb import request_of
from ci_lib.cli.wiring import built
from ci_lib.domain.reasons import Exit, Verb
from ci_lib.engine.revoke import revoke


def run(values: Values) -> Exit:
    """Record the revocation, and print it."""

    def find(session: Session) -> Found:
        with built(session, settings_for(values, session)) as made:
            record = revoke(request_of(Verb.PROMOTE, values), made.tools)
        digests = ", ".join(record.body["digests"])
        text = f"revoked in {record.text('environment')}: {digests}\nledger head: {record.line}\n"
        return Found(data=dict(record.body), text=text)

    return look(values, find)
