/*
 * lex.h - the words of an expression.
 *
 * The lexer hands out one token after the other; literals are turned into values at once. Private
 * to engine/expr.
 */
#ifndef LEAT_EXPR_LEX_H
#define LEAT_EXPR_LEX_H

#include "expr/ast.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,    /* also reserved words: text tells */
    TOKEN_QUOTED,  /* `content-type`; text is what is inside */
    TOKEN_LITERAL, /* value */
    TOKEN_MARK,    /* text: one of ( ) [ ] { } . , : ? + - * / % ! < > <= >= == != && || */
    TOKEN_WRONG,   /* has been said */
};

struct token {
    enum token_kind kind;
    uint32_t at, len;
    struct leat_slice text;
    struct leat_value value;
    bool lowest; /* 9223372036854775808: an int only behind a minus */
};

struct lexer {
    const struct ast_source *source;
    size_t at;
    bool failed; /* TOKEN_WRONG was handed out: only that from now on */
};

struct token lex_next(struct lexer *l);

/* Literals, in literal.c. A false return: the mistake has been said. */
bool lex_number(const struct ast_source *s, struct token *t);
bool lex_string(const struct ast_source *s, struct token *t);

/* How far a number or a string that begins at `at` goes; 0: it has no end. */
size_t lex_number_length(struct leat_slice text, size_t at);
size_t lex_string_length(struct leat_slice text, size_t at);

/* The double nearest to text that is a number of CEL, without sign. */
double lex_read_double(struct leat_slice text);

bool lex_is_utf8(struct leat_slice text, size_t *bad);

#endif
