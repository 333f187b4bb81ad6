/* The key generator: waits for commands, and does nothing else. */
#include "k210.h"

#define VERSION "1"

void trapped(uint64_t cause)
{
    uint8_t number = (uint8_t)cause;
    json_begin();
    json_text("event", "trap");
    json_hex("cause", &number, 1);
    json_end();
}

int main(void)
{
    static char line[LINE_MAX + 1];
    clock_start();
    serial_start();
    otp_start();
    say("{\"maixforge\":\"keygen\",\"version\":" VERSION "}\n");
    for (;;) {
        switch (read_line(line)) {
        case LINE:
            if (*line)
                run_command(line);
            break;
        case LINE_TOO_LONG:
            refuse_line("line_too_long");
            break;
        case LINE_CHARACTERS:
            refuse_line("characters");
        }
        wipe(line, sizeof line);
    }
}
