/* Lines of JSON. No text here needs escapes. */
#include "k210.h"

static const char *separator;

void json_begin(void)
{
    say("{");
    separator = "\"";
}

static void name_is(const char *name)
{
    say(separator);
    say(name);
    say("\":");
    separator = ",\"";
}

void json_text(const char *name, const char *value)
{
    name_is(name);
    say("\"");
    say(value);
    say("\"");
}

void json_hex(const char *name, const uint8_t *bytes, unsigned count)
{
    name_is(name);
    say("\"");
    say_hex(bytes, count);
    say("\"");
}

void json_bool(const char *name, bool value)
{
    name_is(name);
    say(value ? "true" : "false");
}

void json_open(const char *name, const char *bracket)
{
    name_is(name);
    say(bracket);
    separator = "\"";
}

void json_item(const char *value)
{
    say(separator);
    say(value);
    say("\"");
    separator = ",\"";
}

void json_close(const char *bracket)
{
    say(bracket);
    separator = ",\"";
}

void json_end(void)
{
    say("}\n");
}
