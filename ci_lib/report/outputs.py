"""What later steps of a job get to know about an outcome."""

import json

from ci_lib.domain.outcome import Outcome

RESULT_FILE = "result.json"
"""The name of the outcome's file in the evidence folder."""


def outputs(outcome: Outcome) -> dict[str, str]:
    """Names and values of the outputs; ``images`` maps each image to ``repository:tag@digest`` as JSON."""
    images = [change.image for change in outcome.changes]
    return {
        "status": str(outcome.status),
        "reason-code": str(outcome.reason),
        "version": outcome.version,
        "release-id": outcome.release_id,
        "image-digest": images[0].digest if len(images) == 1 else "",
        "images": json.dumps({image.name: image.reference for image in images}, sort_keys=True),
        "previous-version": outcome.previous_version,
        "evidence-path": outcome.evidence_path,
        "evidence-name": outcome.evidence_path.rpartition("/")[2],
        "result-path": f"{outcome.evidence_path}/{RESULT_FILE}" if outcome.evidence_path else "",
    }
