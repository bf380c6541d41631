"""YAML that cannot surprise: plain data, bounded, each key once, no aliases."""

import yaml

YAML_BYTES_MAX = 65_536


def load(content: bytes) -> object:
    """Return the data of one YAML document.

    Args:
        content: UTF-8, at most YAML_BYTES_MAX bytes.

    Raises:
        ValueError: too large, not YAML, more than one document, nested too deep, a custom tag, an anchor or
            alias (a few lines of them expand to gigabytes), or a repeated key. The text names the line.
    """
    if len(content) > YAML_BYTES_MAX:
        raise ValueError(f"{len(content)} bytes, at most {YAML_BYTES_MAX} are allowed")
    try:
        return yaml.load(content, Loader=_StrictLoader)  # noqa: S506 (_StrictLoader is a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValueError(f"line {line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error)[:200]) from None
    except RecursionError:
        raise ValueError("nested too deep") from None


class _StrictLoader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call] # types-PyYAML leaves it out
        if getattr(event, "anchor", None) is not None:
            raise yaml.composer.ComposerError(
                None, None, "anchors and aliases are not allowed; write the value out", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 (PyYAML's own signature)
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {str(key.value)[:100]!r} is there twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)
