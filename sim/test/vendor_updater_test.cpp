/*
 * Goal: the updater of the Arduino core for the ESP8266 gives each of its error values and texts
 * for its cause, in the order of its checks, and a good update is staged, patched and told to eboot
 * as the original does it. Method: the simulated flash and its faults; time goes on by delay().
 */
#include <Updater.h>

#include <cstdio>
#include <cstring>

#include "check_cpp.h"

namespace
{

constexpr uint32_t sector = 4096;
constexpr uint32_t fsStart = 0x200000;
constexpr uint32_t sketchSize = 400000;
constexpr uint32_t imageSize = 200000;

struct sim_flash sim;
uint32_t now;
uint32_t commands;
struct upd_eboot_command command;
uint8_t buffer[sector];
char http[1024];
uint8_t image[imageSize];
char said[2048];
size_t saidSize;
uint32_t starts, ends, progresses;
uint8_t lastError;

uint32_t hostMillis(void *)
{
    return now;
}

void hostDelay(void *, uint32_t ms)
{
    now += ms;
}

void hostPrint(void *, const char *text, size_t size)
{
    CHECK(saidSize + size < sizeof said);
    memcpy(said + saidSize, text, size);
    saidSize += size;
    said[saidSize] = '\0';
}

void rtcWrite(void *, const uint8_t block[UPD_EBOOT_COMMAND_SIZE])
{
    commands++;
    CHECK(upd_eboot_parse(block, &command) == UPD_OK);
}

/* A 4 MiB board with a file system of 2 MiB, and a sketch that runs in flash mode DIO. */
UpdArduinoConfig board()
{
    UpdArduinoConfig config = {};

    config.flash = &sim.flash;
    config.buffer = buffer;
    config.buffer_size = sizeof buffer;
    config.http = http;
    config.http_size = sizeof http;
    config.sketch_size = sketchSize;
    config.flash_size = 4 << 20;
    config.fs_start = fsStart;
    config.fs_end = 0x3FA000;
    config.rtc_write = rtcWrite;
    return config;
}

void begin(const UpdArduinoConfig &config)
{
    static const uint8_t head[] = {0xE9, 1, 2, 0x40};

    sim_flash_init(&sim, &sim_flash_4m, 1);
    sim_flash_load(&sim, 0, head, sizeof head);
    for (uint32_t i = 0; i < imageSize; i++) {
        image[i] = static_cast<uint8_t>(i * 7 + i / 256);
    }
    memcpy(image, head, sizeof head);
    updHost = {};
    updHost.millis = hostMillis;
    updHost.delay = hostDelay;
    updHost.print = hostPrint;
    now = commands = starts = ends = progresses = 0;
    saidSize = 0;
    said[0] = '\0';
    lastError = 0;
    updArduinoBegin(config);
    Update = UpdaterClass();
    Update.onStart([]() { starts++; })
        .onEnd([]() { ends++; })
        .onError([](uint8_t error) { lastError = error; })
        .onProgress([](size_t done, size_t all) {
            progresses++;
            CHECK(done <= all);
        });
}

void begin()
{
    begin(board());
}

void end()
{
    sim_flash_free(&sim);
}

const char *printed()
{
    saidSize = 0;
    said[0] = '\0';
    Update.printError(Serial);
    return said;
}

/* The error, the text, and that nothing goes on. */
bool failedWith(uint8_t error, const char *text)
{
    char line[200];

    snprintf(line, sizeof line, "ERROR[%u]: %s\r\n", error, text);
    if (Update.getError() != error || strcmp(printed(), line) != 0) {
        printf("expected %s, got %s", line, said);
        return false;
    }
    return Update.hasError() && lastError == error && !Update.isRunning() && commands == 0;
}

bool staged(uint32_t offset, const uint8_t *expected, uint32_t size)
{
    static uint8_t cells[imageSize];

    sim_flash_peek(&sim, offset, cells, size);
    return memcmp(cells, expected, size) == 0;
}

/* A stream that gives bytes up to its end, in pieces, and then none. */
class Bytes : public Stream
{
  public:
    Bytes(const uint8_t *data, size_t size, size_t piece) : _data(data), _size(size), _piece(piece)
    {
        _timeout = 8000;
    }
    int available() override
    {
        return static_cast<int>(_size - _at);
    }
    int read() override
    {
        return _at < _size ? _data[_at++] : -1;
    }
    int peek() override
    {
        return _at < _size ? _data[_at] : -1;
    }
    size_t write(uint8_t) override
    {
        return 0;
    }
    size_t readBytes(uint8_t *data, size_t size) override
    {
        size = size < _piece ? size : _piece;
        return Stream::readBytes(data, size);
    }

  private:
    const uint8_t *_data;
    size_t _size;
    size_t _piece;
    size_t _at = 0;
};

/* --- */

/* The figures of an update that was watched: 200,000 bytes over a sketch of 400,000. */
void test_a_good_update_is_staged_below_the_file_system()
{
    for (uint32_t room = 256; room <= sector; room += sector - 256) {
        UpdArduinoConfig config = board();
        config.buffer_size = room;
        begin(config);
        CHECK(Update.begin(imageSize));
        CHECK(Update.isRunning() && Update.size() == imageSize && Update.progress() == 0);
        CHECK(Update.remaining() == imageSize && !Update.isFinished() && starts == 1);
        for (uint32_t at = 0, piece = 1; at < imageSize; at += piece++) {
            const uint32_t left = imageSize - at;
            const uint32_t size = left < piece ? left : piece;
            CHECK(Update.write(image + at, size) == size);
        }
        CHECK(Update.isFinished() && Update.progress() == imageSize && Update.remaining() == 0);
        CHECK(Update.end() && !Update.hasError() && ends == 1);
        CHECK(!Update.isRunning() && strcmp(printed(), "ERROR[0]: No Error\r\n") == 0);
        CHECK(commands == 1 && command.action == UPD_EBOOT_COPY && command.target == 0);
        CHECK(command.source == 0x1CF000 && command.size == imageSize);
        CHECK(staged(0x1CF000, image, imageSize));
        static const uint8_t blank[] = {0xFF, 0xFF, 0xFF, 0xFF};
        CHECK(staged(0x1CF000 + imageSize, blank, sizeof blank)); /* to the end of the sector */
        CHECK(sim_flash_wear(&sim, 0x1CF000) == 1 && sim_flash_wear(&sim, 0x1CE000) == 0);
        CHECK(sim_flash_wear(&sim, 0x1FF000) == 1 && sim_flash_wear(&sim, fsStart) == 0);
        CHECK(Update.begin(imageSize)); /* another one may follow */
        end();
    }
}

void test_the_chip_keeps_its_flash_mode_and_the_digest_is_of_what_came()
{
    begin();
    image[2] = 0; /* QIO, where DIO runs */
    uint8_t digest[UPD_MD5_SIZE];
    char hex[updMd5Text];
    struct upd_md5 md5;
    upd_md5_init(&md5);
    upd_md5_update(&md5, image, imageSize);
    upd_md5_final(&md5, digest);
    updMd5Hex(digest, hex);
    for (char *c = hex; *c != '\0'; c++) {
        *c = *c >= 'a' ? static_cast<char>(*c - 'a' + 'A') : *c; /* case does not matter */
    }
    CHECK(!Update.setMD5("12") && !Update.setMD5("0123456789abcdef0123456789abcdef0"));
    CHECK(Update.begin(imageSize) && Update.setMD5(hex));
    CHECK(Update.write(image, imageSize) == imageSize && Update.end());
    String calculated = Update.md5String();
    CHECK(calculated.equalsIgnoreCase(hex));
    CHECK(image[2] == 0);
    image[2] = 2;
    CHECK(staged(0x1CF000, image, imageSize));
    end();

    begin(); /* a compressed sketch is not patched */
    image[0] = 0x1F;
    image[1] = 0x8B;
    image[2] = 8;
    CHECK(Update.begin(imageSize) && Update.write(image, imageSize) == imageSize && Update.end());
    CHECK(staged(0x1CF000, image, imageSize) && command.size == imageSize);
    end();
}

void test_a_file_system_in_place_and_staged()
{
    begin();
    CHECK(Update.begin(imageSize, U_FS) && Update.write(image, imageSize) == imageSize);
    CHECK(Update.end() && commands == 0 && staged(fsStart, image, imageSize));
    CHECK(Update.begin(0x1FA000, U_SPIFFS)); /* all of it */
    CHECK(!Update.end());                    /* and nothing came: 13 */
    CHECK(failedWith(UPDATE_ERROR_NO_DATA, "No data supplied"));
    CHECK(!Update.begin(0x1FA001, U_FS) && failedWith(UPDATE_ERROR_SPACE, "Not Enough Space"));
    end();

    UpdArduinoConfig config = board();
    config.atomic_fs = true;
    begin(config);
    CHECK(Update.begin(imageSize, U_FS) && Update.write(image, imageSize) == imageSize);
    CHECK(Update.end() && commands == 1 && command.source == 0x1CF000);
    CHECK(command.target == fsStart && command.size == imageSize);
    end();
}

/* What is wrong at begin(): each row alone, and the earlier one wins. */
void test_begin_checks_in_order()
{
    begin();
    CHECK(Update.begin(imageSize) && !Update.begin(imageSize));
    CHECK(failedWith(UPDATE_ERROR_RUNNING_ALREADY, "Update already running"));
    CHECK(Update.begin(imageSize)); /* it has ended the other one */
    end();

    UpdArduinoConfig config = board();
    config.buffer = nullptr;
    begin(config);
    CHECK(!Update.begin(imageSize) && failedWith(UPDATE_ERROR_OOM, "Out of memory"));
    CHECK(!Update.begin(imageSize, U_AUTH));
    CHECK(failedWith(UPDATE_ERROR_UNKNOWN_COMMAND, "Unknown update command"));
    CHECK(!Update.begin(fsStart - 0x62000 + 1) && Update.getError() == UPDATE_ERROR_SPACE);
    CHECK(!Update.begin(fsStart) && Update.getError() == UPDATE_ERROR_SPACE);
    CHECK(!Update.begin(UINT32_MAX) && Update.getError() == UPDATE_ERROR_SPACE);
    end();

    config.flash_size = 2 << 20;
    begin(config);
    CHECK(!Update.begin(fsStart));
    CHECK(failedWith(UPDATE_ERROR_FLASH_CONFIG, "Flash config wrong: real: 2097152, SDK: 4194304"));
    CHECK(!Update.begin(0) && failedWith(UPDATE_ERROR_SIZE, "Bad Size Given"));
    end();

    config.boot_mode = 1;
    begin(config);
    CHECK(!Update.begin(0));
    CHECK(failedWith(UPDATE_ERROR_BOOTSTRAP,
                     "Invalid bootstrapping state, reset ESP8266 before updating"));
    CHECK(starts == 0);
    end();

    begin();
    CHECK(Update.begin(fsStart - 0x62000)); /* up to the sketch that runs */
    end();
}

void test_faults_of_the_flash()
{
    static const struct {
        enum sim_fault_kind kind;
        uint32_t at;
        uint8_t error;
        const char *text;
    } rows[] = {
        {SIM_FAULT_ERASE_FAILS, 0x1CF000, UPDATE_ERROR_ERASE, "Flash Erase Failed"},
        {SIM_FAULT_PROGRAM_FAILS, 0x1D0000, UPDATE_ERROR_WRITE, "Flash Write Failed"},
        {SIM_FAULT_READ_FAILS, 0, UPDATE_ERROR_READ, "Flash Read Failed"},
    };

    for (const auto &row : rows) {
        begin();
        CHECK_THAT(row.text, Update.begin(imageSize));
        struct sim_fault fault = {};
        fault.kind = row.kind;
        fault.at = row.at;
        fault.count = UINT32_MAX;
        sim_flash_fault(&sim, &fault);
        CHECK_THAT(row.text, Update.write(image, imageSize) < imageSize);
        CHECK_THAT(row.text, failedWith(row.error, row.text));
        CHECK_THAT(row.text, Update.write(image, 1) == 0 && !Update.end());
        end();
    }
    begin(); /* and when the staged image is looked at */
    CHECK(Update.begin(imageSize) && Update.write(image, imageSize) == imageSize);
    struct sim_fault fault = {};
    fault.kind = SIM_FAULT_READ_FAILS;
    fault.count = UINT32_MAX;
    sim_flash_fault(&sim, &fault);
    CHECK(!Update.end() && failedWith(UPDATE_ERROR_READ, "Flash Read Failed"));
    end();
}

void test_what_end_refuses()
{
    begin();
    CHECK(!Update.end() && !Update.hasError()); /* nothing runs */
    CHECK(Update.begin(imageSize) && !Update.end());
    CHECK(failedWith(UPDATE_ERROR_NO_DATA, "No data supplied"));

    CHECK(Update.begin(imageSize) && Update.write(image, 5000) == 5000);
    CHECK(!Update.end() && !Update.hasError() && !Update.isRunning() && commands == 0);

    CHECK(Update.begin(imageSize) && Update.setMD5("00000000000000000000000000000000"));
    CHECK(Update.write(image, imageSize) == imageSize && !Update.end());
    String text =
        "MD5 verification failed: expected: 00000000000000000000000000000000, calculated: ";
    text += Update.md5String();
    CHECK(failedWith(UPDATE_ERROR_MD5, text.c_str()));

    image[0] = 0xEA;
    CHECK(Update.begin(imageSize) && Update.write(image, imageSize) == imageSize && !Update.end());
    CHECK(failedWith(UPDATE_ERROR_MAGIC_BYTE, "Magic byte is not 0xE9"));

    image[0] = 0xE9;
    image[3] = 0x80; /* 8 MiB */
    CHECK(Update.begin(imageSize) && Update.write(image, imageSize) == imageSize && !Update.end());
    CHECK(failedWith(UPDATE_ERROR_NEW_FLASH_CONFIG, "new Flash config wrong, real size: 4194304"));

    CHECK(Update.begin(100) && Update.write(image, 101) == 0);
    CHECK(failedWith(UPDATE_ERROR_SPACE, "Not Enough Space"));
    end();

    UpdArduinoConfig config = board();
    config.finds_size = true;
    begin(config);
    image[3] = 0x80;
    CHECK(Update.begin(imageSize) && Update.write(image, imageSize) == imageSize && Update.end());
    end();
}

/* Who does not know the size begins with all the room, and ends with what came. */
void test_fewer_bytes_than_announced_when_that_is_allowed()
{
    static const uint32_t sizes[] = {1, 5, sector - 1, sector, sector + 1, 5000, imageSize};

    for (uint32_t size : sizes) {
        begin();
        const uint32_t room = (fsStart - 0x62000 - 0x1000) & 0xFFFFF000;
        CHECK(Update.begin(room) && Update.write(image, size) == size && Update.end(true));
        CHECK(command.source == 0x63000 && command.size == size);
        CHECK(staged(0x63000, image, size));
        end();
    }
}

void test_streams()
{
    begin();
    Bytes good(image, imageSize, 1460);
    CHECK(Update.begin(imageSize) && Update.writeStream(good) == imageSize && Update.end());
    CHECK(progresses > 100 && staged(0x1CF000, image, imageSize));

    Bytes cut(image, 10000, 1460);
    const uint32_t since = now;
    CHECK(Update.begin(imageSize) && Update.writeStream(cut) == 10000);
    commands = 0;
    CHECK(failedWith(UPDATE_ERROR_STREAM, "Stream Read Timeout"));
    CHECK(now - since >= 60000 && now - since < 75000); /* of the simulated clock */
    CHECK(Update.writeStream(cut) == 0);

    image[0] = 'x';
    Bytes other(image, imageSize, 1460);
    CHECK(Update.begin(imageSize) && Update.writeStream(other) == 0);
    CHECK(failedWith(UPDATE_ERROR_MAGIC_BYTE, "Magic byte is not 0xE9"));
    CHECK(Update.begin(imageSize, U_FS) && Update.writeStream(other) == imageSize && Update.end());
    end();
}

/* --- Signatures: the classes are the core's; these stand in for them. */

class Hash : public UpdaterHashClass
{
  public:
    void begin() override
    {
        upd_sha256_init(&_sha256);
    }
    void add(const void *data, uint32_t size) override
    {
        upd_sha256_update(&_sha256, data, size);
    }
    void end() override
    {
        upd_sha256_final(&_sha256, _digest);
    }
    int len() override
    {
        return UPD_SHA256_SIZE;
    }
    const void *hash() override
    {
        return _digest;
    }
    const unsigned char *oid() override
    {
        return nullptr;
    }

  private:
    struct upd_sha256 _sha256 = {};
    uint8_t _digest[UPD_SHA256_SIZE] = {};
};

/* A "signature" that is the digest eight times: as long as one of RSA-2048. */
class Verifier : public UpdaterVerifyClass
{
  public:
    uint32_t length() override
    {
        return 8 * UPD_SHA256_SIZE;
    }
    bool verify(UpdaterHashClass *hash, const void *signature, uint32_t size) override
    {
        bool good = size == length();
        for (uint32_t i = 0; good && i < 8; i++) {
            good = memcmp(static_cast<const uint8_t *>(signature) + i * UPD_SHA256_SIZE,
                          hash->hash(), UPD_SHA256_SIZE) == 0;
        }
        return good;
    }
};

void test_signed_images()
{
    static const struct {
        const char *name;
        uint32_t length; /* as the last word says */
        uint32_t damage; /* offset of a byte that is turned; imageSize: none */
        uint32_t size;
        bool good;
    } rows[] = {
        {"good", 256, imageSize, imageSize, true},
        {"another length", 255, imageSize, imageSize, false},
        {"no signature", 0, imageSize, imageSize, false},
        {"damaged image", 256, 100, imageSize, false},
        {"damaged signature", 256, imageSize - 100, imageSize, false},
        {"shorter than a signature", 256, imageSize, 200, false},
        {"shorter than the length", 256, imageSize, 3, false},
    };
    Hash hash;
    Verifier verifier;

    for (const auto &row : rows) {
        begin();
        const uint32_t part = imageSize - 260;
        hash.begin();
        hash.add(image, part);
        hash.end();
        for (uint32_t i = 0; i < 8; i++) {
            memcpy(image + part + i * UPD_SHA256_SIZE, hash.hash(), UPD_SHA256_SIZE);
        }
        uint8_t *const word = image + (row.size >= 4 ? row.size - 4 : 0);
        word[0] = static_cast<uint8_t>(row.length);
        word[1] = static_cast<uint8_t>(row.length >> 8);
        word[2] = word[3] = 0;
        if (row.size < 4) {
            image[0] = 0xE9;
        }
        if (row.damage < imageSize) {
            image[row.damage] ^= 1;
        }
        CHECK_THAT(row.name, Update.installSignature(&hash, &verifier));
        CHECK_THAT(row.name, Update.begin(row.size));
        /* The digest is not looked at where signatures are. */
        CHECK_THAT(row.name, Update.setMD5("00000000000000000000000000000000"));
        CHECK_THAT(row.name, Update.write(image, row.size) == row.size);
        CHECK_THAT(row.name, Update.end() == row.good);
        if (row.good) {
            CHECK_THAT(row.name, command.size == part);
        } else {
            CHECK_THAT(row.name, failedWith(UPDATE_ERROR_SIGN, "Signature verification failed"));
        }
        end();
    }
    begin();
    CHECK(Update.begin(100) && !Update.installSignature(&hash, &verifier));
    CHECK(failedWith(UPDATE_ERROR_RUNNING_ALREADY, "Update already running"));
    end();
}

/* The bits of byte 3 that tell the size, as far as the core knows them. */
void test_flash_sizes()
{
    static const uint32_t kibibytes[16] = {512, 256, 1024, 2048, 4096, 0, 0, 0, 8192, 16384};

    for (uint32_t i = 0; i < 256; i++) {
        CHECK(updMagicFlashSize(static_cast<uint8_t>(i)) == kibibytes[i / 16] * 1024);
    }
}

} // namespace

int main()
{
    CHECK_RUN(test_a_good_update_is_staged_below_the_file_system);
    CHECK_RUN(test_the_chip_keeps_its_flash_mode_and_the_digest_is_of_what_came);
    CHECK_RUN(test_a_file_system_in_place_and_staged);
    CHECK_RUN(test_begin_checks_in_order);
    CHECK_RUN(test_faults_of_the_flash);
    CHECK_RUN(test_what_end_refuses);
    CHECK_RUN(test_fewer_bytes_than_announced_when_that_is_allowed);
    CHECK_RUN(test_streams);
    CHECK_RUN(test_signed_images);
    CHECK_RUN(test_flash_sizes);
    check_end();
}
