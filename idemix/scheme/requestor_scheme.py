"""Checks what a requestor scheme says: its requestors, their logos and issue wizards.

Source: irmago `irma/schemes.go` RequestorScheme.validate, parseContents; `irma/descriptions.go` IssueWizard.Validate.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ..errors import MalformedSchemeError
from .check import SchemeCheck, sanitized
from .dependencies import explained_dependencies
from .descriptions import IssueWizard, RequestorInfo, RequestorScheme, WizardItem, parse_requestors
from .findings import SchemeStatus
from .wizards import MAX_STEPS, TooManyPathsError, expand, validation_paths

_PARSING: Final = SchemeStatus.PARSING_ERROR
_SIGNATURE: Final = SchemeStatus.INVALID_SIGNATURE
_CONTENT: Final = SchemeStatus.CONTENT_PARSING_ERROR

_COLOUR: Final = re.compile(r"#[0-9A-F]{6}", re.ASCII)


class RequestorSchemeCheck:
    """The steps after the head of a requestor scheme."""

    def __init__(self, check: SchemeCheck) -> None:
        self._check = check

    def run(self, scheme: RequestorScheme) -> RequestorScheme:
        requestors: list[tuple[str, str, RequestorInfo]] = []
        for path, digest in self._check.entries():
            name = path.rpartition("/")[2]
            if path == "description.json":
                continue
            if name in ("description.json", "timestamp"):
                # The reference does not look at these again.
                self._check.check_hash(path, digest, _PARSING, departure="unsigned-timestamp")
                continue
            content = self._check.check_hash(path, digest, _PARSING)
            if content is None:
                continue
            try:
                chunk = parse_requestors(content, path)
            except MalformedSchemeError as error:
                self._check.error("requestor", error, _PARSING)
                continue
            requestors += [(path, f"[{number}]", requestor) for number, requestor in enumerate(chunk)]
        for path, where, requestor in requestors:
            self._check_requestor(scheme, path, where, requestor)
        self._check_requestor_uniqueness(requestors)
        return replace(scheme, requestors=tuple(requestor for _, _, requestor in requestors))

    def _check_requestor(self, scheme: RequestorScheme, path: str, where: str, requestor: RequestorInfo) -> None:
        if requestor.scheme_id != scheme.scheme_id:
            self._check.refuse(path, "identifier", f"must be {scheme.scheme_id!r}", _PARSING, field=f"{where}.scheme")
        if scheme.demo and requestor.hostnames:
            self._check.refuse(path, "hostname", "a requestor of a demo scheme has no hostnames", _PARSING, field=f"{where}.hostnames")
        if requestor.requestor_id.rpartition(".")[0] != scheme.scheme_id:
            self._check.refuse(path, "identifier", f"must begin with {scheme.scheme_id!r} and a dot", _PARSING, field=f"{where}.id")
        if requestor.logo is not None:
            self._check_logo(path, f"{where}.logo", requestor.logo)
        for key, wizard in requestor.wizards.items():
            inside = f"{where}.wizards.{sanitized(key)}"
            if key != wizard.wizard_id or key.rpartition(".")[0] != requestor.requestor_id:
                rule = "must be the key of the wizard, and begin with the requestor's id and a dot"
                self._check.refuse(path, "identifier", rule, _PARSING, field=f"{inside}.id")
            self._check_wizard(path, inside, wizard, wizard.languages or requestor.languages or scheme.languages)
            if wizard.logo is not None:
                self._check_logo(path, f"{inside}.logo", wizard.logo)

    def _check_logo(self, path: str, where: str, logo: str) -> None:
        if not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", logo, re.ASCII):
            self._check.refuse(path, "logo", "must be a SHA-256 in hex", _PARSING, field=where)
            return
        self._check.check_hash(f"assets/{logo}.png", bytes.fromhex(logo), _SIGNATURE)

    def _check_requestor_uniqueness(self, requestors: Sequence[tuple[str, str, RequestorInfo]]) -> None:
        """Hostnames and wizards stand once in all requestor schemes together, ids of requestors once in a scheme."""
        others = (
            []
            if self._check.configuration is None
            else [
                requestor
                for other in self._check.configuration.requestor_schemes.values()
                if other.scheme_id != self._check.scheme_id
                for requestor in other.requestors
            ]
        )
        hostnames = {hostname for requestor in others for hostname in requestor.hostnames}
        wizards = {key for requestor in others for key in requestor.wizards}
        ids: set[str] = set()
        for path, where, requestor in requestors:
            for hostname in requestor.hostnames:
                if hostname in hostnames:
                    self._check.refuse(
                        path, "hostname", f"{sanitized(hostname)!r} belongs to another entry", _CONTENT, field=f"{where}.hostnames"
                    )
                hostnames.add(hostname)
            for key in requestor.wizards:
                if key in wizards:
                    self._check.refuse(
                        path, "identifier", "the wizard was defined before", _CONTENT, field=f"{where}.wizards.{sanitized(key)}"
                    )
                wizards.add(key)
            if requestor.requestor_id in ids:
                self._check.refuse(
                    path, "identifier", "the requestor was defined before", _CONTENT, field=f"{where}.id", departure="duplicate-requestor"
                )
            ids.add(requestor.requestor_id)

    def _check_wizard(self, path: str, where: str, wizard: IssueWizard, languages: Sequence[str]) -> None:
        """A wizard.

        Source: irmago `irma/descriptions.go` IssueWizard.Validate.
        """
        members = (
            ("Title", wizard.title),
            ("Info", wizard.info),
            ("Intro", wizard.intro),
            ("SuccessHeader", wizard.success_header),
            ("SuccessText", wizard.success_text),
        )
        self._check.check_translations(path, f"issue wizard {wizard.wizard_id}", members, languages)
        if (wizard.success_header is None) != (wizard.success_text is None):
            self._check.refuse(path, "wizard", "successHeader and successText stand together", _PARSING, field=f"{where}.successHeader")
        for name, colour in (("color", wizard.color), ("textColor", wizard.text_color)):
            if colour is not None and not _COLOUR.fullmatch(colour):
                self._check.refuse(path, "colour", "must be # and six upper-case hex digits", _PARSING, field=f"{where}.{name}")
        if self._check_wizard_shape(path, where, wizard):
            self._check_wizard_length(path, where, wizard)
        last = False
        for i, discon in enumerate(wizard.contents):
            for j, con in enumerate(discon):
                for k, item in enumerate(con):
                    if item.credential is None:
                        last = True
                    elif last:
                        rule = "steps without a credential come last"
                        self._check.refuse(path, "wizard", rule, _PARSING, field=f"{where}.contents[{i}][{j}][{k}]")
                    self._check_wizard_item(path, f"{where}.contents[{i}][{j}][{k}]", item, languages)
                    self._check.check_translations(
                        path,
                        f"item {i}.{j}.{k}",
                        (("Header", item.header), ("Text", item.text), ("Label", item.label), ("URL", item.url)),
                        languages,
                    )
        self._check.check_translations(path, "issue wizard", members, languages)
        for number, question in enumerate(wizard.faq):
            self._check.check_translations(path, f"QA {number}", (("Question", question.question), ("Answer", question.answer)), languages)

    def _check_wizard_shape(self, path: str, where: str, wizard: IssueWizard) -> bool:
        """What the ways through a wizard presuppose."""
        before = len(self._check.errors)
        for i, discon in enumerate(wizard.contents):
            if not discon:
                self._check.refuse(path, "wizard", "has no alternative", _PARSING, field=f"{where}.contents[{i}]")
            for j, con in enumerate(discon[1:], 1):
                credentials = sum(item.credential is not None for item in con)
                if 0 < credentials < len(con):
                    rule = "an alternative after the first does not mix steps with and without a credential"
                    self._check.refuse(path, "wizard", rule, _PARSING, field=f"{where}.contents[{i}][{j}]")
        return len(self._check.errors) == before

    def _check_wizard_length(self, path: str, where: str, wizard: IssueWizard) -> None:
        known = {} if self._check.configuration is None else self._check.configuration.credential_types
        try:
            for steps in validation_paths(wizard.contents):
                count = expand(steps, known) if wizard.expands_dependencies else len(steps)
                if count >= MAX_STEPS:
                    rule = f"a wizard has fewer than {MAX_STEPS} steps"
                    self._check.refuse(path, "wizard", rule, _PARSING, field=f"{where}.contents")
                    return
        except TooManyPathsError:
            rule = "there are too many ways through the wizard"
            self._check.refuse(path, "wizard", rule, _PARSING, field=f"{where}.contents", departure="scheme-limits")

    def _check_wizard_item(self, path: str, where: str, item: WizardItem, languages: Sequence[str]) -> None:
        if item.type not in ("credential", "session", "website"):
            self._check.refuse(path, "wizard", "must be credential, session or website", _PARSING, field=f"{where}.type")
        elif item.type == "credential":
            if item.credential is None:
                self._check.refuse(path, "wizard", "is required for this type", _PARSING, field=f"{where}.credential")
        else:
            for name, text in (("header", item.header), ("label", item.label), ("text", item.text)):
                if text is None:
                    self._check.refuse(path, "wizard", "is required for this type", _PARSING, field=f"{where}.{name}")
        if item.type == "session" and item.session_url is None:
            self._check.refuse(path, "wizard", "is required for this type", _PARSING, field=f"{where}.sessionUrl")
        if item.type == "website" and item.url is None:
            self._check.refuse(path, "wizard", "is required for this type", _PARSING, field=f"{where}.url")
        if item.credential is None or self._check.configuration is None or item.credential.scheme not in self._check.configuration.schemes:
            return
        types = self._check.configuration.credential_types
        known = types.get(item.credential)
        if known is None:
            self._check.refuse(path, "wizard", f"{sanitized(str(item.credential))} is unknown", _PARSING, field=f"{where}.credential")
            return
        text = known.faq_summary if item.text is None else item.text
        if text is None or text.missing(languages):
            rule = f"must be complete, or the FAQSummary of {item.credential} instead of it"
            self._check.refuse(path, "wizard", rule, _PARSING, field=f"{where}.text")
        for dependency in explained_dependencies(known, types):
            if dependency.faq_summary is None or dependency.faq_summary.missing(languages):
                rule = f"the FAQSummary of {dependency.id}, on which {item.credential} depends, must be complete"
                self._check.refuse(path, "wizard", rule, _PARSING, field=f"{where}.credential")
                return
