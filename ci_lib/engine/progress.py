"""What a journal says of the run that wrote it, in one sentence."""

from ci_lib.domain.plan import Step
from ci_lib.domain.state import Entry
from ci_lib.engine.recover import unfinished


def progress(entries: tuple[Entry, ...], owner: str) -> str:
    """What the newest run in a journal was doing when it wrote its last line.

    ``owner`` holds the lock: a journal of somebody else is that of a run before, which was interrupted.
    """
    if not unfinished(entries):
        return "no step has begun"
    begin = entries[0]
    version = (begin.get("release") or {}).get("version", "")
    run = f"{begin.get('verb', 'run')} of {version}" if version else str(begin.get("verb", "run"))
    told = f"{run}: {_last(entries)}"
    writer = str(begin.get("owner", owner))
    return told if writer == owner else f"no step has begun; {writer} was interrupted in {told}"


def _last(entries: tuple[Entry, ...]) -> str:
    """The last line that says how far the run has come; not every step has one."""
    for entry in reversed(entries):
        match entry["event"]:
            case "cancelled":
                return "cancelled, and not cleared up yet"
            case "unrecorded":
                return "over, and its record is not written yet"
            case "undo":
                return f"going back, at {entry['step']}"
            case "schema":
                return "changing the schema" if "before" in entry else "the schema was changed"
            case "start":
                return f"at {_name(entries[0], entry['step'])}, or behind it"
    return "before its first change"


def _name(begin: Entry, number: int) -> str:
    try:
        return Step.from_json(begin["plan"][number]).name
    except (KeyError, IndexError, TypeError, ValueError):  # another version wrote it
        return f"step {number + 1}"
