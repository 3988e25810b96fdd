# Users and tokens of the server.

test_users_are_added_listed_and_removed() {
    echo secret | status_is 0 holt user add data ada --role admin
    echo secret | status_is 0 holt user add data web --role write --collections a,b
    prints 'ada	admin	*
web	write	a,b' holt user list data
    prints '{"name":"ada","role":"admin"}
{"name":"web","role":"write","collections":["a","b"]}' holt user list data --json
    status_is 0 holt user remove data ada
    prints 'web	write	a,b' holt user list data
    status_is 1 holt user remove data ada
    says "there is no user 'ada'"
}

test_a_user_is_not_added_twice_nor_with_a_wrong_name() {
    echo secret | status_is 0 holt user add data ada --role read
    echo other | status_is 1 holt user add data ada --role admin
    says already
    prints 'ada	read	*' holt user list data
    for name in '' 'a b' 'a:b' 'a/b' "$(printf 'a\nb')" \
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; do
        echo secret | status_is 2 holt user add data "$name" --role read
        says "cannot be a name"
    done
}

test_only_the_hash_of_a_password_is_stored() {
    echo 'correct horse' | status_is 0 holt user add data ada --role read
    holt get data -c holt.access uada >first
    grep -aq 'argon2id' first
    ! grep -aq 'correct horse' first || fail "the password is stored"
    echo 'correct horse' | status_is 0 holt user passwd data ada
    holt get data -c holt.access uada >second
    ! cmp -s first second || fail "the same password has the same hash again"
    prints 'ada	read	*' holt user list data
}

test_passwords_that_cannot_be_typed_again_are_refused() {
    printf '' | status_is 1 holt user add data ada --role read
    says empty
    printf '\n' | status_is 1 holt user add data ada --role read
    says empty
    printf 'a\0b\n' | status_is 1 holt user add data ada --role read
    says "none of them zero"
    printf '%01025d\n' 0 | status_is 1 holt user add data ada --role read
    says "at most 1024 bytes"
    printf '%01024d\n' 0 | status_is 0 holt user add data ada --role read
}

test_a_token_is_shown_once_and_revoked_by_its_name() {
    echo secret | holt user add data ada --role read
    holt token add data ada >token
    holt token add data ada --ttl 1d >other
    grep -qx 'holt_[A-Za-z0-9_-]\{43\}' token
    ! cmp -s token other || fail "two tokens are the same"
    holt token list data >list
    [ "$(wc -l <list)" -eq 2 ]
    grep -qx '[0-9a-f]\{16\}	ada	20[0-9TZ:-]*	never' list
    grep -qx '[0-9a-f]\{16\}	ada	20[0-9TZ:-]*	20[0-9TZ:-]*' list
    grep 'never' list | cut -f1 >name
    status_is 0 holt token revoke data "$(cat name)"
    holt token list data >list
    [ "$(wc -l <list)" -eq 1 ]
    ! grep -q never list || fail "the wrong token was revoked"
    status_is 1 holt token revoke data "$(cat name)"
    says "there is no token"
    holt dump data >dump
    ! grep -q "$(cat token)" dump || fail "the token is stored"
}

test_tokens_go_with_their_user() {
    echo secret | holt user add data ada --role read
    echo secret | holt user add data bob --role read
    holt token add data ada >token
    holt token add data bob >token
    holt user remove data ada
    status_is 0 holt token list data
    [ "$(cut -f2 out)" = bob ] || fail "$(cat out)"
    status_is 1 holt token add data ada
}

test_wrong_uses_of_user_and_token_are_named() {
    echo secret | status_is 2 holt user add data ada
    says "--role is missing"
    echo secret | status_is 2 holt user add data ada --role root
    says "'root' is not read, write or admin"
    echo secret | status_is 2 holt user add data ada --role read --collections a,,b
    says "names of collections"
    status_is 2 holt user add data
    says "takes 2 arguments"
    status_is 2 holt user list data ada
    says "takes 1 argument"
    status_is 2 holt user rename data ada
    says "no action 'rename'"
    status_is 2 holt user list data --role read
    says "--role is for 'add'"
    status_is 2 holt token list data --ttl 1d
    says "--ttl is for 'add'"
    [ ! -e data ] || status_is 0 holt user list data
}

test_a_damaged_record_is_not_skipped() {
    echo secret | holt user add data ada --role read
    printf 'nonsense' | holt put data -c holt.access uada
    status_is 1 holt user list data
    says holt.access
}

test_users_cannot_be_changed_while_the_server_runs() {
    echo secret | holt user add data ada --role read
    "$exe" serve data --redis off --http "unix:$PWD/socket" >log 2>&1 &
    server=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        ! grep -q ready log || break
        sleep 0.5
    done
    code=0
    echo secret | holt user add data bob --role read >out 2>err || code=$?
    kill $server
    wait $server || fail "the server failed: $(cat log)"
    [ $code -eq 1 ]
    says "stop the program that uses it, such as 'holt serve'"
    prints 'ada	read	*' holt user list data
}
