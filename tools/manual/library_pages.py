#!/usr/bin/env python3
"""Makes the manual pages of the library, section 3, from the comments of its public headers.

    library_pages.py list HEADER...                 prints the names of the files that `write` makes
    library_pages.py write FOLDER VERSION HEADER...

For each header there is a page with its essay, and one for each of its sections: all types and calls of that
section, in the order of the header. The name of each call and type is a link to the page that describes it.
"""
import os
import re
import sys
import textwrap

import header
import prose
import roff

SYNOPSIS_WIDTH = 72  # with the margin, what fits on a terminal
RESERVED = re.compile(r"\breserved(32)?\b")


class Page:
    """A page for a section of a header."""

    def __init__(self, include, prefix, section):
        self.include, self.section = include, section
        # Of a list of subjects, the first: "statistics, errors, verification".
        subject = section.title.split(",")[0].removeprefix("the ")
        self.name = prefix + re.sub(r"\W+", "_", subject)

    @property
    def names(self):
        return [name for _, name in self.section.functions] + self.section.types


class Overview:
    """The page for a header."""

    def __init__(self, path):
        self.header = header.read(path)
        folder, file = os.path.split(path)
        self.include = "holt.h" if file == "holt.h" else f"{os.path.basename(folder)}/{file}"
        self.name = self.include.removesuffix(".h").replace("/", "_")
        self.pages = [Page(self.include, self.name + "_", section) for section in self.header.sections]


def links(overviews):
    """Pairs of a name and the page that it is a link to. Two pages for one name are an error."""
    pages = [page for overview in overviews for page in overview.pages]
    own = {page.name for page in pages} | {overview.name for overview in overviews}
    if len(own) != len(pages) + len(overviews):
        raise header.Wrong("two sections have the same name")
    out = {}
    for page in pages:
        for name in page.names:
            if name in own and name != page.name and name not in {overview.name for overview in overviews}:
                raise header.Wrong(f"{name} is a section, but not the one that declares it")
            if name not in own:
                out[name] = page.name
    return out


# ---------------------------------------------------------------- one page


def synopsis(page):
    out = [".nf", f".B #include <{page.include}>"]
    for declaration, _ in page.section.functions:
        lines = textwrap.wrap(declaration + ";", SYNOPSIS_WIDTH, subsequent_indent="    ")
        out += [".PP", *(f'.B "{roff.line(text)}"' for text in lines)]
    return out + [".fi"]


def describe_members(kind, body):
    out = []
    for name, text in header.members(body, ";" if kind == "struct" else ","):
        if RESERVED.search(name):
            continue
        out += roff.item(name, prose.marked(text)) if name else roff.paragraph(prose.marked(text))
    return out


def describe_types(code):
    """Structures and enumerations as lists of their members, everything else as it is written."""
    out = []
    for match in header.BODY.finditer(code):
        kind, body, name = match.groups()
        if "{" in header.without_comments(body):
            out += roff.verbatim(match.group().split("\n"))
            continue
        if name:
            out += [".PP", f".B {kind} {name}"]
        out += [".RS 4", *describe_members(kind, body), ".RE"]
    rest = header.FUNCTION.sub("", header.BODY.sub("", code))
    for match in header.DEFINE.finditer(rest):
        out += [".PP", f".B {roff.line(match.group())}"]
    for match in header.CALLBACK.finditer(rest):
        out += roff.verbatim(match.group().split("\n"))
    for match in header.ALIAS.finditer(rest):
        text = re.search(re.escape(match.group()) + r" */\* (.*?) \*/", rest)
        out += roff.item(match.group(), text.group(1) if text else "")
    return out


def constants(code):
    """What the constants of a block that declares nothing else have in common, as a heading."""
    names = header.DEFINE.findall(code)
    for match in header.BODY.finditer(code):
        names += [name.split(" ")[0] for name, _ in header.members(match.group(2), ",") if name]
    if len(names) < 2:
        return names
    prefix = os.path.commonprefix(names)
    return [prefix[:prefix.rindex("_") + 1] + "..."]


def describe(block):
    names = [name for _, name in block.functions] or block.types or constants(block.code)
    if block.functions and not block.comment:
        raise header.Wrong(f"{names[0]} has no comment")
    out = roff.subheading(", ".join(names)) if names else []
    return out + prose.render(block.comment) + describe_types(block.code)


def section_page(page, overview, version):
    functions = [name for _, name in page.section.functions]
    listed = ", ".join(functions)
    out = roff.title(page.name, "3", version)
    out += roff.heading("NAME") + roff.fill(listed)
    out[-1] += f" \\- {roff.escape(page.section.title)}"
    out += roff.heading("SYNOPSIS") + synopsis(page)
    out += roff.heading("DESCRIPTION") + prose.render(page.section.intro)
    for block in page.section.blocks:
        out += describe(block)
    out += roff.heading("SEE ALSO") + [f".BR {roff.escape(overview.name)} (3)"]
    return out


def overview_page(overview, others, version):
    summary = overview.header.summary.rstrip(".")
    out = roff.title(overview.name, "3", version)
    out += roff.heading("NAME") + [f"{overview.name} \\- {roff.escape(summary)}"]
    out += roff.heading("SYNOPSIS") + [".nf", f".B #include <{overview.include}>", ".PP",
                                       ".B cc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs holt)", ".fi"]
    out += roff.heading("DESCRIPTION") + prose.render(overview.header.essay)
    out += roff.heading("PAGES")
    for page in overview.pages:
        calls = ", ".join(name for _, name in page.section.functions)
        out += [".TP", f".BR {roff.escape(page.name)} (3)", *roff.fill(f"{page.section.title}: {calls}")]
    see = [f"{other.name} (3)" for other in others if other is not overview] + ["holt (1)"]
    out += roff.heading("SEE ALSO") + [f".BR {roff.escape(name)} ," for name in see[:-1]] + [f".BR {see[-1]}"]
    return out


# ---------------------------------------------------------------- all pages


def names_of_pages(overviews):
    pages = [page.name for overview in overviews for page in (overview, *overview.pages)]
    return sorted([*pages, *links(overviews)])


def write(folder, version, overviews):
    os.makedirs(folder, exist_ok=True)
    for overview in overviews:
        roff.write(folder, overview.name, "3", overview_page(overview, overviews, version))
        for page in overview.pages:
            roff.write(folder, page.name, "3", section_page(page, overview, version))
    for name, page in links(overviews).items():
        roff.write(folder, name, "3", roff.link(page, "3"))


def main():
    if sys.argv[1] == "list":
        print("\n".join(f"{name}.3" for name in names_of_pages([Overview(path) for path in sys.argv[2:]])))
    else:
        write(sys.argv[2], sys.argv[3], [Overview(path) for path in sys.argv[4:]])


if __name__ == "__main__":
    try:
        main()
    except header.Wrong as problem:
        sys.exit(f"library_pages.py: {problem}")
