// bytes.js: keys and values are bytes, and bytes are Uint8Array here. This module turns them into what can be
// shown and typed, and back.
//
// The notation for keys is text with escapes: \xNN is a byte, \\ a backslash, \n \r \t \0 what they are in C.
// Bytes that are valid UTF-8 are shown as text; in others, all that is not plain ASCII is escaped. What is
// shown can be typed again: parseNotation(notation(b)) equals b.

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", {fatal: true, ignoreBOM: true});
const ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"};
const ESCAPED = {"\\": 92, n: 10, r: 13, t: 9, 0: 0};

export function fromText(text) {
  return encoder.encode(text);
}

/** The text, or null if the bytes are not UTF-8. */
export function toText(data) {
  try {
    return strictDecoder.decode(data);
  } catch {
    return null;
  }
}

function hexByte(byte) {
  return byte.toString(16).padStart(2, "0");
}

/** The bytes as text with escapes; what is longer than `most` characters is cut. */
export function notation(data, most = Infinity) {
  const text = toText(data);
  let out = "";
  // A character that cannot be seen, also one that changes the direction of the text, is shown as its bytes.
  for (const c of text ?? Array.from(data, (byte) => String.fromCharCode(byte))) {
    if (out.length >= most) return `${out}…`;
    if (ESCAPES[c]) out += ESCAPES[c];
    else if (text === null && (c < " " || c > "~")) out += `\\x${hexByte(c.charCodeAt(0))}`;
    else if (/[\p{C}\p{Zl}\p{Zp}]/u.test(c))
      out += Array.from(fromText(c), (b) => `\\x${hexByte(b)}`).join("");
    else out += c;
  }
  return out;
}

/** The bytes that the notation stands for. Throws an Error with a sentence. */
export function parseNotation(text) {
  const out = [];
  let plain = "";
  for (let i = 0; i < text.length; i += 1) {
    if (text[i] !== "\\") {
      plain += text[i];
      continue;
    }
    out.push(...fromText(plain));
    plain = "";
    i += 1;
    const hex = /^x([0-9a-fA-F]{2})/.exec(text.slice(i, i + 3));
    if (hex) {
      out.push(Number.parseInt(hex[1], 16));
      i += 2;
    } else if (text[i] in ESCAPED) {
      out.push(ESCAPED[text[i]]);
    } else {
      throw new Error(
        "A backslash begins an escape: \\xNN for a byte, \\\\ for a backslash, \\n, \\r, \\t, \\0.",
      );
    }
  }
  out.push(...fromText(plain));
  return Uint8Array.from(out);
}

/** Lines of an address, 16 bytes, and their ASCII characters. */
export function hexDump(data) {
  const lines = [];
  for (let at = 0; at < data.length; at += 16) {
    const row = data.subarray(at, at + 16);
    const hex = Array.from(row, hexByte).join(" ");
    const ascii = Array.from(row, (b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : ".")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(47)}  ${ascii}`);
  }
  return lines.join("\n");
}

export function toHex(data) {
  const lines = [];
  for (let at = 0; at < data.length; at += 16)
    lines.push(Array.from(data.subarray(at, at + 16), hexByte).join(" "));
  return lines.join("\n");
}

/** Reads pairs of hexadecimal digits; blanks and line ends do not count. Throws an Error with a sentence. */
export function parseHex(text) {
  const digits = text.replace(/\s+/g, "");
  if (/[^0-9a-fA-F]/.test(digits)) throw new Error("Only hexadecimal digits and blanks can stand here.");
  if (digits.length % 2) throw new Error("There is an odd number of hexadecimal digits; a byte has two.");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

export function toBase64(data) {
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return btoa(text);
}

/** A member of a JSON answer: "key" as text, or "key_base64". */
export function memberOf(object, name) {
  return `${name}_base64` in object ? fromBase64(object[`${name}_base64`]) : fromText(object[name]);
}

/** The same for a request: {key: "..."} or {key_base64: "..."}. */
export function asMember(name, data) {
  const text = toText(data);
  return text === null ? {[`${name}_base64`]: toBase64(data)} : {[name]: text};
}

/** As a part of a path or of a query. */
export function percentEncode(data) {
  let out = "";
  for (const byte of data) {
    const c = String.fromCharCode(byte);
    out += /[A-Za-z0-9_~-]/.test(c) ? c : `%${hexByte(byte).toUpperCase()}`;
  }
  return out;
}
