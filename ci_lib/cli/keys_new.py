"""``deploy-actions keys new``: a pair of keys to sign verifications with."""

import os
from pathlib import Path

from ci_lib.cli.console import Session, Values
from ci_lib.cli.look import Found, look
from ci_lib.domain.errors import UsageFault
from ci_lib.domain.reasons import Exit


def run(values: Values) -> Exit:
    """Write the private key to a file that only its owner can read, and print the public one."""

    def find(session: Session) -> Found:
        del session
        from ci_lib.signing.keys import fingerprint, new_key, public_of

        if not values["out"]:
            raise UsageFault("where should the private key go?", hint="give --out FILE")
        private = new_key()
        public = public_of(private)
        _write(values["out"], private)
        indented = "".join(f"      {line}\n" for line in public.splitlines())
        text = (
            f"private key: {values['out']}, readable for you alone\n"
            "  Hand it to the CI as a secret of the environment that verifies alone; then delete it.\n"
            f"fingerprint: {fingerprint(public)}\n"
            "for the policy, with the URI that `signing.verifier` has in deploy.yml:\n\n"
            f"  - public_key: |\n{indented}"
            f"    verifier: {values['verifier'] or 'URI'}\n"
            f"    environments: [{values['environment'] or 'NAME'}]\n"
        )
        return Found(data={"public_key": public, "fingerprint": fingerprint(public)}, text=text)

    return look(values, find)


def _write(name: str, text: str) -> None:
    """Make the file, never one over another: a key that is lost cannot be had again."""
    try:
        descriptor = os.open(Path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        what = f"{name} cannot be made: {error.strerror}"
        raise UsageFault(what, hint="name a new file with --out") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
