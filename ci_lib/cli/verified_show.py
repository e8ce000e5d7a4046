"""``deploy-actions verified show``: what passed where, newest first."""

from heapq import merge
from itertools import islice

from ci_lib.cli.console import Session, Values
from ci_lib.cli.look import Found, ledger_of, look
from ci_lib.domain.reasons import Exit
from ci_lib.records import proofs
from ci_lib.report.history import VerifiedRow, verified


def run(values: Values) -> Exit:
    """Print the newest verifications that passed and still stand; each image has a line."""

    def find(session: Session) -> Found:
        with ledger_of(values, session) as (loaded, _, chain):
            names = [values["environment"]] if values["environment"] else list(loaded.config.environments)
            found = [proofs.still_verified(chain, name) for name in names]
            newest = merge(*found, key=lambda one: one[0].seq, reverse=True)
            chosen = list(islice(newest, int(values["limit"])))
        rows = [
            VerifiedRow(
                time=record.text("time"),
                environment=record.text("environment"),
                image=image.name,
                version=image.label,
                digest=image.kept_as,
                actor=record.text("actor"),
                signed=", ".join(signature["keyid"] for signature in record.signatures),
            )
            for record, release in chosen
            for image in release.images
        ]
        return Found(data=[dict(record.body) for record, _ in chosen], text=verified(rows))

    return look(values, find)
