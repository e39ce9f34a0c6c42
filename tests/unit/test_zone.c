/* Tests engine/expr/zone.c and zone_rule.c. Needs the tz database for the tests that name places.
 */
#include "expr/zone.h"

#include "base/mem.h"
#include "data/time_text.h"
#include "expr/zone_rule.h"
#include "leat_test.h"

#include <stdio.h>
#include <unistd.h>

static struct leat_arena arena;
static const char *why;

static const struct leat_zone *zone(const char *name)
{
    return leat_zone_open(leat_slice_str(name), &arena, &why);
}

static int64_t at(const char *time)
{
    return leat_timestamp_parse(leat_slice_str(time)).as.i;
}

static int hours(const struct leat_zone *z, const char *time)
{
    return leat_zone_offset(z, at(time), NULL) / 3600;
}

static bool have_database(void)
{
    return access("/usr/share/zoneinfo/Europe/Paris", R_OK) == 0;
}

static void fixed_offsets_need_no_file(void)
{
    const char *name;

    CU_ASSERT_EQUAL(leat_zone_offset(zone("UTC"), 0, &name), 0);
    CU_ASSERT_STRING_EQUAL(name, "UTC");
    CU_ASSERT_EQUAL(leat_zone_offset(zone("+02:00"), 0, &name), 7200);
    CU_ASSERT_STRING_EQUAL(name, "");
    CU_ASSERT_EQUAL(leat_zone_offset(zone("-05:30"), 0, NULL), -19800);
    CU_ASSERT_EQUAL(leat_zone_offset(zone("02:00"), 0, NULL), 7200);
    leat_arena_reset(&arena);
}

static void names_cannot_leave_the_folder(void)
{
    static const char *const bad[] = {
        "",    "/etc/passwd", "../../../etc/passwd", "Europe/../", "Europe/", "Europe//Paris",
        "a.b", "Europe",      "Nowhere/Atlantis",    "tzdata.zi",  " UTC",    "Europe/Paris\n"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_PTR_NULL(zone(bad[i]));
    leat_arena_reset(&arena);
}

static void summer_time_comes_and_goes(void)
{
    const char *name;

    if (!have_database())
        LEAT_SKIP("no tz database");
    const struct leat_zone *paris = zone("Europe/Paris");
    CU_ASSERT_PTR_NOT_NULL_FATAL(paris);
    CU_ASSERT_EQUAL(hours(paris, "2026-01-15T00:00:00Z"), 1);
    CU_ASSERT_EQUAL(hours(paris, "2026-03-29T00:59:59Z"), 1);
    CU_ASSERT_EQUAL(hours(paris, "2026-03-29T01:00:00Z"), 2);
    CU_ASSERT_EQUAL(hours(paris, "2026-10-25T00:59:59Z"), 2);
    CU_ASSERT_EQUAL(hours(paris, "2026-10-25T01:00:00Z"), 1);
    CU_ASSERT_EQUAL(hours(paris, "2500-07-01T00:00:00Z"), 2); /* by the rule at the foot */
    CU_ASSERT_EQUAL(leat_zone_offset(paris, at("1850-01-01T00:00:00Z"), &name), 561);
    CU_ASSERT_STRING_EQUAL(name, "LMT");
    const struct leat_zone *sydney = zone("Australia/Sydney");
    CU_ASSERT_EQUAL(hours(sydney, "2300-01-15T00:00:00Z"), 11);
    CU_ASSERT_EQUAL(hours(sydney, "2300-07-15T00:00:00Z"), 10);
    CU_ASSERT_EQUAL(hours(zone("US/Central"), "2009-02-13T23:31:30Z"), -6);
    CU_ASSERT_EQUAL(hours(zone("Asia/Tokyo"), "2100-01-01T00:00:00Z"), 9);
    leat_arena_reset(&arena);
}

static void local_times_have_one_answer(void)
{
    if (!have_database())
        LEAT_SKIP("no tz database");
    const struct leat_zone *paris = zone("Europe/Paris");
    CU_ASSERT_EQUAL(leat_zone_to_utc(paris, at("2026-07-01T12:00:00Z")),
                    at("2026-07-01T10:00:00Z"));
    CU_ASSERT_EQUAL(leat_zone_to_utc(paris, at("2026-01-01T00:00:00Z")),
                    at("2025-12-31T23:00:00Z"));
    /* shown twice: the first; never shown: an hour later */
    CU_ASSERT_EQUAL(leat_zone_to_utc(paris, at("2026-10-25T02:30:00Z")),
                    at("2026-10-25T00:30:00Z"));
    CU_ASSERT_EQUAL(leat_zone_to_utc(paris, at("2026-03-29T02:30:00Z")),
                    at("2026-03-29T01:30:00Z"));
    leat_arena_reset(&arena);
}

static void rules_of_every_kind(void)
{
    struct zone_rule r;
    const char *name;

    CU_ASSERT(zone_rule_parse(LEAT_LIT("<+0330>-3:30"), &r));
    CU_ASSERT_EQUAL(zone_rule_offset(&r, 0, &name), 12600);
    CU_ASSERT_STRING_EQUAL(name, "+0330");
    CU_ASSERT(zone_rule_parse(LEAT_LIT("EST5EDT,J60/0,299/24"), &r));
    CU_ASSERT_EQUAL(zone_rule_offset(&r, at("2024-03-01T04:59:59Z"), &name), -5 * 3600);
    CU_ASSERT_EQUAL(zone_rule_offset(&r, at("2024-03-01T05:00:00Z"), &name), -4 * 3600);
    CU_ASSERT_EQUAL(zone_rule_offset(&r, at("2025-03-01T05:00:00Z"), &name), -4 * 3600);
    CU_ASSERT(zone_rule_parse(LEAT_LIT("IST-1GMT0,M10.5.0,M3.5.0/1"), &r)); /* Dublin */
    CU_ASSERT_EQUAL(zone_rule_offset(&r, at("2026-01-01T00:00:00Z"), &name), 0);
    CU_ASSERT_EQUAL(zone_rule_offset(&r, at("2026-07-01T00:00:00Z"), &name), 3600);
    CU_ASSERT(zone_rule_parse(LEAT_LIT("<-02>2<-01>,M3.5.0/-1,M10.5.0/0"), &r)); /* Nuuk */
    static const char *const bad[] = {"",          "CET",      "CET-25",         "CET-1CEST",
                                      "<+03-3",    "A5B,M1.1", "A5B,M13.1.0,J1", "A5B,J0,J1",
                                      "A5B,J1,J2x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(zone_rule_parse(leat_slice_str(bad[i]), &r));
}

static size_t file(const char *path, char *into, size_t room)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(into, 1, room, f) : 0;

    if (f)
        fclose(f);
    return n;
}

static void cut_files_are_refused(void)
{
    static char bytes[65536];
    size_t n = file("/usr/share/zoneinfo/Europe/Paris", bytes, sizeof bytes);

    if (!n)
        LEAT_SKIP("no tz database");
    CU_ASSERT_PTR_NOT_NULL(leat_zone_read((struct leat_slice){bytes, n}, &arena, &why));
    for (size_t cut = 0; cut < n; cut++) {
        CU_ASSERT_PTR_NULL(leat_zone_read((struct leat_slice){bytes, cut}, &arena, &why));
        leat_arena_reset(&arena);
    }
}

static void lack_of_memory_is_told(void)
{
    if (!have_database())
        LEAT_SKIP("no tz database");
    LEAT_OOM_SWEEP {
        struct leat_zones *zones = leat_zones_new();
        const struct leat_zone *z =
            zones ? leat_zones_find(zones, LEAT_LIT("Europe/Paris"), &why) : NULL;
        CU_ASSERT_EQUAL(z != NULL, !leat_oom_hit());
        leat_zones_free(zones);
    }
}

static void names_in_data_are_kept(void)
{
    struct leat_zones *zones = leat_zones_new();
    char name[16];

    CU_ASSERT_PTR_NOT_NULL_FATAL(zones);
    const struct leat_zone *z = leat_zones_find(zones, LEAT_LIT("+01:00"), &why);
    CU_ASSERT_PTR_EQUAL(leat_zones_find(zones, LEAT_LIT("+01:00"), &why), z);
    CU_ASSERT_PTR_NULL(leat_zones_find(zones, LEAT_LIT("Mars/Crater"), &why));
    CU_ASSERT_PTR_NOT_NULL(why);
    CU_ASSERT_PTR_NULL(leat_zones_find(zones, LEAT_LIT(""), &why));
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "+%02d:%02d", i % 24, i / 24);
        z = leat_zones_find(zones, leat_slice_str(name), &why);
        CU_ASSERT_PTR_NOT_NULL_FATAL(z);
        CU_ASSERT_EQUAL(leat_zone_offset(z, 0, NULL), i % 24 * 3600 + i / 24 * 60);
    }
    leat_zones_free(zones);
    leat_zones_free(NULL);
}

LEAT_TESTS("zone", T(fixed_offsets_need_no_file), T(names_cannot_leave_the_folder),
           T(summer_time_comes_and_goes), T(local_times_have_one_answer), T(rules_of_every_kind),
           T(cut_files_are_refused), T(lack_of_memory_is_told), T(names_in_data_are_kept))
