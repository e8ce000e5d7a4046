"""The newest backup can be restored: it is, into scratch containers, and is not older than it may be."""

from ci_lib.checks.site import Probe, Seen, Site
from ci_lib.config.checks import RestoreTestCheck
from ci_lib.domain.outcome import Mark, objections
from ci_lib.domain.text import ago


def probe(check: RestoreTestCheck, site: Site) -> Probe:
    """Make ready to try the newest backup."""
    bound = "the newest backup restores"
    if check.max_age is not None:
        bound += f", and is at most {ago(check.max_age)} old"
    return Probe(bound=bound, look=lambda: _look(check, site))


def _look(check: RestoreTestCheck, site: Site) -> Seen:
    """Whether it is too old is known at once: then nothing is restored."""
    listed = site.backups.listed() if site.backups is not None else ()
    if not listed:
        return Seen(passed=False, value="there is no backup")
    newest = listed[0]
    age = (site.clock.now() - newest.made_at).total_seconds()
    if check.max_age is not None and age > check.max_age:
        return Seen(passed=False, value=f"{newest.name} is {ago(age)} old")
    assert site.backups is not None
    rows = site.backups.tested(newest, limit=check.timeout)
    failed = [row for row in rows if row.mark is not Mark.PASSED]
    if failed:
        return Seen(passed=False, value=f"{newest.name}: {objections(failed)}")
    return Seen(passed=True, value="; ".join((newest.name, *(f"{row.name}: {row.value}" for row in rows))))
