#include "file_lines.h"

#define LOOK_BYTES ((size_t)4096)

static uint32_t about(const char *bytes, size_t len)
{
    size_t look = len < LOOK_BYTES ? len : LOOK_BYTES, count = 1;

    for (size_t i = 0; i < look; i++)
        count += bytes[i] == '\n';
    return (uint32_t)(look ? len * count / look : 1);
}

struct leat_slice file_lines_take(const char *bytes, size_t len, uint32_t most, uint32_t *rows)
{
    const char *at = bytes, *end = bytes + len;

    *rows = most ? 0 : about(bytes, len);
    for (; at < end && *rows < most; ++*rows) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        at = line_end ? line_end + 1 : end;
    }
    return (struct leat_slice){bytes, most ? (size_t)(at - bytes) : len};
}
