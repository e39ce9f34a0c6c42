# common.sh - what the scripts of this folder share; each reads it first.

# Exit code 77: it is not there and cannot be had, which tests take as "skip".
say_and_skip() {
    echo "$*" >&2
    exit 77
}

# free_port FROM COUNT HOW_MANY: the first of so many free ones in a row, among COUNT from FROM on.
free_port() {
    local port i k
    for i in $(seq 50); do
        port=$(($1 + (RANDOM * 3 + i * 7) % $2))
        for k in $(seq 0 $(($3 - 1))); do
            ! (echo >"/dev/tcp/127.0.0.1/$((port + k))") 2>/dev/null || continue 2
        done
        echo $port
        return
    done
    echo "no free port" >&2
    exit 1
}

# certificate_authority DIR: ca.crt and ca.key, for the next.
certificate_authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=leat-test-ca \
        -keyout "$1/ca.key" -out "$1/ca.crt" 2>/dev/null
}

# certificate DIR NAME SUBJECT EXTENSION: NAME.crt and NAME.key
certificate() {
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$3" -keyout "$1/$2.key" -out "$1/$2.csr" 2>/dev/null
    openssl x509 -req -in "$1/$2.csr" -CA "$1/ca.crt" -CAkey "$1/ca.key" -CAcreateserial -days 3650 \
        -extfile <(printf '%s' "$4") -out "$1/$2.crt" 2>/dev/null
}

LOCALHOST=subjectAltName=DNS:localhost,IP:127.0.0.1

# end_process DIR SIGNAL: that of DIR/pid, and waits for it; one that does not go in 15 s is killed.
end_process() {
    local pid
    [ -f "$1/pid" ] || return 0
    pid=$(cat "$1/pid")
    kill "-$2" "$pid" 2>/dev/null || true
    for _ in $(seq 300); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    kill -KILL "$pid" 2>/dev/null || true
    rm -f "$1/pid"
}
