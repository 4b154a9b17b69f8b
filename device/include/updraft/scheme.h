/*
 * updraft: how a chip remembers what to start, and how an update makes it start something else.
 *
 *     scheme              for                      selection              who counts the trial
 *     upd_scheme_nonos    NONOS SDK, two slots     SDK's boot block       updraft's loader, or we
 *     upd_scheme_otadata  ESP-IDF, RTOS SDK        otadata                IDF's loader, or we
 *     upd_scheme_eboot    Arduino, one sketch      copy at the start      updraft's loader
 *
 * An application does this at each start, and what it asks for when it runs well:
 *
 *     struct upd_device device;
 *     err = upd_nonos_open(&device, &flash, &config);
 *     err = upd_device_start(&device, &todo);          first of all: counts the start
 *     if (todo == UPD_START_RESTART) restart();        the image was given up: start the other one
 *     ... run, and when all that must work works ...
 *     err = upd_device_confirm(&device);               at each start; writes once
 *
 * How an update goes and why no cut of power stops it: docs/update-engine.md.
 *
 * Every function reads the flash anew; what struct upd_device keeps from call to call is no more
 * than what this power session itself completed (J4 of journal.h). After an error of the flash, the
 * device is left as if power had been cut there: every function may be called again.
 */
#ifndef UPDRAFT_SCHEME_H
#define UPDRAFT_SCHEME_H

#include <stdbool.h>
#include <stdint.h>

#include <updraft/eboot.h>
#include <updraft/err.h>
#include <updraft/flash.h>
#include <updraft/flash_map.h>
#include <updraft/image.h>
#include <updraft/journal.h>
#include <updraft/otadata.h>

/* Slots are numbered from 0, in the order of the scheme: user1, user2; ota_0, ota_1, ... */
#define UPD_SLOT_FACTORY (-1)
#define UPD_SLOT_NONE (-3)
#define UPD_DEVICE_SLOTS UPD_PARTITION_SLOT_MAX

/* X(NAME, sentence): why an image that was activated does not run any more. */
#define UPD_FALLS(X)                                                                               \
    X(NONE, "nothing was given up")                                                                \
    X(EXHAUSTED, "it was started three times and did not confirm itself")                          \
    X(UNCONFIRMED, "it was started once and did not confirm itself before a reset")                \
    X(DAMAGED, "it did not verify")                                                                \
    X(REFUSED, "the application refused it")                                                       \
    X(LOADER, "the boot loader started the other slot by itself")

enum upd_fall {
#define X(name, text) UPD_FALL_##name,
    UPD_FALLS(X)
#undef X
};
/** The sentence, without capital and full stop. Never NULL. */
const char *upd_fall_text(enum upd_fall fall);

/** What a device is, at one moment. Filled in by upd_device_view(). */
struct upd_view {
    int8_t running;  /* slot, or FACTORY */
    int8_t selected; /* slot, or FACTORY, that a reset would start; NONE when not known */
    int8_t target;   /* slot that an update is written to; NONE: there is none */
    bool on_trial;   /* the running image has to confirm itself */
    uint8_t starts;  /* starts counted so far, this one included; 0 when the loader does not say */
    bool loader_counts; /* a crash before upd_device_start() is noticed too */
    bool pending;       /* activated: the next reset starts the target */
    enum upd_fall fall; /* why `fallen` was given up; NONE also after upd_device_acknowledge() */
    int8_t fallen;      /* slot; NONE */
};

/** Bytes of flash that belong together. */
struct upd_area {
    uint32_t offset;
    uint32_t size;
};

/** What start() wants from the application. */
enum upd_start { UPD_START_GO_ON, UPD_START_RESTART };

struct upd_device;

/** What the writer knows at the end, for activate(). */
struct upd_install {
    struct upd_area area; /* where the image lies */
    uint32_t size;        /* bytes of the image */
    uint32_t crc32;       /* of its bytes from 0x1000 on, as read from flash; eboot only */
};

/**
 * A way to remember. Implementations are constants. Applications call the upd_device_ functions
 * below, which check the arguments and call these; the meaning of each is stated there.
 */
struct upd_scheme {
    const char *name; /* "nonos", "otadata", "eboot": as in the API */
    enum upd_err (*view)(struct upd_device *device, struct upd_view *view);
    enum upd_err (*start)(struct upd_device *device, enum upd_start *todo);
    /*
     * The selection is made sure, and the running slot will boot whatever happens to the target.
     *
     * *area: where an image of `size` bytes (or UNKNOWN) shall be written. *journal: offset of the
     * sector for this update's journal. `fresh`: nothing of the journal is needed any more.
     */
    enum upd_err (*prepare)(struct upd_device *device, uint32_t size, bool fresh,
                            struct upd_area *area, uint32_t *journal);
    enum upd_err (*activate)(struct upd_device *device, const struct upd_install *install);
    enum upd_err (*confirm)(struct upd_device *device);
    enum upd_err (*roll_back)(struct upd_device *device);
    enum upd_err (*acknowledge)(struct upd_device *device);
};

extern const struct upd_scheme upd_scheme_nonos;
extern const struct upd_scheme upd_scheme_otadata;
extern const struct upd_scheme upd_scheme_eboot;

/** NONOS SDK: what flash does not tell. */
struct upd_nonos_config {
    uint32_t running;  /* flash offset of the image that runs: system_get_userbin_addr() */
    uint8_t flash_map; /* 0..9, or UPD_IMAGE_ANY: as byte 3 of the flash says */
};

/** ESP-IDF, RTOS SDK. */
struct upd_otadata_config {
    const struct upd_partition *rows; /* the table, `count` rows; must stay valid */
    uint32_t count;
    uint32_t running; /* flash offset of the partition that runs */
    /* What the chip's boot loader was built with. With anti-rollback the table has no factory, as
     * ESP-IDF demands: the loader starts slot 0 where nothing is selected, tried or not. */
    enum upd_otadata_loader loader;
    enum upd_chip chip;
    uint16_t chip_revision;  /* major x 100 + minor; UPD_IMAGE_ANY_REVISION when not known */
    uint16_t efuse_revision; /* of the eFuse block; likewise */
    /*
     * The secure version burned into the chip, and burning a higher one. NULL unless the loader is
     * UPD_OTADATA_LOADER_IDF_ANTI_ROLLBACK. read() answers through *version.
     */
    enum upd_err (*fuse_read)(void *ctx, uint32_t *version);
    enum upd_err (*fuse_burn)(void *ctx, uint32_t version);
    void *ctx;
};

/** Arduino on the ESP8266. */
struct upd_eboot_config {
    uint32_t sketch_size; /* bytes of the sketch that runs, from flash 0 on: ESP.getSketchSize() */
    uint32_t fs_start;    /* flash offset of the file system, or of what lies in its place */
    uint32_t max_sketch;  /* longest file that the layout allows */
    /*
     * Without a copy of the old sketch (there is no room for one, or the loader is not updraft's) a
     * bad sketch cannot be taken back. False refuses such an update.
     */
    bool accept_no_way_back;
    /* Store eboot's command at UPD_EBOOT_COMMAND_ADDRESS of the RTC memory. */
    enum upd_err (*rtc_write)(void *ctx, const uint8_t block[UPD_EBOOT_COMMAND_SIZE]);
    void *ctx;
};

/**
 * A frame of the journal as the library knows it. `sure` is what this session set itself; the rest
 * is read anew by each function.
 */
struct upd_frame {
    struct upd_journal_head head;
    uint32_t sector; /* flash offset of the journal's sector */
    uint16_t marks;  /* as read */
    uint16_t sure;
    uint8_t index; /* of the frame; UPD_JOURNAL_FRAMES: there is none with a valid head */
};

/** A device. The caller's memory; fields are the library's own, but `trouble`. About 200 bytes. */
struct upd_device {
    const struct upd_scheme *scheme;
    const struct upd_flash *flash;
    /* After an error: offset of the sector of flash that could not be read, erased or programmed,
     * or does not hold what was written. 0xFFFFFFFF when the error was of another kind. */
    uint32_t trouble;
    enum upd_err err; /* of the flash, the first one since the application called */
    struct upd_frame frame;
    struct upd_image_target target; /* what an image must fit; slot and offset by prepare() */
    struct upd_area slots[UPD_DEVICE_SLOTS];
    int running; /* slot, or FACTORY */
    int8_t slot_count;
    bool loader_counts;
    bool settled;      /* this session made the selection sure */
    bool activated;    /* this session selected another image: the next reset starts that */
    uint8_t backed_up; /* eboot: pieces of the backup that were made before this session */
    union {
        struct {
            const struct upd_flash_map *map;
            uint32_t sysparam;
        } nonos;
        struct {
            const struct upd_otadata_config *config;
            uint32_t records;        /* flash offset of the first copy */
            struct upd_area factory; /* of size 0: there is none */
        } otadata;
        const struct upd_eboot_config *eboot;
    } of;
};

/**
 * Open a device of the NONOS SDK. Reads 4 + 16 bytes of sector 0, twice; writes nothing.
 *
 * @param device  out, not NULL
 * @param flash   must stay valid while the device is used; page_size 256, sector_size 4096
 * @param config  copied
 *
 * @return UPD_OK
 * @return UPD_E_ARG     the flash has other pages or sectors, or `running` is neither slot
 * @return UPD_E_TARGET  the map has no two slots, or is larger than the flash
 * @return UPD_E_VERIFY  sector 0 reads differently each time
 * @return any error of flash->read()
 */
UPD_MUST_CHECK enum upd_err upd_nonos_open(struct upd_device *device, const struct upd_flash *flash,
                                           const struct upd_nonos_config *config);

/**
 * Open a device with a partition table. Writes nothing.
 *
 * @param config  must stay valid while the device is used
 *
 * @return UPD_OK
 * @return UPD_E_ARG        pages or sectors, a fuse function is missing, or no app partition begins
 *                          at `running`
 * @return UPD_E_NOT_FOUND  no otadata partition of two sectors, or no OTA slot
 */
UPD_MUST_CHECK enum upd_err upd_otadata_open(struct upd_device *device,
                                             const struct upd_flash *flash,
                                             const struct upd_otadata_config *config);

/**
 * Open a device of the Arduino core. Reads 16 bytes of sector 0; writes nothing.
 *
 * @param config  must stay valid while the device is used
 *
 * @return UPD_OK
 * @return UPD_E_ARG  pages or sectors, rtc_write is missing, fs_start is not sector-aligned or lies
 *                    inside the sketch
 */
UPD_MUST_CHECK enum upd_err upd_eboot_open(struct upd_device *device, const struct upd_flash *flash,
                                           const struct upd_eboot_config *config);

/*
 * Each of the functions below also returns an error of the flash port as it is, and UPD_E_VERIFY
 * when the flash does not hold what was written; device->trouble then names the sector.
 */

/** Tell what the device is. Reads only. */
UPD_MUST_CHECK enum upd_err upd_device_view(struct upd_device *device, struct upd_view *view);

/**
 * To be called first at each start of the application.
 *
 * Ends what a power cut interrupted: a selection that was being changed, a way back. When the boot
 * loader does not count the starts of an image on trial, counts this one; when they are used up and
 * the other image verifies, gives the running one up. On an ordinary start it writes nothing.
 *
 * @param todo  out: RESTART when another image shall run now
 */
UPD_MUST_CHECK enum upd_err upd_device_start(struct upd_device *device, enum upd_start *todo);

/**
 * The running image is good: end its trial. Writes nothing when there is none to end.
 *
 * @return UPD_OK       the image stays, whatever happens to the power from now on
 * @return UPD_E_STATE  it was given up, or another image is selected by now: restart
 */
UPD_MUST_CHECK enum upd_err upd_device_confirm(struct upd_device *device);

/**
 * The running image is bad: go back to the other one, which is verified first. Restart after it.
 *
 * @return UPD_E_NOT_FOUND  there is no other image that verifies; nothing was changed
 */
UPD_MUST_CHECK enum upd_err upd_device_roll_back(struct upd_device *device);

/** The server knows why view.fallen was given up: do not say it again. */
UPD_MUST_CHECK enum upd_err upd_device_acknowledge(struct upd_device *device);

#endif
