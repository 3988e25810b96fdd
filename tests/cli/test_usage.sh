# The command line itself: help, usage errors, the manual page.

# All of them, as the help lists them.
commands=$("$exe" help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p')

test_help_lists_every_command() {
    status_is 0 holt help
    for command in put get serve help $commands; do
        grep -q "^  $command " out || fail "no line for $command"
    done
    cp out expected
    status_is 0 holt --help
    same out expected
    status_is 0 holt -h
    same out expected
}

test_every_command_explains_itself() {
    for command in $commands; do
        status_is 0 holt "$command" --help
        for part in "^Usage: holt $command " '^Options:' '^Examples:' "^  .*holt $command" '^Exit codes:' \
            '^  -h, --help'; do
            grep -q -e "$part" out || fail "the help of $command lacks '$part'"
        done
        [ ! -s err ]
        cp out expected
        status_is 0 holt help "$command"
        same out expected
        sed -n '/^.\{101,\}/p' out >long
        [ ! -s long ] || fail "the help of $command has long lines: $(cat long)"
    done
}

test_manual_page_names_every_command_and_option() {
    sed 's/\\-/-/g' "$manual" "${manual%.1}-serve.1" >page
    for command in $commands; do
        grep -q "holt $command" page || fail "no $command"
        holt "$command" --help | sed -n 's/^ .*\(--[a-z-]*\).*/\1/p' | sort -u >options
        while read -r option; do
            grep -qF -e "$option" page || fail "no $option of $command"
        done <options
    done
}

test_version_is_that_of_the_header() {
    status_is 0 holt version
    grep -qx 'holt [0-9]*\.[0-9]*\.[0-9]*' out
    cp out expected
    status_is 0 holt --version
    same out expected
}

test_wrong_command_lines_are_exit_code_2() {
    status_is 2 holt
    says "command"
    status_is 2 holt frobnicate
    says frobnicate
    status_is 2 holt help frobnicate
    status_is 2 holt get
    says directory
    status_is 2 holt get data
    says Usage
    status_is 2 holt get data a b
    says "unexpected argument 'b'"
    status_is 2 holt get data a --frob
    says -- --frob
    status_is 2 holt get data a -Z
    says -- -Z
    status_is 2 holt get data a -c
    says "needs an argument"
    status_is 2 holt get data a --time=5
    status_is 2 holt version extra
    [ ! -e data ]
}

test_options_may_be_given_anywhere() {
    holt create data c
    holt put -c c data k v
    prints v holt get data -cc k
    prints v holt get data k --collection=c
}

# A number that overflowed would be accepted as another one, or refused for the wrong reason.
test_numbers_past_64_bits_are_too_large_and_negative_ones_negative() {
    holt put data k v
    prints 'k	v' holt scan data --limit 18446744073709551615
    for number in 18446744073709551616 99999999999999999999999999; do
        status_is 2 holt scan data --limit $number
        says "--limit: '$number' is too large; the maximum is 18446744073709551615"
        status_is 2 holt load data --batch $number
        says "too large"
        status_is 2 holt bench --num $number
        says "too large"
    done
    status_is 2 holt scan data --limit -5
    says "--limit: '-5' is negative"
    status_is 2 holt get data k --memory -64M
    says "--memory: '-64M' is negative"
    for size in 18446744073709551616 18014398509481984K 16777216T; do
        status_is 2 holt get data k --memory $size
        says "--memory: '$size' is too large"
    done
    for word in '' - +5 5x 0x10 1.5 '5 ' ' 5' 99999999999999999999999x; do
        status_is 2 holt scan data --limit "$word"
        says "'$word' is not a whole number"
    done
    status_is 2 holt get data k --memory 64Q
    says "not a size"
}

# The names that these commands have in other tools.
test_aliases_are_the_same_commands() {
    holt put data k v
    prints default holt list data
    holt delete data k
    prints 0 holt count data
    status_is 0 holt verify data --quiet
    for pair in list=collections delete=del verify=check; do
        status_is 0 holt help "${pair#*=}"
        grep -qx "Also called: holt ${pair%=*}" out
        cp out expected
        prints "$(cat expected)" holt "${pair%=*}" --help
    done
}
