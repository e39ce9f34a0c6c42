/* Tests engine/base/fs.c. */
#include "base/fs.h"

#include "leat_test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct leat_fs *fs = &leat_fs_posix;
static char path[256];

static const char *in_dir(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", leat_test_dir(), name);
    return path;
}

static void put(const char *name, const char *text)
{
    int fd = fs->create(fs, in_dir(name));

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(fs->write(fs, fd, text, strlen(text)), 0);
    CU_ASSERT_EQUAL(fs->sync(fs, fd), 0);
    fs->close(fs, fd);
}

static void a_file_can_be_cut_and_written_on(void)
{
    char text[16] = "";

    put("cut", "hello world");
    CU_ASSERT_EQUAL(fs->truncate(fs, path, 6), 0);
    int fd = fs->append(fs, path);
    CU_ASSERT_EQUAL(fs->write(fs, fd, "you", 3), 0);
    fs->close(fs, fd);
    CU_ASSERT_EQUAL(fs->length(fs, path), 9);
    CU_ASSERT_EQUAL(fs->read(fs, path, 0, text, sizeof text), 9);
    CU_ASSERT_STRING_EQUAL(text, "hello you");
    CU_ASSERT_EQUAL(fs->read(fs, path, 9, text, sizeof text), 0);
    CU_ASSERT_EQUAL(fs->append(fs, in_dir("absent")), -ENOENT);
    CU_ASSERT_EQUAL(fs->read(fs, path, 0, text, sizeof text), -ENOENT);
}

static void a_way_over_a_link_is_not_below(void)
{
    char root[sizeof path];

    snprintf(root, sizeof root, "%s", in_dir("below"));
    CU_ASSERT_EQUAL(leat_fs_make_parents(fs, in_dir("below/real/file")), 0);
    CU_ASSERT_EQUAL(symlink("/tmp", in_dir("below/out")), 0);
    CU_ASSERT_EQUAL(symlink("real", in_dir("below/near")), 0);
    CU_ASSERT_EQUAL(fs->below(fs, root, in_dir("below/real")), 0);
    CU_ASSERT_EQUAL(fs->below(fs, root, in_dir("below/real/new/newer")), 0);
    CU_ASSERT_EQUAL(fs->below(fs, root, in_dir("below/out/x/y")), -ELOOP);
    CU_ASSERT_EQUAL(fs->below(fs, root, in_dir("below/near")), -ELOOP);
    CU_ASSERT_EQUAL(fs->below(fs, "/tmp/leat-no-such", "/tmp/leat-no-such/x"), 0);
    CU_ASSERT_EQUAL(symlink("/tmp/leat-no-such", in_dir("below/dangling")), 0);
    CU_ASSERT_EQUAL(fs->create(fs, path), -ELOOP);
}

static void parents_are_made_and_trees_are_removed(void)
{
    CU_ASSERT_EQUAL(leat_fs_make_parents(fs, in_dir("a/b/c/file")), 0);
    CU_ASSERT_EQUAL(leat_fs_make_parents(fs, path), 0);
    CU_ASSERT_EQUAL(leat_fs_make_parents(fs, "/file"), 0);
    CU_ASSERT_EQUAL(leat_fs_make_parents(fs, "file"), 0);
    put("a/b/c/file", "x");
    put("a/x", "x");
    CU_ASSERT_EQUAL(symlink("/", in_dir("a/b/link")), 0);
    CU_ASSERT_EQUAL(leat_fs_remove_tree(fs, in_dir("a")), 0); /* the link, not where it points to */
    CU_ASSERT_EQUAL(fs->length(fs, path), -ENOENT);
    CU_ASSERT_EQUAL(leat_fs_remove_tree(fs, path), 0);
    put("plain", "x");
    CU_ASSERT_EQUAL(leat_fs_make_parents(fs, in_dir("plain/deeper/file")), -ENOTDIR);
    CU_ASSERT_EQUAL(leat_fs_remove_tree(fs, in_dir("plain")), 0);
}

static void a_full_disk_is_told_from_a_broken_one(void)
{
    struct leat_error err;

    CU_ASSERT_EQUAL(leat_fs_failed(&err, -ENOSPC, "write", "x"), LEAT_E_FULL);
    CU_ASSERT_EQUAL(leat_fs_failed(&err, -EDQUOT, "write", "x"), LEAT_E_FULL);
    CU_ASSERT_EQUAL(leat_fs_failed(&err, -EIO, "write", "x"), LEAT_E_IO);
    CU_ASSERT_EQUAL(leat_fs_sync_failed(&err, -EIO, "x"), LEAT_E_BROKEN);
    CU_ASSERT(!leat_status_is_transient(LEAT_E_BROKEN));
}

static void the_room_of_a_disk_is_told_and_a_missing_place_has_none(void)
{
    int64_t disk = 0, room = fs->room(fs, leat_test_dir(), &disk);

    CU_ASSERT(room > 0 && disk >= room);
    CU_ASSERT_EQUAL(fs->room(fs, in_dir("nothing"), &disk), -ENOENT);
}

LEAT_TESTS("fs", T(a_file_can_be_cut_and_written_on), T(a_way_over_a_link_is_not_below),
           T(parents_are_made_and_trees_are_removed), T(a_full_disk_is_told_from_a_broken_one),
           T(the_room_of_a_disk_is_told_and_a_missing_place_has_none))
