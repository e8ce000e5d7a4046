"""What docker is called with to build and push, as data."""

from collections.abc import Iterator

from ci_lib.domain.build import Order

Argv = tuple[str, ...]

BUILDX_THERE: Argv = ("docker", "buildx", "version")
DOCKER_THERE: Argv = ("docker", "version", "--format", "{{.Server.Version}}")


def build_and_push(order: Order, metadata: str) -> Argv:
    """Build with buildx, push under every name, and write to the file ``metadata`` what was pushed."""
    given = (
        *(f"--secret=id={name},env={variable}" for name, variable in order.secrets.items()),
        *((f"--platform={','.join(order.platforms)}",) if order.platforms else ()),
        *(f"--cache-to={entry}" for entry in order.cache_to),
    )
    start = ("docker", "buildx", "build", "--progress=plain", "--push", f"--metadata-file={metadata}")
    return (*start, *given, *_described(order), order.context)


def build(order: Order) -> Argv:
    """Build with the classic builder, under every name."""
    return ("docker", "build", *_described(order), order.context)


def push(name: str) -> Argv:
    """Push one name."""
    return ("docker", "push", name)


def login(registry: str, username: str) -> Argv:
    """Log in with the password on standard input."""
    return ("docker", "login", f"--username={username}", "--password-stdin", registry)


def _described(order: Order) -> Iterator[str]:
    """The options that both builders have. Every value is one word with its option: none can be another."""
    yield f"--file={order.dockerfile}"
    if order.target:
        yield f"--target={order.target}"
    yield from (f"--build-arg={name}={value}" for name, value in order.args.items())
    # Without a value docker takes it from its environment, which no process list shows.
    yield from (f"--build-arg={name}" for name in order.args_env)
    yield from (f"--cache-from={entry}" for entry in order.cache_from)
    yield from (f"--label={name}={value}" for name, value in order.labels.items())
    yield from (f"--tag={name}" for name in order.names)
