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

# fetch_jars WHAT POM VERSION DIR: the jars of a POM, and what they need, from Maven into DIR/lib. One
# at a time, into a folder beside it that is then renamed: a DIR with `complete` in it is whole, and
# whatever else an end in the middle leaves behind is cleared away by the next one.
fetch_jars() {
    local why
    [ ! -f "$4/complete" ] || return 0
    command -v mvn >/dev/null || say_and_skip "no Maven: apt-get install maven"
    mkdir -p "$(dirname "$4")"
    exec 9>"$4.lock"
    flock 9
    if [ ! -f "$4/complete" ]; then
        rm -rf "$4" "$4.new"
        mkdir "$4.new"
        sed "s/@VERSION@/$3/" "$2" >"$4.new/pom.xml"
        if ! timeout 300 mvn -q -B -f "$4.new/pom.xml" dependency:copy-dependencies \
            -DoutputDirectory="$4.new/lib" -DincludeScope=runtime >"$4.new/log" 2>&1 9>&-; then
            why=$(grep -m1 ERROR "$4.new/log" | cut -c1-200)
            say_and_skip "$1 $3 cannot be had from Maven: $why"
        fi
        touch "$4.new/complete"
        mv -T "$4.new" "$4"
    fi
    exec 9>&-
}

# fetch_hadoop JAVA: Hadoop's jars, those of HDFS among them, into $HADOOP/lib; JAVA is what else has to
# be installed, java or javac.
HADOOP_VERSION=${LEAT_HADOOP_VERSION:-3.4.2}
HADOOP=${LEAT_CACHE:-$HOME/.cache/leat}/hadoop-jars-$HADOOP_VERSION
fetch_hadoop() {
    command -v "$1" >/dev/null || say_and_skip "no $1: apt-get install default-jdk-headless maven"
    fetch_jars Hadoop "$(dirname "${BASH_SOURCE[0]}")/hadoop.pom" "$HADOOP_VERSION" "$HADOOP"
}
