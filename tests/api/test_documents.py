"""The API's own pages: what a problem's type points to stands there."""

from tests.cast import Stage


def test_a_problems_type_leads_to_its_sentence(shared_stage: Stage) -> None:
    client = shared_stage.app.test_client()
    problem = client.get("/api/v1/me").get_json()
    page, _, code = problem["type"].partition("#")
    answer = client.get(page)
    assert answer.status_code == 200
    assert f"<section id={code}>" in answer.text
    assert "请重新登录" in answer.text
