"""What stands on a page of a form, as a tree for its template: texts, questions with their boxes, groups, and
the entries of repeating groups with the buttons that add and remove."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from households.intake import inputs
from households.intake.engine.answers import words_of
from households.intake.engine.evaluation import Node
from households.intake.filling import files_of, title_of
from households.intake.forms import PageForm
from households.intake.pages import FilledPage, is_seen


@dataclass
class Block:
    """`kind` is "text", "question", "fact" (what nobody types), "files", "group" or "add"."""

    kind: str
    path: str = ""
    title: str = ""
    help: str = ""
    level: int = 2
    boxes: Sequence[Any] = ()
    words: Sequence[str] = ()
    files: Sequence[tuple[str, str]] = ()
    errors: Sequence[str] = ()
    may_add: bool = False
    may_remove: bool = False
    is_required: bool = False
    blocks: list[Block] = field(default_factory=list)


def blocks_of(page: FilledPage, form: PageForm, wrong: dict[str, list[str]]) -> list[Block]:
    """`wrong` is what else than the boxes of `form` has something wrong with it, by path."""
    found: list[Block] = []
    sections = [node for node in page.nodes if node.item.type != "display"]
    alone = sections[0] if len(sections) == 1 else None
    for node in page.nodes:
        if node is alone and node.item.type == "group" and not node.item.repeats:
            # Its words are the page's own heading.
            if node.item.help:
                found.append(Block("text", title=node.item.help))
            found += _level(node.children, form, wrong, 2)
        else:
            found += _level([node], form, wrong, 2, siblings=page.nodes)
    return found


def _level(
    nodes: Sequence[Node],
    form: PageForm,
    wrong: dict[str, list[str]],
    level: int,
    siblings: Sequence[Node] = (),
) -> list[Block]:
    found: list[Block] = []
    beside = siblings or nodes
    for node in nodes:
        if not is_seen(node):
            continue
        if node.item.type == "group":
            found += _group(node, form, wrong, level, beside)
            continue
        found.append(_single(node, form, wrong))
        found += _level(node.children, form, wrong, level)
    return found


def _single(node: Node, form: PageForm, wrong: dict[str, list[str]]) -> Block:
    item = node.item
    label = inputs.label_of(item) if item.is_question else item.text
    if item.type == "display":
        return Block("text", title=" ".join(filter(None, [item.prefix, item.text])), help=item.help)
    if boxes := form.boxes.get(node.path):
        return Block("question", node.path, label, boxes=[form[name] for name in boxes])
    if item.type == "attachment" and not item.read_only:
        files = [*files_of(node)]
        return Block(
            "files",
            node.path,
            label,
            help=item.help,
            files=files,
            errors=wrong.get(node.path, ()),
            may_add=item.repeats or not files,
            is_required=item.required,
        )
    return Block("fact", node.path, label, words=words_of(item, node.answers))


def _group(
    node: Node,
    form: PageForm,
    wrong: dict[str, list[str]],
    level: int,
    beside: Iterable[Node],
) -> list[Block]:
    item = node.item
    instances = [one for one in beside if one.item is item and one.under == node.under]
    block = Block(
        "group",
        node.path,
        title_of(node),
        help=item.help,
        level=min(level, 4),
        errors=wrong.get(node.path, ()),
        blocks=_level(node.children, form, wrong, level + 1),
    )
    if not item.repeats:
        return [block]
    block.may_remove = len(instances) > 1 or node.has_answers
    is_last = node is instances[-1]
    if not is_last or (item.max_occurs and len(instances) >= item.max_occurs):
        return [block]
    title = item.text or _("entry")
    return [block, Block("add", node.path, title)]
