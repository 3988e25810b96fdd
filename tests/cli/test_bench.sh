# bench: every workload runs, results are checked, and its directory is removed.

test_all_workloads_run_and_leave_no_files() {
    mkdir tmp
    status_is 0 env TMPDIR="$PWD/tmp" "$exe" bench --num 2000 --value-bytes 50 --batch 64 --duration 5
    for workload in fillseq fillbatch fillrandom overwrite readrandom readmany readmissing \
        readsnapshot snapshots readseq readreverse seekrandom readwhilewriting mixed deleterandom fillsync; do
        grep -q "^$workload  *[1-9]" out || fail "no line for $workload"
    done
    grep -q 'durability process' out
    grep -q '^readrandom .*2,000 of 2,000 found' out
    grep -q '^readmany .*2,000 of 2,000 found' out
    grep -q '^readmissing .* 0 of 2,000 found' out
    grep -q '^readsnapshot .*2,000 of 2,000 found' out
    grep -q '^readseq .*2,000 of 2,000 found' out
    [ -z "$(ls tmp)" ]
}

test_threads_and_small_memory_give_the_same_results() {
    list=fillrandom,flush,readrandom,deleterandom,compact,readrandom,seekrandom,mixed,readwhilewriting
    status_is 0 env TMPDIR="$PWD" "$exe" bench --num 3000 --threads 4 --memory 8M --memtable 64K --seed 7 \
        --random-keys --benchmarks "$list"
    grep -q '^readrandom .*3,000 of 3,000 found' out
}

# What is read after range deletes is checked, too.
test_range_deletes_are_measured() {
    list=fillseq,deleteranges,readrandom,readseq,flush,seekrandom,overwrite,deleteall,first,readseq
    for kind in lsm btree; do
        status_is 0 env TMPDIR="$PWD" "$exe" bench --num 2000 --kind $kind --benchmarks "$list"
        grep -q '^deleteranges  *[1-9]' out || fail "no line for deleteranges"
        grep -q '^readseq .*1,400 of 1,400 found' out || fail "readseq"
        grep -q '^first  *[1-9]' out || fail "first"
    done
    status_is 0 env TMPDIR="$PWD" "$exe" bench --num 2000 --random-keys \
        --benchmarks fillrandom,deleteranges,readrandom
}

test_results_as_json_are_one_object_per_line() {
    status_is 0 env TMPDIR="$PWD" "$exe" bench --num 500 --json --benchmarks fillseq,readrandom \
        --durability interval
    [ "$(wc -l <out)" -eq 3 ]
    head -n 1 out | grep -q '^{.*"durability":"interval".*"num":500.*}$'
    tail -n 1 out |
        grep -q '^{"workload":"readrandom","operations":500,.*"p99_us":.*"found":500,"wrong":0,.*}$'
}

# Each step has its own settings: with the number of entries of another step it would read missing keys.
test_suites_run_and_leave_no_files() {
    mkdir tmp
    status_is 0 env TMPDIR="$PWD/tmp" "$exe" bench --suite full --no-latency
    grep -q '^suite full' out
    grep -q '^readrandom .*20,000 of 20,000 found' out
    grep -q '^readrandom .*100,000 of 100,000 found' out
    grep -q '^-- reads from disk' out
    status_is 0 env TMPDIR="$PWD/tmp" "$exe" bench --suite sources --no-latency
    [ "$(grep -c 'published: ' out)" -eq 16 ]
    grep -q '^-- B+tree of 8 KiB pages' out
    [ -z "$(ls tmp)" ]
}

test_given_directory_and_other_collections_remain() {
    holt put data mine 1
    status_is 0 holt bench data --num 300 --benchmarks fillseq
    prints 300 holt count data -c bench
    prints 1 holt get data mine
    status_is 0 holt bench data --num 300 --benchmarks readrandom --no-latency
    grep -q '300 of 300 found' out
}

test_wrong_settings_are_refused() {
    status_is 2 holt bench --benchmarks fillseq,juggle
    says juggle
    status_is 2 holt bench --suite grand
    says grand
    status_is 2 holt bench --num 0
    status_is 2 holt bench --num 1000 --key-bytes 2
    status_is 2 holt bench --threads 1000
    status_is 2 holt bench --read-share 101
    [ -z "$(ls -d holt-bench-* 2>/dev/null)" ]
}

test_interrupted_bench_removes_its_directory() {
    mkdir tmp
    TMPDIR=$PWD/tmp "$exe" bench --num 100000000 --benchmarks fillseq >/dev/null 2>err &
    bench=$!
    sleep 0.7
    kill -TERM $bench
    got=0
    wait $bench || got=$?
    [ "$got" -eq 143 ] || fail "ended with $got: $(cat err)"
    [ -z "$(ls tmp)" ]
}
