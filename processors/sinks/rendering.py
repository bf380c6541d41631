"""A page as files: Markdown with YAML front matter, and HTML."""

from functools import cache
from importlib import resources
from typing import Any

import jinja2
import yaml
from markdown_it import MarkdownIt

from processors.ports import PageVersion

# libyaml, where PyYAML was built with it, is an order of magnitude faster and writes the same.
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def markdown_file(page: PageVersion) -> bytes:
    """Return the Markdown file: YAML front matter, then the body as it is. Equal pages have equal bytes."""
    document = page.document
    front_matter = {
        "title": document.title,
        "description": document.description,
        "slug": document.slug,
        "task_id": page.task.task_id,
        "revision": page.revision,
        "content_hash": page.content_hash,
        "simulated": document.simulated,
        "data": document.data,
    }
    text = yaml.dump(front_matter, Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=10_000)
    return f"---\n{text}---\n\n{document.body.rstrip()}\n".encode()


def html_file(page: PageVersion, url: str) -> bytes:
    """Return the HTML page. Raw HTML of the body, and links that could run scripts, stay visible text.

    Args:
        page: the page.
        url: its address, for `rel=canonical`.
    """
    document = page.document
    html = template("page.html").render(
        document=document,
        url=url,
        body=_markdown().render(document.body),
        own_heading=document.body.lstrip().startswith("# "),
    )
    return html.encode()


@cache
def template(name: str) -> jinja2.Template:
    """Return a template of this package; it escapes what it prints and refuses undefined names."""
    source = resources.files("processors.sinks").joinpath(name).read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(source)


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("js-default", {"html": False})
