"""A program of its own that becomes another one, as soon as it is told which.

``SystemProcesses`` starts it and says on its standard input, in JSON, what to run. If the writer is gone
before it has said so (it was killed, or gave up), nothing is run. What it becomes has the same process id and
start time, exactly the environment that was named, and no input.
"""

import json
import os
import signal
import sys


def main() -> None:
    """Read the order to its end, then take the place of this program."""
    text = sys.stdin.read()
    if not text:
        sys.exit(1)
    order = json.loads(text)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and what is ignored would stay so
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvpe(order["argv"][0], order["argv"], order["env"])  # noqa: S606 - a shell is what we avoid
    except OSError as error:
        sys.exit(f"{order['argv'][0]} cannot be started: {error.strerror}")


if __name__ == "__main__":
    main()
