"""The one list of kinds of reports, and who reads each."""

from collections.abc import Callable, Mapping
from typing import Final

from ci_lib.domain.gate import Reading
from ci_lib.readers import coverage, detect_secrets, junit, sarif, trivy, trufflehog

READERS: Final[Mapping[str, Callable[[bytes], Reading]]] = {
    "junit": junit.read,
    "coverage": coverage.read,
    "sarif": sarif.read,
    "trufflehog": trufflehog.read,
    "trivy": trivy.read,
    "detect_secrets": detect_secrets.read,
}
"""By the names that deploy.yml has for them. Each takes a report's bytes and raises ``Unreadable``."""
