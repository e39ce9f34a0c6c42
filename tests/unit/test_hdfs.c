/*
 * Tests connectors/hdfs against a WebHDFS of the test's own, which answers from a script: what it
 * answers wrongly, too much, too little, or not at all. Right answers are Hadoop's, in
 * e2e/test_hdfs.py.
 */
#include "../../connectors/hdfs/client.h"
#include "../../connectors/hdfs/reply.h"
#include "leat_test.h"
#include "peer_server.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS 32

static struct leat_error err;
static struct peer_server server;
static const struct leat_fs *fs;
static struct leat_budget budget = {.cap = 256 << 20};
static const struct leat_log lines = {"job", "out"};

static atomic_bool over; /* the job is to end */

/* What is answered, one per request; NULL: the connection ends; SILENCE: nothing is, and the job is
 * to end. Behind the last: "404 missing". */
static struct {
    pthread_mutex_t lock;
    const char *const *answers;
    size_t count, requests;
    char seen[REQUESTS][600];
    size_t body; /* bytes of the last one's */
} script = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define STATUS(code, json)                                                                         \
    "HTTP/1.1 " code "\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n" json
#define YES STATUS("200 OK", "{\"boolean\":true}")
#define NO  STATUS("200 OK", "{\"boolean\":false}")
#define MISSING                                                                                    \
    STATUS("404 Not Found", "{\"RemoteException\":{\"exception\":\"FileNotFoundException\"}}")
#define ENTRY(name, type, length)                                                                  \
    "{\"pathSuffix\":\"" name "\",\"type\":\"" type "\",\"length\":" length                        \
    ",\"modificationTime\":1795783183169}"
#define THERE           STATUS("200 OK", "{\"FileStatus\":" ENTRY("", "DIRECTORY", "0") "}")
#define FILE_OF(length) STATUS("200 OK", "{\"FileStatus\":" ENTRY("", "FILE", length) "}")
#define PAGE(entries, remaining)                                                                   \
    STATUS("200 OK", "{\"DirectoryListing\":{\"partialListing\":{\"FileStatuses\":{\"FileStatus\"" \
                     ":[" entries "]}},\"remainingEntries\":" remaining "}}")
#define SILENCE "silence"
#define WENT_ON STATUS("201 Created", "")

static void serve(int fd)
{
    static char request[1 << 16];
    size_t len = 0, body = 0;
    const char *end = NULL, *answer = MISSING;
    char redirect[400];

    while (!end && len < sizeof request - 1) {
        ssize_t n = recv(fd, request + len, sizeof request - 1 - len, 0);
        if (n <= 0)
            return;
        len += (size_t)n;
        request[len] = 0;
        end = strstr(request, "\r\n\r\n");
    }
    const char *at = strstr(request, "Content-Length: ");
    size_t due = at ? strtoul(at + 16, NULL, 10) : 0,
           got = end ? len - (size_t)(end + 4 - request) : 0;
    for (body = got; body < due;) {
        ssize_t n =
            recv(fd, request, sizeof request - 1 < due - body ? sizeof request - 1 : due - body, 0);
        if (n <= 0)
            return;
        body += (size_t)n;
    }
    pthread_mutex_lock(&script.lock);
    if (script.requests < REQUESTS)
        snprintf(script.seen[script.requests], sizeof script.seen[0], "%.*s",
                 (int)strcspn(request, "\r\n"), body == got ? request : "");
    script.body = body;
    if (script.requests < script.count)
        answer = script.answers[script.requests];
    script.requests++;
    pthread_mutex_unlock(&script.lock);
    if (answer && strcmp(answer, SILENCE) == 0) {
        atomic_store(&over, true);
        while (recv(fd, request, sizeof request, 0) > 0)
            ;
        return;
    }
    if (answer && strcmp(answer, "redirect") == 0) {
        snprintf(redirect, sizeof redirect,
                 "HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nContent-Length: 0\r\n"
                 "Location: http://127.0.0.1:%d/webhdfs/v1/data?node\r\n\r\n",
                 server.port);
        answer = redirect;
    }
    for (size_t left = answer ? strlen(answer) : 0; left > 0;) {
        ssize_t n = send(fd, answer + strlen(answer) - left, left, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        left -= (size_t)n;
    }
    shutdown(fd, SHUT_WR);
}

static const struct leat_remote *remote(void)
{
    return leat_module_find_remote("hdfs")->remote;
}

static void begin(const char *const *answers, size_t count)
{
    const struct leat_env env = {.job = "job", .budget = &budget, .log = &lines, .over = &over};

    atomic_store(&over, false);
    pthread_mutex_lock(&script.lock);
    script.answers = answers;
    script.count = count;
    script.requests = 0;
    pthread_mutex_unlock(&script.lock);
    peer_server_start(&server, serve);
    OK(remote()->open(&env, &fs, &err));
}

static void end(void)
{
    remote()->close(fs);
    peer_server_stop(&server);
    CU_ASSERT_EQUAL(atomic_load(&budget.used), 0);
}

#define BEGIN(...)                                                                                 \
    static const char *const answers[] = {__VA_ARGS__};                                            \
    begin(answers, sizeof answers / sizeof *answers)

static const char *at(const char *path)
{
    static char text[4][300];
    static int next;

    next = (next + 1) % 4;
    snprintf(text[next], sizeof text[next], "hdfs://ann@127.0.0.1:%d%s", server.port, path);
    return text[next];
}

static size_t requests(void)
{
    pthread_mutex_lock(&script.lock);
    size_t n = script.requests;
    pthread_mutex_unlock(&script.lock);
    return n;
}

static size_t body_bytes(void)
{
    pthread_mutex_lock(&script.lock);
    size_t n = script.body;
    pthread_mutex_unlock(&script.lock);
    return n;
}

static bool asked(size_t i, const char *words)
{
    pthread_mutex_lock(&script.lock);
    bool found = strstr(script.seen[i], words);
    if (!found)
        printf("    asked: %s\n", script.seen[i]);
    pthread_mutex_unlock(&script.lock);
    return found;
}

static void names_are_escaped_and_the_user_goes_with_each_request(void)
{
    BEGIN(THERE);
    CU_ASSERT_EQUAL(fs->is_dir(fs, at("/a b/c&d?e#f%/\xc3\xa4")), 1);
    CU_ASSERT(asked(0, "GET /webhdfs/v1/a%20b/c%26d%3Fe%23f%25/%C3%A4?op=GETFILESTATUS"
                       "&user.name=ann HTTP/1.1"));
    end();
}

static void the_first_request_of_a_file_has_no_bytes_and_the_data_node_gets_them(void)
{
    BEGIN("redirect", WENT_ON, "redirect", WENT_ON);
    int fd = fs->create(fs, at("/f"));
    CU_ASSERT_EQUAL(requests(), 0);
    CU_ASSERT_EQUAL(fs->write(fs, fd, "12345", 5), 0);
    CU_ASSERT_EQUAL(fs->sync(fs, fd), 0);
    CU_ASSERT(asked(0, "PUT /webhdfs/v1/f?op=CREATE&overwrite=true&user.name=ann HTTP/1.1"));
    CU_ASSERT_EQUAL(body_bytes(), 5);
    CU_ASSERT_EQUAL(fs->sync(fs, fd), 0);
    CU_ASSERT_EQUAL(requests(), 2); /* nothing new */
    CU_ASSERT_EQUAL(fs->write(fs, fd, "678", 3), 0);
    CU_ASSERT_EQUAL(fs->sync(fs, fd), 0);
    CU_ASSERT(asked(2, "POST /webhdfs/v1/f?op=APPEND&"));
    CU_ASSERT_EQUAL(body_bytes(), 3);
    fs->close(fs, fd);
    CU_ASSERT_EQUAL(requests(), 4);
    end();
}

static void a_piece_whose_answer_is_lost_is_not_sent_again(void)
{
    BEGIN("redirect", NULL);
    int fd = fs->create(fs, at("/f"));
    CU_ASSERT_EQUAL(fs->write(fs, fd, "12345", 5), 0);
    CU_ASSERT(fs->sync(fs, fd) < 0);
    CU_ASSERT(fs->sync(fs, fd) < 0);
    CU_ASSERT(fs->write(fs, fd, "678", 3) < 0);
    fs->close(fs, fd);
    CU_ASSERT_EQUAL(requests(), 2);
    CU_ASSERT_EQUAL(leat_fs_sync_failed(&err, -ECONNRESET, at("/f")), LEAT_E_IO);
    CU_ASSERT_EQUAL(leat_fs_sync_failed(&err, -ECONNRESET, "/f"), LEAT_E_BROKEN);
    end();
}

static void an_empty_file_is_made_with_its_directory_unless_that_is_removed(void)
{
    BEGIN("redirect", WENT_ON, YES);
    fs->close(fs, fs->create(fs, at("/d/empty")));
    fs->close(fs, fs->create(fs, at("/d2/empty")));
    CU_ASSERT_EQUAL(requests(), 0);
    CU_ASSERT_EQUAL(fs->sync_dir(fs, at("/d")), 0);
    CU_ASSERT(asked(0, "PUT /webhdfs/v1/d/empty?op=CREATE"));
    CU_ASSERT_EQUAL(fs->remove_tree(fs, at("/d2")), 0);
    CU_ASSERT(asked(2, "DELETE /webhdfs/v1/d2?op=DELETE&recursive=true"));
    CU_ASSERT_EQUAL(fs->sync_dir(fs, at("/d2")), 0);
    CU_ASSERT_EQUAL(requests(), 3);
    end();
}

static void a_part_that_was_empty_so_far_keeps_the_bytes_it_gets_later(void)
{
    BEGIN("redirect", WENT_ON);
    fs->close(fs, fs->create(fs, at("/d/part")));
    int fd = fs->append(fs, at("/d/part"));
    CU_ASSERT_EQUAL(fs->write(fs, fd, "12345", 5), 0);
    CU_ASSERT_EQUAL(fs->sync(fs, fd), 0);
    fs->close(fs, fd);
    CU_ASSERT_EQUAL(fs->sync_dir(fs, at("/d")), 0);
    CU_ASSERT_EQUAL(requests(), 2); /* it is not made anew, empty */
    end();
}

static void a_rename_that_is_not_answered_is_looked_for(void)
{
    BEGIN(NULL, MISSING, THERE);
    CU_ASSERT_EQUAL(fs->rename(fs, at("/a"), at("/b c")), 0);
    CU_ASSERT(asked(0, "PUT /webhdfs/v1/a?op=RENAME&user.name=ann&destination=/b%20c "));
    CU_ASSERT_EQUAL(requests(), 3);
    end();
}

static void a_rename_that_was_not_done_is_a_failure(void)
{
    BEGIN(NULL, THERE, MISSING, NO, THERE, THERE, NO, MISSING, MISSING, NULL, MISSING, MISSING);
    CU_ASSERT(fs->rename(fs, at("/a"), at("/b")) < 0);
    CU_ASSERT_EQUAL(fs->rename(fs, at("/a"), at("/b")), -EEXIST);
    CU_ASSERT_EQUAL(fs->rename(fs, at("/a"), at("/b")), -ENOENT);
    CU_ASSERT(fs->rename(fs, at("/a"), at("/b")) < 0);
    end();
}

static void what_hdfs_refuses_has_a_number_of_its_own(void)
{
#define REFUSED(name)                                                                              \
    STATUS("403 Forbidden",                                                                        \
           "{\"RemoteException\":{\"exception\":\"" name "\",\"message\":\"no\\nat\"}}")
    BEGIN(REFUSED("AccessControlException"), REFUSED("DSQuotaExceededException"),
          REFUSED("SafeModeException"), MISSING, STATUS("404 Not Found", "<html>"),
          STATUS("401 Unauthorized", ""), STATUS("500 Oops", ""));
    CU_ASSERT_EQUAL(fs->mkdir(fs, at("/a")), -EACCES);
    CU_ASSERT_EQUAL(fs->mkdir(fs, at("/a")), -EDQUOT);
    CU_ASSERT_EQUAL(fs->mkdir(fs, at("/a")), -EREMOTEIO);
    CU_ASSERT_EQUAL(fs->length(fs, at("/a")), -ENOENT);
    CU_ASSERT_EQUAL(fs->length(fs, at("/a")), -EREMOTEIO); /* another server: not "missing" */
    CU_ASSERT_EQUAL(fs->length(fs, at("/a")), -EACCES);
    CU_ASSERT_EQUAL(fs->length(fs, at("/a")), -EREMOTEIO);
    end();
}

static void hostile_answers_are_failures(void)
{
    static char endless[HDFS_REPLY_BYTES + 2000];
    static const char *const answers[] = {
        STATUS("200 OK", ""),
        STATUS("200 OK", "{"),
        STATUS("200 OK", "[]"),
        STATUS("200 OK", "{\"FileStatus\":3}"),
        STATUS("200 OK", "{\"FileStatus\":" ENTRY("a/b", "FILE", "1") "}"),
        STATUS("200 OK", "{\"FileStatus\":" ENTRY("..", "FILE", "1") "}"),
        STATUS("200 OK", "{\"FileStatus\":" ENTRY("a\\u0000b", "FILE", "1") "}"),
        STATUS("200 OK", "{\"FileStatus\":" ENTRY("", "SYMLINK", "1") "}"),
        FILE_OF("-1"),
        FILE_OF("1e3"),
        FILE_OF("99999999999999999999"),
        endless,
        "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{}",
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: file:///etc/passwd\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        NULL,
    };
    memset(endless, ' ', sizeof endless - 1);
    memcpy(endless, STATUS("200 OK", ""), strlen(STATUS("200 OK", "")));
    begin(answers, sizeof answers / sizeof *answers);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        int64_t result = fs->length(fs, at("/f"));
        CU_ASSERT(result < 0 && result != -ENOENT);
    }
    CU_ASSERT_EQUAL(requests(), sizeof answers / sizeof *answers);
    end();
}

static void a_redirect_leads_to_another_server_over_http_and_nowhere_else(void)
{
    char into[10];
    BEGIN("HTTP/1.1 307 Temporary Redirect\r\nLocation: file:///etc/passwd\r\n\r\n", FILE_OF("10"),
          "HTTP/1.1 307 Temporary Redirect\r\n\r\n", FILE_OF("10"), "redirect", "redirect",
          FILE_OF("10"));
    for (int i = 0; i < 3; i++)
        CU_ASSERT(fs->read(fs, at("/f"), 0, into, sizeof into) < 0);
    CU_ASSERT_EQUAL(requests(), 7);
    end();
}

static void a_read_is_never_longer_than_asked_for_and_short_at_the_end_only(void)
{
    char into[10];
    BEGIN("redirect", STATUS("200 OK", "0123456789"),                 /* all of it */
          "redirect", STATUS("200 OK", "0123456789x"), FILE_OF("20"), /* more */
          "redirect", STATUS("200 OK", "01234"), FILE_OF("20"),       /* it broke off */
          "redirect", STATUS("200 OK", "01234"), FILE_OF("20"),       /* the end */
          STATUS("403 Forbidden", "{\"RemoteException\":{\"exception\":\"IOException\",\"message\":"
                                  "\"Offset=21 out of\"}}"),
          FILE_OF("20"), /* behind the end */
          "redirect", STATUS("200 OK", "01234"), MISSING);
    CU_ASSERT_EQUAL(fs->read(fs, at("/f"), 0, into, sizeof into), 10);
    CU_ASSERT(asked(0, "op=OPEN&offset=0&length=10&"));
    CU_ASSERT_EQUAL(memcmp(into, "0123456789", 10), 0);
    CU_ASSERT(fs->read(fs, at("/f"), 0, into, sizeof into) < 0);
    CU_ASSERT_EQUAL(fs->read(fs, at("/f"), 0, into, sizeof into), -EIO);
    CU_ASSERT_EQUAL(fs->read(fs, at("/f"), 15, into, sizeof into), 5);
    CU_ASSERT_EQUAL(fs->read(fs, at("/f"), 21, into, sizeof into), 0);
    CU_ASSERT_EQUAL(fs->read(fs, at("/f"), 0, into, sizeof into), -ENOENT);
    end();
}

struct listed {
    char names[200];
    int64_t bytes, changed_ms;
};

static bool note(const struct leat_fs_entry *e, void *arg)
{
    struct listed *l = arg;

    strcat(strcat(l->names, e->name), e->is_dir ? "/ " : " ");
    l->bytes += e->length;
    l->changed_ms = e->changed_ms;
    return true;
}

static void a_directory_is_read_page_by_page(void)
{
    struct listed l = {0};
    BEGIN(PAGE(ENTRY("a", "FILE", "5") "," ENTRY("b", "DIRECTORY", "0"), "1"),
          PAGE(ENTRY("c d", "FILE", "7"), "0"));
    CU_ASSERT_EQUAL(fs->list(fs, at("/dir"), note, &l), 0);
    CU_ASSERT_STRING_EQUAL(l.names, "a b/ c d ");
    CU_ASSERT_EQUAL(l.bytes, 12);
    CU_ASSERT_EQUAL(l.changed_ms, 1795783183169);
    CU_ASSERT(asked(1, "startAfter=b "));
    end();
}

static void pages_that_never_end_are_a_failure(void)
{
    struct listed l = {0};
    BEGIN(PAGE(ENTRY("a", "FILE", "1"), "9"), PAGE(ENTRY("a", "FILE", "1"), "9"), PAGE("", "9"),
          PAGE(ENTRY("x", "FILE", "1"), "-1"));
    CU_ASSERT_EQUAL(fs->list(fs, at("/dir"), note, &l), -EPROTO);
    CU_ASSERT_EQUAL(requests(), 2);
    CU_ASSERT_EQUAL(fs->list(fs, at("/dir"), note, &l), -EPROTO);
    CU_ASSERT_EQUAL(fs->list(fs, at("/dir"), note, &l), -EPROTO);
    end();
}

static void a_path_names_host_and_port_and_no_part_of_it_is_odd(void)
{
    static const char *const good[] = {"hdfs://nn:9870", "hdfs://nn:9870/", "hdfs://nn:1/a/b.c/",
                                       "hdfs://u.s-e_r$@nn-1.x:65535/a", "hdfs://[::1]:9870/a"};
    static const char *const bad[] = {"/a",
                                      "hdfs:/a",
                                      "hdfs://nn/a",
                                      "hdfs://nn:/a",
                                      "hdfs://:1/a",
                                      "hdfs://nn:0/a",
                                      "hdfs://nn:65536/a",
                                      "hdfs://nn:1x/a",
                                      "hdfs://@nn:1",
                                      "hdfs://a b@n:1",
                                      "hdfs://nn:1//a",
                                      "hdfs://nn:1/a//b",
                                      "hdfs://nn:1/.",
                                      "hdfs://nn:1/a/../b",
                                      "hdfs://n\n:1/a",
                                      "hdfs://a@b@nn:1/a"};
    struct hdfs_place place;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        OK(hdfs_place_read(good[i], &place, &err));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (remote()->check(bad[i], &err) != LEAT_E_CONFIG)
            CU_FAIL_FATAL(bad[i]);
    }
    OK(hdfs_place_read("hdfs://me@[::1]:9870/a", &place, &err));
    CU_ASSERT_STRING_EQUAL(place.user, "me");
    CU_ASSERT_STRING_EQUAL(place.address, "[::1]:9870");
    CU_ASSERT_STRING_EQUAL(place.path, "/a");
}

static void a_request_that_is_not_answered_gives_way_when_the_job_is_to_end(void)
{
    BEGIN(SILENCE, SILENCE, FILE_OF("5"), "redirect", SILENCE);

    CU_ASSERT_EQUAL(fs->length(fs, at("/f")), -ECANCELED);
    CU_ASSERT_EQUAL(fs->mkdir(fs, at("/d")), -ECANCELED);
    CU_ASSERT_EQUAL(fs->length(fs, at("/f")), 5); /* what is answered is not cut short */
    int fd = fs->create(fs, at("/f"));
    CU_ASSERT_EQUAL_FATAL(fd >= 0, true);
    CU_ASSERT_EQUAL(fs->write(fs, fd, "12345", 5), 0);
    CU_ASSERT_EQUAL(fs->sync(fs, fd), -ECANCELED);
    fs->close(fs, fd);
    end();
}

static void an_answer_for_which_there_is_no_memory_is_not_called_wrong(void)
{
    BEGIN(YES, FILE_OF("5"),
          STATUS("403 Forbidden", "{\"RemoteException\":{\"exception\":\"X\"}}"));
    size_t cap = budget.cap;

    budget.cap = 0;
    CU_ASSERT_EQUAL(fs->mkdir(fs, at("/d")), -ENOSPC);
    CU_ASSERT_EQUAL(fs->length(fs, at("/f")), -ENOSPC);
    CU_ASSERT_EQUAL(fs->length(fs, at("/f")), -ENOSPC);
    budget.cap = cap;
    end();
}

static void without_memory_nothing_is_lost_but_the_call(void)
{
    static const char *const answers[] = {"redirect", WENT_ON, PAGE(ENTRY("a", "FILE", "5"), "0"),
                                          FILE_OF("5")};
    const struct leat_env env = {.job = "job", .budget = &budget, .log = &lines};

    begin(answers, 0);
    remote()->close(fs);
    LEAT_OOM_SWEEP {
        struct listed l = {0};
        pthread_mutex_lock(&script.lock);
        script.answers = answers;
        script.count = sizeof answers / sizeof *answers;
        script.requests = 0;
        pthread_mutex_unlock(&script.lock);
        if (remote()->open(&env, &fs, &err) != LEAT_OK)
            continue;
        int fd = fs->create(fs, at("/f"));
        if (fd >= 0 && fs->write(fs, fd, "12345", 5) == 0)
            (void)fs->sync(fs, fd);
        if (fd >= 0)
            fs->close(fs, fd);
        fd = fs->create(fs, at("/empty"));
        if (fd >= 0)
            fs->close(fs, fd);
        if (fs->list(fs, at("/"), note, &l) == 0)
            CU_ASSERT_NOT_EQUAL(fs->length(fs, at("/f")), -EMSGSIZE);
        remote()->close(fs);
        CU_ASSERT_EQUAL(atomic_load(&budget.used), 0);
    }
    peer_server_stop(&server);
}

LEAT_TESTS("hdfs", T(names_are_escaped_and_the_user_goes_with_each_request),
           T(the_first_request_of_a_file_has_no_bytes_and_the_data_node_gets_them),
           T(a_piece_whose_answer_is_lost_is_not_sent_again),
           T(an_empty_file_is_made_with_its_directory_unless_that_is_removed),
           T(a_part_that_was_empty_so_far_keeps_the_bytes_it_gets_later),
           T(a_rename_that_is_not_answered_is_looked_for),
           T(a_rename_that_was_not_done_is_a_failure), T(what_hdfs_refuses_has_a_number_of_its_own),
           T(hostile_answers_are_failures),
           T(a_redirect_leads_to_another_server_over_http_and_nowhere_else),
           T(a_read_is_never_longer_than_asked_for_and_short_at_the_end_only),
           T(a_directory_is_read_page_by_page), T(pages_that_never_end_are_a_failure),
           T(a_path_names_host_and_port_and_no_part_of_it_is_odd),
           T(a_request_that_is_not_answered_gives_way_when_the_job_is_to_end),
           T(an_answer_for_which_there_is_no_memory_is_not_called_wrong),
           T(without_memory_nothing_is_lost_but_the_call))
