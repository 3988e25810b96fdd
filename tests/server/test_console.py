#!/usr/bin/env python3
"""test_console.py HOLT -- the console: its files over HTTP, and the page in a browser as people use it.

What needs a browser is skipped where there is no Chromium. HOLT_PICTURES: a directory for pictures of the
pages.
"""
import base64
import json
import os
import re
import time

import browser
from fixture import Server, Skip, equal, run
from test_access import add
from test_http import Web

FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "server", "console")
PAGES = ("overview", "storage", "collections", "tables", "sql", "activity")
TITLES = {"sql": "SQL"}


class Console:
    """A server, a client of it, and a browser that shows its console."""

    def __init__(self, exe, directory, *options):
        program = browser.find()
        if not program:
            raise Skip("(there is no chromium; scripts/deps ci installs it)")
        self.server = Server(exe, directory, *options)
        self.web = Web(self.server)
        self.url = f"http://{self.server.http}/"
        self.browser = browser.Browser(program)
        self.page = browser.Page(self.browser)
        self.page.size(1280, 800)

    def show(self, address):
        self.page.open("about:blank")
        self.page.open(f"{self.url}console#/{address}")

    def expect_calm(self, but=""):
        """Nothing was complained of (but what matches), and nothing but the server was asked."""
        complaints = [c for c in self.page.complaints if not (but and re.search(but, c))]
        equal(complaints, [], "complaints of the browser")
        outside = [a for a in self.page.asked if not a.startswith((self.url, "data:", "about:"))]
        equal(outside, [], "addresses outside of the server")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.browser.close()
        self.web.connection.close()
        self.server.__exit__(kind)


# ---- the files


def test_every_file_is_served_as_it_is_with_its_headers(exe, directory):
    with Server(exe, directory) as server, Web(server) as web:
        names = [n for n in sorted(os.listdir(FILES)) if n.endswith((".html", ".css", ".js", ".svg"))]
        assert len(names) > 5
        for name in names:
            with open(os.path.join(FILES, name), "rb") as file:
                expected = file.read()
            path = "/console" if name == "index.html" else f"/console/{name}"
            equal(web("GET", path), (200, expected), name)
            assert "default-src 'none'" in web.headers["Content-Security-Policy"]
            assert "unsafe" not in web.headers["Content-Security-Policy"]
            equal(web.headers["X-Content-Type-Options"], "nosniff")
            equal(web.headers["Cache-Control"], "no-cache")
            tag = web.headers["ETag"]
            equal(web("GET", path, headers={"If-None-Match": tag}), (304, b""), name)
            equal(web.headers["ETag"], tag)
            equal(web("GET", path, headers={"If-None-Match": f'"x", W/{tag}'}), (304, b""), name)
            equal(web("GET", path, headers={"If-None-Match": '"0000000000000000"'})[0], 200, name)
            equal(web("HEAD", path), (200, b""), name)
        assert f"the console: http://{server.http}/console" in server.log(), server.log()
        for path in ("/console/", "/console/no.js", "/console/..%2Fserver.c", "/console/embed.py"):
            equal(web("GET", path)[0], 404, path)
        equal(web("POST", "/console", "x")[0], 405)


def test_the_files_name_no_outside_address(exe, directory):
    for name in os.listdir(FILES):
        with open(os.path.join(FILES, name), encoding="utf-8") as file:
            found = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w{2,}", file.read()))
        equal(found - {"http://www.w3.org"}, set(), name)  # the name of a kind of XML


# ---- in a browser


def test_every_page_loads_and_says_what_it_shows(exe, directory):
    with Console(exe, directory) as c:
        c.web("PUT", "/v1/collections/default/keys/a", "1")
        c.web("POST", "/v1/admin/flush")
        for name in PAGES:
            c.show(name)
            c.page.wait_text(TITLES.get(name, name.capitalize()), "main h1")
            equal(c.page.run("document.querySelector('nav [aria-current=page]').dataset.page"), name)
        c.show("storage")
        c.page.wait("document.querySelector('svg.levels rect')", "the level is drawn")
        c.show("overview")
        c.page.wait("document.querySelectorAll('.chart path').length === 11", "the charts have lines")
        c.page.wait_text("flush", "[aria-label='Delays of writes']")
        c.page.wait_text("Memtables", "section[aria-label=Memory]")
        c.expect_calm()


def test_a_key_is_written_found_changed_and_deleted(exe, directory):
    with Console(exe, directory) as c:
        page, web = c.page, c.web
        key = "/v1/collections/default/keys/city%2Fcapital"
        c.show("collections/default")
        page.wait_text("There is no key yet.")
        page.click("button", "New key")
        page.type("dialog input[type=text]", "city/capital")
        page.type("dialog textarea", "Lisbon")
        page.click("dialog button", "Save")
        page.wait_text("city/capital", "table")
        equal(web("GET", key), (200, b"Lisbon"))
        page.click("button.key", "city/capital")
        page.wait_text("ETag", "dialog")
        page.type("dialog textarea", '{"name": "Lisboa"}')
        page.click("dialog input[type=radio][value=json]")
        page.wait("document.querySelector('dialog textarea').value.includes('\\n  \"name\"')", "indented")
        page.click("dialog button", "Save")
        page.wait("!document.querySelector('dialog')")
        equal(web("GET", key), (200, b'{"name": "Lisboa"}'), "looking at it as JSON does not change it")
        page.click("button.key", "city/capital")
        page.click("dialog button", "Delete")
        page.wait_text("will be deleted", "dialog.narrow")
        page.click("dialog.narrow button", "Cancel")
        equal(web("GET", key)[0], 200, "not before it was confirmed")
        page.click("dialog.entry button", "Delete")
        page.click("dialog.narrow button.danger", "Delete")
        page.wait_text("There is no key yet.")
        equal(web("GET", key)[0], 404)
        c.expect_calm()


def test_any_bytes_can_be_a_key_and_a_value(exe, directory):
    keys = [b"\xff\x00\\", b".", b"..", b"a b+c%/", "\u00fc\u20ac\U0001f600".encode(),
            b"<img src=x onerror=alert(1)>"]
    with Console(exe, directory) as c:
        c.show("collections/default")
        for key in keys:
            script = f"""(async () => {{
                const api = await import('/console/api.js'), b = await import('/console/bytes.js');
                const key = b.fromBase64('{base64.b64encode(key).decode()}');
                const again = b.parseNotation(b.notation(key));
                await api.putValue('default', again, Uint8Array.of(0, 255, 1), {{etag: null}});
                const got = await api.getValue('default', key, 100);
                const page = await api.scan('default', {{prefix: key, limit: 10}});
                await api.deleteKey('default', key, got.etag);
                return [b.toHex(got.value), page.entries.length];
            }})()"""
            equal(c.page.run(script), ["00 ff 01", 1], key)
        c.web("PUT", "/v1/collections/default/keys/%3Cb%3Ex%FF", b"<i>\xff")
        c.show("collections/default")
        c.page.wait_text("<b>x\\xff", "table")
        c.page.click("button.key")
        c.page.wait("document.querySelector('dialog textarea')?.value === '3c 69 3e ff'", "hex")
        c.page.type("dialog textarea", "00 f")
        c.page.click("dialog button", "Save")
        c.page.wait_text("odd number", "dialog")
        c.page.type("dialog textarea", "00 fe")
        c.page.click("dialog button", "Save")
        c.page.wait("!document.querySelector('dialog')")
        equal(c.web("GET", "/v1/collections/default/keys/%3Cb%3Ex%FF"), (200, b"\x00\xfe"))
        c.expect_calm()


def test_a_key_that_changed_meanwhile_is_not_overwritten(exe, directory):
    with Console(exe, directory) as c:
        c.web("PUT", "/v1/collections/default/keys/a", "1")
        c.show("collections/default")
        c.page.click("button.key", "a")
        c.page.wait("document.querySelector('dialog textarea')")
        c.web("PUT", "/v1/collections/default/keys/a", "2")
        c.page.type("dialog textarea", "3")
        c.page.click("dialog button", "Save")
        c.page.wait_text("Another client has changed the key", "dialog")
        equal(c.web("GET", "/v1/collections/default/keys/a"), (200, b"2"))
        c.expect_calm(but="status of 412")


def test_pages_of_keys_are_turned_and_searched(exe, directory):
    with Console(exe, directory) as c:
        operations = [{"op": "put", "key": f"k{i:03}", "value": "v"} for i in range(120)]
        equal(c.web("POST", "/v1/batch", {"operations": operations})[0], 200)
        first = "document.querySelector('button.key')?.textContent"
        c.show("collections/default")
        c.page.wait(f"{first} === 'k000'")
        c.page.click("button", "Next")
        c.page.wait(f"{first} === 'k050'")
        c.page.click("button", "Next")
        c.page.wait(f"{first} === 'k100'")
        c.page.wait_text("the last", ".pager")
        c.page.click("button", "Previous")
        c.page.wait(f"{first} === 'k050'")
        c.page.click("input[type=checkbox]")
        c.page.wait(f"{first} === 'k119'")
        c.page.click("button", "Next")
        c.page.wait(f"{first} === 'k069'")
        c.page.type("input[type=search]", "k11")
        c.page.wait("document.querySelectorAll('button.key').length === 10")
        c.page.type("input[type=search]", "zz\\x00")
        c.page.wait_text("No key begins with this.")
        c.expect_calm()


def test_collections_are_made_and_dropped(exe, directory):
    with Console(exe, directory) as c:
        c.show("collections")
        c.page.click("button", "New collection")
        c.page.type("dialog input", "the \u00fc/one")
        c.page.choose("dialog select", "btree")
        c.page.click("dialog button", "Create")
        c.page.wait_text("the \u00fc/one", ".pane.wide h2")
        found = c.web("GET", "/v1/collections")[1]["collections"]
        equal([x["kind"] for x in found if x["name"] == "the \u00fc/one"], ["btree"])
        c.page.click("button", "Drop collection")
        c.page.type("dialog input", "another")
        c.page.click("dialog button", "Drop it")
        c.page.wait_text("This is not", "dialog")
        c.page.type("dialog input", "the \u00fc/one")
        c.page.click("dialog button", "Drop it")
        c.page.wait("!document.querySelector('dialog')")
        equal([x["name"] for x in c.web("GET", "/v1/collections")[1]["collections"]], ["default"])
        c.expect_calm()


PEOPLE = ("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, height REAL, photo BLOB, "
          "city TEXT DEFAULT 'Lisbon')")


def with_people(c, rows=0):
    equal(c.web("POST", "/v1/sql", {"sql": PEOPLE})[0], 200)
    for i in range(rows):
        row = {"id": i, "name": f"name {i}", "height": i + 0.5}
        equal(c.web("POST", "/v1/tables/people/rows", row)[0], 201)


def test_rows_of_a_table_are_shown_found_changed_and_deleted(exe, directory):
    with Console(exe, directory, "--sql-write", "yes") as c:
        page, web = c.page, c.web
        c.show("tables")
        page.wait_text("There is no table yet.")
        with_people(c, 60)
        c.show("tables")
        page.wait_text("name 49", "table.rows")
        page.click("button", "Next")
        page.wait_text("name 59", "table.rows")
        page.choose(".toolbar select", "height")
        page.type("input[type=search]", "7.5")
        page.wait("document.querySelectorAll('table.rows tbody tr').length === 1", "one row is found")
        page.click("table.rows button", "7")
        page.wait_text("NULL", "dialog")
        page.type("dialog .field:nth-of-type(2) textarea", "Ada \u2764")
        page.click("dialog .field:nth-of-type(4) input")
        page.type("dialog .field:nth-of-type(4) textarea", "00 ff")
        page.click("dialog button", "Save")
        page.wait_text("Ada", "table.rows")
        row = {"id": 7, "name": "Ada \u2764", "height": 7.5, "photo": {"base64": "AP8="}, "city": "Lisbon"}
        equal(web("GET", "/v1/tables/people/rows/7"), (200, row))
        page.click("table.rows button", "7")
        page.click("dialog button", "Delete")
        page.click("dialog.narrow button", "Delete")
        page.wait_text("There is no such row.")
        equal(web("GET", "/v1/tables/people/rows/7")[0], 404)
        page.click("button", "New row")
        page.type("dialog .field:nth-of-type(1) textarea", "9223372036854775807")
        page.type("dialog .field:nth-of-type(2) textarea", "Max")
        page.type("dialog .field:nth-of-type(3) textarea", "tall")
        page.click("dialog button", "Save")
        page.wait_text("height: This is not a number.", "dialog")
        page.type("dialog .field:nth-of-type(3) textarea", "2")
        page.click("dialog button", "Save")
        page.wait("!document.querySelector('dialog')")
        row = {"id": 2**63 - 1, "name": "Max", "height": 2.0, "photo": None, "city": "Lisbon"}
        equal(web("GET", f"/v1/tables/people/rows/{2**63 - 1}"), (200, row))
        page.choose(".toolbar select", "id")
        page.type("input[type=search]", str(2**63 - 1))
        page.wait_text(str(2**63 - 1), "table.rows")
        c.expect_calm()


def test_keys_of_a_table_can_only_be_looked_at(exe, directory):
    with Console(exe, directory, "--sql-write", "yes") as c:
        with_people(c, 1)
        for name in ("people", "holt.tables"):
            c.show(f"collections/{name}")
            c.page.click("button.key")
            c.page.wait("document.querySelector('dialog textarea')?.readOnly")
            buttons = c.page.run("[...document.querySelectorAll('main .wide button, dialog button')]"
                                 ".map((n) => n.innerText)")
            equal([b for b in buttons if b in ("Drop collection", "New key", "Save", "Delete")], [], name)
        c.show("collections/people")
        c.page.click("a", "its rows")
        c.page.wait_text("name 0", "table.rows")
        c.expect_calm()


def test_keys_of_rows_may_have_several_columns_or_none(exe, directory):
    with Console(exe, directory, "--sql-write", "yes") as c:
        for sql in ("CREATE TABLE pairs (a TEXT, b REAL, c TEXT, PRIMARY KEY (a, b))",
                    "CREATE TABLE plain (v TEXT)",
                    "INSERT INTO pairs VALUES ('x/\u00fc', 2.0, 'old')", "INSERT INTO plain VALUES ('old')"):
            equal(c.web("POST", "/v1/sql", {"sql": sql})[0], 200, sql)
        for table, place in (("pairs", 3), ("plain", 2)):
            c.show(f"tables/{table}")
            c.page.click("table.rows button")
            c.page.type(f"dialog .field:nth-of-type({place}) textarea", "new")
            c.page.click("dialog button", "Save")
            c.page.wait_text("new", "table.rows")
            c.page.click("table.rows button")
            c.page.click("dialog button", "Delete")
            c.page.click("dialog.narrow button", "Delete")
            c.page.wait_text("There is no such row.")
        equal(c.web("POST", "/v1/sql", {"sql": "CREATE TABLE dots (a TEXT PRIMARY KEY, b TEXT)"})[0], 200)
        equal(c.web("POST", "/v1/sql", {"sql": "INSERT INTO dots VALUES ('..', 'old')"})[0], 200)
        c.show("tables/dots")
        c.page.click("table.rows button")
        c.page.type("dialog .field:nth-of-type(2) textarea", "new")
        c.page.click("dialog button", "Save")
        c.page.wait_text("A browser cannot ask for a key of dots.", "dialog")
        literal = ("import('/console/values.js').then((v) => v.literal('integer', 2 ** 53))"
                   ".catch((e) => e.message)")
        assert "rounds integers" in c.page.run(literal), "not another row, whose key is the rounded one"
        c.expect_calm()


def test_sql_shows_rows_changes_and_where_an_error_is(exe, directory):
    with Console(exe, directory, "--sql-write", "yes") as c:
        page = c.page
        with_people(c, 3)
        c.show("sql")

        def run_sql(text, parameters=""):
            page.type("textarea", text)
            page.type("input[type=text]", parameters)
            page.click("button", "Run")

        run_sql("SELECT id, name, x'00ff' AS b, NULL AS n, 9007199254740993 FROM people WHERE id > ?", "1")
        page.wait_text("1 row in", "[aria-label=Result]")
        equal(page.run("[...document.querySelectorAll('table.rows td')].map((n) => n.innerText)"),
              ["2", "name 2", "00 ff", "NULL", "9007199254740993"])
        run_sql("SELECT 1,\n 'ü' + unheard")
        page.wait_text("Line 2, column 8: No such column: unheard.", "[aria-label=Result]")
        equal(page.run("document.querySelector('.place').innerText"), " 'ü' + unheard\n       ^")
        equal(page.run("document.activeElement.selectionStart"), 17)
        run_sql("UPDATE people SET city = 'Porto' WHERE id < 2")
        page.wait_text("2 rows changed", "[aria-label=Result]")
        equal(c.web("GET", "/v1/tables/people/rows/1")[1]["city"], "Porto")
        run_sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
        page.wait_text("The first 1,000 rows", "[aria-label=Result]")
        equal(page.run("document.querySelectorAll('table.rows tbody tr').length"), 1000)
        run_sql("SELECT ?", "{")
        page.wait_text("Parameters are values in JSON", "[aria-label=Result]")
        c.show("sql")
        page.wait("document.querySelector('textarea').value.startsWith('WITH')", "statements are remembered")
        c.expect_calm(but="status of 400")


def test_the_log_level_and_work_by_hand(exe, directory):
    with Console(exe, directory) as c:
        c.show("activity")
        c.page.wait("document.querySelector('main select')")
        c.page.choose("main select", "debug")
        c.page.wait_text("tells everything", "#notices")
        equal(c.web("GET", "/v1/admin/log-level")[1], {"level": "debug"})
        for button, text in (("Flush", "Flushed in"), ("Compact", "Compacted in"), ("Check", "No problem")):
            c.page.click("button", button)
            c.page.wait_text(text, "[aria-label='By hand']")
        c.expect_calm()


def test_the_theme_follows_the_system_and_the_switch(exe, directory):
    with Console(exe, directory) as c:
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        c.show("overview")
        c.page.dark(False)
        light = c.page.run(ground)
        c.page.dark(True)
        dark = c.page.run(ground)
        assert light != dark, light
        c.page.choose("#theme", "light")
        equal(c.page.run(ground), light)
        c.page.dark(False)
        c.page.choose("#theme", "dark")
        equal(c.page.run(ground), dark)
        c.show("storage")
        equal(c.page.run(ground), dark, "after a reload")
        c.expect_calm()


CONTRAST = """(() => {
    // What the browser draws for a colour: that of a pixel.
    const context = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d',
        {willReadFrequently: true});
    const light = (name) => {
        const probe = document.body.appendChild(document.createElement('i'));
        probe.style.color = `var(--${name})`;
        context.fillStyle = getComputedStyle(probe).color;
        probe.remove();
        context.fillRect(0, 0, 1, 1);
        const [r, g, b] = Array.from(context.getImageData(0, 0, 1, 1).data, (v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return (a, b) => {
        const [dark, bright] = [light(a), light(b)].sort((x, y) => x - y);
        return (bright + 0.05) / (dark + 0.05);
    };
})()"""


def test_colours_have_enough_contrast_in_both_themes(exe, directory):
    texts = [(t, on) for t in ("text", "muted", "accent", "danger") for on in ("ground", "surface", "sunken")]
    texts += [("good", "surface"), ("accent", "tint"), ("danger", "danger-tint"), ("on-accent", "accent"),
              ("on-danger", "danger"), ("ground", "text")]
    lines = [(f"series-{i}", "surface") for i in range(1, 5)] + [("edge", "surface"), ("accent", "surface")]
    with Console(exe, directory) as c:
        c.show("overview")
        for theme in ("light", "dark"):
            c.page.choose("#theme", theme)
            for least, pairs in ((4.5, texts), (3, lines)):
                for a, b in pairs:
                    ratio = c.page.run(f"{CONTRAST}('{a}', '{b}')")
                    assert ratio >= least, f"{theme}: {a} on {b} has a contrast of {ratio:.2f}"


def focused(page):
    return page.run("(() => { const n = document.activeElement; return (n.getAttribute('aria-label') ?? "
                    "n.innerText ?? '').trim() || n.id || n.tagName; })()")


def test_the_keyboard_is_enough(exe, directory):
    with Console(exe, directory) as c:
        page = c.page
        c.web("PUT", "/v1/collections/default/keys/a", "1")
        c.show("collections/default")
        page.wait("document.querySelector('button.key')")
        page.press("Tab")
        equal(focused(page), "Skip to content")
        page.press("Enter")
        equal(page.run("document.activeElement.id"), "main")
        seen = []
        for _ in range(20):
            page.press("Tab")
            seen.append(focused(page))
            ring = page.run("(() => { const s = getComputedStyle(document.activeElement);"
                            "return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1; })()")
            assert ring, f"{seen[-1]} has no ring"
            if seen[-1] == "a":
                break
        for name in ("default lsm", "New collection", "Drop collection", "New key"):
            assert any(name == " ".join(s.split()) for s in seen), (name, seen)
        equal(seen[-1], "a", "the key is reached")
        page.press("Enter")
        page.wait_text("ETag", "dialog")
        for _ in range(12):
            page.press("Tab")
            equal(page.run("document.activeElement.matches('dialog *, dialog, body')"), True, "inside")
        page.press("Escape")
        page.wait("!document.querySelector('dialog')")
        equal(focused(page), "a", "the focus is back at the key")
        for _ in range(len(seen) + 6):
            page.press("Tab", modifiers=8)
            if focused(page) == "Storage":
                break
        page.press("Enter")
        page.wait_text("Storage", "main h1")
        equal(page.run("document.activeElement.id"), "main", "the focus is where the new page begins")
        c.expect_calm()


def test_everything_that_can_be_used_has_a_name(exe, directory):
    with Console(exe, directory, "--sql-write", "yes") as c:
        with_people(c, 1)
        c.web("PUT", "/v1/collections/default/keys/a", "1")
        used = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "image", "table",
                "dialog", "navigation", "region", "DateTime", "img"}

        def check(what):
            nodes = c.page.accessible()
            roles = [role for role, _ in nodes]
            for role in ("main", "navigation", "banner"):
                equal(roles.count(role), 1, f"{what}: {role}")
            equal([n for n in nodes if n[0] in used and not n[1].strip()], [], what)
            headings = c.page.run("[...document.querySelectorAll('h1')].length")
            equal(headings, 1, what)
            ids = c.page.run("[...document.querySelectorAll('[id]')].map((n) => n.id)")
            equal(len(ids), len(set(ids)), f"{what}: ids")

        for name in (*PAGES, "collections/default"):
            c.show(name)
            c.page.wait("document.querySelector('main h1')")
            time.sleep(0.3)
            check(name)
        c.page.click("button.key", "a")
        c.page.wait("document.querySelector('dialog textarea')")
        nodes = c.page.accessible()
        equal([n for n in nodes if n[0] in used and not n[1].strip()], [], "the dialog")
        assert ("dialog", "Key") in nodes
        c.show("tables")
        c.page.click("table.rows button")
        nodes = c.page.accessible()
        equal([n for n in nodes if n[0] in used and not n[1].strip()], [], "the row")


def test_a_phone_has_room_for_all_pages(exe, directory):
    with Console(exe, directory, "--sql-write", "yes") as c:
        with_people(c, 2)
        c.web("PUT", "/v1/collections/default/keys/" + "k" * 300, "v" * 500)
        c.page.size(360, 740, mobile=True)
        for name in PAGES:
            c.show(name)
            c.page.wait("document.querySelector('main h1')")
            time.sleep(0.3)
            equal(c.page.run("document.documentElement.scrollWidth"), 360, name)


def test_it_says_when_the_server_is_away_and_goes_on(exe, directory):
    with Console(exe, directory) as c:
        c.show("overview")
        c.page.wait_text("Ready", "#state")
        address = c.server.http
        c.server.kill()
        c.page.wait_text("Nothing answers at " + address, "#away")
        c.page.wait_text("holt serve DIR", "#away")
        c.server.options = ("--http", address)
        c.server.start()
        c.page.click("#away button", "Try again")
        c.page.wait("document.getElementById('away').textContent === ''")
        c.page.wait_text("Ready", "#state")
        c.expect_calm(but="ERR_CONNECTION")


def test_it_asks_for_a_sign_in_when_the_server_does(exe, directory):
    with Console(exe, directory) as c:
        # The answers of a server with users: it accepts one token.
        c.page.call("Page.addScriptToEvaluateOnNewDocument", source="""
            const direct = window.fetch;
            window.sent = [];
            window.fetch = (path, options) => {
                const authorization = options.headers?.Authorization;
                window.sent.push([authorization, options.credentials]);
                if (authorization === 'Bearer right' || authorization === 'Basic w7w6cDp3')
                    return direct(path, options);
                const body = '{"error":{"code":"unauthorized","message":"who are you?"}}';
                return Promise.resolve(new Response(body, {status: 401}));
            };""")
        c.show("collections")
        c.page.wait_text("Sign in", "dialog")
        c.page.press("Escape")
        c.page.wait_text("Who are you?", "main")
        c.page.click("main button", "Sign in")
        c.page.wait_text("Sign in", "dialog")
        c.page.click("dialog input[value=token]")
        c.page.type("dialog input[type=password]", "wrong")
        c.page.click("dialog button[type=submit]")
        c.page.wait_text("Who are you?", "dialog")
        c.page.type("dialog input[type=password]", "right")
        c.page.click("dialog button[type=submit]")
        c.page.wait_text("There is no key yet.", "main")
        equal(c.page.run("[...new Set(window.sent.map((s) => s[1]))]"), ["omit"])
        c.page.click("#sign-out")
        c.page.wait_text("Sign in", "dialog")
        c.page.type("dialog input[type=text]", "\u00fc")
        c.page.type("dialog input[type=password]", "p:w")
        c.page.click("dialog button[type=submit]")
        c.page.wait_text("There is no key yet.", "main")
        c.expect_calm()


def sign_in(page, name):
    page.wait_text("Sign in", "dialog")
    page.type("dialog input[type=text]", name)
    page.type("dialog input[type=password]", "secret")
    page.click("dialog button[type=submit]")
    page.wait("!document.querySelector('dialog')")


def test_users_sign_in_and_see_what_their_roles_allow(exe, directory):
    add(exe, directory, "ada", "admin")
    add(exe, directory, "reader", "read")
    add(exe, directory, "guest", "write", "secret", "--collections", "default")
    with Console(exe, directory) as c:
        page = c.page
        c.show("overview")
        sign_in(page, "ada")
        page.wait_text("Memory", "main")
        page.click("#sign-out")
        sign_in(page, "reader")
        page.wait_text("You may not see this page.", "main")
        c.show("collections/default")
        page.click("button", "New key")
        page.type("dialog input[type=text]", "a")
        page.click("dialog button", "Save")
        page.wait_text("This user may not do that.", "dialog")
        page.press("Escape")
        page.click("#sign-out")
        sign_in(page, "guest")
        page.click("button", "New key")
        page.type("dialog input[type=text]", "a")
        page.click("dialog button", "Save")
        page.wait_text("a", "table.keys")
        c.expect_calm(but="status of 40[13]")


def test_pictures(exe, directory):
    pictures = os.environ.get("HOLT_PICTURES")
    if not pictures:
        raise Skip("(HOLT_PICTURES names no directory for them)")
    os.makedirs(pictures, exist_ok=True)
    with Console(exe, directory, "--sql-write", "yes") as c:
        with_people(c, 30)
        operations = [{"op": "put", "key": f"order/{i:04}", "value": json.dumps({"id": i, "total": i * 1.5})}
                      for i in range(1000)]
        c.web("POST", "/v1/batch", {"operations": operations})
        c.web("POST", "/v1/admin/flush")
        for width, height in ((1280, 800), (390, 844)):
            c.page.size(width, height, mobile=width < 500)
            for theme in ("light", "dark"):
                for name in PAGES:
                    c.show(name)
                    c.page.choose("#theme", theme)
                    time.sleep(3)
                    c.page.picture(os.path.join(pictures, f"{name}-{theme}-{width}.png"), whole=True)
        c.expect_calm()


if __name__ == "__main__":
    run(globals())
