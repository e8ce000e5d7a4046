"""``deploy-actions build``: a commit becomes pushed images with digests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ci_lib.builders.docker import DockerBuilder, fault, has_buildx
from ci_lib.builders.logins import log_in
from ci_lib.builders.source import Git
from ci_lib.cli.build_logins import logins
from ci_lib.cli.build_places import places
from ci_lib.cli.console import Session, Values, load_file, open_session, stack_of
from ci_lib.cli.options import PASSWORD
from ci_lib.cli.verb import finish, guarded
from ci_lib.config.models import ImageSettings, Stack
from ci_lib.domain.build import Order, Remote, Source
from ci_lib.domain.images import Reference
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Exit, Reason, Status, Verb
from ci_lib.engine.build import BuildTools, run_build
from ci_lib.images.credentials import Credential, DockerCredentials, config_path
from ci_lib.plan.build import GIVEN, Site, chosen, orders, tag_for, version_of
from ci_lib.ports.live import LiveRunner
from ci_lib.ports.scratch import scratch
from ci_lib.ports.system import SystemClock, cancel_on_signals
from ci_lib.records.bodies import stamp

_HELPER_LIMIT = 15.0


def run(values: Values) -> Exit:
    """Run the verb with the options of the command line."""
    cancel_on_signals()
    quiet = bool(values.get("json"))
    session = open_session(quiet=quiet, lasting=True)
    outcome = guarded(Verb.BUILD, values, session, lambda: _played(values, session))
    return finish(session, None, values, outcome, quiet=quiet)


def _played(values: Values, session: Session) -> Outcome:
    started_at = stamp(SystemClock().now())
    loaded = load_file(values["config"])
    name = stack_of(values, loaded)
    stack = loaded.config.stacks[name]
    images = chosen(stack, tuple(values["only"]), name)
    with scratch("build", root=session.env.get("RUNNER_TEMP", "")) as room:
        source, found = _source(values, session, images, room)
        tag = tag_for(source, values["version"], SystemClock().now())
        site = Site(
            places=found,
            epoch=session.env.get("SOURCE_DATE_EPOCH", ""),
            moving=not values["ref"],
            buildx=has_buildx(session.runner),
            limit=stack.limits.build,
        )
        wanted = orders(images, source, tag, site)
        _demand_variables(session, wanted)
        base = Outcome(
            verb=Verb.BUILD,
            status=Status.UNKNOWN,
            reason=Reason.BUG,
            stack=name,
            version=version_of(stack, images, tag),
            actor=session.facts.actor,
            run_url=session.facts.run_url,
            started_at=started_at,
        )
        return run_build(wanted, source, base, _tools(session, stack, values, wanted, room))


def _source(
    values: Values, session: Session, images: Mapping[str, ImageSettings], room: str
) -> tuple[Source, dict[str, tuple[str, str]]]:
    """The commit, and each image's context and Dockerfile: in the checkout or, of a ref, unpacked."""
    config = Path(values["config"]).resolve()
    git = Git.around(str(config.parent), session.runner)
    ref = values["ref"]
    commit = git.commit(ref or "HEAD")
    source = git.source(commit)
    if ref:
        # The files are those of the commit; what is built of them, deploy.yml of now says.
        _with_changes(git, source, [str(config)], allowed=values["allow_dirty"])
        top = Path(git.unpack(commit, room))
        return source, places(images, top / config.parent.relative_to(git.folder), top)
    found = places(images, config.parent, Path(git.folder))
    made_of = {path for place in found.values() for path in place}
    return _with_changes(git, source, [str(config), *sorted(made_of)], allowed=values["allow_dirty"]), found


def _with_changes(git: Git, source: Source, paths: Sequence[str], *, allowed: bool) -> Source:
    """The source with what is not as committed; raises ``DeployError`` (BUILD) where that is not allowed."""
    changed = git.changed(paths)
    if changed and not allowed:
        more = f" and {len(changed) - 10} more" if len(changed) > 10 else ""
        raise fault(
            f"not as committed: {', '.join(changed[:10])}{more}",
            hint="commit them, or let .gitignore name what the image is not made of; "
            "--allow-dirty builds them, under a version that says so",
        )
    return Source(commit=source.commit, time=source.time, url=source.url, changed=changed)


def _demand_variables(session: Session, wanted: Sequence[Order]) -> None:
    """Raise ``ConfigFault`` for a variable that is not set, before anything is built; secrets are masked."""
    for order in wanted:
        for name in order.secrets.values():
            session.secret(name)
        for name in order.args_env:
            if name not in GIVEN and name not in order.env:
                session.value(name)


def _tools(
    session: Session, stack: Stack, values: Values, wanted: Sequence[Order], room: str
) -> BuildTools:
    given = logins(session, stack, [order.repository for order in wanted], values["username"])
    own = config_path(session.env)
    entered = log_in(given, host=session.runner, own=own.rpartition("/")[0], folder=f"{room}/docker")
    clock = SystemClock()
    builder = DockerBuilder(
        host=session.runner,
        live=LiveRunner(),
        clock=clock,
        room=room,
        # Whatever docker starts has no use for our password.
        env={**entered, PASSWORD.variable: ""},
    )
    return BuildTools(
        make=builder,
        look=lambda reference: _look(session, given, reference),
        clock=clock,
        reporter=session.reporter,
    )


def _look(session: Session, given: Mapping[str, Credential], reference: Reference) -> Remote:
    from ci_lib.images.remote import remote_image
    from ci_lib.ports.net import RequestsNet

    docker = DockerCredentials(
        path=config_path(session.env),
        read=session.runner.read,
        run=lambda argv, stdin: session.runner.run(argv, stdin=stdin, timeout=_HELPER_LIMIT),
    )
    return remote_image(
        reference,
        net=RequestsNet(session.env),
        credentials=lambda registry: given.get(registry) or docker(registry),
        clock=SystemClock(),
    )
