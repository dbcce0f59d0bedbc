"""The register of issuer keys, and a rotation from end to end."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from console.errors import KeyRotationError
from console.issuer_keys.models import KeyCustody, KeyState, NewKey
from console.publishing.models import StepState
from console.schemes.models import SchemeImport
from gateway.actor import Actor, Grant, Role
from gateway.authorization import PermissionDeniedError
from gateway.inputs import InvalidInputError, NotFoundError
from gateway.models import PublicationState
from gateway.schemes import IssuerKeyRing
from idemix.scheme.identifiers import IssuerId
from tests.console.conftest import Installation, with_settings

RU = "irma-demo.RU"


@pytest.fixture
def imported(installation: Installation, administrator: Actor, small_scheme: Path) -> Installation:
    """An installation with the small scheme."""
    path = installation.scheme_repository(small_scheme)
    installation.services.schemes.import_scheme(administrator, SchemeImport(str(path)))
    return installation


def issuing_counter(installation: Installation) -> int:
    """The key that the gateway would issue with now."""
    keys = IssuerKeyRing(installation.services.configuration(), {}, installation.services.custody.issuer_keys)
    public, private = keys.signing_key(IssuerId(RU))
    assert public.N == private.N
    return public.counter


def generate(installation: Installation, actor: Actor) -> int:
    """Generate the next key of RU."""
    key = installation.services.issuer_keys.generate(actor, NewKey(RU))
    assert (key.state, key.progress) == (KeyState.GENERATING, 0.0)
    installation.run_jobs()
    assert installation.services.issuer_keys.get(actor, RU, key.counter).state is KeyState.GENERATED
    return key.counter


def test_an_imported_demo_scheme_brings_its_keys(imported: Installation, administrator: Actor) -> None:
    keys = {key.id: key for key in imported.services.issuer_keys.list(administrator, RU)}
    assert {name: key.state for name, key in keys.items()} == {"irma-demo.RU-1": KeyState.RETIRED, "irma-demo.RU-2": KeyState.ACTIVE}
    assert all(key.custody is KeyCustody.KEYSTORE and key.fingerprint for key in keys.values())
    assert issuing_counter(imported) == 2
    assert len(imported.services.issuer_keys.list(administrator, scheme_id="irma-demo")) == 5


def test_size_and_number_of_a_new_key_follow_from_the_scheme(imported: Installation, administrator: Actor) -> None:
    need = imported.services.issuer_keys.need(administrator, RU)
    assert (need.counter, need.bits, need.bases_needed, need.bases) == (3, 1024, 6, 12)
    assert need.expires_at - imported.clock() > timedelta(days=729)
    large = imported.services.issuer_keys.need(administrator, "irma-demo.MijnOverheid")
    assert large.bases == max(12, large.bases_needed + 4)


def test_a_rotation_from_end_to_end(imported: Installation, administrator: Actor) -> None:
    services = imported.services
    counter = generate(imported, administrator)
    assert counter == 3
    view = services.issuer_keys.rotation(administrator, RU)
    assert (view.next_action, view.draft, view.old.counter, view.new.counter) == ("publish", "key-ru-3", 2, 3)  # type: ignore[union-attr]
    with pytest.raises(KeyRotationError, match="not published"):
        services.issuer_keys.activate(administrator, RU, counter)
    with pytest.raises(KeyRotationError, match="not published"):
        services.issuer_keys.look(administrator, RU, counter)
    assert issuing_counter(imported) == 2

    publication = services.issuer_keys.publish(administrator, RU, counter)
    imported.run_jobs()
    assert services.publishing.get(administrator, publication.id).state is PublicationState.LIVE
    key = services.issuer_keys.get(administrator, RU, counter)
    assert key.state is KeyState.SEEN_LIVE
    assert key.seen_live_at is not None
    assert services.issuer_keys.rotation(administrator, RU).next_action == "activate"
    assert issuing_counter(imported) == 2

    with pytest.raises(KeyRotationError, match="no newer key"):
        services.issuer_keys.retire(administrator, RU, 2)
    services.issuer_keys.activate(administrator, RU, counter, "its time has come")
    assert issuing_counter(imported) == 3
    assert services.issuer_keys.rotation(administrator, RU).next_action == "retire"
    services.issuer_keys.retire(administrator, RU, 2)
    assert services.issuer_keys.get(administrator, RU, 2).state is KeyState.RETIRED
    view = services.issuer_keys.rotation(administrator, RU)
    assert (view.old.counter, view.new, view.next_action) == (3, None, "generate")  # type: ignore[union-attr]
    with pytest.raises(KeyRotationError, match="retired"):
        services.issuer_keys.activate(administrator, RU, 2)


def test_outside_demo_a_key_waits_two_update_intervals(imported: Installation, administrator: Actor) -> None:
    counter = generate(imported, administrator)
    imported.services.issuer_keys.publish(administrator, RU, counter)
    imported.run_jobs()
    strict = with_settings(imported.services, imported.clock, demo_waiting_period=timedelta(hours=2))
    try:
        view = strict.issuer_keys.rotation(administrator, RU)
        assert (view.next_action, view.stages[3].state) == ("activate", StepState.WAITING)
        assert "possible from" in view.closed_reason
        with pytest.raises(KeyRotationError, match="possible from"):
            strict.issuer_keys.activate(administrator, RU, counter)
        imported.clock.move(timedelta(hours=2, minutes=1))
        assert strict.issuer_keys.rotation(administrator, RU).closed_reason == ""
        assert strict.issuer_keys.activate(administrator, RU, counter).state is KeyState.ACTIVE
    finally:
        strict.close()


def test_the_waiting_period_cannot_be_set_below_two_update_intervals(imported: Installation) -> None:
    with pytest.raises(ValueError, match="two update intervals"):
        replace(imported.services.settings, waiting_period=timedelta(minutes=119))


def test_a_key_that_is_no_longer_served_is_not_activated(
    imported: Installation, administrator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = imported.services
    counter = generate(imported, administrator)
    services.issuer_keys.publish(administrator, RU, counter)
    imported.run_jobs()
    find = services.web_root.find
    monkeypatch.setattr(services.web_root, "find", lambda scheme, path: None if path.endswith("3.xml") else find(scheme, path))
    with pytest.raises(KeyRotationError, match="not seen at the public address now"):
        services.issuer_keys.activate(administrator, RU, counter)
    assert issuing_counter(imported) == 2


def test_a_key_is_generated_once_at_a_time_and_can_be_stopped(imported: Installation, administrator: Actor) -> None:
    services = imported.services
    services.issuer_keys.generate(administrator, NewKey(RU))
    with pytest.raises(KeyRotationError, match="being generated"):
        services.issuer_keys.generate(administrator, NewKey(RU))
    services.issuer_keys.cancel_generation(administrator, RU, 3)
    imported.run_jobs()
    with pytest.raises(NotFoundError):
        services.issuer_keys.get(administrator, RU, 3)
    with pytest.raises(NotFoundError):
        services.issuer_keys.cancel_generation(administrator, RU, 3)
    assert services.issuer_keys.need(administrator, RU).counter == 3


def test_a_draft_that_became_stale_is_rebased_before_the_key_goes_out(imported: Installation, administrator: Actor) -> None:
    services = imported.services
    counter = generate(imported, administrator)
    services.publishing.publish(administrator, "irma-demo")
    imported.run_jobs()
    assert services.schemes.draft(administrator, "irma-demo", "key-ru-3").is_stale
    publication = services.issuer_keys.publish(administrator, RU, counter)
    imported.run_jobs()
    assert services.publishing.get(administrator, publication.id).state is PublicationState.LIVE


@pytest.mark.parametrize(
    ("new", "field"),
    [(NewKey(RU, bases=5), "bases"), (NewKey(RU, bases=1000), "bases"), (NewKey(RU, lifetime_days=-1), "lifetime_days")],
)
def test_input_that_does_not_fit_names_its_field(imported: Installation, administrator: Actor, new: NewKey, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        imported.services.issuer_keys.generate(administrator, new)
    assert set(caught.value.errors) == {field}


def test_an_issuer_that_is_not_there(imported: Installation, administrator: Actor) -> None:
    for issuer in ("irma-demo.nobody", "irma-demo", "other.RU", ".RU"):
        with pytest.raises(NotFoundError):
            imported.services.issuer_keys.need(administrator, issuer)


def test_an_issuer_owner_rotates_but_does_not_publish_or_touch_others(imported: Installation, administrator: Actor) -> None:
    owner = replace(administrator, grants=(Grant(Role.ISSUER_OWNER, f"issuer:{RU}"),))
    counter = generate(imported, owner)
    with pytest.raises(PermissionDeniedError):
        imported.services.issuer_keys.publish(owner, RU, counter)
    with pytest.raises(PermissionDeniedError):
        imported.services.issuer_keys.generate(owner, NewKey("irma-demo.MijnOverheid"))
    assert {key.issuer_id for key in imported.services.issuer_keys.list(owner)} == {RU}
    imported.services.issuer_keys.publish(administrator, RU, counter)
    imported.run_jobs()
    assert imported.services.issuer_keys.activate(owner, RU, counter).state is KeyState.ACTIVE
