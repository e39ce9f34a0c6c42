/*
 * container_reader.h - what the formats share that read files as containers (container.h): a
 * header, then frames, with a marker that says where one begins or ends.
 *
 * A frame has one position for each of its records. What is damaged inside has the positions of all
 * of them; what is no frame, up to the next marker, has one. Either is read as one error, at the
 * first of them: so positions depend on the bytes of the file alone, however it is read. A file is
 * read straight on; another position is gone to from the beginning, without unpacking what lies
 * before it. All of it on the thread that fetches.
 */
#ifndef LEAT_DATA_CONTAINER_READER_H
#define LEAT_DATA_CONTAINER_READER_H

#include "data/container.h"

#define LEAT_CONTAINER_WINDOW  ((size_t)64 * 1024)        /* of the file, in memory */
#define LEAT_CONTAINER_STRETCH ((size_t)64 * 1024 * 1024) /* that a marker is looked for in */
#define LEAT_CONTAINER_MARK    20                         /* longest marker */
#define LEAT_CONTAINER_WHY     600                        /* longest text about damage */

enum leat_frame_kind {
    LEAT_FRAME_GOOD,
    LEAT_FRAME_MARK, /* a marker between records */
    LEAT_FRAME_DAMAGED,
    LEAT_FRAME_END,  /* there is nothing more */
    LEAT_FRAME_WAIT, /* there is something that is not whole yet */
};

struct leat_frame {
    enum leat_frame_kind kind;
    int64_t at, end; /* its bytes */
    uint32_t count;  /* positions that it has */
    struct {
        int64_t at;
        uint32_t bytes;
    } parts[4];      /* GOOD: where its records are, as the format has it */
    const char *why; /* DAMAGED */
};

struct leat_container_reader;

/* In what formats differ. */
struct leat_container_kind {
    const char *name;   /* in texts about damage */
    size_t size;        /* of a reader, a struct leat_container_reader in front */
    size_t head_bytes;  /* longest header, a number of MiB */
    size_t front_bytes; /* that next() gets */
    size_t mark_bytes;
    bool mark_ends;      /* a marker ends a frame, and so the damage in front of it */
    size_t damage_front; /* bytes in front of the text of a damage in a leat_block */

    /* Of the bytes that the file begins with: sets mark, begin and coding. LEAT_E_FULL: the header
     * goes on behind them; LEAT_E_CORRUPT, LEAT_E_CONFIG: it is none, or cannot be used. */
    enum leat_status (*head)(struct leat_container_reader *r, struct leat_slice bytes,
                             struct leat_error *err);

    /* What begins at frame->at with `front`: front_bytes, fewer only at the end of the file, one at
     * least. Borrowed until the next look. */
    enum leat_status (*next)(struct leat_container_reader *r, struct leat_slice front,
                             struct leat_frame *frame, struct leat_error *err);

    /* Append the records of a GOOD frame, those from position `from` on at least.
     * LEAT_E_CORRUPT: they are damaged; what was appended is taken back. */
    enum leat_status (*add)(struct leat_container_reader *r, struct leat_block **b, int64_t from,
                            const struct leat_frame *frame, struct leat_error *err);

    /* Since `at` there are in the block the room of damage_front, `text` bytes that say what is
     * wrong, and some of the file: that becomes the error of these positions. */
    void (*damage)(struct leat_block *b, size_t at, int64_t position, uint32_t count,
                   uint32_t text);
};

struct leat_container_reader {
    const struct leat_container_kind *kind;
    const void *self;
    struct leat_budget *budget;
    const struct leat_coding *coding;
    uint32_t damage_bytes;           /* that the row of a damage has at most */
    struct leat_container_file file; /* set anew for each call from outside */
    bool whole;                      /* nobody writes it any more */
    char mark[LEAT_CONTAINER_MARK];
    char *window; /* the bytes of the file from window_at on */
    size_t window_len;
    int64_t window_at;
    bool has_head, is_broken;     /* no record of it can be read */
    char why[LEAT_CONTAINER_WHY]; /* is_broken */
    int64_t begin;                /* where the first frame is */
    int64_t at, first;            /* the next frame, and its first position */
};

/* ---- what leat_container asks for; open() and whole() with the format's kind in front */

/* `coding`: of a block with nothing but damage. NULL: no memory. */
LEAT_API void *leat_container_reader_open(const struct leat_container_kind *kind, const void *self,
                                          const struct leat_env *env,
                                          const struct leat_coding *coding);
LEAT_API void leat_container_reader_close(void *reader);
LEAT_API enum leat_status
leat_container_reader_fetch(void *reader, const struct leat_container_file *file, int64_t from,
                            size_t max_bytes, uint32_t max_rows, bool whole,
                            struct leat_block **block, struct leat_error *err);
LEAT_API enum leat_status leat_container_reader_whole(const struct leat_container_kind *kind,
                                                      const void *self,
                                                      const struct leat_container_file *file,
                                                      int64_t *end, struct leat_error *err);

/* ---- for the functions of a kind */

/* `n` bytes of the file at `at`, borrowed until the next call; fewer only at its end. n is at most
 * LEAT_CONTAINER_WINDOW. */
LEAT_API LEAT_CHECKED enum leat_status leat_container_look(struct leat_container_reader *r,
                                                           int64_t at, size_t n,
                                                           struct leat_slice *bytes,
                                                           struct leat_error *err);

/* Where the next marker begins, from `from` on and below from + LEAT_CONTAINER_STRETCH; *found
 * false: at *at is the end of the file (*at_end), or of that stretch, with what may be the
 * beginning of one. */
LEAT_API LEAT_CHECKED enum leat_status leat_container_mark(struct leat_container_reader *r,
                                                           int64_t from, int64_t *at, bool *found,
                                                           bool *at_end, struct leat_error *err);

/* At frame->at is nothing that fits. That is damage up to the next marker, which may begin at
 * `from`. Where there is none yet and the file is still written, that is waited for, so that the
 * damage ends at the same place whenever it is read. */
LEAT_API LEAT_CHECKED enum leat_status leat_container_damaged(struct leat_container_reader *r,
                                                              int64_t from, const char *why,
                                                              struct leat_frame *frame,
                                                              struct leat_error *err);

/* Room for `bytes` more in an open block, which becomes at least twice as large. */
LEAT_API LEAT_CHECKED enum leat_status leat_container_room(struct leat_block **b, size_t bytes,
                                                           struct leat_error *err);

#endif
