"""Deliveries of results in the API."""

from datetime import timedelta

from console.accounts.models import NewApiToken
from gateway.authorization import Action
from gateway.deliveries.base import NewDelivery, Outcome
from gateway.models import DeliveryState
from tests.console.api.test_api import make_application, make_call, make_noor
from tests.console.conftest import Installation


def test_deliveries_are_listed_and_sent_again(installation: Installation) -> None:
    noor = make_noor(installation)
    call = make_call(installation, make_application(installation).test_client(), noor)
    deliveries = installation.services.deliveries
    expires_at = installation.clock() + timedelta(minutes=5)
    deliveries.add([NewDelivery(f"requestortoken{number:06}", "shop", "https://shop.example", expires_at) for number in range(2)])
    first, _ = deliveries.claim({}, 2, 2)
    deliveries.settle(first, Outcome(DeliveryState.FAILED, 404, "answered with status 404"))
    status, listed = call("GET", "/deliveries?state=failed&requestor=shop")
    assert status == 200
    assert [(one["id"], one["state"], one["last_status"]) for one in listed] == [(first.id, "failed", 404)]
    assert "token" not in {name for one in listed for name in one if name != "token_hash"}
    assert call("GET", f"/deliveries?before={first.id}")[1] == []
    assert call("GET", "/deliveries?state=lost")[0] == 422
    assert call("GET", f"/deliveries/{first.id}")[1]["origin"] == "https://shop.example"
    assert call("GET", "/deliveries/99")[0] == 404
    assert call("POST", f"/deliveries/{first.id}/resend", {"reason": "mended"})[1]["state"] == "pending"
    viewer = installation.services.accounts.create_api_token(noor, NewApiToken("view", (Action.SESSION_VIEW.value,))).secret
    assert call("POST", f"/deliveries/{first.id}/resend", {}, token=viewer)[0] == 403
    installation.clock.move(timedelta(minutes=6))
    assert call("POST", f"/deliveries/{first.id}/resend", {})[0] == 409
