# load of CSV and JSON: files of other programs, and malformed ones.

# ---------------------------------------------------------------- CSV

csv() {
    holt load data --format csv "$@" >/dev/null
}

# bad_csv TEXT MESSAGE: the file is refused with the message and nothing is loaded.
bad_csv() {
    # shellcheck disable=SC2059
    printf "$1" >bad.csv
    status_is 1 holt load bad --format csv bad.csv
    says "$2"
    [ ! -e bad ] || fail "something was made of '$1'"
}

test_csv_has_quotes_doubled_quotes_commas_and_line_ends_in_fields() {
    cat >people.csv <<'END'
key,value
plain,text
"quoted","a ""word"", and a comma"
lines,"one
two

four"
"key, with ""all""
of it",""
empty,
 spaces , stay 
END
    csv people.csv
    prints text holt get data plain
    prints 'a "word", and a comma' holt get data quoted
    prints 'one
two

four' holt get data lines
    prints '' holt get data 'key, with "all"
of it'
    prints '' holt get data empty
    prints ' stay ' holt get data ' spaces '
    prints 6 holt count data
}

test_csv_with_crlf_and_a_byte_order_mark_is_the_same_and_keeps_line_ends_in_quotes() {
    printf '\357\273\277"key",value\r\na,1\r\n"b","x\r\ny"\r\nc,"z"\r\nd,last' >windows.csv
    csv windows.csv
    holt scan data >got
    printf 'a\t1\nb\tx\\r\\ny\nc\tz\nd\tlast\n' >expected
    same got expected
}

test_csv_columns_are_chosen_by_name() {
    printf 'id,first name,"last, name",id2\n7,Jane,Doe,x\n8,John,"Roe, Jr.",y\n' >people.csv
    csv --key-column id --value-column 'last, name' people.csv
    prints '7	Doe
8	Roe, Jr.' holt scan data
    csv --key-column 'first name' --value-column id people.csv
    prints 7 holt get data Jane
    status_is 1 holt load data --format csv people.csv
    says "people.csv: line 1: the header has no column 'key'; the first of its 4 is 'id'"
    says "choose one with --key-column"
    status_is 1 holt load data --format csv --key-column id people.csv
    says "the header has no column 'value'"
    says -- "--value-column"
}

test_csv_of_several_files_has_a_header_each() {
    printf 'key,value\na,1\n' >one
    printf 'value,key\n2,b\n' >two
    csv one two
    prints 'a	1
b	2' holt scan data
}

# An unquoted comma makes a row of the wrong length: fields would end up in the wrong columns.
test_csv_row_with_missing_or_surplus_fields_is_named() {
    bad_csv 'key,value\na,1\nb\nc,3\n' "bad.csv: line 3: row 2 has 1 field, but the header has 2"
    bad_csv 'key,value\na,"x\ny"\nb,2,3\n' "bad.csv: line 4: row 2 has 3 fields, but the header has 2"
    bad_csv 'key,value\na,1\n\nb,2\n' "bad.csv: line 3: row 2 has 1 field"
    bad_csv 'key,value,x\na,"1\n1"\n' "bad.csv: line 2: row 1 has 2 fields, but the header has 3"
}

test_csv_outside_of_rfc_4180_is_refused() {
    bad_csv 'key,value\na,"never\nclosed\n' "bad.csv: line 2: a quote opened in this row is never closed"
    bad_csv 'key,"value\n' "bad.csv: line 1: a quote opened in this row"
    bad_csv 'key,value\na,1"2\n' "bad.csv: line 2: a quote inside a field"
    bad_csv 'key,value\na,"1"2\n' "bad.csv: line 2: there is text between a closing quote"
    bad_csv 'key,value\na,"1" \n' "bad.csv: line 2: there is text between"
    bad_csv 'key,value\ra,1\rb,2\r' "bad.csv: line 1: a carriage return"
    bad_csv 'key,value\na,1\r2\n' "bad.csv: line 2: a carriage return"
    bad_csv '' "bad.csv: the file is empty"
    bad_csv 'a,1\nb,2\n' "bad.csv: line 1: the header has no column 'key'"
    bad_csv 'key,value,key\na,1,b\n' "bad.csv: line 1: the header has 2 columns named 'key'"
    bad_csv '\377\376k\000e\000y\000\n\000' "the file is UTF-16"
    { printf 'key,value'; head -c 20000 /dev/zero | tr '\0' ,; echo; } >bad.csv
    status_is 1 holt load bad --format csv bad.csv
    says "the header has 20002 columns; at most 10000"
}

test_csv_columns_that_are_not_loaded_may_occur_twice() {
    printf 'x,key,x,value\n1,a,2,b\n' >input
    csv input
    prints 'a	b' holt scan data
}

# Fields are bytes: no encoding is assumed, and a zero byte does not end a field.
test_csv_fields_are_bytes() {
    printf 'key,value\n\377\000k,"\000\376"\n' >input
    csv input
    prints 00fe holt get data --hex ff006b
}

test_csv_row_past_every_limit_is_refused_in_bounded_memory() {
    { printf 'key,value\nk,"'; yes 'some line of a quote that is never closed' | head -n 400000; } >input
    status_is 1 holt load data --format csv --memory 8M input
    says "input: line 2: the row is longer than any entry that"
    { printf 'key,value\nk,'; head -c 20000000 /dev/zero; echo; } >input
    status_is 1 holt load data --format csv --memory 8M input
    says "input: line 2"
    printf 'key,value\na,1\n%s,2\n' "$(head -c 70000 /dev/zero | tr '\0' k)" >input
    status_is 1 holt load data --format csv input
    says "input: line 3: the key has 70000 bytes"
    [ ! -e data ]
}

# Needs another implementation of CSV.
test_csv_of_another_program_is_read() {
    python3 -c '' 2>/dev/null || skip "python3 is missing"
    python3 - <<'END'
import csv, random
random.seed(7)
def text():
    return "".join(random.choice('ab,"\n ;\t\\\u00e9') for _ in range(random.randrange(30)))
rows = [("%04d" % i, text()) for i in range(500)]
for name, dialect in (("unix.csv", "unix"), ("excel.csv", "excel")):
    with open(name, "w", newline="", encoding="utf-8") as f:
        w = csv.writer(f, dialect=dialect)
        w.writerow(("ignored", "value", "key"))
        for k, v in rows:
            w.writerow(("x", v, k))
with open("expected", "w", newline="", encoding="utf-8") as f:
    for k, v in rows:
        f.write(k + "\t" + v.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") + "\n")
END
    for file in unix.csv excel.csv; do
        holt load "$file.data" --format csv "$file" >/dev/null
        holt scan "$file.data" >got
        same got expected
    done
}

# ---------------------------------------------------------------- JSON lines

bad_json() {
    printf '%s\n' '{"key":"good","value":""}' "$1" >bad.json
    status_is 1 holt load bad --format json bad.json
    says "bad.json: line 2: $2"
    [ ! -e bad ] || fail "something was made of '$1'"
}

# Every single byte, random bytes, and valid UTF-8 of every length.
test_json_that_scan_prints_is_read_back_byte_for_byte() {
    i=0
    while [ $i -lt 256 ]; do
        byte=$(printf '\\x%02x' $i)
        printf '%s\tv%s\nx%s%s\t\n' "$byte" "$byte" "$byte" "$byte"
        i=$((i + 1))
    done >bytes
    holt load data --format tsv bytes >/dev/null
    i=0
    while [ $i -lt 20 ]; do
        head -c $((i * 11)) /dev/urandom | holt put data "random $i"
        i=$((i + 1))
    done
    holt put data -e 'utf-8 \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80' \
        '\xe2\x80\xae\xef\xbf\xbf\xf4\x8f\xbf\xbf\xc2\x80\x7f'
    holt put data '' ''
    holt scan data --json >json
    holt load copy --format json json >/dev/null
    holt scan data --hex >expected
    holt scan copy --hex >got
    same got expected
    holt scan data --json | holt load piped --format json --atomic >/dev/null
    holt scan piped --hex >got
    same got expected
}

test_json_escapes_of_other_programs_are_read() {
    {
        printf '\357\273\277{"value":"\\u00e9\\ud83d\\ude00\\/\\b\\f\\u0000","key" : "a"}\r\n\n  \t\r\n '
        printf '{"key":{"base64":""},"value":{"base64":"AP8="}}'
    } >input
    status_is 0 holt load data --format json input
    prints c3a9f09f98802f080c00 holt get data --hex 61
    prints 00ff holt get data --hex ''
    prints 2 holt count data
}

test_wrong_json_is_refused_and_named() {
    bad_json '{"key":"a"}' 'the object has no member "value"'
    bad_json '{"value":"a"}' 'the object has no member "key"'
    bad_json '{}' 'the object has no member "key"'
    bad_json '{"key":"a","value":"1","extra":0}' 'unknown member "extra"'
    bad_json '{"key":"a","value":1}' 'the value has the type int'
    bad_json '{"key":"a","value":NaN}' 'the value has the type double'
    bad_json '{"key":"a","value":Infinity}' 'the value has the type double'
    bad_json '{"key":true,"value":"1"}' 'the key has the type boolean'
    bad_json '{"key":"a","value":null}' 'the value has the type null'
    bad_json '{"key":"a","value":["1"]}' 'the value has the type array'
    bad_json '{"key":"a","value":{"base64":"AA==","x":1}}' 'the value is an object other than'
    bad_json '{"key":"a","value":{"base64":5}}' 'the value is an object other than'
    bad_json '{"key":"a","value":{}}' 'the value is an object other than'
    for text in '["a","1"]' null '"a"' 17 NaN 'key,value'; do
        bad_json "$text" "not a JSON object: it must begin with '{'"
    done
}

# json-c keeps the last of two members, cuts names at a zero and replaces lone surrogates: bytes would be
# lost.
test_json_that_a_lenient_parser_would_change_is_refused() {
    bad_json '{"key":"a","value":"1","key":"b"}' 'a member occurs twice'
    bad_json '{"key":"a","value":{"base64":"AA==","base64":"AQ=="}}' 'a member occurs twice'
    bad_json '{"key\u0000x":"a","value":"1"}' 'a name with a zero character'
    bad_json '{"key":"\ud800","value":"1"}' 'half of a pair of surrogates'
    bad_json '{"key":"\ude00\ud83d","value":"1"}' 'half of a pair of surrogates'
    bad_json '{"key":"\ud83dx","value":"1"}' 'half of a pair of surrogates'
    bad_json "{'key':'a','value':'1'}" 'a string in single quotes'
    bad_json "{\"key\":\"a\",\"value\":\"$(printf '1\t2')\"}" 'a control character in a string'
    bad_json "{\"key\":\"a\",\"value\":\"$(printf '\377')\"}" 'the text is not UTF-8'
    bad_json "{\"key\":\"a\",\"value\":\"$(printf '\300\200')\"}" 'the text is not UTF-8'
    bad_json "{\"key\":\"a\",\"value\":\"$(printf '\355\240\200')\"}" 'the text is not UTF-8'
    printf '{"key":"a","value":"1\0002"}\n' >bad.json
    status_is 1 holt load bad --format json bad.json
    says "bad.json: line 1: a control character in a string"
    printf '{"key":"a","value":"1"}\000\n' >bad.json
    status_is 1 holt load bad --format json bad.json
    says "bad.json: line 1: a control character"
    printf '{"key":"a","value":"\\\000"}\n' >bad.json
    status_is 1 holt load bad --format json bad.json
    says "bad.json: line 1: a backslash that does not begin"
}

test_text_that_is_not_json_is_refused() {
    bad_json '{"key":"a","value":"1"} x' 'not JSON: '
    bad_json '{"key":"a","value":"1"}{"key":"b","value":"2"}' 'not JSON: '
    bad_json '{"key":"a","value":"1",}' 'not JSON: '
    bad_json '{"key":"a","value":"1"' 'the line ends inside an object'
    bad_json '{"key":"a","value":"1' 'the text ends inside a string'
    bad_json '{"key":"a","value":"1\' 'the text ends inside a string'
    bad_json '{"key":"a","value":"\x41"}' 'a backslash that does not begin a JSON escape'
    bad_json '{"key":"a","value":"\u12"}' '\u without four hexadecimal digits'
    bad_json '{key:"a","value":"1"}' 'not JSON: '
    bad_json '{"key":"a","value":"1"} // comment' 'not JSON: '
    bad_json '/* comment */ {"key":"a","value":"1"}' 'not a JSON object'
    bad_json '{"key":/* comment */"a","value":"1"}' 'not JSON: '
    bad_json '{"key":"a","value":01}' 'not JSON: '
    bad_json "{\"key\":$(head -c 5000 /dev/zero | tr '\0' '[')" 'not JSON: '
    printf '\377\376{\000}\000\n' >bad.json
    status_is 1 holt load bad --format json bad.json
    says "the file is UTF-16"
}

# Any bytes have only one spelling: almost valid base64 was damaged or is something else.
test_wrong_base64_is_refused() {
    for text in A AA AAA AAAAA AA=A A=== ==== =AAA AA==AAAA AB== AAB= AA-_ 'A A=' 'AA==\n' 'AA\n=='; do
        bad_json "{\"key\":\"a\",\"value\":{\"base64\":\"$text\"}}" 'the value is not padded base64'
    done
}

test_json_past_every_limit_is_refused_in_bounded_memory() {
    { printf '{"key":"a","value":"'; head -c 20000000 /dev/zero | tr '\0' x; echo '"}'; } >input
    status_is 1 holt load data --format json --memory 8M input
    says "input: line 1"
    printf '{"key":"%s","value":""}\n' "$(head -c 70000 /dev/zero | tr '\0' k)" >input
    status_is 1 holt load data --format json input
    says "input: line 1: the key has 70000 bytes"
    { printf '{"key":"a","value":"'; head -c 2000000 /dev/zero | sed 's/\x00/\\u0000/g'; echo '"}'; } >input
    status_is 0 holt load data --format json --memory 8M input
    [ "$(holt get data a --memory 8M | wc -c)" -eq 2000000 ]
    { printf '{"key":"a","value":"'; head -c 2200000 /dev/zero | tr '\0' x; echo '"}'; } >input
    status_is 1 holt load data --format json --memory 8M input
    says "input: line 1: the value has 2200000 bytes; at most 2097152"
}
