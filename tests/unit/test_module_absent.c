/* Tests base/module_load.c: what is said of modules that leat knows and that are not there. */
#include "leat_test.h"

#include "base/module.h"

static struct leat_error err;

const struct leat_module_known leat_modules_known[] = {
    {"source", "radio", "libradio, libwave"},
    {"source", "lamp", NULL},
    {"sink", "sink-lamp", NULL},
    {"sink", "bell", "libbell"},
    {"language", "moon", "libmoon"},
    {0},
};

static void a_library_that_was_missing_at_build_time_is_named(void)
{
    CU_ASSERT_FATAL(leat_module_is_absent("source", "radio", &err));
    CU_ASSERT_STRING_EQUAL(err.text, "is not built in: leat was built without libradio, libwave");
    CU_ASSERT_EQUAL(err.status, LEAT_E_CONFIG);
    CU_ASSERT(leat_module_is_absent("language", "moon", &err));
    CU_ASSERT_STRING_EQUAL(err.text, "is not built in: leat was built without libmoon");
    CU_ASSERT(leat_module_is_absent("sink", "bell", &err));
    CU_ASSERT_STRING_EQUAL(err.text, "is not built in: leat was built without libbell");
}

static void a_file_that_is_not_there_is_named(void)
{
    CU_ASSERT_FATAL(leat_module_is_absent("source", "lamp", &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is not installed: there is no "));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'lamp.so'"));
    CU_ASSERT_FATAL(leat_module_is_absent("sink", "lamp", &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'sink-lamp.so'"));
}

static void a_folder_that_was_named_is_the_one_that_is_looked_into(void)
{
    leat_modules_from("/nowhere");
    CU_ASSERT_FATAL(leat_module_is_absent("source", "lamp", &err));
    CU_ASSERT_STRING_EQUAL(err.text,
                           "is not installed: there is no folder '/nowhere' with 'lamp.so'; "
                           "leat_set() of \"modules\" names another folder");
    leat_modules_from("/");
    CU_ASSERT_FATAL(leat_module_is_absent("source", "lamp", &err));
    CU_ASSERT_STRING_EQUAL(err.text,
                           "is not installed: there is no 'lamp.so' in '/'; leat_set() of "
                           "\"modules\" names another folder");
    leat_modules_from(NULL);
    CU_ASSERT_FATAL(leat_module_is_absent("source", "lamp", &err));
    CU_ASSERT_PTR_NULL(strstr(err.text, "leat_set"));
}

static void what_leat_does_not_know_is_not_absent(void)
{
    CU_ASSERT_FALSE(leat_module_is_absent("source", "lam", &err));
    CU_ASSERT_FALSE(leat_module_is_absent("source", "sink-lamp", &err));
    CU_ASSERT_FALSE(leat_module_is_absent("source", "bell", &err));
    CU_ASSERT_FALSE(leat_module_is_absent("sink", "radio", &err));
    CU_ASSERT_FALSE(leat_module_is_absent("format", "lamp", &err));
}

LEAT_TESTS("module_absent", T(a_library_that_was_missing_at_build_time_is_named),
           T(a_file_that_is_not_there_is_named),
           T(a_folder_that_was_named_is_the_one_that_is_looked_into),
           T(what_leat_does_not_know_is_not_absent))
