/*
 * map_with_function.h - what the function of `map_with_function` says of a key's state.
 */
#ifndef LEAT_OP_MAP_WITH_FUNCTION_H
#define LEAT_OP_MAP_WITH_FUNCTION_H

enum leat_becomes {
    LEAT_BECOMES_SAME,
    LEAT_BECOMES_NEW,
    LEAT_BECOMES_NOTHING, /* it is removed */
};

#endif
