"""Drafts and versions over the JSON API: documents by field, conflicts, logos, what differs, rebasing and restoring."""

import base64
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.accounts.models import NewApiToken, NewUser
from gateway.actor import Actor, Grant, Role
from tests.console.api.test_api import PASSWORD, Call, make_application, make_call, make_noor
from tests.console.conftest import Installation
from tests.console.schemes.test_service import picture

DRAFT = "/schemes/irma-demo/drafts/work"
CARD = "RU/Issues/studentCard/description.xml"
ISSUER = "RU/description.xml"
DOCUMENT = f"{DRAFT}/documents/{CARD}"


@pytest.fixture
def noor(installation: Installation) -> Actor:
    return make_noor(installation)


@pytest.fixture
def call(installation: Installation, noor: Actor, small_scheme: Path) -> Call:
    """Calls the API, where a scheme is imported and has a draft called `work`."""
    run = make_call(installation, make_application(installation).test_client(), noor)
    assert run("POST", "/schemes/import", {"source": str(small_scheme)})[0] == 201
    assert run("POST", "/schemes/irma-demo/drafts", {"title": "Work"})[0] == 201
    return run


def edit(call: Call, changes: dict[str, Any], path: str = CARD, draft: str = "work", **more: Any) -> tuple[int, Any]:
    return call("PATCH", f"/schemes/irma-demo/drafts/{draft}/documents/{path}", {"changes": changes, **more})


def publish(call: Call, installation: Installation, draft: str) -> str:
    status, publication = call("POST", "/schemes/irma-demo/publications", {"draft": draft})
    assert status == 201, publication
    installation.run_jobs()
    publication = call("GET", f"/publications/{publication['id']}")[1]
    assert publication["state"] == "live"
    return str(publication["commit"])


def test_a_document_is_read_and_changed_by_field(call: Call) -> None:
    status, listed = call("GET", f"{DRAFT}/documents")
    assert (status, listed["documents"]) == (200, ["description.xml"])
    assert [issuer["path"] for issuer in listed["contents"]][1] == ISSUER
    assert CARD in [entry["path"] for entry in listed["contents"][1]["inside"]]
    status, document = call("GET", DOCUMENT)
    assert (status, document["kind"], document["entity"]) == (200, "credential-type", "irma-demo.RU.studentCard")
    assert document["values"] == document["published"]
    assert document["values"]["attributes"] == ["university", "studentCardNumber", "studentID", "level"]
    assert document["locks"]["id"] == {"lock": "place", "reason": "it follows from the place of the file"}
    assert document["locks"]["attributes.level.random_blind"]["lock"] == "published"
    status, saved = edit(call, {"name.en": "Demo Campus", "languages": ["en", "nl"], "dependencies": [[["irma-demo.RU.x"]]]})
    assert (status, sorted(saved["saved"])) == (200, ["dependencies", "languages", "name.en"])
    assert saved["values"]["dependencies"] == [[["irma-demo.RU.x"]]]
    assert call("GET", DOCUMENT)[1]["values"] == saved["values"]
    status, saved = edit(call, {"languages": None, "dependencies": None}, seen=saved["head"])
    assert "languages" not in saved["values"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"changes"}),
        ({"changes": []}, {"changes"}),
        ({"changes": {"name.nl": "Demo X", "id": "x", "nothing": 1, "singleton": 1}}, {"id", "nothing", "singleton"}),
        ({"changes": {"attributes": ["level"]}}, {"attributes"}),
        ({"changes": {"attributes": [{}]}}, {"attributes"}),
        ({"changes": {}, "decisions": {"name.en": "ours", "name.nl": {"text": "x"}}}, {"decisions.name.en", "decisions.name.nl"}),
        ({"changes": {}, "decisions": {"singleton": {"value": "x"}}}, {"singleton"}),
        ({"changes": {}, "seen": 5}, {"seen"}),
        ({"changes": {}, "surprise": 5}, {"surprise"}),
    ],
)
def test_rules_are_told_by_key_and_nothing_is_changed(call: Call, body: dict[str, Any], fields: set[str]) -> None:
    before = call("GET", DRAFT)[1]["head"]
    status, error = call("PATCH", DOCUMENT, body)
    assert (status, error["error"], set(error["fields"])) == (422, "invalid_input", fields)
    assert call("GET", DRAFT)[1]["head"] == before


@pytest.mark.feature("H6.3")
def test_a_conflict_gives_all_three_values_and_is_decided(call: Call) -> None:
    seen = call("GET", DOCUMENT)[1]["head"]
    assert edit(call, {"name.en": "Demo Hers"}, seen=seen)[0] == 200
    changes = {"name.en": "Demo His", "name.nl": "Demo Zijn"}
    status, told = edit(call, changes, seen=seen)
    assert (status, told["error"], told["saved"], told["by_others"]) == (409, "merge_conflict", ["name.nl"], ["name.en"])
    conflict = {"path": CARD, "key": "name.en", "base": "Demo Student Card", "mine": "Demo His", "theirs": "Demo Hers"}
    assert told["conflicts"] == [conflict]
    assert (told["values"]["name.en"], told["values"]["name.nl"]) == ("Demo Hers", "Demo Zijn")
    assert told["head"] == call("GET", DRAFT)[1]["head"]
    assert edit(call, {"name.en": "Demo Third"})[0] == 200
    status, again = edit(call, changes, seen=seen, decisions={"name.en": "mine"}, decided_on=told["head"])
    assert (status, again["conflicts"][0]["theirs"]) == (409, "Demo Third")
    decided = {"name.en": {"value": "Demo All"}}
    status, saved = edit(call, changes, seen=seen, decisions=decided, decided_on=again["head"])
    assert (status, saved["values"]["name.en"]) == (200, "Demo All")
    for side, text in (("theirs", "Demo All"), ("mine", "Demo His")):
        assert edit(call, changes, seen=seen, decisions={"name.en": side})[1]["values"]["name.en"] == text


def test_attributes_are_added_and_moved(call: Call) -> None:
    seen = call("GET", DRAFT)[1]["head"]
    status, saved = call("POST", f"{DOCUMENT}/objects", {"group": "attributes", "key": "faculty", "seen": seen})
    assert (status, saved["values"]["attributes"][-1], saved["values"]["attributes.faculty.optional"]) == (201, "faculty", True)
    status, saved = call("POST", f"{DOCUMENT}/moves", {"key": "faculty", "steps": -9, "seen": saved["head"]})
    assert (status, saved["values"]["attributes.faculty.display_index"]) == (200, 0)
    for body, status in (({"group": "attributes", "key": "faculty"}, 422), ({"group": "name", "key": "x"}, 404), ({}, 422)):
        assert call("POST", f"{DOCUMENT}/objects", body)[0] == status
    assert call("POST", f"{DOCUMENT}/moves", {"key": "absent", "steps": 1})[0] == 404


def test_logos_travel_as_base64_and_what_is_new_is_removed(call: Call) -> None:
    logo = base64.b64encode(picture()).decode()
    assert call("PUT", f"{DRAFT}/logo/{ISSUER}", {"logo": logo})[0] == 200
    assert call("GET", f"{DRAFT}/documents/{ISSUER}")[1]["logo"] == "RU/logo.png"
    for body in ({"logo": "§"}, {"logo": base64.b64encode(b"x").decode()}, {}):
        status, error = call("PUT", f"{DRAFT}/logo/{ISSUER}", body)
        assert (status, set(error["fields"])) == (422, {"logo"})
    assert call("DELETE", f"{DRAFT}/logo/{ISSUER}")[0] == 200
    assert call("DELETE", f"{DRAFT}/logo/{ISSUER}")[0] == 404
    status, error = call("DELETE", f"{DRAFT}/documents/{ISSUER}")
    assert (status, error["error"]) == (409, "conflict")
    name = {"en": "Demo City", "nl": "Demo Stad"}
    assert call("POST", f"{DRAFT}/issuers", {"id": "city", "name": name})[0] == 201
    assert call("DELETE", f"{DRAFT}/documents/city/description.xml")[0] == 200
    assert call("GET", f"{DRAFT}/documents/city/description.xml")[0] == 404


@pytest.mark.feature("A12.1")
def test_changes_are_told_by_entity_and_line_by_line(call: Call) -> None:
    edit(call, {"name.en": "Demo Campus"})
    status, found = call("GET", f"{DRAFT}/changes")
    (change,) = found["changes"]
    assert (status, change["entity"]["id"], change["kind"]) == (200, "irma-demo.RU.studentCard", "changed")
    assert change["fields"] == [{"key": "name.en", "before": "Demo Student Card", "after": "Demo Campus"}]
    (file,) = call("GET", f"{DRAFT}/changes/raw")[1]
    assert file["path"] == CARD
    assert any(line.startswith("+") and "Demo Campus" in line for line in file["lines"])


@pytest.mark.feature("B6.1")
def test_findings_of_a_check_name_the_field_that_mends_them(call: Call) -> None:
    edit(call, {"name.en": "No demonstration"})
    status, result = call("GET", "/schemes/irma-demo/check?draft=work")
    assert (status, result["may_publish"]) == (200, False)
    places = {(found["document"], found["key"]) for found in result["findings"] if found["level"] == "error"}
    assert (CARD, "name.en") in places
    assert {"level", "path", "field", "rule", "message"} < result["findings"][0].keys()
    assert call("GET", "/schemes/irma-demo/check")[1]["may_publish"] is True


@pytest.mark.feature("A5.2")
def test_a_break_names_the_field_the_reason_and_the_alternative(call: Call, installation: Installation, noor: Actor) -> None:
    content = installation.services.schemes.file(noor, "irma-demo", CARD).replace(b'id="level"', b'id="grade"')
    installation.services.schemes.save(noor, "irma-demo", "work", {CARD: content}, "Rename")
    result = call("GET", "/schemes/irma-demo/check?draft=work")[1]
    (broken,) = result["incompatibilities"]
    assert (broken["document"], broken["key"], result["may_publish"]) == (CARD, "attributes.level", False)
    assert "level" in broken["message"]
    assert broken["alternative"]


@pytest.mark.feature("B12.2")
def test_two_publications_take_their_turn(call: Call, installation: Installation) -> None:
    assert call("POST", "/schemes/irma-demo/drafts", {"title": "Other"})[0] == 201
    edit(call, {"name.en": "Demo One"})
    edit(call, {"name.en": "Demo RU"}, path=ISSUER, draft="other")
    numbers = [call("POST", "/schemes/irma-demo/publications", {"draft": draft})[1]["id"] for draft in ("work", "other")]
    workers = [threading.Thread(target=installation.run_jobs) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    installation.clock.move(timedelta(seconds=30))
    installation.run_jobs()
    first, second = (call("GET", f"/publications/{number}")[1] for number in numbers)
    assert (first["state"], second["state"]) == ("live", "failed")
    assert "starts from version" in second["error"]
    assert installation.served_is_valid("irma-demo")
    assert call("POST", "/schemes/irma-demo/drafts/other/rebase")[0] == 200
    publish(call, installation, "other")


def test_a_document_that_cannot_be_read_is_told(call: Call, installation: Installation, noor: Actor) -> None:
    installation.services.schemes.save(noor, "irma-demo", "work", {CARD: b"<x"}, "Break it")
    status, error = call("GET", DOCUMENT)
    assert (status, error["error"]) == (422, "malformed")
    assert edit(call, {"name.en": "Demo X"})[0] == 422


@pytest.mark.feature("A13.1", "A13.2", "B12.1", "B8.1", "B8.2")
def test_a_draft_is_rebased_with_decisions_and_a_version_restored(call: Call, installation: Installation) -> None:
    assert call("POST", "/schemes/irma-demo/drafts", {"title": "Other"})[0] == 201
    edit(call, {"name.en": "Demo Published"}, draft="other")
    call("POST", f"/schemes/irma-demo/drafts/other/documents/{CARD}/objects", {"group": "attributes", "key": "faculty"})
    texts = {f"attributes.faculty.{name}.{language}": "Faculty" for name in ("name", "description") for language in ("en", "nl")}
    edit(call, texts, draft="other")
    edit(call, {"name.en": "Demo Mine", "name.nl": "Demo Mijn"})
    second = publish(call, installation, "other")
    status, error = call("POST", "/schemes/irma-demo/publications", {"draft": "work"})
    assert (status, error["error"]) == (409, "stale_base")
    assert "Rebase" in error["hint"]
    status, told = call("POST", f"{DRAFT}/rebase")
    assert (status, told["error"], told["published"]) == (409, "merge_conflict", second)
    assert [(found["key"], found["mine"], found["theirs"]) for found in told["conflicts"]] == [("name.en", "Demo Mine", "Demo Published")]
    decision = {"path": CARD, "key": "name.en", "decision": "mine"}
    status, error = call("POST", f"{DRAFT}/rebase", {"decisions": [{**decision, "decision": {"value": 5}}]})
    assert (status, set(error["fields"])) == (422, {f"{CARD}#name.en"})
    status, error = call("POST", f"{DRAFT}/rebase", {"decisions": [{**decision, "decision": "ours"}]})
    assert (status, set(error["fields"])) == (422, {"decisions.0.decision"})
    stale = {"decisions": [decision], "head": told["head"], "published": "0" * 40}
    assert call("POST", f"{DRAFT}/rebase", stale)[0] == 409
    status, rebased = call("POST", f"{DRAFT}/rebase", {**stale, "published": second})
    assert (status, rebased["conflicts"], rebased["draft"]["is_stale"]) == (200, [], False)
    assert call("GET", DOCUMENT)[1]["values"]["name.en"] == "Demo Mine"
    third = publish(call, installation, "work")

    versions = call("GET", "/schemes/irma-demo/versions?limit=2")[1]
    assert [version["commit"] for version in versions] == [third, second]
    (first,) = call("GET", f"/schemes/irma-demo/versions?after={second}")[1]
    version = f"/schemes/irma-demo/versions/{third[:12]}"
    status, against = call("GET", f"{version}/changes")
    assert (status, against["before"], [field["key"] for field in against["changes"][0]["fields"]]) == (200, second, ["name.en", "name.nl"])
    assert call("GET", f"{version}/changes?before={first['commit']}")[1]["before"] == first["commit"]
    earliest = f"/schemes/irma-demo/versions/{first['commit']}"
    assert call("GET", f"{earliest}/changes")[1]["before"] is None
    status, restoration = call("GET", f"{earliest}/restoration")
    assert [(kept["key"], kept["reason"]) for kept in restoration["kept"]] == [("attributes.faculty", "added")]
    status, error = call("POST", f"{earliest}/restore", {"title": "Back", "deprecate": ["irma-demo.RU"]})
    assert (status, set(error["fields"])) == (422, {"deprecate"})
    status, draft = call("POST", f"{earliest}/restore", {"title": "Back"})
    assert (status, draft["name"]) == (201, "back")
    values = call("GET", f"/schemes/irma-demo/drafts/back/documents/{CARD}")[1]["values"]
    assert (values["name.en"], values["attributes"][-1]) == ("Demo Student Card", "faculty")
    for path in ("changes", "restoration"):
        assert call("GET", f"/schemes/irma-demo/versions/{draft['head']}/{path}")[0] == 404


def test_an_owner_of_an_issuer_changes_it_and_no_other(call: Call, installation: Installation, noor: Actor) -> None:
    accounts = installation.services.accounts
    accounts.create_user(noor, NewUser("wim", "Wim", PASSWORD, grants=(Grant(Role.ISSUER_OWNER, "issuer:irma-demo.RU"),)))
    wim = accounts.log_in("wim", PASSWORD, address=None).actor
    token = accounts.create_api_token(wim, NewApiToken("x", ("scheme.view", "scheme.edit", "scheme.check"))).secret
    body = {"changes": {"name.en": "Demo X"}}
    assert call("PATCH", DOCUMENT, body, token=token)[0] == 200
    assert call("GET", "/schemes/irma-demo/check?draft=work", token=token)[0] == 200
    for path in ("stemmen/description.xml", "description.xml"):
        assert call("GET", f"{DRAFT}/documents/{path}", token=token)[0] == 200
        assert call("PATCH", f"{DRAFT}/documents/{path}", body, token=token)[0] == 403
    assert call("POST", f"{DRAFT}/rebase", token=token)[0] == 403
    reader = accounts.create_api_token(wim, NewApiToken("reader", ("scheme.view",))).secret
    assert call("PATCH", DOCUMENT, body, token=reader)[0] == 403
