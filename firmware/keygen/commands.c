/* The commands: README.md says what goes over the line. */
#include "k210.h"

#define WEIGHT_MIN 40u
#define WEIGHT_MAX 88u
#define ID_SIZE 32u
#define FIELDS_MAX 6u

static const char *key_bits;       /* written by this command: "none", "some" or "all" */
static unsigned functions_written; /* one bit each */

static void event(const char *command, const char *step)
{
    json_begin();
    json_text("event", command);
    json_text("step", step);
    json_end();
}

static void begin_reply(const char *command, error_t error)
{
    json_begin();
    json_text("reply", command);
    json_bool("ok", !error);
    if (error)
        json_text("error", error);
}

static void end_reply(void)
{
    json_open("written", "{");
    json_text("key_bits", key_bits);
    json_open("functions", "[");
    for (unsigned i = 0; i < FUNCTIONS; i++)
        if (functions_written >> i & 1)
            json_item(function_names[i]);
    json_close("]");
    json_close("}");
    json_end();
}

static void reply(const char *command, error_t error, const struct slot *slot)
{
    begin_reply(command, error);
    if (!error)
        json_hex("machine_code", slot->code, sizeof slot->code);
    end_reply();
}

static error_t unique_id(uint8_t *id)
{
    uint8_t factory[FACTORY_SIZE];
    error_t error = otp_read(FACTORY_DATA, factory, FACTORY_SIZE);
    if (!error)
        sha256(factory, FACTORY_SIZE, id);
    return error;
}

/* What keeps a key from being burnt, whatever the key. */
static error_t obstacle(const enum function_state *states)
{
    static const uint8_t against[] = {KEY_WRITE_OFF, KEY_VERIFY_OFF, CIPHER_OFF};
    if (!clock_is_right())
        return "clock";
    for (unsigned i = 0; i < sizeof against; i++)
        if (states[against[i]] != CLEAR)
            return function_names[against[i]];
    return OK;
}

static void say_status(const uint8_t *id, const struct slot *slot,
                       const enum function_state *states, error_t why)
{
    static const char *const words[] = {"clear", "half", "set"};
    bool locked = states[KEY_WRITE_OFF] == SET && states[TEST_MODE_OFF] == SET;
    begin_reply("status", OK);
    json_hex("unique_id", id, ID_SIZE);
    json_hex("machine_code", slot->code, sizeof slot->code);
    json_text("state", locked ? "locked" : slot->blank ? "blank" : "burnt");
    json_open("functions", "{");
    for (unsigned i = 0; i < FUNCTIONS; i++)
        json_text(function_names[i], words[states[i]]);
    json_close("}");
    json_text("burn", why ? "no" : slot->blank ? "any_key" : "same_key");
    json_text("why", why ? why : "");
    end_reply();
}

static void status(char **field, unsigned fields)
{
    uint8_t id[ID_SIZE];
    struct slot slot;
    enum function_state states[FUNCTIONS];
    (void)field;
    error_t error = fields == 1 ? unique_id(id) : "usage";
    if (!error)
        error = functions_read(states);
    if (!error)
        error = slot_read(&slot);
    if (error) {
        reply("status", error, 0);
        return;
    }
    error = obstacle(states);
    say_status(id, &slot, states, error ? error : slot.unclear ? "slot_unclear" : OK);
}

static error_t known_answer(const uint8_t *key, struct slot *slot)
{
    uint8_t answer[16];
    error_t error = slot_read(slot);
    foretell(key, answer);
    return error ? error : same(answer, slot->answer, sizeof answer) ? OK : "known_answer";
}

/* One fuse alone comes first: if the engine does not use the slot as is thought, that is all that is
 * lost. `part` is blank before, and has that one afterwards. */
static error_t write_first(const uint8_t *key, uint8_t *part, struct slot *slot)
{
    static const uint8_t blank[KEY_SIZE];
    key_bits = "some";
    add_one(key, part);
    error_t error = otp_write(KEY_SLOT, part, blank, KEY_SIZE);
    return error ? error : known_answer(part, slot);
}

/* Write what is missing of the key, then make sure that the slot is this key. */
static error_t write_key(const uint8_t *key, uint8_t *part, struct slot *slot)
{
    bool complete = same(part, key, KEY_SIZE), fresh = slot->blank;
    event("burn", "write");
    error_t error = fresh ? write_first(key, part, slot) : OK;
    if (error)
        return error;
    if (!complete)
        key_bits = "some";
    error = complete ? otp_repair() : otp_write(KEY_SLOT, key, part, KEY_SIZE);
    if (error)
        return error;
    if (fresh)
        key_bits = "all";
    event("burn", "compare");
    error = otp_compare_key(key);
    if (error)
        return error;
    event("burn", "known_answer");
    return known_answer(key, slot);
}

static error_t burn_key(char **field, const uint8_t *key, struct slot *slot)
{
    uint8_t id[ID_SIZE], sent_id[4], sent_crc[4], part[KEY_SIZE];
    enum function_state states[FUNCTIONS];
    uint32_t crc = crc32(key, KEY_SIZE);
    if (!parse_hex(field[2], sent_id, 4) || !parse_hex(field[4], sent_crc, 4))
        return "usage";
    if (!same_text(field[1], "BURN"))
        return "word";
    error_t error = unique_id(id);
    if (error)
        return error;
    if (!same(id, sent_id, sizeof sent_id))
        return "id";
    for (unsigned i = 0; i < 4; i++)
        if (sent_crc[i] != (uint8_t)(crc >> (24 - 8 * i)))
            return "crc";
    if (ones(key, KEY_SIZE) < WEIGHT_MIN || ones(key, KEY_SIZE) > WEIGHT_MAX)
        return "weight";
    error = functions_read(states);
    if (!error)
        error = obstacle(states);
    if (!error)
        error = slot_read(slot);
    if (!error && slot->unclear)
        error = "slot_unclear";
    if (!error && !slot_is_part_of(slot, key, part))
        error = "not_blank";
    if (!error) {
        event("burn", "checked");
        error = write_key(key, part, slot);
    }
    wipe(part, sizeof part);
    return error;
}

static void burn(char **field, unsigned fields)
{
    uint8_t key[KEY_SIZE];
    struct slot slot;
    bool usable = fields == 5 && parse_hex(field[3], key, KEY_SIZE);
    error_t error = usable ? burn_key(field, key, &slot) : "usage";
    wipe(key, sizeof key);
    reply("burn", error, &slot);
}

static error_t lock_functions(bool jtag)
{
    static const uint8_t numbers[] = {KEY_WRITE_OFF, TEST_MODE_OFF, JTAG_OFF};
    enum function_state states[FUNCTIONS];
    for (unsigned i = 0; i < sizeof numbers - !jtag; i++) {
        unsigned number = numbers[i];
        error_t error = functions_read(states);
        if (!error && states[number] != SET) {
            event("lock", function_names[number]);
            functions_written |= 1u << number;
            error = function_set(number);
        }
        if (error)
            return error;
    }
    return OK;
}

static error_t lock_slot(char **field, struct slot *slot)
{
    uint8_t code[16];
    bool jtag = same_text(field[2], "jtag");
    if (!parse_hex(field[1], code, sizeof code) || (!jtag && !same_text(field[2], "keep")))
        return "usage";
    if (!clock_is_right())
        return "clock";
    error_t error = slot_read(slot);
    if (error)
        return error;
    if (slot->blank)
        return slot->unclear ? "slot_unclear" : "blank";
    return same(code, slot->code, sizeof code) ? lock_functions(jtag) : "code";
}

static void lock(char **field, unsigned fields)
{
    struct slot slot;
    error_t error = fields == 3 ? lock_slot(field, &slot) : "usage";
    reply("lock", error, &slot);
}

/* Cut the line at its spaces; more fields than any command has count as one more. */
static unsigned split(char *line, char **field)
{
    unsigned fields = 1;
    field[0] = line;
    for (; *line; line++)
        if (*line == ' ' && fields < FIELDS_MAX) {
            *line = 0;
            field[fields++] = line + 1;
        }
    return fields;
}

void refuse_line(error_t error)
{
    key_bits = "none";
    functions_written = 0;
    reply("unknown", error, 0);
}

void run_command(char *line)
{
    char *field[FIELDS_MAX];
    unsigned fields = split(line, field);
    key_bits = "none";
    functions_written = 0;
    if (same_text(field[0], "STATUS"))
        status(field, fields);
    else if (same_text(field[0], "BURN"))
        burn(field, fields);
    else if (same_text(field[0], "LOCK"))
        lock(field, fields);
    else
        refuse_line("unknown_command");
}
