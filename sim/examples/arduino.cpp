/* Runs a sketch of firmware/examples/ as an ESP8266 with 4 MB and the Arduino core's own eboot does. */
#include <Arduino.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <upd_arduino.h>

#define _Static_assert static_assert
#define _Noreturn [[noreturn]]
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "stage.h"

#include <updraft/arduino_layout.h>
}

void setup();
void loop();

namespace
{

constexpr uint32_t weekMs = 7U * 24 * 60 * 60 * 1000;
constexpr uint32_t holdMs = 8000; /* of the button */

uint8_t buffer[4096];
char http[1024];
char display[4][21];
uint32_t startedMs;

uint32_t now(void *)
{
    return stage_millis();
}

void pause(void *, uint32_t ms)
{
    stage_delay(ms);
}

void print(void *, const char *text, size_t size)
{
    fwrite(text, 1, size, stdout);
}

/* What the display shows is told when the chip restarts, and at the end. */
void show(void *, int column, int row, const char *text)
{
    for (; *text != '\0' && column < 20; column++) {
        display[row][column] = *text++;
    }
}

void tellDisplay()
{
    printf("{\"event\": \"display\", \"lines\": [\"%.20s\", \"%.20s\", \"%.20s\", \"%.20s\"]}\n",
           display[0], display[1], display[2], display[3]);
}

/* Somebody holds the button from the first second on. */
int pin(void *, int)
{
    const uint32_t since = stage_millis() - startedMs;

    return strcmp(stage.when, "button") == 0 && since >= 1000 && since < 1000 + holdMs ? LOW : HIGH;
}

void restart(void *)
{
    tellDisplay();
    stage_restart();
}

void rtcWrite(void *, const uint8_t block[UPD_EBOOT_COMMAND_SIZE])
{
    if (sim_rtc_write(&stage.rtc, SIM_RTC_USER_BLOCK, block, UPD_EBOOT_COMMAND_SIZE) != UPD_OK) {
        abort();
    }
}

/* Bytes of the sketch that runs: as the word at 0x1010 says it to the core. */
uint32_t sketchSize()
{
    uint8_t word[4];

    sim_flash_peek(&stage.flash, 0x1010, word, sizeof word);
    return word[0] | static_cast<uint32_t>(word[1]) << 8 | static_cast<uint32_t>(word[2]) << 16 |
           static_cast<uint32_t>(word[3]) << 24;
}

} // namespace

int main(int argc, char **argv)
{
    static const uint8_t mac[] = {0x5C, 0xCF, 0x7F, 0xEE, 0x12, 0x37};
    struct upd_arduino_layout layout;
    UpdArduinoConfig config = {};

    stage_open("arduino", argc, argv);
    if (upd_arduino_layout_find("4m2m", 4, &layout) != UPD_OK) {
        return 2;
    }
    updHost.transport = &stage.net.transport;
    updHost.millis = now;
    updHost.delay = pause;
    updHost.print = print;
    updHost.show = show;
    updHost.pin = pin;
    config.flash = &stage.flash.flash;
    config.buffer = buffer;
    config.buffer_size = sizeof buffer;
    config.http = http;
    config.http_size = sizeof http;
    config.sketch_size = sketchSize();
    config.flash_size = stage.flash.flash.total_size;
    config.fs_start = layout.fs_start;
    config.fs_end = layout.fs_end;
    config.boot_mode = 3;
    config.finds_size = true;
    config.sdk_version = "2.2.2-dev(38a443e)";
    memcpy(config.sta_mac, mac, sizeof mac);
    memcpy(config.ap_mac, mac, sizeof mac);
    config.rtc_write = rtcWrite;
    config.restart = restart;
    updArduinoBegin(config);
    memset(display, ' ', sizeof display);

    startedMs = stage_millis();
    setup();
    do {
        loop();
    } while (stage_millis() - startedMs <
             (strcmp(stage.when, "week") == 0 ? weekMs + 60000 : 60000));
    tellDisplay();
    stage_end();
}
