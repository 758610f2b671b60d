"""What Neon's proxies ask of a control plane, answered in their words."""

import pytest

from harness.control import Control, assert_problem


@pytest.fixture
def control(start_proxy):
    return Control(start_proxy)


WAKES = ("/api/v1/wake_compute", "/wake_compute", "/proxy_wake_compute")
ACCESS = ("/api/v1/get_endpoint_access_control", "/get_endpoint_access_control")


def explained(answer, status):
    """What a Neon proxy reads of a refusal, after a look at what is the same as ever."""
    assert_problem(answer, status, reason=answer.body.get("reason"))
    assert answer.body["error"] == answer.body["detail"] == answer.body["status"]["message"]
    details = answer.body["status"]["details"]
    assert details["user_facing_message"]["message"]
    return (details["error_info"]["reason"],
            details.get("retry_info", {}).get("retry_delay_ms"))


def test_what_is_not_there_is_never_tried_again(control):
    for path in WAKES:
        assert explained(control.get(f"{path}?endpointish=nowhere"),
                         404) == ("ENDPOINT_NOT_FOUND", None)
    for path in ACCESS:
        assert explained(control.get(f"{path}?endpointish=nowhere&role=app"),
                         404) == ("ENDPOINT_NOT_FOUND", None)


def test_a_bad_question_is_not_worth_another_try(control):
    control.compute()
    answer = control.get("/wake_compute?endpointish=db&timeout=0")
    assert_problem(answer, 422, "timeout must be")
    assert "retry_info" not in answer.body["status"]["details"]


def test_a_quota_is_named(control):
    project = control.project(quota_compute_seconds=1)
    control.compute("db", project)
    control.woken()
    control.wait_for_state("suspended")
    reason, retry_ms = explained(control.get("/wake_compute?endpointish=db"), 403)
    assert (reason, retry_ms) == ("COMPUTE_TIME_QUOTA_EXCEEDED", None)


def test_a_wake_and_a_look_answer_what_neons_proxies_read(control):
    compute = control.compute()
    for path in WAKES:
        woken = control.get(f"{path}?endpointish=db&session_id=x&application_name=y").body
        assert woken["address"] and woken["server_name"] is None
        assert woken["aux"] == {"endpoint_id": "db", "compute_id": "db",
                                "project_id": compute["project_id"],
                                "branch_id": compute["project_id"],
                                "cold_start_info": woken["cold_start_info"]}
    for path in ACCESS:
        access = control.get(f"{path}?endpointish=db&role=app&session_id=x").body
        assert access["role_secret"].startswith("SCRAM-SHA-256$4096:")
        assert {"allowed_ips", "project_id", "account_id", "rate_limits"} <= set(access)


def test_nobody_else_vouches_for_roles(control):
    control.compute()
    for path in ("/api/v1/endpoints/db/jwks", "/endpoints/db/jwks"):
        assert control.get(path).body == {"jwks": []}
    assert explained(control.get("/endpoints/nowhere/jwks"), 404)[0] == "ENDPOINT_NOT_FOUND"


def test_others_are_told_as_rfc_9457_has_it(control):
    control.compute()
    for answer in (control.get("/api/v1/compute/nowhere"),
                   control.call("PUT", "/compute/api/v2/computes/nowhere/wake")):
        assert answer.body["status"] == 404 and "error" not in answer.body


def test_a_projects_operations_are_those_of_its_computes_newest_first(control):
    project, other = control.project(), control.project()
    for name, owner in (("a", project), ("b", project), ("c", other)):
        control.compute(name, owner)
    control.woken("a")
    path = f"/api/v1/projects/{project}/operations"
    listed = control.get(path).body["operations"]
    assert [(o["compute_id"], o["to"]) for o in reversed(listed)] == [
        ("a", "creating"), ("a", "suspended"), ("b", "creating"), ("b", "suspended"),
        ("a", "resuming"), ("a", "active")]
    paged, cursor = [], ""
    while cursor is not None:
        page = control.get(f"{path}?limit=4{cursor and '&cursor=' + cursor}").body
        paged += page["operations"]
        cursor = page["next_cursor"]
    assert paged == listed
    assert control.call("DELETE", f"/api/v1/projects/{project}").status == 204
    after = control.get(path).body["operations"]
    assert sorted(o["to"] for o in after[:4]) == ["destroying", "destroying", "gone", "gone"]
