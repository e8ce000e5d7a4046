"""A resolved configuration as ``check-config`` prints it."""

from io import StringIO
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML

from ci_lib.config.resolved import Resolved


def render(resolved: Resolved) -> str:
    """The configuration as YAML, in the order of the reference, durations as text such as ``10m``."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 1_000_000
    out = StringIO()
    yaml.dump(as_json(resolved), out)
    return out.getvalue()


def as_json(resolved: Resolved) -> dict[str, Any]:
    """Plain data, without the other target's settings, unused hosts and what is not set."""
    settings = _plain(resolved.settings)
    settings.pop("process" if resolved.target == "compose" else "compose")
    settings |= {"history_name": resolved.history_name, "history_env": resolved.history_env}
    place = _plain(resolved.place)
    if not resolved.several:
        place.pop("rollout")
    used = {*resolved.place.hosts, *filter(None, [getattr(resolved.records, "host", None)])}
    return {
        "stack": resolved.stack,
        "environment": resolved.environment,
        "target": resolved.target,
        "config_hash": resolved.config_hash,
        "folder": resolved.folder,
        "place": place,
        "required_by": list(resolved.required_by),
        "records": _plain(resolved.records),
        "hosts": {name: _plain(host) for name, host in resolved.hosts.items() if name in used},
        "images": {name: _plain(image) for name, image in resolved.images.items()},
        "settings": settings,
    }


def _plain(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
