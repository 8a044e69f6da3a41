#!/usr/bin/env python3
"""Prints lib/html/entities.h: the named character references as a tree of
their bytes, made from the table in Python's standard library, which is that of
the HTML Standard."""
from html.entities import html5

PREFACE = """/* Made by lib/html/entities.py: do not edit. */
#pragma once

#include <stdint.h>

/* One byte of a name. Its children are COUNT nodes from FIRST on, in the order
 * of their bytes. TEXT is not 0 where a name ends: what it stands for. */
struct html_entity_node {
  uint16_t first, text;
  uint8_t count;
  char byte;
};
"""


def tree(names):
    """Nested dicts byte -> dict; the key None holds a name's text."""
    root = {}
    for name, text in names.items():
        node = root
        for letter in name:
            node = node.setdefault(letter, {})
        node[None] = text
    return root


def flatten(root, texts):
    """The nodes breadth first, so that children stand together."""
    rows, queue = [], [("&", root)]
    placed = 1
    for byte, node in queue:
        children = sorted((b, n) for b, n in node.items() if b is not None)
        rows.append((placed, texts[node.get(None)], len(children), byte))
        placed += len(children)
        queue.extend(children)
    return rows


def c_bytes(text):
    return "".join(f"\\x{b:02x}" for b in text.encode())


def main():
    texts = {None: 0}
    for text in html5.values():
        texts.setdefault(text, len(texts))
    rows = flatten(tree(html5), texts)
    width = max(len(text.encode()) for text in texts if text) + 1
    assert len(rows) < 65536 and all(name.isascii() and name.rstrip(";").isalnum() for name in html5)

    print(PREFACE)
    print(f"static const char html_entity_texts[][{width}] = {{")
    for text in texts:
        print(f'    "{c_bytes(text or "")}",')
    print("};\n\n/* The root, '&', is the first. */")
    print("static const struct html_entity_node html_entity_nodes[] = {")
    for first, text, count, byte in rows:
        print(f"    {{{first}, {text}, {count}, '{byte}'}},")
    print("};")


main()
