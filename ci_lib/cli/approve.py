"""``deploy-actions approve``: somebody else agrees, with a signature."""

from ci_lib.cli.console import Session, Values, settings_for
from ci_lib.cli.look import Found, look
from ci_lib.cli.options import PREFIX
from ci_lib.cli.verb import request_of
from ci_lib.cli.wiring import built
from ci_lib.domain.approval import Gate
from ci_lib.domain.errors import UsageFault
from ci_lib.domain.reasons import Exit, Verb
from ci_lib.engine.approve import Consent, approve

_KEY = f"{PREFIX}APPROVER_KEY"


def run(values: Values) -> Exit:
    """Sign the approval, record it, and print it."""

    def find(session: Session) -> Found:
        from ci_lib.signing.keys import Signer

        gates = ", ".join(Gate)
        if values["gate"] not in set(Gate):
            raise UsageFault(f"--gate {values['gate'][:40]!r}", hint=f"it is one of: {gates}")
        if not session.env.get(_KEY):
            raise UsageFault(f"{_KEY} is not set", hint="it holds the approver's private key; see `keys new`")
        signer = Signer(private=session.secret(_KEY))
        consent = Consent(
            gate=Gate(values["gate"]), backup=values["backup"], hours=values["hours"], keyid=signer.keyid
        )
        with built(session, settings_for(values, session)) as made:
            record = approve(request_of(Verb.PROMOTE, values), made.tools, consent, signer.signed)
        body = record.body
        what = f"{Gate(body['gate']).called} in {body['environment']} until {body['until']}"
        text = (
            f"{body['approver']} approves of {what}\n"
            + "".join(f"  {subject}\n" for subject in body["subjects"])
            + f"record {record.id}\n"
        )
        return Found(data=dict(body) | {"record": record.id}, text=text)

    return look(values, find)
