/*
 * zone.h - time zones: "UTC", fixed offsets ("+02:00"), names of the system's zone files.
 *
 * A zone is read once (TZif files, RFC 8536, versions 1 to 4, below /usr/share/zoneinfo) and
 * immutable afterwards, so any number of threads may use it; libc's zone, which is one for the
 * whole process, is not touched. A name can only lead to a file inside that folder.
 */
#ifndef LEAT_EXPR_ZONE_H
#define LEAT_EXPR_ZONE_H

#include "base/arena.h"

#include <stdint.h>

#define LEAT_ZONE_NAME_BYTES 64

struct leat_zone;

extern const struct leat_zone leat_zone_utc;

/* "UTC", "Z", an offset or a name ("Europe/Paris"). What is made lives in arena. NULL: *why says
 * what is wrong (constant text; NULL: out of memory). Reads a file: for plans and caches, not for
 * each record. */
const struct leat_zone *leat_zone_open(struct leat_slice name, struct leat_arena *arena,
                                       const char **why);
/* The same from a zone file's bytes, which are not needed afterwards. */
const struct leat_zone *leat_zone_read(struct leat_slice tzif, struct leat_arena *arena,
                                       const char **why);

/* Seconds east of Greenwich at this moment (seconds since 1970); *abbreviation ("CEST", "" when
 * there is none) may be NULL and lives as long as the zone. */
int32_t leat_zone_offset(const struct leat_zone *z, int64_t seconds, const char **abbreviation);

/* The moment at which clocks there show `local` (seconds since 1970 as if it were UTC). Shown
 * twice: the first; never shown (clocks went forward): as much later as they went. */
int64_t leat_zone_to_utc(const struct leat_zone *z, int64_t local);

/* Zones that only a record's data names: a few dozen are kept, mistakes too. One per worker. */
struct leat_zones;
struct leat_zones *leat_zones_new(void); /* NULL: out of memory */
void leat_zones_free(struct leat_zones *zones);
/* Valid until as many other names were asked for as are kept (16 at least). NULL: see *why, as
 * above. */
const struct leat_zone *leat_zones_find(struct leat_zones *zones, struct leat_slice name,
                                        const char **why);

#endif
