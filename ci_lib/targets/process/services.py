"""The processes of a release: looking at them, exchanging them, waiting for them."""

from dataclasses import replace

from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Health, Running
from ci_lib.targets.process.book import Book, Started
from ci_lib.targets.process.folders import Folders
from ci_lib.targets.process.site import Site
from ci_lib.targets.process.specs import ServiceSpec, Specs

_POLL = 0.1


def observe(site: Site, folders: Folders) -> tuple[Running, ...]:
    """The processes in the book, each with the hash of the folder that it was started in."""
    return tuple(
        Running(
            workload=name,
            instance=str(started.process.pid),
            host=site.host.name,
            image_ids=(f"{started.image.repository}@{folders.content(started.image)}",),
            health=Health.NONE if site.processes.alive(started.process) else Health.EXITED,
            started_at=started.process.started,
            release_id=started.release_id,
            age=_age(site, started),
        )
        for name, started in site.book().started.items()
    )


def switch(site: Site, release: Release, specs: Specs, *, leaving: bool) -> None:
    """End what runs, then start the release's services as ``specs`` say.

    ``leaving``: a person rolls back from what runs, which is remembered.
    """
    ended = _ended(site)
    book = (ended.leave() if leaving else ended).serve(release, specs)
    for name, spec in specs.items():
        book = _started(site, book, release, name, spec)


def take_down(site: Site) -> None:
    """End what runs, with nothing in its place."""
    site.remember(replace(_ended(site), current="", started={}))


def stop(site: Site) -> None:
    """End what runs; the release stays the one to be started again."""
    site.remember(_ended(site))


def await_serving(site: Site, *, limit: float) -> None:
    """Return when every process has run for ``settle``; raise ``StepFault`` when one ended, or never will."""
    deadline = site.clock.monotonic() + limit
    started = site.book().started
    while True:
        dead = [name for name, item in started.items() if not site.processes.alive(item.process)]
        if dead:
            words = site.log_end(dead[0], 1).strip() or "it printed nothing"
            raise StepFault(
                f"{', '.join(dead)} ended right after its start: {words}",
                hint="see the logs in the evidence",
            )
        if all(_age(site, item) >= site.process.settle for item in started.values()):
            return
        if site.clock.monotonic() >= deadline:
            raise StepFault(f"not serving after {limit:.0f} s", hint="`limits.serving` must exceed `settle`")
        site.clock.sleep(_POLL)


def _ended(site: Site) -> Book:
    """The book, when none of the processes in it runs any more."""
    book = site.book()
    for started in book.started.values():
        site.processes.stop(started.process, grace=site.process.stop_grace)
    return book


def _started(site: Site, book: Book, release: Release, name: str, spec: ServiceSpec) -> Book:
    """Start a service. It is in the book before it begins, so that no kill leaves one that nobody knows."""
    image = release.image(spec.image)
    if image is None:
        raise StepFault(f"{name} needs image {spec.image}, which the release lacks", reason=Reason.BUG)
    facts = {
        "DEPLOY_STACK": site.settings.stack,
        "DEPLOY_ENVIRONMENT": site.settings.environment,
        "DEPLOY_VERSION": release.version,
        "DEPLOY_RELEASE_ID": release.id,
    }
    site.begin_log(name)
    with site.processes.starting(
        spec.command,
        cwd=str(site.folder(image)),
        env={**site.base, **facts, **spec.env},
        log=site.log(name),
    ) as process:
        at = site.clock.now().timestamp()
        book = book.start(name, Started(process=process, release_id=release.id, image=image, at=at))
        site.remember(book)
    return book


def _age(site: Site, started: Started) -> float:
    """Seconds since its start."""
    return site.clock.now().timestamp() - started.at
