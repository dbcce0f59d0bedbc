"""The templates as files: they hold no inline script or style, and import nothing that they do not use."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, nodes

from console.app import TEMPLATES

ENVIRONMENT = Environment(loader=FileSystemLoader(TEMPLATES), extensions=["jinja2.ext.i18n"], autoescape=True)
FILES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))


def source(name: str) -> str:
    """The text of a template."""
    return (TEMPLATES / name).read_text()


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_imported_without_use(name: str) -> None:
    tree = ENVIRONMENT.parse(source(name))
    imported = {alias if isinstance(alias, str) else alias[1] for node in tree.find_all(nodes.FromImport) for alias in node.names}
    used = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
    assert imported - used == set()


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_inline(name: str) -> None:
    text = source(name)
    assert not re.search(r"\sstyle=|<style|\son\w+=\"|javascript:", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


def test_every_component_is_used() -> None:
    everything = "\n".join(source(name) for name in FILES)
    unused = [name for name in FILES if name.startswith("components/") and f'"{name}"' not in everything]
    assert unused == []


def test_every_script_is_loaded_by_a_page_and_no_other_is_asked_for() -> None:
    static = Path(TEMPLATES).parent / "console" / "static"
    scripts = {path.name for path in (static / "js").glob("*.js")}
    assert scripts == {script for name in FILES for script in re.findall(r"js/(\w+\.js)", source(name))}
