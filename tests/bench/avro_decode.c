/*
 * avro_decode.c - what Avro-C's generic values cost for Flume's events.
 *
 *     avro_decode FILE COUNT     FILE: a list of events as a call has it, decoded until so many are
 *
 * Nothing is received and nothing is kept: decoding alone.
 */
#include <avro.h>
#include <stdio.h>
#include <stdlib.h>

static const char schema[] =
    "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"AvroFlumeEvent\",\"fields\":["
    "{\"name\":\"headers\",\"type\":{\"type\":\"map\",\"values\":\"string\"}},"
    "{\"name\":\"body\",\"type\":\"bytes\"}]}}";

int main(int argc, char **argv)
{
    static char bytes[1 << 20];
    avro_schema_t parsed;
    avro_value_t value;
    size_t events;

    if (argc < 3)
        return 2;
    FILE *f = fopen(argv[1], "rb");
    if (!f)
        return EXIT_FAILURE;
    int64_t len = (int64_t)fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    if (avro_schema_from_json_length(schema, sizeof schema - 1, &parsed) != 0)
        return EXIT_FAILURE;
    avro_value_iface_t *iface = avro_generic_class_from_schema(parsed);
    avro_generic_value_new(iface, &value);
    avro_reader_t reader = avro_reader_memory(bytes, len);
    for (long left = atol(argv[2]); left > 0; left -= (long)events) {
        avro_reader_memory_set_source(reader, bytes, len);
        avro_value_reset(&value);
        if (avro_value_read(reader, &value) != 0 || avro_value_get_size(&value, &events) != 0 ||
            events == 0)
            return EXIT_FAILURE;
    }
    avro_reader_free(reader);
    avro_value_decref(&value);
    avro_value_iface_decref(iface);
    avro_schema_decref(parsed);
    return EXIT_SUCCESS;
}
