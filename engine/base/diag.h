/*
 * diag.h - everything that is wrong with one pipeline file, collected before anything is said.
 *
 * Whoever finds a mistake adds it and goes on, so that the user sees all of them at once.
 * config/message.c prints them with source line, caret and hint; order is that of the file.
 */
#ifndef LEAT_BASE_DIAG_H
#define LEAT_BASE_DIAG_H

#include "base/arena.h"
#include "base/node.h"

enum leat_severity { LEAT_SEVERITY_ERROR, LEAT_SEVERITY_WARNING };

struct leat_diag {
    struct leat_diag *next;
    enum leat_severity severity;
    struct leat_mark mark;
    struct leat_slice text; /* "unknown field 'ammount'" */
    struct leat_slice hint; /* "did you mean 'amount'?"; shown behind the caret; may be empty */
    struct leat_slice path; /* path in the file; may be empty */
    struct leat_slice note; /* shown behind the path; may be empty */
    /* Whose value is wrong, where the text does not name it since a line of the file shows it: for
     * who shows no lines. May be empty. */
    struct leat_slice option;
};

#define LEAT_DIAGS_MAX 100 /* further ones are only counted */

/* Where a secret stands in the file: its characters are not shown in a source line. */
struct leat_secret {
    struct leat_secret *next;
    struct leat_mark mark;
};

struct leat_diags {
    struct leat_arena *arena; /* set by the owner; lives as long as the diagnostics */
    struct leat_diag *first, *last;
    uint32_t errors, warnings, kept;
    bool no_memory; /* something could not be noted */
    struct leat_secret *secrets;
    struct leat_diag spare; /* given out when there is no memory or no room for another */
};

/* Add an error about `node` (NULL: about the file as a whole), underlining all of it. Returns the
 * diagnostic, for hint and note; never NULL (a spare one that nobody prints when memory is out or
 * there are LEAT_DIAGS_MAX already; it is counted all the same). */
LEAT_API LEAT_PRINTF(3, 4) struct leat_diag *leat_diag_error(struct leat_diags *all,
                                                             const struct leat_node *node,
                                                             const char *fmt, ...);
LEAT_API LEAT_PRINTF(3, 4) struct leat_diag *leat_diag_warn(struct leat_diags *all,
                                                            const struct leat_node *node,
                                                            const char *fmt, ...);
/* The same about bytes [at, at + len) of a scalar's text, or about its key. */
LEAT_API LEAT_PRINTF(5, 6) struct leat_diag *leat_diag_error_at(struct leat_diags *all,
                                                                const struct leat_node *node,
                                                                size_t at, size_t len,
                                                                const char *fmt, ...);
LEAT_API LEAT_PRINTF(3, 4) struct leat_diag *leat_diag_error_key(struct leat_diags *all,
                                                                 const struct leat_node *node,
                                                                 const char *fmt, ...);

LEAT_API LEAT_PRINTF(3, 4) void leat_diag_hint(struct leat_diags *all, struct leat_diag *d,
                                               const char *fmt, ...);
LEAT_API LEAT_PRINTF(3, 4) void leat_diag_note(struct leat_diags *all, struct leat_diag *d,
                                               const char *fmt, ...);

/* "did you mean 'x'?" for the candidate nearest to `name`, when one is near (Damerau-Levenshtein,
 * at most a third of its length). False: none is. */
LEAT_API bool leat_diag_did_you_mean(struct leat_diags *all, struct leat_diag *d,
                                     struct leat_slice name, const struct leat_slice *candidates,
                                     size_t count);

/* The same; when none is near, all of them, when they fit into a line. */
LEAT_API void leat_diag_nearest(struct leat_diags *all, struct leat_diag *d, struct leat_slice name,
                                const struct leat_slice *candidates, size_t count);

/* Says what went wrong when the scalar's interpolations were done. False: its value is not known.
 */
LEAT_API bool leat_diag_filled(struct leat_diags *all, const struct leat_node *scalar);

/* What stands at `node` must not be shown when another mistake of its line is. */
LEAT_API void leat_diag_hide(struct leat_diags *all, const struct leat_node *node);

#endif
