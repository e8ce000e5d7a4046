import json
from dataclasses import replace

from ci_lib.report.outputs import outputs
from tests.golden.outcomes import DEPLOYED, NEW, OUTCOMES


def test_outputs_name_the_release_and_where_its_evidence_is() -> None:
    assert outputs(DEPLOYED) == {
        "status": "deployed",
        "reason-code": "deployed",
        "version": "sha-2",
        "release-id": "cd" * 32,
        "image-digest": NEW,
        "images": json.dumps({"api": f"ghcr.io/acme/api:sha-2@{NEW}"}),
        "previous-version": "sha-1",
        "evidence-path": "/tmp/evidence-deploy-shop-production-1-deadbeef",
        "evidence-name": "evidence-deploy-shop-production-1-deadbeef",
        "result-path": "/tmp/evidence-deploy-shop-production-1-deadbeef/result.json",
    }


def test_several_images_have_no_single_digest() -> None:
    values = outputs(OUTCOMES["deployed-with-overrides"])
    assert values["image-digest"] == ""
    assert set(json.loads(values["images"])) == {"api", "web"}


def test_without_evidence_there_is_no_path_to_it() -> None:
    values = outputs(replace(DEPLOYED, evidence_path=""))
    assert (values["evidence-path"], values["evidence-name"], values["result-path"]) == ("", "", "")
