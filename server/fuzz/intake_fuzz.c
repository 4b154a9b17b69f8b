/*
 * Uploaded images of any content, for products of any kind: whole or in pieces, the judgement is
 * the same; what is accepted fits the product; the description is JSON either way. Of a gzip that
 * is damaged, the first damage that is met is told, and that depends on the pieces.
 *
 * First byte: kind of the product and part; second: chip and layout; third: the size of the pieces.
 */
#include "fleet/intake.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <updraft/chip.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char table[] = "nvs,data,nvs,0x9000,0x5000,\n"
                            "otadata,data,ota,0xe000,0x2000,\n"
                            "app0,app,ota_0,0x10000,0x20000,\n"
                            "app1,app,ota_1,0x30000,0x10000,\n";

static void insist(bool condition)
{
    if (!condition) {
        abort();
    }
}

static struct product product_of(uint8_t kind, uint8_t layout)
{
    static const uint8_t chips[] = {UPD_CHIP_ESP8266, UPD_CHIP_ESP32, UPD_CHIP_ESP32C3,
                                    UPD_CHIP_ESP32S3};
    struct product product = {
        .kind = kind % (KIND_UPDRAFT + 1), .chip = chips[layout % 4], .map = -1};

    if (layout & 0x10) {
        product.map = layout >> 5;
    } else if (layout & 0x20) {
        strcpy(product.table, table);
    }
    return product;
}

struct judgement {
    bool good;
    struct image image;
    struct intake_problem problem;
};

static void judge(const struct product *product, enum part part, const uint8_t *data, size_t size,
                  size_t piece, struct judgement *judgement)
{
    struct intake *intake = intake_begin(product, part);
    bool good = true;
    char text[16384];

    insist(intake != NULL);
    memset(judgement, 0, sizeof *judgement);
    for (size_t at = 0; at < size && good; at += piece) {
        good = intake_feed(intake, data + at, size - at < piece ? size - at : piece);
    }
    judgement->good = good && intake_end(intake, &judgement->image);
    judgement->problem = *intake_problem(intake);
    insist(judgement->good == (judgement->problem.code == NULL));
    intake_describe(intake, text, sizeof text);
    json_t *json = json_loads(text, 0, NULL);
    insist(json_is_object(json));
    json_decref(json);
    intake_free(intake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct judgement whole, cut;

    if (size < 4) {
        return 0;
    }
    const struct product product = product_of(data[0], data[1]);
    const enum part part = data[0] & 0x80 ? PART_FILESYSTEM : PART_APP;
    const size_t piece = (size_t)data[2] + 1;
    judge(&product, part, data + 3, size - 3, size, &whole);
    judge(&product, part, data + 3, size - 3, piece, &cut);
    insist(whole.good == cut.good);
    if (!whole.good) {
        insist(whole.problem.text[0] != '\0' && cut.problem.text[0] != '\0');
        insist(data[3] == 0x1F || (strcmp(whole.problem.code, cut.problem.code) == 0 &&
                                   whole.problem.offset == cut.problem.offset));
        return 0;
    }
    insist(memcmp(&whole.image, &cut.image, sizeof whole.image) == 0);
    insist(whole.image.chip == product.chip);
    insist(part == PART_FILESYSTEM || intake_limit(&product) == 0 ||
           whole.image.payload_size <=
               (product.table[0] != '\0' ? 0x20000 : intake_limit(&product)));
    return 0;
}
