"""header.py -- reads a public header of Holt: its essay, its sections, and the declarations of each.

A header begins with a comment, the essay, whose first line is 'name.h -- summary'. Comments whose first line
is `/* ------ title` begin sections. Blank lines separate blocks; a block is a comment, declarations, or a
comment with the declarations that it describes.
"""
import dataclasses
import re

COMMENT = re.compile(r"/\*.*?\*/", re.S)
NOT_CODE = re.compile(r'/\*.*?\*/|"[^"\n]*"', re.S)
FUNCTION = re.compile(r"^(?:HOLT_API|static inline) ([^;{]*?\b(holt_\w+)\([^;{]*\))", re.M)
CALLBACK = re.compile(r"^typedef [^;{]*\(\*(holt_\w+)\)\([^;]*\);", re.M)
ALIAS = re.compile(r"^typedef (?:struct )?\w+ (holt\w*);", re.M)
BODY = re.compile(r"^(?:typedef )?(struct|enum)\s*\w* ?\{((?:[^{}]|\{[^{}]*\})*)\}\s*(\w*);", re.M)
DEFINE = re.compile(r"^#define (\w+)", re.M)
TITLE = re.compile(r"-{10,} (.*)")
NOT_FOR_READERS = re.compile(r"^#ifdef __cplusplus\n.*?^#endif\n|^/\* clang-format.*?\*/\n", re.M | re.S)


class Wrong(Exception):
    """A header that is not written as described."""


@dataclasses.dataclass
class Block:
    comment: list[str]  # lines without the stars
    code: str

    @property
    def functions(self):
        """Pairs of a declaration and a name."""
        return [(" ".join(text.split()), name) for text, name in FUNCTION.findall(self.code)]

    @property
    def types(self):
        bare = COMMENT.sub("", self.code)
        names = [match.group(3) for match in BODY.finditer(bare) if match.group(3)]
        return [*CALLBACK.findall(bare), *ALIAS.findall(bare), *names]


@dataclasses.dataclass
class Section:
    title: str
    intro: list[str]
    blocks: list[Block]

    @property
    def functions(self):
        return [function for block in self.blocks for function in block.functions]

    @property
    def types(self):
        return [name for block in self.blocks for name in block.types]


@dataclasses.dataclass
class Header:
    summary: str
    essay: list[str]
    sections: list[Section]


def without_comments(text):
    """The same text, of the same lines, with blanks in place of comments and strings."""
    return NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def split_blocks(text):
    """Splits at blank lines that are not within braces."""
    block, depth = [], 0
    for line, code in zip(text.split("\n"), without_comments(text).split("\n")):
        if line.strip() or depth:
            block.append(line)
        elif block:
            yield "\n".join(block)
            block = []
        depth += code.count("{") - code.count("}")
    if block:
        yield "\n".join(block)


def read_block(text):
    match = COMMENT.match(text)
    if not match:
        return Block([], text)
    first, *others = match.group()[3:-2].rstrip().split("\n")
    return Block([first, *(re.sub(r"^ \* ?", "", line) for line in others)], text[match.end():].strip("\n"))


def read(path):
    with open(path, encoding="utf-8") as file:
        text = NOT_FOR_READERS.sub("", file.read())
    first, *blocks = [read_block(block) for block in split_blocks(text)]
    if not first.comment or " -- " not in first.comment[0]:
        raise Wrong(f"{path}: the first line must be 'name.h -- summary'")
    sections = []
    for block in blocks:
        begins = TITLE.match(block.comment[0]) if block.comment else None
        if begins:
            sections.append(Section(begins.group(1), block.comment[1:], [Block([], block.code)]))
        elif sections and block.code.strip() != "#endif":
            sections[-1].blocks.append(block)
    return Header(first.comment[0].split(" -- ", 1)[1], first.comment[1:], sections)


def members(body, separator):
    """Pairs of a declaration and its description: the fields of a structure, or the constants of an
    enumeration. A comment on a line of its own is a pair without a declaration."""
    scanner = re.compile(r"(?P<gap>\s+)|(?P<note>/\*.*?\*/)|(?P<text>(?:(?!/\*)[^%s])+)|." % separator, re.S)
    out, new_line = [], True
    for match in scanner.finditer(body):
        if match.group("note"):
            note = " ".join(re.sub(r"\n\s*\* ", "\n", match.group("note")[2:-2]).split())
            if out and not new_line:
                out[-1] = (out[-1][0], note)
            else:
                out.append(("", note))
        elif match.group("text"):
            out.append((" ".join(match.group("text").split()), ""))
        new_line = match.group().endswith("\n") if match.group("text") else \
            new_line and not match.group("note") or "\n" in match.group()
    return out
