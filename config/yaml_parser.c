/*
 * yaml_parser.c - libfyaml's parser, set up to keep its errors to itself.
 */
#include "yaml_inner.h"
#include "yaml_tree.h"

#include <libfyaml.h>

struct fy_diag *config_yaml_diag_new(void)
{
    struct fy_diag_cfg cfg = {.level = FYET_ERROR, .module_mask = ~0u};
    struct fy_diag *diag = fy_diag_create(&cfg);

    if (diag)
        fy_diag_set_collect_errors(diag, true);
    return diag;
}

struct fy_parser *config_yaml_parser_new(struct fy_diag *diag, struct leat_slice text)
{
    struct fy_parse_cfg cfg = {
        .flags = FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE | FYPCF_QUIET | FYPCF_COLLECT_DIAG,
        .diag = diag,
    };
    struct fy_parser *parser = diag ? fy_parser_create(&cfg) : NULL;

    if (parser && fy_parser_set_string(parser, text.ptr, text.len) != 0) {
        fy_parser_destroy(parser);
        parser = NULL;
    }
    return parser;
}

bool config_yaml_is_valid(struct leat_slice text)
{
    struct fy_diag *diag = config_yaml_diag_new();
    struct fy_parser *parser = config_yaml_parser_new(diag, text);
    bool valid = parser != NULL;

    if (parser) {
        for (struct fy_event *e; (e = fy_parser_parse(parser));)
            fy_parser_event_free(parser, e);
        valid = !fy_parser_get_stream_error(parser);
        fy_parser_destroy(parser);
    }
    if (diag)
        fy_diag_destroy(diag);
    return valid;
}
