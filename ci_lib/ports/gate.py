"""A program of its own that becomes another one, as soon as it is told which.

``SystemProcesses`` starts it, says on its standard input, in JSON, what to run, and reads on its standard
output how that went; its standard error is the log. If the writer is gone before it has said so (it was
killed, or gave up), nothing is run. What it becomes has the same process id and start time, exactly the
environment that was named, no input, and both its outputs in the log.
"""

import json
import os
import signal
import sys

BEGINS = b"begins\n"
"""What is said right before the program takes this one's place; why it could not is said behind it."""


def main() -> None:
    """Read the order to its end, then take the place of this program."""
    text = sys.stdin.read()
    if not text:
        sys.exit(1)
    order = json.loads(text)
    report = os.dup(1)  # which the system closes when the program begins: the end of what is said
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and what is ignored would stay so
        signal.signal(ignored, signal.SIG_DFL)
    os.write(report, BEGINS)
    try:
        os.execvpe(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - a shell is what we avoid
    except (OSError, ValueError) as error:  # ValueError: a null character in a word
        why = str(getattr(error, "strerror", None) or error)
        os.write(report, why.encode())
        sys.exit(f"{order['argv'][0]} cannot be started: {why}")


if __name__ == "__main__":
    main()
